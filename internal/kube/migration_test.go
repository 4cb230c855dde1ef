package kube

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ovnguard/ovnguard/internal/inventory"
)

// A migration lasts from the first phase after the queue to its end, according to KubeVirt's status; its author's text
// does not count.
func TestThreatT35MigrationOf(t *testing.T) {
	const created, began = "2026-05-04T12:00:00Z", "2026-05-04T12:10:00Z"
	object := func(status map[string]any) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{
			"metadata": map[string]any{
				"namespace":         "ns",
				"name":              "move",
				"creationTimestamp": created,
				"annotations": map[string]any{
					"kubevirt.io/phase": "Running",
				},
				"labels": map[string]any{"phase": "Running"},
			},
			"spec": map[string]any{"vmiName": "vm", "phase": "Running"}, "status": status,
		}}
	}
	entry := func(phase, at string) any {
		return map[string]any{"phase": phase, "phaseTransitionTimestamp": at}
	}
	for phase, want := range map[string]bool{
		"": false, "Pending": false, "Scheduling": true, "Scheduled": true, "PreparingTarget": true,
		"TargetReady": true, "Running": true,
		"Succeeded": false, "Failed": false,
	} {
		m, goesOn := MigrationOf(object(map[string]any{"phase": phase}))
		if goesOn != want || m.Machine != "vm" || m.PodKey != (inventory.PodKey{Namespace: "ns", Name: "move"}) {
			t.Errorf("phase %q: goes on %v, want %v; %+v", phase, goesOn, want, m)
		}
	}
	m, _ := MigrationOf(object(map[string]any{"phase": "Running"}))
	if m.Began.UTC().Format(time.RFC3339) != created {
		t.Errorf("where KubeVirt notes no times it began at %s", m.Began)
	}
	m, _ = MigrationOf(object(map[string]any{"phase": "Running", "phaseTransitionTimestamps": []any{
		entry(
			"Pending",
			"2026-05-04T12:01:00Z",
		),
		entry("Running", "2026-05-04T12:20:00Z"),
		entry("Scheduling", began),
		"garbage",
		entry("Scheduled", "garbage"),
	}}))
	if m.Began.UTC().Format(time.RFC3339) != began {
		t.Errorf("it began at %s, want when it left the queue", m.Began)
	}
	nameless := object(map[string]any{"phase": "Running"})
	unstructured.RemoveNestedField(nameless.Object, "spec")
	if _, goesOn := MigrationOf(nameless); goesOn {
		t.Error("a migration of no machine goes on")
	}

	inv := inventory.New()
	setMigration(inv, object(map[string]any{"phase": "Running"}))
	setMigration(inv, object(map[string]any{"phase": "Succeeded"}))
	if touched := inv.DeleteMigration(inventory.PodKey{Namespace: "ns", Name: "move"}); touched != nil {
		t.Errorf("a migration that has ended is kept: %q", touched)
	}
}
