package admission

import (
	"maps"
	"slices"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/multus"
)

// CheckUpdate says why a pod must not be changed from old to p, by whichever path. What Kube-OVN reads of a pod is frozen once
// the pod is there, but for what tightens; and nothing may change so that a port is decided looser than before.
func (v *View) CheckUpdate(old, p *Pod) []Refusal {
	c := &check{View: v, pod: p, trustOwner: true, mode: v.decide(old, kubeovn.DefaultProvider, true).Mode}
	before, after := old.Metadata.Annotations, p.Metadata.Annotations
	for _, key := range changed(before, after) {
		c.updated(key, after[key])
	}
	c.newOwners(old)
	c.looser(old)
	return c.refusals
}

// changed gives the keys whose values differ, in order. An annotation that is there and empty is as good as none.
func changed(before, after map[string]string) []string {
	var keys []string
	for key, value := range after {
		if before[key] != value {
			keys = append(keys, key)
		}
	}
	for key, value := range before {
		if _, stays := after[key]; !stays && value != "" {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// updated checks one annotation whose value has become this one; "" where it is gone.
func (c *check) updated(key, value string) {
	const recreate = "make the pod anew with what it shall have"
	isKubeOVN, isKubeVirt := c.Accounts.isKubeOVN(c.User), c.Accounts.isKubeVirt(c.User)
	switch kubeovn.ClassOf(key) {
	case kubeovn.Harmless:
	case kubeovn.LevelKey:
		c.level(key, value) // gone is as good as off
	case kubeovn.GrantKey, kubeovn.EgressKey, kubeovn.GroupKey:
		if value != "" {
			c.created(key, value)
		}
	case kubeovn.IdentityKey, kubeovn.OwnKey:
		if !isKubeOVN {
			c.refuse(annotation(key), recreate, "Kube-OVN reads this again and believes it, so only its own accounts may change it")
		}
	case kubeovn.MachineKey:
		if !isKubeOVN && !isKubeVirt {
			c.refuse(annotation(key), recreate, "it binds the pod to a virtual machine, and only KubeVirt's and Kube-OVN's accounts may change it")
		}
	case kubeovn.NetworkKey:
		if !isKubeVirt {
			c.refuse(annotation(key), recreate, "the networks of a pod are fixed when it is made")
		}
	}
}

// newOwners refuses that a pod becomes that of a virtual machine.
func (c *check) newOwners(old *Pod) {
	if !slices.Equal(old.Metadata.Owners, c.pod.Metadata.Owners) {
		if old.Metadata.portOwner() != c.pod.Metadata.portOwner() {
			c.owner()
		}
	}
}

// looser refuses a change of labels or owners, or of anything else, by which a port would be decided looser.
func (c *check) looser(old *Pod) {
	if c.Accounts.isKubeOVN(c.User) || c.Accounts.isKubeVirt(c.User) {
		return
	}
	networks, err := multus.Parse(c.Namespace.Name, old.Metadata.Annotations)
	if err != nil {
		return // Multus and Kube-OVN make no port for it either
	}
	labels := maps.Equal(old.Metadata.Labels, c.pod.Metadata.Labels)
	owners := slices.Equal(old.Metadata.Owners, c.pod.Metadata.Owners)
	if labels && owners && len(changed(old.Metadata.Annotations, c.pod.Metadata.Annotations)) == 0 {
		return
	}
	for _, nic := range nicsOf(networks) {
		was, is := c.decide(old, nic.Provider, true), c.decision(nic.Provider)
		if !is.Looser(was) || len(c.refusals) > 0 {
			continue
		}
		field := "metadata.annotations"
		switch {
		case !labels:
			field = "metadata.labels"
		case !owners:
			field = "metadata.ownerReferences"
		}
		c.refuse(field, "make the pod anew, or have the exception name it", "NIC %s would become looser: %s, and was %s", nic.Provider, is.Level, was.Level)
	}
}

// CheckBinding says why a Binding must not be applied to the pod: its annotations and labels are merged into those of the pod.
func (v *View) CheckBinding(binding Metadata, pod *Pod) []Refusal {
	merged := *pod
	merged.Metadata.Annotations, merged.Metadata.Labels = merge(pod.Metadata.Annotations, binding.Annotations), merge(pod.Metadata.Labels, binding.Labels)
	return v.CheckUpdate(pod, &merged)
}

func merge(base, over map[string]string) map[string]string {
	out := maps.Clone(base)
	if out == nil {
		out = make(map[string]string, len(over))
	}
	maps.Copy(out, over)
	return out
}
