package inventory

import (
	"slices"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// hasPort reports whether Kube-OVN makes a port for the Vip that looks like a pod's. One without a type is shared by
// pods, and has none: handleAddVirtualIP in Kube-OVN's pkg/controller/vip.go.
func (v Vip) hasPort() bool { return v.Type == kubeovn.VipSwitchLB || v.Type == kubeovn.VipHostVM }

// settleVipPort keeps which port is that of a Vip, by its type and the provider of its subnet, and returns the names of
// the ports for which that matters.
func (inv *Inventory) settleVipPort(vip string) (touched []string) {
	was, is := inv.vipPorts[vip], ""
	if v, ok := inv.vips.Find(vip); ok && v.hasPort() {
		provider := inv.subnets.Get(v.Subnet).Provider
		if provider == "" {
			provider = kubeovn.DefaultProvider
		}
		is = kubeovn.PortName(v.Name, v.Namespace, provider)
	}
	if was == is {
		return nil
	}
	delete(inv.vipPorts, vip)
	if was != "" {
		inv.alter(was, func(e *entry) {
			r := e.uncommon()
			r.vips = slices.DeleteFunc(slices.Clone(r.vips), func(o string) bool { return o == vip })
		})
		touched = append(touched, inv.withDuplicates(was)...)
	}
	if is != "" {
		inv.vipPorts[vip] = is
		inv.alter(is, func(e *entry) {
			r := e.uncommon()
			r.vips = append(slices.Clip(r.vips), vip)
		})
		touched = append(touched, inv.withDuplicates(is)...)
	}
	return touched
}

// settleVipPorts does settleVipPort for the Vips of a subnet.
func (inv *Inventory) settleVipPorts(subnet string) (touched []string) {
	for name, v := range inv.vips.All() {
		if v.Subnet == subnet && v.hasPort() {
			touched = append(touched, inv.settleVipPort(name)...)
		}
	}
	return touched
}

// withDuplicatesOfVips returns the names, and those of the ports beside each that a Vip would account for if no pod
// claimed it: with the claim, they begin and cease to count as its duplicates.
func (inv *Inventory) withDuplicatesOfVips(names []string) []string {
	all := names
	for _, name := range names {
		if e := inv.entry(name); e.rare != nil && len(e.rare.vips) > 0 {
			all = append(slices.Clip(all), inv.withDuplicates(name)...)
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
	return union(append(touched, inv.settleVipPort(v.Name)...), inv.portsOfAskers(v.Namespace))
}

// DeleteVip takes a Vip out and returns the names of the ports that this touches.
func (inv *Inventory) DeleteVip(vip string) []string {
	v, ok := inv.vips.Find(vip)
	if !ok {
		return nil
	}
	inv.holders.vips.Delete(inv.edit, vip)
	touched := append(inv.DeleteFixed(Holder{HeldByVip, vip}), inv.settleVipPort(vip)...)
	return append(touched, inv.portsOfAskers(v.Namespace)...)
}

// portsOfAskers returns the names of the ports of pods that ask for addresses of Vips.
func (inv *Inventory) portsOfAskers(namespace string) []string {
	var names []string
	for key := range inv.askers {
		if key.Namespace == namespace {
			names = append(names, inv.ports[key]...)
		}
	}
	return names
}
