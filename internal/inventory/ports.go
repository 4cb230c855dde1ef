package inventory

import (
	"slices"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/persistent"
)

// Binding is a Port_Binding as the Southbound database holds it: what ovn-northd made of a port, and where it is bound.
// It is never changed once it is in the inventory.
type Binding struct {
	UUID string
	// Port is the name of the Logical_Switch_Port.
	Port         string
	Type         string
	PortSecurity []string
	// Up means that a chassis has the port in place.
	Up bool
	// Chassis are the UUIDs of those that it is bound to: none, one, or two while a machine moves.
	Chassis []string
}

// ports is what is known under each name of a port: which NICs of pods it is for, its IP resource, its row and its
// binding, and for which Vips Kube-OVN makes it. It answers which ports have an address or a MAC in common on a switch.
type ports struct {
	entries   persistent.Map[string, *entry] // by port name
	onSwitch  portsBy[switchAddress]         // by what their rows have
	vlans     persistent.Map[string, string] // by switch, the VLAN that it may share with others
	ipv6Ports persistent.Map[string, int]    // by UUID of a chassis: how many with IPv6 addresses are bound there
	marked    int                            // rows that bear Kube-OVN's mark
	doubt     RowDoubt
}

// SubnetOf returns the subnet that the IP resource of the port names; "" where it is not known.
func (ps *ports) SubnetOf(port string) string {
	if r := ps.entry(port).record; r != nil {
		return r.Subnet
	}
	return ""
}

// Kept returns the kind of owner that keeps the port of that name while no pod runs, and the pod or machine that it is
// kept for; "" where none does.
func (ps *ports) Kept(port string) (kind string, of PodKey) {
	r := ps.entry(port).record
	if r == nil || r.Keeper == "" {
		return "", PodKey{}
	}
	return r.Keeper, r.Of
}

// ClaimedBy returns a pod other than me that has the port of that name and has not ended. One that is being deleted has
// it for as long as its grace period lasts. The launchers of a machine share its ports; machine is its name where I am
// one, and "" where not.
func (ps *ports) ClaimedBy(port string, me PodKey, machine string) (other PodKey, taken bool) {
	for c := range ps.entry(port).podNICs() {
		duplicate := machine != "" && c.pod.Namespace == me.Namespace && c.pod.Owner == machine && c.pod.Name != machine
		if c.pod.PodKey != me && !c.pod.Finished && !duplicate {
			return c.pod.PodKey, true
		}
	}
	return PodKey{}, false
}

// Row returns the row of that name; nil where there is none.
func (ps *ports) Row(name string) *Row { return ps.entry(name).row }

// Record returns the IP resource of the port of that name; nil where there is none.
func (ps *ports) Record(port string) *Record { return ps.entry(port).record }

// Binding returns the binding of the port of that name; nil where there is none.
func (ps *ports) Binding(port string) *Binding { return ps.entry(port).binding }

// EachRow returns every row to look, in no order.
func (ps *ports) EachRow(look func(*Row)) {
	for _, e := range ps.entries.All() {
		if e.row != nil {
			look(e.row)
		}
	}
}

// EachBinding returns every binding to look, in no order.
func (ps *ports) EachBinding(look func(*Binding)) {
	for _, e := range ps.entries.All() {
		if e.binding != nil {
			look(e.binding)
		}
	}
}

