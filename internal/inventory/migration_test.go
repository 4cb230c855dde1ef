package inventory

import (
	"slices"
	"testing"
	"time"

	"github.com/ovnguard/ovnguard/internal/policy"
)

// A migration concerns the ports of the machine's launchers, while the machine exists, and until it has lasted too
// long.
func TestThreatT35MigrationsOfMachines(t *testing.T) {
	began := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	vmi := policy.Owner{APIVersion: "kubevirt.io/v1", Kind: "VirtualMachineInstance", Name: "vm", UID: "vmi"}
	inv := New()
	inv.SetNamespace(policy.Namespace{Name: "ns"})
	inv.SetPod(&Pod{PodKey: PodKey{"ns", "launcher"}, UID: "l", Owner: "vm", Controller: &vmi})
	inv.SetPod(&Pod{PodKey: PodKey{"ns", "plain"}, UID: "p", Owner: "plain"})
	move := Migration{PodKey: PodKey{"ns", "move"}, Machine: "vm", Began: began}
	if touched := inv.SetMigration(move); !slices.Equal(touched, []string{"vm.ns"}) {
		t.Errorf("a migration touches %q", touched)
	}
	look := func(after time.Duration) Port { return inv.Port("vm.ns", began.Add(after)) }
	if p := look(0); p.Migration != nil || p.Migrates || p.Launchers != 0 {
		t.Error("a pod that only says that a machine owns it passes for its launcher")
	}
	inv.SetOwner(vmi, nil)
	if p := look(0); !p.Migrates || p.Launchers != 1 || !p.NextChange().Equal(began.Add(MigrationLimit)) {
		t.Errorf("migrates %v, %d launchers, looked at again at %s", p.Migrates, p.Launchers, p.NextChange())
	}
	if p := look(MigrationLimit); p.Migrates || p.Migration == nil || !p.NextChange().IsZero() {
		t.Errorf("after the limit: migrates %v, %v", p.Migrates, p.Migration)
	}
	if p := inv.Port("plain.ns", began); p.Migration != nil {
		t.Error("a pod that runs no machine migrates")
	}
	later := Migration{PodKey: PodKey{"ns", "again"}, Machine: "vm", Began: began.Add(MigrationLimit)}
	inv.SetMigration(later)
	if p := look(MigrationLimit); !p.Migrates || p.Migration.Name != "again" {
		t.Errorf("of two, %v counts", p.Migration)
	}
	inv.SetMigration(Migration{PodKey: move.PodKey, Machine: "other", Began: began})
	inv.DeleteMigration(later.PodKey)
	if touched := inv.DeleteMigration(PodKey{"ns", "nothing"}); len(touched) != 0 || look(0).Migration != nil {
		t.Errorf("touched %q, migration %v", touched, look(0).Migration)
	}
	inv.DeleteMigration(move.PodKey)
	if n := inv.migrations.Len() + len(inv.pods.migrating); n != 0 {
		t.Errorf("%d migrations are kept", n)
	}
}
