package admission

import (
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

var chosenMAC = &Check{
	ID: "OVGA13", Name: "mac",
	Summary: "a MAC that another object has, or that OVN cannot read",
}

// mac checks a MAC that the pod asks for. Kube-OVN writes it into port_security as it is written here, and OVN reads
// only one form.
func (r *review) mac(mode policy.Mode, field string, provider kubeovn.Provider, text string) {
	const fix = "write six octets with colons, the first one even, such as 0a:58:0a:10:00:07, or leave it to Kube-OVN"
	if _, err := policy.StationMAC(text); err != nil {
		r.refuse(
			chosenMAC,
			mode,
			field,
			fix,
			"%v; OVN could not use the port_security with this MAC, and would check nothing",
			err,
		)
		return
	}
	r.obtainsMAC(mode, field, "choose another MAC, or leave it to Kube-OVN", r.site(provider), text, nobody)
}

// obtainsMAC is obtainsAddress for a MAC.
func (r *review) obtainsMAC(mode policy.Mode, field, fix string, at site, text string, from inventory.Holder) {
	for _, h := range r.Inventory.TakenMAC(text, at.vpcs) {
		if h != from && (h.Kind != inventory.HeldByPort || !r.ours(h.Name)) {
			r.refuse(chosenMAC, mode, field, fix, "%s is %s", text, r.Whose(h))
		}
	}
}