// Names returns the name of every port that a pod claims, that OVN has, or that has an IP resource, sorted.
func (ps *ports) Names() []string {
	names := make([]string, 0, ps.entries.Len())
	for name, e := range ps.entries.All() {
		if e.isJudged() {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// DoubtRows says what is not known of rows. It is for an inventory that is filled once.
func (inv *Inventory) DoubtRows(d RowDoubt) { inv.ports.doubt = d }

// RowsDoubted returns what is not known of rows.
func (ps *ports) RowsDoubted() RowDoubt { return ps.doubt }

// NoneMarked reports whether no row bears Kube-OVN's mark: the database is that of another network plugin, or empty.
func (ps *ports) NoneMarked() bool { return ps.marked == 0 }

// entry returns what is known under a name, to be read.
func (ps *ports) entry(name string) *entry {
	if e := ps.entries.Get(name); e != nil {
		return e
	}
	return &none
}

// portEditor changes what is known of ports, and finds those of a Vip.
type portEditor struct {
	*ports
	*changes

	order []*entry          // all entries, about in the order in which they came, and so in memory
	bound int               // how many bindings there are
	ofVip map[string]string // by Vip name, to the name of the port that Kube-OVN makes for it
	// dependents are the ports that a change of something else concerns.
	dependents namesBy
}

// enter enters the NICs of a pod and returns the names of their ports.
func (ed *portEditor) enter(p *Pod, nics []kubeovn.NIC) []string {
	asks := p.asksForVIPs()
	names := make([]string, 0, len(nics))
	for _, nic := range nics {
		ed.alter(kubeovn.PortName(p.Owner, p.Namespace, nic.Provider), func(e *entry) {
			e.enter(podNIC{NIC: nic, pod: p, asks: asks})
			names = append(names, e.name)
		})
	}
	return names
}

// leave takes the NICs of a pod out, whose ports have these names.
func (ed *portEditor) leave(key PodKey, names []string) {
	for _, name := range names {
		ed.alter(name, func(e *entry) { e.leave(key) })
	}
}

// makeForVip says which port Kube-OVN makes for a Vip, "" for none, and returns the names of the ports for which that
// matters.
func (ed *portEditor) makeForVip(vip, port string) (touched []string) {
	was := ed.ofVip[vip]
	if was == port {
		return nil
	}
	delete(ed.ofVip, vip)
	if was != "" {
		ed.alter(was, func(e *entry) {
			r := e.uncommon()
			r.vips = slices.DeleteFunc(slices.Clone(r.vips), func(o string) bool { return o == vip })
		})
		touched = append(touched, ed.withDuplicates(was)...)
	}
	if port != "" {
		ed.ofVip[vip] = port
		ed.alter(port, func(e *entry) {
			r := e.uncommon()
			r.vips = append(slices.Clip(r.vips), vip)
		})
		touched = append(touched, ed.withDuplicates(port)...)
	}
	return touched
}

// replaceOnSwitch takes what old has on its switch out of the index and enters what now has; either may be nil. It
// returns the names of the other ports that have some of it.
func (ed *portEditor) replaceOnSwitch(old, now *Row) (touched []string) {
	if old != nil {
		ed.eachOnSwitch(old, func(a switchAddress) {
			touched = append(touched, ed.onSwitch.remove(ed.edit, a, old.Name)...)
		})
	}
	if now != nil {
		ed.eachOnSwitch(now, func(a switchAddress) {
			touched = append(touched, ed.onSwitch.add(ed.edit, a, now.Name)...)
		})
	}
	return touched
}

// moveSwitch says which VLAN a switch may share with others, "" for none, and returns the names of the ports there that
// have a duplicate, or had one.
func (ed *portEditor) moveSwitch(sw, vlan string) (touched []string) {
	if ed.vlans.Get(sw) == vlan {
		return nil
	}
	var rows []*Row
	for _, e := range ed.order {
		if e.row != nil && e.row.Switch == sw {
			rows = append(rows, e.row)
			if others := ed.replaceOnSwitch(e.row, nil); len(others) > 0 {
				touched = append(append(touched, others...), e.name)
			}
		}
	}
	if vlan == "" {
		ed.vlans.Delete(ed.edit, sw)
	} else {
		ed.vlans.Set(ed.edit, sw, vlan)
	}
	for _, r := range rows {
		if others := ed.replaceOnSwitch(nil, r); len(others) > 0 {
			touched = append(append(touched, others...), r.Name)
		}
	}
	return touched
}

// alter replaces the entry of a name by a changed copy, and drops it where nothing is left in it.
func (ed *portEditor) alter(name string, change func(*entry)) {
	old := ed.entries.Get(name)
	now := &entry{name: name, at: len(ed.order)}
	if old != nil {
		now = old.clone()
	}
	change(now)
	ed.countIPv6Ports(old.ipv6Chassis(), now.ipv6Chassis())
	if old != nil {
		ed.index(old, namesBy.remove)
	}
	ed.index(now, namesBy.add)
	if r := now.rare; r != nil && len(r.nics) == 0 && len(r.vips) == 0 && r.contested == 0 {
		now.rare = nil
	}
	switch empty := !now.isJudged() && now.binding == nil && now.rare == nil; {
	case empty && old != nil:
		ed.entries.Delete(ed.edit, name)
		ed.cut(old)
	case empty:
	case old == nil:
		ed.order = append(ed.order, now)
		ed.entries.Set(ed.edit, name, now)
	default:
		ed.put(now)
	}
}

// index enters what an entry depends on besides what is known under its name, or takes it out.
func (ed *portEditor) index(e *entry, change func(x namesBy, key any, name string)) {
	if e.misplaced() {
		change(ed.dependents, misplaced{}, e.name)
	}
	if key, ok := keeperOf(e.record); ok {
		change(ed.dependents, key, e.name)
	}
	if e.isRecordAlone() {
		change(ed.dependents, e.record.Of, e.name)
	}
	if e.mayBeUnowned() {
		change(ed.dependents, onSwitch(e.row.Switch), e.name)
	}
}

// put enters an entry where it says that it is.
func (ed *portEditor) put(e *entry) {
	ed.order[e.at] = e
	ed.entries.Set(ed.edit, e.name, e)
}

// cut takes an entry out of the order; the last one comes where it was.
func (ed *portEditor) cut(e *entry) {
	last := len(ed.order) - 1
	moved := ed.order[last]
	ed.order[last] = nil
	ed.order = ed.order[:last]
	if e.at < last {
		moved = moved.clone()
		moved.at = e.at
		ed.put(moved)
	}
}

// countIPv6Ports keeps how many ports with IPv6 addresses are bound to each chassis, when an entry was bound to some
// and is to others.
func (ed *portEditor) countIPv6Ports(was, is []string) {
	if slices.Equal(was, is) {
		return
	}
	count := func(uuids []string, delta int) {
		for _, uuid := range uuids {
			tally(&ed.ipv6Ports, ed.edit, uuid, delta)
			ed.affectChassis(uuid)
		}
	}
	count(was, -1)
	count(is, +1)
}

// countMarked counts the rows that bear Kube-OVN's mark where one replaces another, either of which may be nil. It
// returns the names of the ports that pods expect where the first such row comes or the last one goes.
func (ed *portEditor) countMarked(was, is *Row) []string {
	ours := func(r *Row) int {
		// Up to 1.14, rows may lack the vendor, and name their switch.
		if r != nil &&
			(r.ExternalIDs[kubeovn.ExternalIDVendor] == kubeovn.Vendor || r.ExternalIDs[kubeovn.ExternalIDSwitch] != "") {
			return 1
		}
		return 0
	}
	before := ed.marked
	ed.marked += ours(is) - ours(was)
	if (before == 0) == (ed.marked == 0) {
		return nil
	}
	var touched []string
	ed.eachName(func(name string) {
		if ed.entry(name).row == nil {
			touched = append(touched, name)
		}
	})
	return touched
}

// eachName calls take with each of Names once, in no order.
func (ed *portEditor) eachName(take func(name string)) {
	for _, e := range ed.order {
		if e.isJudged() {
			take(e.name)
		}
	}
}

// setBinding enters a binding, or takes it out where it is nil, and counts those that there are.
func (ed *portEditor) setBinding(port string, b *Binding) {
	ed.alter(port, func(e *entry) {
		if e.binding != nil {
			ed.bound--
		}
		if e.binding = b; b != nil {
			ed.bound++
		}
	})
}

// boundTo returns the names of the ports that are bound to one of the chassis that are picked. Chassis change so seldom
// that no index is kept for it.
func (ed *portEditor) boundTo(pick func(uuid string) bool) (names []string) {
	if ed.bound == 0 {
		return nil
	}
	for name, e := range ed.entries.All() {
		if e.binding != nil && slices.ContainsFunc(e.binding.Chassis, pick) {
			names = append(names, name)
		}
	}
	return names
}

// replaceRow is SetRow and DeleteRow; either row may be nil.
func (inv *Inventory) replaceRow(name string, old, now *Row) []string {
	touched := []string{name}
	if !old.sameOnSwitch(now) {
		touched = append(touched, inv.replaceLink(old, now)...)
		touched = append(touched, inv.ports.replaceOnSwitch(old, now)...)
	}
	inv.groups.replaceRow(old, now)
	touched = append(touched, inv.ports.countMarked(old, now)...)
	inv.ports.alter(name, func(e *entry) { e.row = now })
	return distinct(touched)
}

// EachName calls take with each of Names once, in no order.
func (inv *Inventory) EachName(take func(name string)) { inv.ports.eachName(take) }

// SetRow adds or replaces a row and returns its name, and those of ports on its switch with which it shares an address,
// or did.
func (inv *Inventory) SetRow(r *Row) []string {
	return inv.replaceRow(r.Name, inv.entry(r.Name).row, r)
}

// DeleteRow takes the row with this name and UUID out and returns its name, and those of ports that shared an address
// with it. A row that was made again under the name meanwhile has another UUID and stays.
func (inv *Inventory) DeleteRow(name, uuid string) []string {
	r := inv.entry(name).row
	if r == nil || r.UUID != uuid {
		return nil
	}
	return inv.replaceRow(name, r, nil)
}

// SetBinding adds or replaces a binding and returns the port's name, or nothing where no more than its UUID changed.
func (inv *Inventory) SetBinding(b *Binding) []string {
	old := inv.entry(b.Port).binding
	inv.ports.setBinding(b.Port, b)
	if old != nil && old.Says(b) {
		return nil
	}
	return []string{b.Port}
}

// DeleteBinding takes the binding with this UUID out and returns the port's name.
func (inv *Inventory) DeleteBinding(port, uuid string) []string {
	if b := inv.entry(port).binding; b == nil || b.UUID != uuid {
		return nil
	}
	inv.ports.setBinding(port, nil)
	return []string{port}
}

// SetContested says how often the row of a port was put right lately only for somebody to write something else, 0 for
// not at all. It returns the port's name where that is news.
func (inv *Inventory) SetContested(port string, times int) []string {
	if inv.entry(port).contested() == times {
		return nil
	}
	inv.ports.alter(port, func(e *entry) { e.uncommon().contested = times })
	return []string{port}
}

// Says reports whether two bindings say the same of the port; their UUIDs may differ.
func (b *Binding) Says(o *Binding) bool {
	return b.Type == o.Type && b.Up == o.Up && slices.Equal(b.PortSecurity, o.PortSecurity) &&
		slices.Equal(b.Chassis, o.Chassis)
}
