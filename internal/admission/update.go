package admission

import (
	"cmp"
	"maps"
	"slices"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// CheckUpdate says why a pod must not be changed from old to p, by whichever path. What Kube-OVN reads of a pod is
// frozen once the pod is there, except what tightens; and nothing may change so that a port is decided looser than
// before.
func (v *View) CheckUpdate(old, p *ParsedPod) ([]Refusal, Verdict) {
	r := v.newReview(p, true)
	keys, plugged := changed(old, p)
	owners := slices.Equal(old.Metadata.Owners, p.Metadata.Owners)
	recorded := old.value(policy.RecordAnnotation) == p.value(policy.RecordAnnotation)
	if len(keys)+len(plugged) == 0 && owners && recorded && !v.Undo.changed &&
		maps.Equal(old.Metadata.Labels, p.Metadata.Labels) {
		return nil, r.verdict()
	}
	was := v.newReview(old, true)
	for i := 0; i < len(keys) && !r.late(); i++ {
		r.updated(&keys[i])
	}
	for i := 0; i < len(plugged) && !r.late(); i++ {
		r.pluggedIn(&plugged[i])
	}
	r.beforeAllocation(was, keys)
	if slices.ContainsFunc(keys, func(k Key) bool { return k.Class == kubeovn.NetworkKey }) {
		r.attachments(old)
	}
	if r.Unread == nil && was.Unread == nil {
		r.protected(was.NICs)
	}
	r.forgetsDecision(old, p, was)
	r.looser(was, keys)
	// What is granted to the owner may come later than the owner that somebody writes now.
	r.owners(old.Metadata.Owners)
	r.adopted(was)
	r.marked(old)
	return r.outcome(), r.verdict()
}

// changed returns the keys whose values differ, in order; those that are gone have no value. An annotation that is
// there and empty is as good as none, except for those that have an effect on Kube-OVN by being there. plugged are the
// keys with an unchanged value that get an effect now, because the pod gets their NIC.
func changed(before, after *ParsedPod) (keys, plugged []Key) {
	for _, k := range after.Keys {
		switch was, had := before.Metadata.Annotations[k.Name]; {
		case was != k.Value || !had && k.counts():
			keys = append(keys, k)
		case before.key(k.Name) == nil && k.counts():
			plugged = append(plugged, k)
		}
	}
	for _, k := range before.Keys {
		if _, stays := after.Metadata.Annotations[k.Name]; !stays && k.counts() {
			keys = append(keys, Key{Name: k.Name, Class: k.Class, Provider: k.Provider, Suffix: k.Suffix})
		}
	}
	slices.SortFunc(keys, func(a, b Key) int { return cmp.Compare(a.Name, b.Name) })
	return keys, plugged
}

// updated checks one annotation with its new value; "" where it is gone.
func (r *review) updated(k *Key) {
	switch k.Class {
	case kubeovn.Harmless, kubeovn.UnknownKey:
	case kubeovn.LevelKey:
		if k.Value == "" && r.Accounts.isKubeOVN(r.User) {
			break // it takes away what was about a NIC that is unplugged
		}
		if r.undone(k) {
			break
		}
		r.level(k.Name, k.Value) // gone is as good as off
	case kubeovn.GrantKey, kubeovn.EgressKey, kubeovn.GroupKey:
		if k.Value != "" {
			r.created(k)
		}
	case kubeovn.IdentityKey, kubeovn.OwnKey, kubeovn.WishKey:
		r.changedByKubeOVN(k)
	case kubeovn.MachineKey:
		r.byMachine(k, recreate)
	case kubeovn.NetworkKey:
		r.networksChanged(k)
	}
}

// CheckBinding says why a Binding must not be applied to the pod. The API server merges its annotations and labels into
// those of the pod; bound is the result.
func (v *View) CheckBinding(pod, bound *ParsedPod) ([]Refusal, Verdict) {
	verdict := v.newReview(pod, true).verdict() // of the pod as it is: a Binding that is refused changes nothing
	if pod.Spec.HostNetwork {
		return nil, verdict
	}
	refusals, _ := v.CheckUpdate(pod, bound)
	return refusals, verdict
}

// bind returns the pod as a Binding leaves it.
func bind(binding Metadata, pod *Pod) *Pod {
	merged := *pod
	merged.Metadata.Annotations, merged.Metadata.Labels = merge(
		pod.Metadata.Annotations,
		binding.Annotations,
	), merge(
		pod.Metadata.Labels,
		binding.Labels,
	)
	return &merged
}

func merge(base, over map[string]string) map[string]string {
	out := maps.Clone(base)
	if out == nil {
		out = make(map[string]string, len(over))
	}
	maps.Copy(out, over)
	return out
}
