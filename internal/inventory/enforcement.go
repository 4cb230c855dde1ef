package inventory

import (
	"slices"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/persistent"
	"github.com/ovnguard/ovnguard/portsec"
)

// Chassis is what the Southbound database says of one ovn-controller.
type Chassis struct {
	UUID string
	Name string
	Host string
	// Config is its column other_config, which tells what it can do.
	Config map[string]string
}

// enforcement is what checks what ports send: the chassis with their parsers, the build of ovn-northd, and the option
// that switches it off. It answers which parsers may enforce on a binding's chassis.
type enforcement struct {
	chassis persistent.Map[string, *chassis] // by UUID
	ovn     portsec.OVN                      // what is known of ovn-northd
	option  string                           // version_compatibility of NB_Global
}

// Chassis returns the chassis of that UUID; ok is false where there is none.
func (en *enforcement) Chassis(uuid string) (c Chassis, ok bool) {
	if known := en.chassis.Get(uuid); known != nil {
		return known.one[0], true
	}
	return Chassis{}, false
}

// boundAt returns the chassis of a binding that are known, with the parsers that may enforce on them; none where one is
// not known.
func (en *enforcement) boundAt(b *Binding) (at []Chassis, eras []portsec.Era) {
	if b == nil || len(b.Chassis) == 0 {
		return nil, nil
	}
	if c := en.chassis.Get(b.Chassis[0]); c != nil && len(b.Chassis) == 1 {
		return c.one, c.eras
	}
	for _, uuid := range b.Chassis {
		c := en.chassis.Get(uuid)
		if c == nil {
			return at, nil
		}
		at = append(at, c.one[0])
		eras = append(eras, c.eras...)
	}
	slices.Sort(eras)
	return at, slices.Compact(eras)
}

// HasOptions reports whether NB_Global.options say what SetOptions was told last.
func (inv *State) HasOptions(options map[string]string) bool {
	return inv.option == options[kubeovn.VersionCompatibility] && inv.dropByDefault == dropsByDefault(options)
}

// notChecking returns the value of the option by which Kube-OVN's ovn-northd leaves port security out of its logical
// flows, or "" where it does not. An ovn-northd of E0 writes the checks itself and does not know the option: Kube-OVN's
// patch is for later ones.
func (en *enforcement) notChecking() string {
	if !kubeovn.NotChecking(en.option) || slices.Equal(en.ovn.Eras(), []portsec.Era{portsec.E0}) {
		return ""
	}
	return en.option
}

// enforcementEditor changes what enforces.
type enforcementEditor struct {
	*enforcement
	*changes
}

// deleteChassis takes a chassis out.
func (ed *enforcementEditor) deleteChassis(uuid string) {
	ed.chassis.Delete(ed.edit, uuid)
	ed.affectChassis(uuid)
}

// setChassis enters a chassis and reports whether that changes anything for the ports that are bound to it.
func (ed *enforcementEditor) setChassis(c Chassis) (changed bool) {
	old := ed.chassis.Get(c.UUID)
	ed.affectChassis(c.UUID)
	now := &chassis{[]Chassis{c}, portsec.PlausibleErasAt(ed.ovn, c.Config)}
	ed.chassis.Set(ed.edit, c.UUID, now)
	return old == nil || old.one[0].Name != c.Name || !slices.Equal(old.eras, now.eras)
}

// setOption enters the option and the build of ovn-northd on which its meaning depends, and reports whether it begins
// or ends to switch port security off.
func (ed *enforcementEditor) setOption(option string, ovn portsec.OVN) bool {
	was := ed.notChecking()
	ed.option, ed.ovn = option, ovn
	if ed.notChecking() == was {
		return false
	}
	ed.affected[northboundOptions] = true
	return true
}

// SetChassis adds or replaces a chassis and returns the names of the ports for which another parser may enforce now.
func (inv *Inventory) SetChassis(c Chassis) []string {
	if !inv.enforcement.setChassis(c) {
		return nil
	}
	return inv.ports.boundTo(func(uuid string) bool { return uuid == c.UUID })
}

// DeleteChassis takes a chassis out and returns the names of the ports that are bound to it.
func (inv *Inventory) DeleteChassis(uuid string) []string {
	inv.enforcement.deleteChassis(uuid)
	return inv.ports.boundTo(func(at string) bool { return at == uuid })
}

// SetOVN says what is known of the build of ovn-northd, which bounds what enforces on each chassis, and returns the
// names of the ports for which that changed something.
func (inv *Inventory) SetOVN(ovn portsec.OVN) []string {
	if inv.ovn == ovn {
		return nil
	}
	var touched []string
	if inv.enforcement.setOption(inv.option, ovn) {
		touched = inv.Names()
	}
	changed := make(map[string]bool)
	for _, c := range slices.Collect(inv.chassis.Values()) {
		if inv.enforcement.setChassis(c.one[0]) {
			changed[c.one[0].UUID] = true
		}
	}
	return distinct(append(touched, inv.ports.boundTo(func(uuid string) bool { return changed[uuid] })...))
}

// SetOptions enters NB_Global.options and returns the names of the ports for which that changes something.
func (inv *Inventory) SetOptions(options map[string]string) []string {
	inv.filters.setOptions(options)
	if !inv.enforcement.setOption(options[kubeovn.VersionCompatibility], inv.ovn) {
		return nil
	}
	return inv.Names()
}

// chassis is one with what follows for the parser that enforces there.
type chassis struct {
	// one is the chassis as a list, which most ports are given.
	one  []Chassis
	eras []portsec.Era
}

// northboundOptions is the only subject of its kind: the options that the Northbound database has for all of its
// ports.
var northboundOptions = Subject{Kind: SubjectOptions, Name: "NB_Global"}
