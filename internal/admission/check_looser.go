package admission

import (
	"maps"
	"slices"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

var loosened = &Check{
	ID: "OVGA23", Name: "loosened",
	Summary: "a change of labels, owners or annotations that makes the decision for a NIC looser than before",
}

// looser refuses a change of labels, owners or annotations that makes the decision for a NIC looser. What the pod
// shares of granted addresses is left out of it: each of them has been looked at.
func (r *review) looser(was *review, keys []Key) {
	// One that is refused is refused; what is said about a NIC under a policy that only warns must not hide what another
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
	case !maps.Equal(was.Metadata.Labels, r.Metadata.Labels):
		field = "metadata.labels"
	case !slices.Equal(was.Metadata.Owners, r.Metadata.Owners):
		field = "metadata.ownerReferences"
	}
	for _, nic := range was.NICs {
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
				recreate,
				"NIC %s would no longer be under a policy with mode %s: the mode would become %s",
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
				recreate,
				"NIC %s would become looser: it would no longer be under %s, which forbids NICs outside OVN",
				nic.Provider,
				who,
			)
			continue
		}
		r.refuse(
			loosened,
			mode,
			field,
			recreate+", or name the owner of the pod in the exception",
			"NIC %s would become looser: level %s with layer-2 forwarding %s, before level %s with %s",
			nic.Provider,
			now.Level,
			now.Forwarding,
			old.Level,
			old.Forwarding,
		)
	}
}
