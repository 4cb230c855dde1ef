package admission

import (
	"maps"
	"slices"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

var loosened = &Check{
	ID: "OVGA23", Name: "loosened",
	Summary: "a change of labels, owners or annotations by which a NIC is decided looser than before",
}

// looser refuses a change of labels, owners or annotations by which a NIC is decided looser. What the pod shares of
// granted addresses is left out of it: each of them has been looked at.
func (r *review) looser(was *review, keys []Key) {
	// One that is refused is refused; what is said about a NIC of which a policy only warns must not hide what another
	// one becomes.
	if r.Accounts.isKubeOVN(r.User) ||
		slices.ContainsFunc(r.refusals, func(r Refusal) bool { return r.Mode == policy.Enforce }) {
		return
	}
	facts := *was.facts
	facts.Annotations, facts.Lists = maps.Clone(facts.Annotations), r.facts.Lists
	for _, k := range keys {
		if k.Class == kubeovn.GrantKey {
			facts.Annotations[k.Name] = k.Value
		}
	}
	before := was.grounds
	if !maps.Equal(facts.Annotations, was.facts.Annotations) {
		before = r.groundsOf(&facts)
	}
	field := "metadata.annotations"
	switch {
	case !maps.Equal(was.pod.Metadata.Labels, r.pod.Metadata.Labels):
		field = "metadata.labels"
	case !slices.Equal(was.pod.Metadata.Owners, r.pod.Metadata.Owners):
		field = "metadata.ownerReferences"
	}
	const anew = "make the pod again with what it shall have"
	for _, nic := range was.nics {
		if r.late() {
			return
		}
		old, now := r.decide(before, nic.Provider), r.decision(nic.Provider)
		mode := min(old.Mode, now.Mode)
		if now.Mode > old.Mode {
			r.refuse(
				loosened,
				mode,
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
			r.refuse(
				loosened,
				mode,
				field,
				anew,
				"NIC %s would become looser: it would come out from under %s, which forbids NICs outside OVN",
				nic.Provider,
				who,
			)
			continue
		}
		r.refuse(
			loosened,
			mode,
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
