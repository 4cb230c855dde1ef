package events

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/ovnguard/ovnguard/internal/audit"
	"github.com/ovnguard/ovnguard/internal/monitor"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// What is found of a workload is told on the workload, and what is found of a pod and no port of it on the pod.
func TestEventsOfNoPort(t *testing.T) {
	for name, c := range map[string]struct {
		finding audit.Finding
		uid     string
		want    corev1.ObjectReference
	}{
		"a workload": {
			audit.Finding{Workload: policy.Owner{APIVersion: "apps/v1", Kind: "Deployment", Name: "web", UID: "u1"}},
			"",
			corev1.ObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "ns", Name: "web", UID: "u1"},
		},
		"a pod": {
			audit.Finding{Pod: "p"},
			"u2",
			corev1.ObjectReference{APIVersion: "v1", Kind: "Pod", Namespace: "ns", Name: "p", UID: "u2"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			f := c.finding
			f.Rule = audit.Rule{ID: "OVG032", Name: "refused-when-made-again", Severity: audit.Medium}
			f.Namespace, f.Message = "ns", "would be refused"
			d.book.Judged(monitor.Verdict{}, monitor.Verdict{
				PodUID: c.uid, Result: audit.Result{State: audit.OutOfScope, Findings: []audit.Finding{f}},
			})
			items, _ := d.book.Take()
			if len(items) != 1 {
				t.Fatalf("%d are told", len(items))
			}
			e := eventOf(items[0], "me")
			if e.Regarding != c.want || e.Note != "OVG032 refused-when-made-again: would be refused" {
				t.Errorf("told %+v of %+v", e.Note, e.Regarding)
			}
		})
	}
}
