package cli

import (
	"encoding/json"
	"strings"
	"testing"
)

// explain prints every step, also the refused ones and why; as a table without trailing surprises, and as JSON.
func TestExplain(t *testing.T) {
	var stdout, stderr strings.Builder
	args := []string{"explain", "edge/router-0", "--kubernetes", "testdata/explain-cluster.yaml"}
	if code := Main(args, &stdout, &stderr); code != exitOK {
		t.Fatalf("code %d: %s", code, &stderr)
	}
	for _, part := range []string{
		"NIC ovn, port router-0.edge: extended, by the exception", "policy: gateways, mode enforce, repair repair",
		"! not applied: the pod has ovn.kubernetes.io/port_security=false, from before this was decided",
		"granted: 10.20.0.0/24 from its own MAC", "until: 2999-12-31T00:00:00Z",
		"refused  the policy asks for strict, and a pod may only tighten", "refused  it ended at 2019-12-31T00:00:00Z",
		`ovn.kubernetes.io/routes=[{"dst":"192.0.2.0/24","gw":"10.16.0.9"}]  copied   policy gateways hands it down`,
	} {
		if !strings.Contains(stdout.String(), part) {
			t.Errorf("lacks %q:\n%s", part, &stdout)
		}
	}
	stdout.Reset()
	if code := Main(append(args, "-o", "json"), &stdout, &stderr); code != exitOK {
		t.Fatalf("code %d: %s", code, &stderr)
	}
	var ports []struct {
		Port, Level, NotApplied string
		Exceptions              []string
		Steps                   []struct{ Source, Outcome string }
	}
	if err := json.Unmarshal([]byte(stdout.String()), &ports); err != nil {
		t.Fatal(err)
	}
	if len(ports) != 1 || ports[0].Port != "router-0.edge" || ports[0].Level != "extended" ||
		len(ports[0].Steps) != 6 || !strings.Contains(ports[0].NotApplied, "ovnguard audit") ||
		ports[0].Exceptions[0] != "branches" {
		t.Errorf("%+v", ports)
	}
}

func TestExplainUsage(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		code int
		says string
	}{
		"no namespace":  {[]string{"router-0"}, exitUsage, "NAMESPACE/POD"},
		"no such pod":   {[]string{"edge/other"}, exitFindings, "has no port"},
		"another form":  {[]string{"edge/router-0", "-o", "yaml"}, exitUsage, "--output"},
		"no such file":  {[]string{"edge/router-0", "--kubernetes", "testdata/none.yaml"}, exitUsage, "none.yaml"},
		"nothing asked": {nil, exitUsage, "arg"},
	} {
		var stdout, stderr strings.Builder
		args := append([]string{"explain", "--kubernetes", "testdata/explain-cluster.yaml"}, c.args...)
		if code := Main(args, &stdout, &stderr); code != c.code || !strings.Contains(stderr.String(), c.says) {
			t.Errorf("%s: code %d, %q, want %d and %q", name, code, &stderr, c.code, c.says)
		}
	}
}
