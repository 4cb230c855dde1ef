package admission

import (
	"slices"
	"strings"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

var takesVip = &Check{
	ID: "OVGA11", Name: "vip",
	Summary: "annotation vip with a Vip of another namespace, or of another subnet than the NIC's",
}

// vip checks the Vip whose addresses and MAC the pod takes for its own. Kube-OVN reads the key of the default network
// for every NIC, and gives them to each, whichever subnet it is on (acquireAddress in its pkg/controller/pod.go).
func (r *review) vip(k *Key, makeVip string) {
	field, ns, mode := annotation(k.Name), r.Namespace.Name, r.modeOfKey(k)
	if r.blind(mode, field, inventory.Holding...) {
		return
	}
	v, ok := r.Inventory.Vip(k.Value)
	switch {
	case !ok || v.Namespace != ns:
		r.refuse(
			takesVip,
			mode,
			field,
			makeVip+", and name it",
			"the pod would take the address and the MAC of Vip %q, but namespace %s has no such Vip",
			k.Value,
			ns,
		)
		return
	case v.Type != "":
		r.refuse(
			takesVip,
			mode,
			field,
			"name a Vip without spec.type",
			"the pod would take the MAC of Vip %q, but this Vip is of type %s and has its own port, possibly "+
				"with the MAC of the gateway",
			k.Value,
			v.Type,
		)
		return
	case len(v.Addresses) == 0:
		r.refuse(
			takesVip,
			mode,
			field,
			"try again when the Vip has one (kubectl get vip "+k.Value+")",
			"Vip %q has no address yet, so the pod would have none",
			k.Value,
		)
		return
	}
	self := inventory.Holder{Kind: inventory.HeldByVip, Name: v.Name}
	const fix = "name another Vip, or none"
	for _, nic := range r.NICs {
		if k.Provider != kubeovn.DefaultProvider && !slices.Contains(r.spellings(k.Provider), nic.Provider) {
			continue
		}
		before, at := len(r.refusals), r.site(nic.Provider)
		if len(at.subnets) > 0 && !slices.Contains(at.subnets, v.Subnet) {
			r.refuse(
				takesVip,
				mode,
				field,
				"name a Vip of the NIC's subnet, or put the NIC on the subnet of the Vip with annotation "+nic.Provider.Key(
					kubeovn.LogicalSwitch,
				),
				"NIC %s would get the address and the MAC of Vip %q, but the Vip is on subnet %s and the NIC on %s",
				nic.Provider,
				v.Name,
				v.Subnet,
				strings.Join(at.subnets, " or "),
			)
			return
		}
		for _, a := range v.Addresses {
			r.obtainsAddress(mode, field, fix, at, a, self, true)
		}
		if v.MAC != "" {
			r.obtainsMAC(mode, field, fix, at, v.MAC, self)
		}
		if len(r.refusals) > before {
			return
		}
	}
}
