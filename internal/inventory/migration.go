package inventory

import (
	"slices"
	"time"
)

// MigrationLimit is for how long a migration of a machine is believed to go on. KubeVirt itself gives up most much
// earlier; what lasts longer hangs, and does not keep a port from being put right.
const MigrationLimit = 30 * time.Minute

// Migration is a live migration that KubeVirt carries out: a VirtualMachineInstanceMigration that has begun and has
// not ended. Its status is a subresource that only KubeVirt writes. That of a machine is not, so that whoever may edit
// machines could forge it; and two pods, or two chassis in a row of OVN, are brought about by annotations.
type Migration struct {
	PodKey // namespace and name of the object
	// Machine is the name of the machine, in the same namespace.
	Machine string
	// Began is when it left the queue.
	Began time.Time
}

// Until returns when it is believed no more.
func (m *Migration) Until() time.Time { return m.Began.Add(MigrationLimit) }

// setMigration adds or replaces a migration that goes on, and returns the names of the machine's ports.
func (ed *podEditor) setMigration(m Migration) []string {
	touched := ed.deleteMigration(m.PodKey)
	machine := PodKey{m.Namespace, m.Machine}
	ed.migrating[m.PodKey] = m.Machine
	ed.migrations.Set(ed.edit, machine, append(slices.Clone(ed.migrations.Get(machine)), m))
	return union(touched, ed.portsOfMachine(machine))
}

// deleteMigration says that a migration does not go on, and returns the names of the machine's ports.
func (ed *podEditor) deleteMigration(key PodKey) []string {
	name, known := ed.migrating[key]
	if !known {
		return nil
	}
	delete(ed.migrating, key)
	machine := PodKey{key.Namespace, name}
	rest := slices.DeleteFunc(
		slices.Clone(ed.migrations.Get(machine)),
		func(m Migration) bool { return m.PodKey == key },
	)
	replace(&ed.migrations, ed.edit, machine, rest)
	return ed.portsOfMachine(machine)
}

// portsOfMachine returns the names of the ports of the launchers of a machine.
func (ed *podEditor) portsOfMachine(machine PodKey) (names []string) {
	for p := range ed.podsIn(machine.Namespace) {
		if p.Owner == machine.Name && p.Owner != p.Name {
			names = append(names, ed.ports[p.PodKey]...)
		}
	}
	return union(names, nil)
}

// migrationOf returns the migration of a machine that began last; nil where there is none.
func (ps *pods) migrationOf(machine PodKey) (last *Migration) {
	list := ps.migrations.Get(machine)
	for i := range list {
		if last == nil || list[i].Began.After(last.Began) {
			last = &list[i]
		}
	}
	return last
}

// noteMigration notes whether the machine of a port migrates, as KubeVirt says.
func (p *Port) noteMigration(m *Migration, now time.Time) {
	if m == nil {
		return
	}
	p.Migration, p.Migrates = m, now.Before(m.Until())
}

// NextChange returns when what is said of the port changes by itself: an exception begins or ends, or a migration is
// believed no more; zero where nothing does.
func (p *Port) NextChange() time.Time {
	next := p.Decision.NextChange
	if p.Migrates && (next.IsZero() || p.Migration.Until().Before(next)) {
		next = p.Migration.Until()
	}
	return next
}

// SetMigration adds or replaces a migration that goes on, and returns the names of the machine's ports.
func (inv *Inventory) SetMigration(m Migration) []string { return inv.pods.setMigration(m) }

// DeleteMigration says that a migration does not go on, and returns the names of the machine's ports.
func (inv *Inventory) DeleteMigration(key PodKey) []string { return inv.pods.deleteMigration(key) }
