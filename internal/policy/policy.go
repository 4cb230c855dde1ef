package policy

import (
	"cmp"
	"regexp"
	"slices"
	"time"
)

// Mode says what is done about a port that wants more than it may have.
type Mode int

// Modes, the one that does most first.
const (
	// Enforce changes and refuses at admission and lets ports be repaired.
	Enforce Mode = iota
	// Warn changes nothing and tells the author of a request what enforcing would do.
	Warn
	// Audit changes nothing and leaves the telling to the audit.
	Audit
)

// String returns the mode as people write it.
func (m Mode) String() string { return [...]string{"enforce", "warn", "audit"}[m] }

// Repair says what is done about a port that is not what it must be.
type Repair int

// Values of Repair.
const (
	// RepairLog says what repair would write.
	RepairLog Repair = iota
	// RepairOff leaves the port as it is.
	RepairOff
	// RepairOn puts the port right.
	RepairOn
)

// String returns the value as people write it.
func (r Repair) String() string { return [...]string{"log", "off", "repair"}[r] }

// Policy is a PortSecurityPolicy, compiled.
type Policy struct {
	Name     string
	Priority int32
	// Err says why it could not be read as a whole; it asks for strict ports then and honours no exception.
	Err        error
	Namespaces Selector
	// Pods is nil where the policy is for all pods.
	Pods      Selector
	Providers Providers
	Level     Level
	// Forwarding is Forbid or Allow.
	Forwarding Forwarding
	// ExternalAddresses means that pods may take external addresses by annotation.
	ExternalAddresses bool
	// ForbidsOthers means that pods may have no NIC that OVN does not make.
	ForbidsOthers bool
	Mode          Mode
	Repair        Repair
	Limits        Limits
	// InheritedKeys are the keys of annotations that namespaces hand down to their pods.
	InheritedKeys []string
	// ExceptionsIn are the names of the namespaces whose exceptions are honoured.
	ExceptionsIn []string
	// Approval demands that somebody other than its author approved an exception.
	Approval bool
	// chosen means that it was choosy before Narrow left out what it picks by.
	chosen bool
	// Ticket must match the whole ticket of an exception; nil asks for none.
	Ticket *regexp.Regexp
}

// choosy reports whether the policy picks by a label that must be there: one that would pick what has no labels is for
// whatever there is, also where it leaves something out.
func (p *Policy) choosy() bool {
	return p.chosen || !p.Namespaces.picks(nil) || !p.Pods.picks(nil)
}

// DefaultLifetime is the longest time of an exception where a policy does not say.
const DefaultLifetime = 30 * 24 * time.Hour

// Limits bound what an exception may grant.
type Limits struct {
	// Pairs is how many address pairs one exception may grant.
	Pairs int
	// Prefix4 and Prefix6 are the lengths of the widest prefixes, in bits.
	Prefix4, Prefix6 int
	// Lifetime is the longest time from the last change of what is asked for to its end.
	Lifetime time.Duration
	// Level is the loosest level that may be granted.
	Level Level
	// Owner demands that the exception names the owner of its pods, with UID.
	Owner bool
}

// BuiltIn is what holds where no policy matches: strict ports, no forwarding, repair that only says what it would do,
// and no exceptions.
func BuiltIn() Policy { return Policy{} }

// SortPolicies orders policies by precedence: the highest priority first, and of equal ones the first by name.
func SortPolicies(list []Policy) {
	slices.SortFunc(list, func(a, b Policy) int {
		return cmp.Or(-cmp.Compare(a.Priority, b.Priority), cmp.Compare(a.Name, b.Name))
	})
}

// match returns the policy for the NIC: the first that matches and selects no pods by label, or the built-in default.
// tighter is the first that also matches by the pod's labels, where it comes before that one; nil where there is none.
func match(q *Query) (base *Policy, tighter *Policy) {
	for i := range q.Policies {
		p := &q.Policies[i]
		if !p.Providers.Pick(q.Provider) || !p.Namespaces.picks(q.Namespace.Labels) {
			continue
		}
		if p.Pods == nil {
			return p, tighter
		}
		if tighter == nil && p.Pods(q.Pod.Labels) {
			tighter = p
		}
	}
	return nil, tighter
}
