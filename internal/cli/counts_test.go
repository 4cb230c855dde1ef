package cli

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/ovnguard/ovnguard/internal/api"
)

// status and audit say the same of one cluster where they count the same: ports, unknown ones, and findings that are
// critical or high, in all and by namespace.
func TestStatusCountsAsAudit(t *testing.T) {
	isolate(t)
	files := recorded(t)
	ask := func(into any, args ...string) {
		t.Helper()
		code, out, errs := runMain(slices.Concat(args, files, []string{"-o", "json"})...)
		if err := json.Unmarshal([]byte(out), into); code != exitFindings || err != nil {
			t.Fatalf("%v: exit code %d, %v: %s", args, code, err, errs)
		}
	}
	var status api.Status
	ask(&status, "status", "-A")
	if len(status.Namespaces) == 0 {
		t.Fatal("status has no namespaces")
	}
	urgentIn := map[string]int{}
	for _, a := range status.Action {
		urgentIn[""] += a.Findings
	}
	counts := map[string][2]int{"": {status.Ports.Total(), status.Ports.Unknown}}
	for _, n := range status.Namespaces {
		counts[n.Name], urgentIn[n.Name] = [2]int{n.Total(), n.Unknown}, n.Urgent
	}
	for namespace, want := range counts {
		var audit struct {
			Ports    map[string]int
			Findings []struct{ Severity string }
		}
		args := []string{"audit"}
		if namespace != "" {
			args = append(args, "-n", namespace)
		}
		ask(&audit, args...)
		unknown := audit.Ports["unknown"]
		if got := [2]int{audit.Ports["compliant"] + audit.Ports["violation"] + unknown, unknown}; got != want {
			t.Errorf(
				"namespace %q: status has %d ports and %d unknown, audit has %d and %d",
				namespace,
				want[0],
				want[1],
				got[0],
				got[1],
			)
		}
		urgent := 0
		for _, f := range audit.Findings {
			if f.Severity == "critical" || f.Severity == "high" {
				urgent++
			}
		}
		if urgent != urgentIn[namespace] {
			t.Errorf(
				"namespace %q: status has %d urgent findings, audit has %d",
				namespace,
				urgentIn[namespace],
				urgent,
			)
		}
	}
}
