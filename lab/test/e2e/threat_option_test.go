//go:build integration

package e2e

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/ovnguard/ovnguard/internal/events"
)

// The option is set in a running cluster, as Kube-OVN's start-db.sh does: at once there is one finding, reported to the
// operators, and no port is compliant. The post-upgrade hook's value ends it. (The ovn-northd here is not Kube-OVN's,
// and goes on checking; TestThreatT45ForgedFramePassesWithoutTheChecks shows what its flows would be, and that forged
// frames then pass.)
func TestThreatT45OptionWhileRunning(t *testing.T) {
	pod := run(t, tenantNamespace, nil)
	awaitNoFindings(t)
	const off, compliant, findings = `ovnguard_findings{rule="OVG030"}`, `ovnguard_ports{state="compliant"}`,
		"options:version_compatibility="
	if metrics(t)[off] != 0 || metrics(t)[compliant] == 0 {
		t.Fatalf("before: %v", metrics(t))
	}
	set := func(value string, on, compliantPorts bool) {
		t.Helper()
		nbctl(t, "set", "NB_Global", ".", findings+value)
		took := eventually(t, "the option to be seen", func() (bool, error) {
			now, err := readMetrics(t.Context())
			return (now[off] == 1) == on && (now[compliant] > 0) == compliantPorts, err
		})
		t.Logf("%s: seen after %s", value, took)
	}
	t.Cleanup(func() {
		if _, err := world.Nbctl(
			cleanup(t),
			"remove",
			"NB_Global",
			".",
			"options",
			"version_compatibility",
		); err != nil {
			t.Error(err)
		}
	})
	set("22.03", true, false)
	stdout, stderr, code := ovnguard(t, "audit", "-o", "json")
	var r auditReport
	if err := json.Unmarshal([]byte(stdout), &r); err != nil || code != 1 {
		t.Fatalf("code %d: %v\n%s%s", code, err, stdout, stderr)
	}
	if len(r.Findings) != 1 || r.Findings[0].Rule != "OVG030" || r.Findings[0].Severity != "critical" ||
		!strings.Contains(r.Findings[0].Message, "any port may send") {
		t.Errorf("findings %+v", r.Findings)
	}
	stdout, stderr, code = ovnguard(t, "explain", pod.Namespace+"/"+pod.Name, "--nb", world.Lab.Info().NB)
	if code != 0 || !strings.Contains(stdout, "not in effect") {
		t.Errorf("code %d\n%s%s", code, stdout, stderr)
	}
	awaitNotice(t, events.ReasonCheckedNowhere, "any port may send")
	set("_22.03", false, true)
	if stdout, stderr, code := ovnguard(t, "audit"); code != 0 {
		t.Errorf("code %d\n%s%s", code, stdout, stderr)
	}
}
