// Package policy decides what one port may send. The decision is a pure function of what the cluster, the namespace and
// the pod say; the admission webhook, the audit and the command line all call the same one.
package policy

import (
	"slices"
	"time"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/portsec"
)

// Level says what a port may send from.
type Level int

// Levels, from the tightest to the loosest.
const (
	// Strict lets a port send from its own MAC and addresses only.
	Strict Level = iota
	// Extended adds granted address pairs to that.
	Extended
	// MAC lets a port send from its own MAC with any address, and from granted pairs.
	MAC
	// Open puts no limit on what a port sends.
	Open
)

// String returns the level's name as people write it.
func (l Level) String() string { return [...]string{"strict", "extended", "mac", "open"}[l] }

// Forwarding says whether a port takes in frames for MACs that nobody has (layer2_forward, "unknown" in addresses).
type Forwarding int

// Values of Forwarding, the tightest first.
const (
	// Forbid means that "unknown" has no place in the port's addresses.
	Forbid Forwarding = iota
	// Allow means that the pod may ask for it. It is never imposed on a pod that does not ask.
	Allow
	// Require means that an exception grants it and the port must have it.
	Require
)

// String returns "forbid", "allow" or "require".
func (f Forwarding) String() string { return [...]string{"forbid", "allow", "require"}[f] }

// Source names where a value in a decision came from.
type Source string

// Sources, in the order in which they are asked. A namespace may loosen what a policy says, since writing such a
// namespace takes a right of its own; a gateway that administrators made is not cut off unless one of the two before it
// means to; a pod may only tighten; an exception loosens.
const (
	FromDefault   Source = "default"
	FromPolicy    Source = "policy"
	FromNamespace Source = "namespace"
	FromGateway   Source = "gateway"
	FromPod       Source = "pod"
	FromVIP       Source = "vip"
	FromException Source = "exception"
)

// Outcome says what became of one step's wish.
type Outcome string

// Outcomes of a step.
const (
	// Applied means that the wish changed the decision.
	Applied Outcome = "applied"
	// Agreed means that the wish asked for what was decided already.
	Agreed Outcome = "agreed"
	// Refused means that the wish would have loosened what its parent asks for.
	Refused Outcome = "refused"
	// Overruled means that the wish was in order, and something that has more say asked for something else.
	Overruled Outcome = "overruled"
	// Invalid means that the value could not be read; it changes nothing.
	Invalid Outcome = "invalid"
	// Copied means that new pods get the annotation of the namespace; it decides nothing.
	Copied Outcome = "copied"
	// NotKnown means that the source could not be read; the strict default stands.
	NotKnown Outcome = "unknown"
)

// Step is one link of the chain that led to a decision.
type Step struct {
	Source Source
	// Name is the name of the policy, exception or Vip; empty for other sources.
	Name string
	// Key is the annotation or label that was read; empty where the step rests on none.
	Key string
	// Value is the annotation's value as written.
	Value string
	// Outcome is what became of it.
	Outcome Outcome
	// Detail says why, for people. It is empty where the outcome says it all.
	Detail string
}

// Decision is what policy says about one port, with the steps that led there.
type Decision struct {
	Level Level
	// LevelFrom is the source that set Level.
	LevelFrom Source
	// Pairs are the address pairs that are granted besides the identity, by exceptions and by Vips, each once.
	Pairs []portsec.AddressPair
	// Withheld are pairs of exceptions that have no effect only because the owners of the addresses have not consented.
	Withheld []portsec.AddressPair
	// Forwarding says whether the port may, or must, have layer-2 forwarding.
	Forwarding Forwarding
	// ForwardingFrom is the source that set Forwarding.
	ForwardingFrom Source
	// ExternalAddresses means that the pod may take external addresses by annotation.
	ExternalAddresses bool
	// OthersForbiddenBy are the names of the policies that require this network to be on OVN, in the order in which
	// they were asked; none where it may be another.
	OthersForbiddenBy []string
	Mode              Mode
	Repair            Repair
	// Policy is the name of the policy that the port falls under; empty for the built-in default.
	Policy string
	// Exceptions are the names of the exceptions in effect, sorted.
	Exceptions []string
	// BaseLevel and BaseForwarding are what was decided before exceptions and Vips: by policies, the namespace and the
	// pod.
	BaseLevel      Level
	BaseForwarding Forwarding
	// Terms are the exceptions that target the port and have not ended, whether they count or not, in order of their
	// names.
	Terms []Term
	// NextChange is when the decision changes by itself, because an exception begins or ends; zero where it never does.
	NextChange time.Time
	// Steps holds every source that said something, in order.
	Steps []Step
}

// Term is an exception as far as it matters whether it is still the one that was granted.
type Term struct {
	Name string
	// Asked is when what it asks for was last changed, and Expires when it ends.
	Asked, Expires time.Time
	// Counts means that it is in effect; otherwise policy does not let it count, or nobody has approved it.
	Counts bool
}

// Value returns the port_security annotation that Kube-OVN must see. It is on for every level but Open: what Kube-OVN
// writes then is the identity alone, and whatever is granted beyond it is added to the row afterwards, so that a port
// is never wider than decided for a moment.
//
// For a gateway that administrators made it is the other way round: it forwards from its first moment on, also where
// nothing is written to running ports, and repair takes afterwards what level mac does not need.
func (d Decision) Value() string {
	if d.Level == Open || d.LevelFrom == FromGateway {
		return "false"
	}
	return kubeovn.True
}

// Looser reports whether d allows something that o does not: that the port sends from more or takes in more, that the
// pod asks for external addresses, or that its NIC is none of OVN.
func (d Decision) Looser(o Decision) bool {
	return d.Wider(o) || d.ExternalAddresses && !o.ExternalAddresses || o.ForbidsOthers() && !d.ForbidsOthers()
}

// Wider reports whether d lets the port send from more, or take in more, than o.
func (d Decision) Wider(o Decision) bool {
	switch {
	case d.Forwarding > o.Forwarding:
		return true
	case o.Level == Open:
		return false
	case d.Level == Open, d.Level == MAC && o.Level < MAC:
		return true
	}
	if slices.Equal(d.Pairs, o.Pairs) {
		return false // as where the exceptions are the same
	}
	set := pairSetOf(o.Pairs)
	return slices.ContainsFunc(d.Pairs, func(p portsec.AddressPair) bool { return !o.Level.holds(p) && !set.holds(p) })
}

// Repairs reports whether the port is put right where it is not as was decided.
func (d Decision) Repairs() bool { return d.Mode == Enforce && d.Repair == RepairOn }

// ForbidsOthers reports whether the pod may have this NIC only where OVN makes it.
func (d Decision) ForbidsOthers() bool { return len(d.OthersForbiddenBy) > 0 }

// Refusals returns the steps of the pod that were refused or could not be read.
func (d Decision) Refusals() []Step {
	var out []Step
	for _, s := range d.Steps {
		if s.Outcome == Refused || s.Outcome == Invalid {
			out = append(out, s)
		}
	}
	return out
}
