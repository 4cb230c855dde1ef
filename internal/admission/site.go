package admission

import (
	"slices"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// What a pod obtains by naming something is judged here as what it is given: addresses and a MAC, on the network on
// which its NIC will be. It makes no difference whether it names the address itself, a list, a Vip, or an attachment
// with addresses.

// site is where Kube-OVN may put a NIC.
type site struct {
	// subnets are the subnets that the NIC may be on; none where that is not known.
	subnets []string
	// vpcs are the networks of these subnets, within which addresses are told apart.
	vpcs []string
}

// site returns where a release of Kube-OVN may put the NIC, found once.
func (r *review) site(provider kubeovn.Provider) site {
	s, ok := r.sites[provider]
	if ok {
		return s
	}
	for _, p := range r.spellings(provider) {
		names := r.Inventory.MayBeOn(r.facts.Annotations, r.Namespace, p)
		if len(names) == 0 {
			s.subnets = nil
			break
		}
		s.subnets = append(s.subnets, names...)
	}
	if outside := provider.Attachment().Outside(); outside != provider && len(s.subnets) > 0 {
		// Kube-OVN reads an attachment outside OVN by its own key, and puts it on its own subnets.
		if r.facts.Annotations[outside.Key(kubeovn.LogicalSwitch)] != "" || len(r.Inventory.SubnetsFor(outside)) > 0 {
			s.subnets = append(s.subnets, r.Inventory.MayBeOn(r.facts.Annotations, r.Namespace, outside)...)
		}
	}
	for _, name := range s.subnets {
		if vpc := r.Inventory.VPCOf(name); !slices.Contains(s.vpcs, vpc) {
			s.vpcs = append(s.vpcs, vpc)
		}
	}
	if r.sites == nil {
		r.sites = make(map[kubeovn.Provider]site)
	}
	r.sites[provider] = s
	return s
}

// spellings returns the providers that releases of Kube-OVN may give to a NIC of the pod: with the interface behind it,
// and without. A provider that no NIC of the pod has is none of them, whatever the pod says about it.
func (r *review) spellings(provider kubeovn.Provider) (all []kubeovn.Provider) {
	for _, nic := range r.NICs {
		if nic.Provider == provider || nic.Provider == provider.Attachment() {
			all = append(all, nic.Provider)
		}
	}
	return all
}
