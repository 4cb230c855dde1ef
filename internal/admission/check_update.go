package admission

import (
	"cmp"
	"maps"
	"slices"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// CheckUpdate says why a pod must not be changed from old to p, by whichever path. What Kube-OVN reads of a pod is
// frozen once the pod is there, but for what tightens; and nothing may change so that a port is decided looser than
// before.
func (v *View) CheckUpdate(old, p *ParsedPod) ([]Refusal, Verdict) {
	c := v.newCheck(p, true)
	keys, plugged := changed(old, p)
	owners := slices.Equal(old.Metadata.Owners, p.Metadata.Owners)
	recorded := old.value(policy.RecordAnnotation) == p.value(policy.RecordAnnotation)
	if len(keys)+len(plugged) == 0 && owners && recorded && !v.Undo.changed &&
		maps.Equal(old.Metadata.Labels, p.Metadata.Labels) {
		return nil, c.verdict()
	}
	was := v.newCheck(old, true)
	for i := 0; i < len(keys) && !c.late(); i++ {
		c.updated(&keys[i])
	}
	for i := 0; i < len(plugged) && !c.late(); i++ {
		c.pluggedIn(&plugged[i])
	}
	c.beforeAllocation(was, keys)
	if slices.ContainsFunc(keys, func(k Key) bool { return k.Class == kubeovn.NetworkKey }) {
		c.attachments(old)
	}
	if c.unread == nil && was.unread == nil {
		c.protected(was.nics)
	}
	// The policy that the pod fell under counts as well: a change of labels is no way out of it.
	c.wholePod()
	c.mode = min(c.mode, was.mode)
	c.forgetsDecision(old, p, was)
	c.looser(was, keys)
	// What is granted to the owner may come later than the owner that somebody writes now.
	c.owners(old.Metadata.Owners)
	c.adopted(was)
	c.marked(old)
	return c.outcome(), c.verdict()
}

// changed returns the keys whose values differ, in order; those that are gone have no value. An annotation that is
// there and empty is as good as none, but for those of which Kube-OVN asks no more than whether they are there. plugged
// are the keys whose values were there before and come to count with a NIC that the pod did not have.
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

// pluggedIn checks one annotation that was there before the NIC that it is about. Nobody looked at it then, and whoever
// plugs the NIC in has not written it.
func (c *check) pluggedIn(k *Key) {
	if k.Class != kubeovn.MachineKey {
		c.created(k)
		return
	}
	c.aboutKey(k)
	c.refuse(
		annotation(k.Name),
		"remove it, and plug the NIC in again",
		"it was written before the pod had the NIC, by whoever may change the pod, and it has the port handled as in "+
			"a live migration",
	)
}

// updated checks one annotation whose value has become this one; "" where it is gone.
func (c *check) updated(k *Key) {
	const recreate = "make the pod anew with what it shall have"
	key, value := k.Name, k.Value
	isKubeOVN, isKubeVirt := c.Accounts.isKubeOVN(c.User), c.Accounts.isKubeVirt(c.User)
	c.aboutKey(k)
	switch k.Class {
	case kubeovn.Harmless, kubeovn.UnknownKey:
	case kubeovn.LevelKey:
		if value == "" && isKubeOVN {
			break // it takes away what was about a NIC that is unplugged
		}
		if c.undone(k) {
			break
		}
		c.level(key, value) // gone is as good as off
	case kubeovn.GrantKey, kubeovn.EgressKey, kubeovn.GroupKey:
		if value != "" {
			c.created(k)
		}
	case kubeovn.IdentityKey, kubeovn.OwnKey, kubeovn.WishKey:
		if !isKubeOVN {
			c.refuse(
				annotation(key),
				recreate,
				"Kube-OVN reads this again and believes it, so only its own accounts may change it",
			)
		}
	case kubeovn.MachineKey:
		if !isKubeOVN && !isKubeVirt {
			c.refuse(
				annotation(key),
				recreate,
				"it has the port handled as in a live migration, with addresses that others have or on a second "+
					"chassis, and only KubeVirt's accounts and Kube-OVN's may change it",
			)
		}
	case kubeovn.NetworkKey:
		if !isKubeVirt {
			c.refuse(annotation(key), recreate, "the networks of a pod are fixed when it is made")
		}
	}
}

// looser refuses a change of labels, owners or annotations by which a NIC is decided looser. What the pod shares of
// granted addresses is left out of it: each of them has been looked at.
func (c *check) looser(was *check, keys []Key) {
	// One that is refused is refused; what is said about a NIC of which a policy only warns must not hide what another
	// one becomes.
	if c.Accounts.isKubeOVN(c.User) ||
		slices.ContainsFunc(c.refusals, func(r Refusal) bool { return r.Mode == policy.Enforce }) {
		return
	}
	facts := *was.facts
	facts.Annotations, facts.Lists = maps.Clone(facts.Annotations), c.facts.Lists
	for _, k := range keys {
		if k.Class == kubeovn.GrantKey {
			facts.Annotations[k.Name] = k.Value
		}
	}
	before := was.grounds
	if !maps.Equal(facts.Annotations, was.facts.Annotations) {
		before = c.groundsOf(&facts)
	}
	field := "metadata.annotations"
	switch {
	case !maps.Equal(was.pod.Metadata.Labels, c.pod.Metadata.Labels):
		field = "metadata.labels"
	case !slices.Equal(was.pod.Metadata.Owners, c.pod.Metadata.Owners):
		field = "metadata.ownerReferences"
	}
	const anew = "make the pod anew with what it shall have"
	for _, nic := range was.nics {
		if c.late() {
			return
		}
		old, now := c.decide(before, nic.Provider), c.decision(nic.Provider)
		c.mode = min(old.Mode, now.Mode)
		if now.Mode > old.Mode {
			c.refuse(
				field,
				anew,
				"NIC %s would come out from under a policy that says %s: the mode would be %s",
				nic.Provider,
				old.Mode,
				now.Mode,
			)
			continue
		}
		if !now.Looser(old) {
			continue
		}
		if old.ForbidsOthers() && !now.ForbidsOthers() {
			who, _ := Forbidders(old.OthersForbiddenBy)
			c.refuse(
				field,
				anew,
				"NIC %s would become looser: it would come out from under %s, which forbids NICs outside OVN",
				nic.Provider,
				who,
			)
			continue
		}
		c.refuse(
			field,
			anew+", or have the exception name the pod's owner",
			"NIC %s would become looser: %s with layer-2 forwarding %s, and it was %s with %s",
			nic.Provider,
			now.Level,
			now.Forwarding,
			old.Level,
			old.Forwarding,
		)
	}
}

// forgetsDecision refuses what takes away the record that something was decided for a gateway's NIC: repair leaves
// alone what was open before ovnguard decided anything.
func (c *check) forgetsDecision(before, after *ParsedPod, was *check) {
	if c.Accounts.isKubeOVN(c.User) || c.Undo.changed && c.Undo.err == nil ||
		!ofGateway(was.query.Pod) {
		return
	}
	for _, nic := range was.nics {
		_, had := before.Record[nic.Provider]
		if _, has := after.Record[nic.Provider]; had && !has {
			c.refuse(
				annotation(policy.RecordAnnotation),
				"leave it as it is",
				"it says what was decided for NIC %s of a gateway, by which repair knows that the port is not from before",
				nic.Provider,
			)
			return
		}
	}
}

// adopted refuses what makes the pod one of an owner that an exception names, whether or not that is in effect now: it
// may begin, be approved or be prolonged later, and the owner's controller adopts pods that it did not make. Like a
// forged owner, that would come to count when the policy enforces, so that it is refused whatever the mode.
func (c *check) adopted(was *check) {
	c.mode = policy.Enforce
	owner := c.pod.Metadata.controller()
	if before := was.pod.Metadata.controller(); owner != nil && (before == nil || *before != *owner) &&
		c.blind("metadata.ownerReferences", inventory.Exceptions, inventory.NATGateways, inventory.EgressGateways) {
		return
	}
	unknown := c.adoptedBeforeKnown(owner, was)
	if c.becomesGateway(owner, was, unknown) {
		return
	}
	exceptions := c.Inventory.Exceptions(c.Namespace.Name)
	for i := range exceptions {
		e := &exceptions[i]
		if e.Owner == nil {
			continue
		}
		if unknown {
			c.refuse(
				"metadata.ownerReferences",
				"try again",
				"%s %s is not known yet, and PortSecurityException %s may be for its pods",
				owner.Kind,
				owner.Name,
				e.Name,
			)
			return
		}
		nic := slices.IndexFunc(c.nics, func(nic kubeovn.NIC) bool { return e.Providers.Pick(nic.Provider) })
		if nic < 0 || !e.TargetsAny(c.query.Pod) || e.TargetsAny(was.query.Pod) {
			continue
		}
		field := "metadata.ownerReferences"
		if slices.Equal(was.pod.Metadata.Owners, c.pod.Metadata.Owners) {
			field = "metadata.labels"
		}
		c.refuse(
			field,
			"have the owner make the pod anew",
			"NIC %s would be one of those that PortSecurityException %s is for, and that %s %s did not make it",
			c.nics[nic].Provider,
			e.Name,
			e.Owner.Kind,
			e.Owner.Name,
		)
		return
	}
}

// becomesGateway refuses what makes the pod one of a gateway of Kube-OVN's that did not make it: repair leaves gateways
// alone that ran before they had an exception, and a pod that was open before must not become one.
func (c *check) becomesGateway(owner *policy.Owner, was *check, unknown bool) bool {
	const field = "metadata.ownerReferences"
	switch {
	case unknown && c.Inventory.GatewayIn(c.Namespace.Name):
		c.refuse(
			field,
			"try again",
			"%s %s is not known yet, and may be that of a gateway of Kube-OVN's",
			owner.Kind,
			owner.Name,
		)
		return true
	case ofGateway(c.query.Pod) && !ofGateway(was.query.Pod):
		c.refuse(
			field,
			"have Kube-OVN make the gateway's pods",
			"the pod would be one of a gateway of Kube-OVN's, and the gateway did not make it",
		)
		return true
	}
	return false
}

// ofGateway reports whether the pod is proved to be a gateway's.
func ofGateway(p policy.Pod) bool {
	return p.Gateway != "" ||
		slices.ContainsFunc(p.Owners, func(o policy.Owner) bool { return kubeovn.IsGateway(o.APIVersion, o.Kind) })
}

// adoptedBeforeKnown reports whether the pod comes to have a controlling owner of which the inventory has not heard, so
// that it cannot tell what owns that one. ReplicationControllers are owned by nothing, and not followed.
func (c *check) adoptedBeforeKnown(owner *policy.Owner, was *check) bool {
	if owner == nil || len(c.Inventory.Owners(owner)) > 0 {
		return false
	}
	before := was.pod.Metadata.controller()
	_, known := controllerOf(*owner)
	return known && owner.Kind != "ReplicationController" && (before == nil || *before != *owner)
}

// CheckBinding says why a Binding must not be applied to the pod. Its annotations and labels are merged into those of
// the pod, which gives bound.
func (v *View) CheckBinding(pod, bound *ParsedPod) ([]Refusal, Verdict) {
	verdict := v.newCheck(pod, true).verdict() // of the pod as it is: a Binding that is refused changes nothing
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
