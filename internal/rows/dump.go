package rows

import (
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"

	"github.com/ovnguard/ovnguard/internal/acl"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/ovn"
)

// Dump writes the columns of a database that Ports, RouterPorts, Options, Groups and ACLs, or Bindings, read, as
// `ovsdb-client dump --format=json` does.
func Dump(to io.Writer, state *ovn.Snapshot) error {
	w := &dumper{to: to}
	if state.Database == ovn.Southbound {
		w.southbound(state)
	} else {
		w.northbound(state)
	}
	return w.err
}

func (w *dumper) northbound(state *ovn.Snapshot) {
	w.table(portTable, nameColumn, typeColumn, addressesColumn, portSecurityColumn, externalIDsColumn, enabledColumn)
	for p := range state.Ports().All() {
		w.row(p.UUID, p.Name, p.Type, set(p.Addresses), set(p.PortSecurity), pairs(p.ExternalIDs), optional(p.Enabled))
	}
	w.table(switchTable, nameColumn, portsColumn, aclsColumn)
	for s := range state.Switches().All() {
		var ports []any
		for p := range state.SwitchPorts(s.Name) {
			ports = append(ports, reference(p.UUID))
		}
		w.row(s.UUID, s.Name, set(ports), references(slices.Values(s.ACLs)))
	}
	w.table(routerTable, nameColumn, macColumn)
	for p := range state.RouterPorts().All() {
		w.row(p.UUID, p.Name, p.MAC)
	}
	w.table(globalTable, optionsColumn)
	if g := state.NBGlobal(); g != nil {
		read := maps.Clone(g.Options)
		maps.DeleteFunc(read, func(key, _ string) bool {
			return key != versionOption && key != kubeovn.VersionCompatibility && key != acl.OptionDropByDefault
		})
		w.row(g.UUID, pairs(read))
	}
	w.table(groupTable, nameColumn, portsColumn, aclsColumn, externalIDsColumn)
	for g := range state.PortGroups().All() {
		w.row(g.UUID, g.Name, references(g.Ports.All()), references(slices.Values(g.ACLs)), pairs(g.ExternalIDs))
	}
	w.table(setTable, nameColumn, addressesColumn, externalIDsColumn)
	for a := range state.AddressSets().All() {
		w.row(a.UUID, a.Name, set(a.Addresses), pairs(a.ExternalIDs))
	}
	w.table(
		aclTable, nameColumn, directionColumn, tierColumn, priorityColumn, actionColumn, matchColumn, optionsColumn,
		externalIDsColumn,
	)
	for a := range state.ACLs().All() {
		read := maps.Clone(a.Options)
		maps.DeleteFunc(read, func(key, _ string) bool { return key != acl.OptionAfterLB })
		w.row(
			a.UUID,
			a.Name,
			a.Direction,
			optional(a.Tier),
			a.Priority,
			a.Action,
			a.Match,
			pairs(read),
			pairs(a.ExternalIDs),
		)
	}
	w.end()
}

func (w *dumper) southbound(state *ovn.Snapshot) {
	w.table(
		bindingTable,
		logicalPortColumn,
		typeColumn,
		portSecurityColumn,
		chassisColumn,
		additionalChassisColumn,
		upColumn,
	)
	for b := range state.PortBindings().All() {
		var chassis, more []any
		if b.Chassis != "" {
			chassis = append(chassis, reference(b.Chassis))
		}
		for _, uuid := range b.AdditionalChassis {
			more = append(more, reference(uuid))
		}
		w.row(b.UUID, b.LogicalPort, b.Type, set(b.PortSecurity), set(chassis), set(more), optional(b.Up))
	}
	w.table(chassisTable, nameColumn, hostnameColumn, otherConfigColumn)
	for c := range state.Chassis().All() {
		w.row(c.UUID, c.Name, c.Hostname, pairs(c.OtherConfig))
	}
	w.end()
}

// dumper writes tables row by row.
type dumper struct {
	to  io.Writer
	err error
	// open means that a table was begun, and rows counts those that it has so far.
	open bool
	rows int
}

func (w *dumper) print(format string, args ...any) {
	if w.err == nil {
		_, w.err = fmt.Fprintf(w.to, format, args...)
	}
}

func (w *dumper) json(v any) []byte {
	text, err := json.Marshal(v)
	if w.err == nil {
		w.err = err
	}
	return text
}

// table begins a table. Columns are named before the rows, which ovsdb-client does not do, and no reader minds.
func (w *dumper) table(name string, columns ...string) {
	w.end()
	w.print("{\"caption\":%q,\"headings\":%s,\"data\":[", name+" table", w.json(append([]string{"_uuid"}, columns...)))
	w.open, w.rows = true, 0
}

func (w *dumper) row(uuid string, cells ...any) {
	begin := "\n"
	if w.rows > 0 {
		begin = ",\n"
	}
	w.rows++
	w.print("%s%s", begin, w.json(append([]any{reference(uuid)}, cells...)))
}

// end ends the table that was begun.
func (w *dumper) end() {
	if w.open {
		w.print("]}\n")
	}
	w.open = false
}

// The notation of RFC 7047, section 5.1.

func reference(uuid string) any { return []any{"uuid", uuid} }

func references(uuids iter.Seq[string]) any {
	var list []any
	for _, uuid := range slices.Sorted(uuids) {
		list = append(list, reference(uuid))
	}
	return set(list)
}

func set[T any](values []T) any {
	if values == nil {
		values = []T{}
	}
	return []any{"set", values}
}

func optional[T any](value *T) any {
	if value == nil {
		return set[T](nil)
	}
	return *value
}

func pairs(of map[string]string) any {
	list := make([][2]string, 0, len(of))
	for _, key := range slices.Sorted(maps.Keys(of)) {
		list = append(list, [2]string{key, of[key]})
	}
	return []any{"map", list}
}
