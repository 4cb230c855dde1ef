package inventory

import (
	"slices"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/portsec"
)

// northboundOptions is the subject of which there is one: the options that the Northbound database has for all of its
// ports.
var northboundOptions = Subject{Kind: SubjectOptions, Name: "NB_Global"}

// SetOptions enters NB_Global.options and returns the names of the ports for which that changes something.
func (inv *Inventory) SetOptions(options map[string]string) []string {
	return inv.settleOption(options[kubeovn.VersionCompatibility], inv.ovn)
}

// HasOptions reports whether NB_Global.options say what SetOptions was told last.
func (inv *State) HasOptions(options map[string]string) bool {
	return inv.option == options[kubeovn.VersionCompatibility]
}

// settleOption enters the option and the build of ovn-northd on which its meaning depends, and returns the names of all
// ports where it begins or ends to switch port security off.
func (inv *Inventory) settleOption(option string, ovn portsec.OVN) []string {
	was := inv.notChecking()
	inv.option, inv.ovn = option, ovn
	if inv.notChecking() == was {
		return nil
	}
	inv.affected[northboundOptions] = true
	return inv.Names()
}

// notChecking returns the value of the option by which Kube-OVN's ovn-northd leaves port security out of its logical
// flows, or "" where it does not. An ovn-northd of E0 writes the checks itself and does not know the option: Kube-OVN's
// patch is for later ones.
func (inv *State) notChecking() string {
	if !kubeovn.NotChecking(inv.option) || slices.Equal(inv.ovn.Eras(), []portsec.Era{portsec.E0}) {
		return ""
	}
	return inv.option
}
