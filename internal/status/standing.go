package status

import (
	"time"

	"github.com/ovnguard/ovnguard/internal/policy"
)

// Standing is whether an exception counts at a time, and under which policy.
type Standing struct {
	Reason policy.Reason
	// Why says, for people, what would have to change; empty where it counts.
	Why string
	// Policy is the name of the policy that honours it, or that does not; empty for the built-in default.
	Policy string
}

// StandingOf reports whether an exception counts. Where several policies decide about the NICs that it is for, it
// counts if one of them honours it; if none does, what the first says is told.
func StandingOf(e *policy.Exception, policies []policy.Policy, ns policy.Namespace, now time.Time) Standing {
	if ns.Err != nil {
		return Standing{Reason: policy.NamespaceNotNamed, Why: ns.Err.Error()}
	}
	first := Standing{Reason: policy.NamespaceNotNamed, Why: "no policy decides for the NICs that it names"}
	governing := policy.Governing(policies, ns, e.Providers)
	for i := range governing {
		p := &governing[i]
		reason, why := e.Standing(p, now)
		s := Standing{Reason: reason, Why: why, Policy: p.Name}
		if reason == policy.InEffect {
			return s
		}
		// That no policy names the namespace says least: another one may come nearer.
		if first.Reason == policy.NamespaceNotNamed {
			first = s
		}
	}
	return first
}

// Reasons are all words that a Standing may have.
func Reasons() []policy.Reason {
	return []policy.Reason{
		policy.InEffect,
		policy.Unreadable,
		policy.Contradictory,
		policy.NamespaceNotNamed,
		policy.TooManyPairs,
		policy.PrefixTooWide,
		policy.LevelTooLoose,
		policy.OwnerNotNamed,
		policy.TicketMissing,
		policy.NotApproved,
		policy.NotShared,
		policy.TooManyExceptions,
		policy.LifetimeTooLong,
		policy.NotYet,
		policy.Expired,
	}
}
