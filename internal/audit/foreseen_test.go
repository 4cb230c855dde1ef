package audit

import (
	"testing"
	"time"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/policy"
)

func TestForeseen(t *testing.T) {
	web := policy.Owner{APIVersion: "apps/v1", Kind: "Deployment", Name: "web", UID: "u"}
	pod := policy.Owner{APIVersion: "v1", Kind: "Pod", Name: "p", UID: "u"}
	enforced := []inventory.Foresight{{Text: "a", Mode: policy.Enforce}, {Text: "b", Mode: policy.Enforce}}
	warned := []inventory.Foresight{{Text: "c", Mode: policy.Warn}, {Text: "d", Mode: policy.Audit}}
	for name, c := range map[string]struct {
		f        inventory.Foreseen
		severity Severity
		message  string
	}{
		"nothing": {f: inventory.Foreseen{Workload: web}},
		"a pod": {
			inventory.Foreseen{Workload: pod, Running: 1, Refused: enforced},
			Medium,
			"admission would refuse pod p when made again: a; b",
		},
		"a workload": {
			inventory.Foreseen{Workload: web, Running: 3, Refused: enforced},
			Medium,
			"admission would refuse the pods of Deployment web (3 run) when made again: a; b",
		},
		"under a policy that warns": {
			inventory.Foreseen{Workload: web, Running: 1, Refused: warned},
			Medium,
			"admission would refuse the pods of Deployment web (1 runs) when made again once the policy enforces: c; d",
		},
		"some now and some later": {
			inventory.Foreseen{Workload: pod, Refused: append(warned[:1:1], enforced...)},
			Medium,
			"admission would refuse pod p when made again: a; b; " +
				"admission would refuse pod p when made again once the policy enforces: c",
		},
		"wishes alone": {
			inventory.Foreseen{Workload: web, Overruled: enforced[:1]},
			Info,
			"admission would make the pods of Deployment web (none runs) without what they ask for: a",
		},
		"wishes besides": {
			inventory.Foreseen{Workload: web, Refused: enforced[:1], Overruled: enforced[1:]},
			Medium,
			"admission would refuse the pods of Deployment web (none runs) when made again: a; " +
				"it would not grant: b",
		},
	} {
		t.Run(name, func(t *testing.T) {
			c.f.Namespace = "ns"
			view := inventory.SubjectView{Foreseen: &c.f}
			r := EvaluateSubject(view, time.Time{})
			if r.State != OutOfScope {
				t.Errorf("it counts as a port that is %s", r.State)
			}
			if c.message == "" {
				if len(r.Findings) > 0 {
					t.Errorf("found %+v", r.Findings)
				}
				return
			}
			if len(r.Findings) != 1 {
				t.Fatalf("found %+v", r.Findings)
			}
			f := r.Findings[0]
			if f.Rule.ID != "OVG032" || f.Rule.Severity != c.severity || f.Message != c.message ||
				f.Namespace != "ns" || f.Port != "" || f.Fix != "" {
				t.Errorf("found %+v, want %s", f, c.message)
			}
			if isPod := c.f.IsPod(); (f.Pod == "p") != isPod || (f.Workload == web) == isPod {
				t.Errorf("found of pod %q and workload %+v", f.Pod, f.Workload)
			}
		})
	}
}
