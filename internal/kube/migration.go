package kube

import (
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ovnguard/ovnguard/internal/inventory"
)

// setMigration enters a migration that goes on, and takes out one that waits or has ended.
func setMigration(inv *inventory.Inventory, u *unstructured.Unstructured) []string {
	m, goesOn := MigrationOf(u)
	if !goesOn {
		return inv.DeleteMigration(m.PodKey)
	}
	return inv.SetMigration(m)
}

// MigrationOf returns the facts of a VirtualMachineInstanceMigration, and reports whether KubeVirt carries it out now.
// Only its status says so, which is a subresource: whoever may create a migration cannot write it.
func MigrationOf(u *unstructured.Unstructured) (m inventory.Migration, goesOn bool) {
	m = inventory.Migration{
		PodKey:  inventory.PodKey{Namespace: u.GetNamespace(), Name: u.GetName()},
		Machine: specString(u, "vmiName"), Began: u.GetCreationTimestamp().Time,
	}
	if waits(statusString(u, "phase")) || m.Machine == "" {
		return m, false
	}
	switch statusString(u, "phase") {
	case "Succeeded", "Failed":
		return m, false
	}
	if began := leftQueue(u); !began.IsZero() {
		m.Began = began
	}
	return m, true
}

// waits reports whether a phase is one before KubeVirt has begun.
func waits(phase string) bool { return phase == "" || phase == "Pending" }

// leftQueue returns when the migration entered its first phase after waiting; zero where releases of KubeVirt do not
// note that.
func leftQueue(u *unstructured.Unstructured) (began time.Time) {
	list, _, err := unstructured.NestedSlice(u.Object, "status", "phaseTransitionTimestamps")
	if err != nil {
		return time.Time{}
	}
	for _, entry := range list {
		fields, ok := entry.(map[string]any)
		if !ok {
			continue
		}
		phase, _ := fields["phase"].(string)
		text, _ := fields["phaseTransitionTimestamp"].(string)
		at, err := time.Parse(time.RFC3339, text)
		if err == nil && !waits(phase) && (began.IsZero() || at.Before(began)) {
			began = at
		}
	}
	return began
}
