package ovn

import (
	"slices"

	"github.com/ovn-kubernetes/libovsdb/ovsdb"
)

// In the database a switch has the set of its ports; here each port names its switch. A switch may hold tens of
// thousands of ports, and each new one is a change of that set, so the set itself is never kept: what changes of it is
// applied to the ports.

const portsColumn = "ports"

// portTable is Logical_Switch_Port.
type portTable struct{ table[Port] }

func newPortTable() *portTable {
	t := newTable(
		TablePort,
		portColumns,
		func(r *Port) *string { return &r.UUID },
		func(s *Snapshot) *Rows[Port] { return &s.ports },
	)
	t.sameSubject = func(a, b *Port) bool { return a.holder == b.holder && a.Switch == b.Switch }
	return &portTable{t}
}

// portDraft is what changes of ports.
type portDraft struct{ *draft[Port] }

func (t *portTable) draft(of *Snapshot, l layout) tableDraft { return portDraft{t.newDraft(of, l)} }

// settle implements tableDraft: it forgets the other holders of ports that are gone.
func (d portDraft) settle(c *change) {
	for _, p := range d.changes {
		if p.now == nil && p.old != nil {
			delete(c.others, p.old.UUID)
		}
	}
}

// commit implements tableDraft.
func (d portDraft) commit(next *Snapshot, e *edit, events []Event) []Event {
	return d.commitWith(next, e, events, func(old, now *Port) {
		next.portsByName = next.portsByName.put(e, old, now, nameKey)
		next.portsBySwitch = next.portsBySwitch.put(e, old, now, switchKey)
	})
}

// switchTable is Logical_Switch.
type switchTable struct{ table[Switch] }

func newSwitchTable() *switchTable {
	return &switchTable{
		newTable(
			TableSwitch,
			switchColumns,
			func(r *Switch) *string { return &r.UUID },
			func(s *Snapshot) *Rows[Switch] { return &s.switches },
		),
	}
}

// layout asks for the set of ports too.
func (t *switchTable) layout(schema *ovsdb.DatabaseSchema) (layout, error) {
	withPorts := table[struct{ ports []string }]{table: TableSwitch, columns: []column[struct{ ports []string }]{
		{name: portsColumn, field: func(r *struct{ ports []string }) any { return &r.ports }},
	}}
	ports, err := withPorts.layout(schema)
	if err != nil {
		return ports, err
	}
	l, err := t.table.layout(schema)
	l.columns = append(l.columns, ports.columns...)
	return l, err
}

// switchDraft is what changes of switches.
type switchDraft struct {
	*draft[Switch]
	// toggled has the ports that come to a switch or leave it, by the switch's UUID.
	toggled map[string][]string
	order   []string
}

func (t *switchTable) draft(of *Snapshot, l layout) tableDraft {
	return &switchDraft{draft: t.newDraft(of, l), toggled: make(map[string][]string)}
}

// row implements tableDraft.
func (d *switchDraft) row(s *scan, uuid string) error {
	return d.rowWith(s, uuid, func(column string, _ bool) bool {
		if column != portsColumn {
			return false
		}
		// The whole set of a new switch is its difference to an empty one.
		var ports []string
		readSet(s, func() { ports = append(ports, readAtom(s)) })
		d.toggled[uuid] = ports
		d.order = append(d.order, uuid)
		return true
	})
}

// settle implements tableDraft: it tells the ports which switch holds them.
func (d *switchDraft) settle(c *change) {
	ports, ok := c.drafts[TablePort].(portDraft)
	if !ok {
		return
	}
	h := holders{ports, d, c.others}
	for _, uuid := range d.order {
		if d.current(uuid) == nil {
			continue
		}
		for _, port := range d.toggled[uuid] {
			h.toggle(port, uuid)
		}
	}
	for _, p := range d.changes {
		switch {
		case p.old == nil || p.now == p.old:
		case p.now == nil:
			h.eachOf(p.old, h.toggle)
		case p.now.Name != p.old.Name:
			h.eachOf(p.old, func(port, _ string) { ports.edit(port) })
		}
	}
	h.name()
}

// holders works out which switch holds a port.
type holders struct {
	ports    portDraft
	switches *switchDraft
	others   map[string][]string
}

// toggle takes a port from a switch where the switch holds it, and gives it to the switch where not.
func (h holders) toggle(port, holder string) {
	now := h.ports.current(port)
	if now == nil {
		return // it is deleted with this change
	}
	all := h.others[port]
	if now.holder != "" {
		all = append([]string{now.holder}, all...)
	}
	if i := slices.Index(all, holder); i >= 0 {
		all = slices.Delete(slices.Clone(all), i, i+1)
	} else {
		all = append(slices.Clip(all), holder)
	}
	row := h.ports.edit(port)
	row.holder = ""
	delete(h.others, port)
	if len(all) > 0 {
		row.holder = all[0]
	}
	if len(all) > 1 {
		h.others[port] = all[1:]
	}
}

// eachOf calls do for every port that a switch held before the change.
func (h holders) eachOf(s *Switch, do func(port, holder string)) {
	var held []string
	for p := range h.ports.of.SwitchPorts(s.Name) {
		if p.holder == s.UUID {
			held = append(held, p.UUID)
		}
	}
	for port, others := range h.others {
		if slices.Contains(others, s.UUID) {
			held = append(held, port)
		}
	}
	for _, port := range held {
		now := h.ports.current(port)
		if now != nil && (now.holder == s.UUID || slices.Contains(h.others[port], s.UUID)) {
			do(port, s.UUID)
		}
	}
}

// name returns the ports that changed the name of their switch.
func (h holders) name() {
	for _, p := range h.ports.changes {
		if p.now == nil || p.now == p.old {
			continue
		}
		p.now.Switch = ""
		if s := h.switches.current(p.now.holder); s != nil && p.now.holder != "" {
			p.now.Switch, p.now.holder = s.Name, s.UUID
		}
	}
}
