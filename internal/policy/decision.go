// Package policy decides what one port may send. The decision is a pure function of what the cluster, the namespace and
// the pod say; the admission webhook, the audit and the command line all call the same one.
package policy

import "github.com/ovnguard/ovnguard/internal/kubeovn"

// Level says what a port may send from.
type Level int

// Levels, from the tightest to the loosest.
const (
	// Strict lets a port send from its own MAC and addresses only.
	Strict Level = iota
	// Open puts no limit on what a port sends.
	Open
)

// String gives the level's name as people write it.
func (l Level) String() string {
	switch l {
	case Strict:
		return "strict"
	case Open:
		return "open"
	}
	return "invalid"
}

// Value gives the port_security annotation that makes Kube-OVN realise the level.
func (l Level) Value() string {
	if l == Open {
		return "false"
	}
	return kubeovn.True
}

// Forwarding says whether a port may take in frames for MACs that nobody has (layer2_forward, "unknown" in addresses).
type Forwarding int

// Values of Forwarding, the tight one first.
const (
	// Forbid means that "unknown" has no place in the port's addresses.
	Forbid Forwarding = iota
	// Allow means that the pod may ask for it. It is never imposed on a pod that does not ask.
	Allow
)

// String gives "forbid" or "allow".
func (f Forwarding) String() string {
	if f == Allow {
		return "allow"
	}
	return "forbid"
}

// Source names where a value in a decision came from.
type Source string

// Sources, in the order in which they are asked. A later one may only tighten what an earlier one left, except that a
// namespace may loosen the built-in default.
const (
	FromDefault   Source = "default"
	FromNamespace Source = "namespace"
	FromPod       Source = "pod"
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
	// Invalid means that the value could not be read; it changes nothing.
	Invalid Outcome = "invalid"
	// NotKnown means that the source could not be read; the strict default stands.
	NotKnown Outcome = "unknown"
)

// Step is one link of the chain that led to a decision.
type Step struct {
	Source Source
	// Key is the annotation that was read; empty for the built-in default and for a source that could not be read.
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
	// Forwarding says whether the port may have layer-2 forwarding.
	Forwarding Forwarding
	// ForwardingFrom is the source that set Forwarding.
	ForwardingFrom Source
	// Steps holds every source that said something, in order.
	Steps []Step
}

// Refusals gives the steps of the pod that were refused or could not be read.
func (d Decision) Refusals() []Step {
	var out []Step
	for _, s := range d.Steps {
		if s.Outcome == Refused || s.Outcome == Invalid {
			out = append(out, s)
		}
	}
	return out
}
