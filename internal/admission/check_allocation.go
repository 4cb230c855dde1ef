package admission

import (
	"slices"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

var notAllocated = &Check{
	ID: "OVGA22", Name: "not-allocated",
	Summary: "a change that lets Kube-OVN write port_security before the NIC has an address",
}

// beforeAllocation refuses a change that makes Kube-OVN write port_security of a strict NIC before it has allocated the
// NIC. The port may be there by then: made a moment ago, or left by the last pod of that name, by that of a
// StatefulSet, or by the other launcher of a machine. It is written from the MAC and the addresses on the pod; without
// them, OVN can use nothing of it and lets the port send everything.
func (r *review) beforeAllocation(was *review, keys []Key) {
	if r.Accounts.isKubeOVN(r.User) {
		return
	}
	i := slices.IndexFunc(keys, func(k Key) bool { return kubeovn.WritesSecurity(k.Name) && was.reads(&k) })
	if i < 0 {
		return
	}
	for _, nic := range r.unallocated(was) {
		r.refuse(
			notAllocated,
			r.modeOfNIC(nic),
			annotation(keys[i].Name),
			"try again once annotation "+nic.Key(
				kubeovn.Allocated,
			)+" is \"true\", or create the pod again with the values it needs",
			"Kube-OVN has not given NIC %s its MAC and address yet; it would write port_security without them, "+
				"and the port would be open",
			nic,
		)
	}
}

// reads reports whether Kube-OVN reads a key on the pod: one of a NIC that it has, or of all. A key of a NIC that is
// only plugged in does not make it write the others.
func (r *review) reads(k *Key) bool {
	return k.Name == kubeovn.AAPs ||
		slices.ContainsFunc(r.NICs, func(nic kubeovn.NIC) bool { return nic.Provider == k.Provider })
}

// unallocated returns the NICs of OVN that are strict, and were, and that Kube-OVN has not allocated.
func (r *review) unallocated(was *review) (out []kubeovn.Provider) {
	before, after := was.Metadata.Annotations, r.Metadata.Annotations
	nics := r.Inventory.NICs(was.Networks.Default, was.Networks.Attachments)
	isAllocated := func(nic kubeovn.NIC) bool { return before[nic.Provider.Key(kubeovn.Allocated)] == kubeovn.True }
	for _, nic := range nics {
		key := nic.Provider.Key(kubeovn.PortSecurity)
		if isAllocated(nic) || before[key] != kubeovn.True || after[key] != kubeovn.True {
			continue
		}
		// Kube-OVN allocates all NICs of a pod at once. Where it makes attachments alone, the default NIC is another's.
		isForeign := nic.Provider == kubeovn.DefaultProvider && !r.hasRecord(nic) &&
			slices.ContainsFunc(nics, func(n kubeovn.NIC) bool { return isAllocated(n) && r.hasRecord(n) })
		isOfOtherRelease := nic.Spelling &&
			slices.ContainsFunc(
				nics,
				func(n kubeovn.NIC) bool { return isAllocated(n) && respelled(n.Provider, nic.Provider) },
			)
		if !isForeign && !isOfOtherRelease {
			out = append(out, nic.Provider)
		}
	}
	return out
}

// hasRecord reports whether there is an IP resource for the pod's NIC, which only Kube-OVN makes.
func (r *review) hasRecord(nic kubeovn.NIC) bool {
	return r.Inventory.SubnetOf(
		kubeovn.PortName(r.Metadata.portOwner(r.Inventory.Setup().KeepVMIP), r.Namespace.Name, nic.Provider),
	) != ""
}

// respelled reports whether two providers are of the same attachment, once with the interface's name and once without.
func respelled(a, b kubeovn.Provider) bool {
	return a != b && (a.Attachment() == b || b.Attachment() == a)
}
