package admission

import (
	"maps"
	"slices"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// CheckUpdate says why a pod must not be changed from old to p, by whichever path. What Kube-OVN reads of a pod is frozen once
// the pod is there, but for what tightens; and nothing may change so that a port is decided looser than before.
func (v *View) CheckUpdate(old, p *Pod) ([]Refusal, Verdict) {
	before, after := old.Metadata.Annotations, p.Metadata.Annotations
	keys := changed(before, after)
	owners := slices.Equal(old.Metadata.Owners, p.Metadata.Owners)
	if len(keys) == 0 && owners && maps.Equal(old.Metadata.Labels, p.Metadata.Labels) {
		return nil, v.newCheck(p, true).verdict()
	}
	c, was := v.newCheck(p, true), v.newCheck(old, true)
	for _, key := range keys {
		c.updated(key, after[key])
	}
	c.beforeAllocation(was, keys)
	if slices.ContainsFunc(keys, func(key string) bool { return kubeovn.ClassOf(key) == kubeovn.NetworkKey }) {
		c.attachments(was.networks)
	}
	if c.unread == nil && was.unread == nil {
		c.protected(was.nics)
	}
	// The policy that the pod fell under counts as well: a change of labels is no way out of it.
	c.wholePod()
	c.mode = min(c.mode, was.mode)
	c.looser(was, keys)
	// What is granted to the owner may come later than the owner that somebody writes now.
	c.owners(old.Metadata.Owners)
	c.adopted(was)
	return c.refusals, c.verdict()
}

// changed gives the keys whose values differ, in order. An annotation that is there and empty is as good as none, but for those of which
// Kube-OVN asks no more than whether they are there.
func changed(before, after map[string]string) []string {
	var keys []string
	for key, value := range after {
		if was, had := before[key]; was != value || !had && kubeovn.Present(key) {
			keys = append(keys, key)
		}
	}
	for key, value := range before {
		if _, stays := after[key]; !stays && (value != "" || kubeovn.Present(key)) {
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
	class := kubeovn.ClassOf(key)
	if class != kubeovn.Harmless {
		c.aboutKey(key)
	}
	switch class {
	case kubeovn.Harmless:
	case kubeovn.LevelKey:
		if value == "" && isKubeOVN {
			break // it takes away what was about a NIC that is unplugged
		}
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
			c.refuse(annotation(key), recreate, "it lets the pod have addresses that others have, and only KubeVirt's and Kube-OVN's accounts may change it")
		}
	case kubeovn.NetworkKey:
		if !isKubeVirt {
			c.refuse(annotation(key), recreate, "the networks of a pod are fixed when it is made")
		}
	}
}

// looser refuses a change of labels, owners or annotations by which a NIC is decided looser. What the pod shares of granted
// addresses is left out of it: each of them has been looked at.
func (c *check) looser(was *check, keys []string) {
	// One that is refused is refused; what is said about a NIC of which a policy only warns must not hide what another one becomes.
	if c.Accounts.isKubeOVN(c.User) || slices.ContainsFunc(c.refusals, func(r Refusal) bool { return r.Mode == policy.Enforce }) {
		return
	}
	before := *was.pod
	for _, key := range keys {
		if kubeovn.ClassOf(key) == kubeovn.GrantKey {
			before.Metadata.Annotations = maps.Clone(before.Metadata.Annotations)
			if before.Metadata.Annotations == nil {
				before.Metadata.Annotations = make(map[string]string)
			}
			before.Metadata.Annotations[key] = c.pod.Metadata.Annotations[key]
		}
	}
	field := "metadata.annotations"
	switch {
	case !maps.Equal(before.Metadata.Labels, c.pod.Metadata.Labels):
		field = "metadata.labels"
	case !slices.Equal(before.Metadata.Owners, c.pod.Metadata.Owners):
		field = "metadata.ownerReferences"
	}
	const anew = "make the pod anew with what it shall have"
	for _, nic := range was.nics {
		old, now := c.decide(&before, nic.Provider, true), c.decision(nic.Provider)
		c.mode = min(old.Mode, now.Mode)
		if now.Mode > old.Mode {
			c.refuse(field, anew, "NIC %s would come out from under a policy that says %s: the mode would be %s", nic.Provider, old.Mode, now.Mode)
			continue
		}
		if !now.Looser(old) {
			continue
		}
		if old.ForbidsOthers() && !now.ForbidsOthers() {
			who, _ := Forbidders(old.OthersForbiddenBy)
			c.refuse(field, anew, "NIC %s would become looser: it would come out from under %s, which forbids NICs outside OVN", nic.Provider, who)
			continue
		}
		c.refuse(field, anew+", or have the exception name the pod's owner",
			"NIC %s would become looser: %s with layer-2 forwarding %s, and it was %s with %s", nic.Provider, now.Level, now.Forwarding, old.Level, old.Forwarding)
	}
}

// adopted refuses what makes the pod one of an owner that an exception names, whether or not that is in effect now: it may begin, be
// approved or be prolonged later, and the owner's controller adopts pods that it did not make. Like a forged owner, that would come to
// count when the policy enforces, so that it is refused whatever the mode.
func (c *check) adopted(was *check) {
	c.mode = policy.Enforce
	owner := c.pod.Metadata.controller()
	for _, nic := range c.nics {
		before, after := c.query(was.pod, nic.Provider, true), c.query(c.pod, nic.Provider, true)
		for i := range after.Exceptions {
			e := &after.Exceptions[i]
			if e.Owner != nil && c.adoptedBeforeKnown(owner, was) {
				c.refuse("metadata.ownerReferences", "try again", "%s %s is not known yet, and PortSecurityException %s may be for its pods", owner.Kind, owner.Name, e.Name)
				return
			}
			if e.Owner == nil || !e.Targets(after.Pod, nic.Provider) || e.Targets(before.Pod, nic.Provider) {
				continue
			}
			field := "metadata.ownerReferences"
			if slices.Equal(was.pod.Metadata.Owners, c.pod.Metadata.Owners) {
				field = "metadata.labels"
			}
			c.refuse(field, "have the owner make the pod anew", "NIC %s would be one of those that PortSecurityException %s is for, and that %s %s did not make it",
				nic.Provider, e.Name, e.Owner.Kind, e.Owner.Name)
			return
		}
	}
}

// adoptedBeforeKnown tells that the pod comes to have a controlling owner of which the inventory has not heard, so that it cannot tell
// what owns that one. ReplicationControllers are owned by nothing, and not followed.
func (c *check) adoptedBeforeKnown(owner *policy.Owner, was *check) bool {
	if owner == nil || len(c.Inventory.Owners(owner)) > 0 {
		return false
	}
	before := was.pod.Metadata.controller()
	_, known := controllerOf(*owner)
	return known && owner.Kind != "ReplicationController" && (before == nil || *before != *owner)
}

// CheckBinding says why a Binding must not be applied to the pod: its annotations and labels are merged into those of the pod.
func (v *View) CheckBinding(binding Metadata, pod *Pod) ([]Refusal, Verdict) {
	if pod.Spec.HostNetwork {
		return nil, v.newCheck(pod, true).verdict()
	}
	merged := *pod
	merged.Metadata.Annotations, merged.Metadata.Labels = merge(pod.Metadata.Annotations, binding.Annotations), merge(pod.Metadata.Labels, binding.Labels)
	refusals, _ := v.CheckUpdate(pod, &merged)
	return refusals, v.newCheck(pod, true).verdict() // of the pod as it is: a Binding that is refused changes nothing
}

func merge(base, over map[string]string) map[string]string {
	out := maps.Clone(base)
	if out == nil {
		out = make(map[string]string, len(over))
	}
	maps.Copy(out, over)
	return out
}
