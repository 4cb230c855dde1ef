package admission

import (
	"maps"
	"slices"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// CheckUpdate says why a pod must not be changed from old to p, by whichever path. What Kube-OVN reads of a pod is frozen once
// the pod is there, but for what tightens; and nothing may change so that a port is decided looser than before.
func (v *View) CheckUpdate(old, p *Pod) []Refusal {
	before, after := old.Metadata.Annotations, p.Metadata.Annotations
	keys := changed(before, after)
	owners := slices.Equal(old.Metadata.Owners, p.Metadata.Owners)
	if len(keys) == 0 && owners && maps.Equal(old.Metadata.Labels, p.Metadata.Labels) {
		return nil
	}
	c, was := v.newCheck(p, true), v.newCheck(old, true)
	for _, key := range keys {
		c.updated(key, after[key])
	}
	if slices.ContainsFunc(keys, func(key string) bool { return kubeovn.ClassOf(key) == kubeovn.NetworkKey }) {
		c.attachments(was.networks)
	}
	if c.networksErr == nil && was.networksErr == nil {
		c.protected(was.nics)
	}
	// The policy that the pod fell under counts as well: a change of labels is no way out of it.
	c.wholePod()
	c.mode = min(c.mode, was.mode)
	// What is granted to the owner may come later than the owner that somebody writes now.
	c.owners(old.Metadata.Owners)
	c.looser(was, keys)
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
	class := kubeovn.ClassOf(key)
	if class != kubeovn.Harmless {
		c.aboutKey(key)
	}
	switch class {
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

// CheckBinding says why a Binding must not be applied to the pod: its annotations and labels are merged into those of the pod.
func (v *View) CheckBinding(binding Metadata, pod *Pod) []Refusal {
	if pod.Spec.HostNetwork {
		return nil
	}
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
