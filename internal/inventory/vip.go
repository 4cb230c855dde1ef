package inventory

import (
	"cmp"
	"slices"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// hasPort reports whether Kube-OVN makes a port for the Vip that looks like a pod's. One without a type is shared by
// pods, and has none: handleAddVirtualIP in Kube-OVN's pkg/controller/vip.go.
func (v Vip) hasPort() bool { return v.Type == kubeovn.VipSwitchLB || v.Type == kubeovn.VipHostVM }

// moveVipPorts notes which ports are those of a subnet's Vips, and returns the names of the ports for which that
// matters.
func (inv *Inventory) moveVipPorts(subnet string) (touched []string) {
	for name, v := range inv.vips.All() {
		if v.Subnet == subnet && v.hasPort() {
			touched = append(touched, inv.ports.makeForVip(name, inv.portOfVip(v))...)
		}
	}
	return touched
}

// portOfVip returns the name of the port that Kube-OVN makes for a Vip, by its type and the provider of its subnet; ""
// where it makes none.
func (n *network) portOfVip(v Vip) string {
	if !v.hasPort() {
		return ""
	}
	return kubeovn.PortName(v.Name, v.Namespace, cmp.Or(n.subnets.Get(v.Subnet).Provider, kubeovn.DefaultProvider))
}

// withDuplicatesOfVips returns the names, and those of the duplicates of each that a Vip would account for if no pod
// claimed it: with the claim, they begin and cease to count as its duplicates.
func (ps *ports) withDuplicatesOfVips(names []string) []string {
	all := names
	for _, name := range names {
		if e := ps.entry(name); e.rare != nil && len(e.rare.vips) > 0 {
			all = append(slices.Clip(all), ps.withDuplicates(name)...)
		}
	}
	return all
}

// SetVip adds or replaces a Vip and returns the names of the rows that it may account for, of the ports that have its
// addresses or are granted them, and of those that may share it.
func (inv *Inventory) SetVip(v Vip) []string {
	touched := inv.DeleteVip(v.Name)
	inv.holders.vips.Set(inv.edit, v.Name, v)
	touched = append(touched, inv.SetFixed(Fixed{
		Holder: Holder{HeldByVip, v.Name}, Addresses: v.Addresses, MACs: []string{v.MAC}, At: At{Subnet: v.Subnet},
	})...)
	return union(
		append(touched, inv.ports.makeForVip(v.Name, inv.portOfVip(v))...),
		inv.pods.portsOfAskers(v.Namespace),
	)
}

// DeleteVip takes a Vip out and returns the names of the ports that this touches.
func (inv *Inventory) DeleteVip(vip string) []string {
	v, ok := inv.vips.Find(vip)
	if !ok {
		return nil
	}
	inv.holders.vips.Delete(inv.edit, vip)
	touched := append(inv.DeleteFixed(Holder{HeldByVip, vip}), inv.ports.makeForVip(vip, "")...)
	return append(touched, inv.pods.portsOfAskers(v.Namespace)...)
}
