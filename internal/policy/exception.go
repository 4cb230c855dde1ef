package policy

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/portsec"
)

// Exception is a PortSecurityException, compiled.
type Exception struct {
	Namespace string
	Name      string
	// Err says why it could not be compiled; it has no effect then.
	Err error

	// Pods is nil where it does not select by labels; Owner is nil where it names none. One of them is set.
	Pods      Selector
	Owner     *Owner
	Providers Providers

	// Class names what it is for; empty where it names nothing. Contradiction says what in the grant does not fit the class, and
	// is empty where all does; the exception has no effect otherwise.
	Class         Class
	Contradiction string
	// Level is Strict where it grants none.
	Level Level
	Pairs []portsec.AddressPair
	// Forwarding is Require where it grants layer-2 forwarding, else Forbid.
	Forwarding Forwarding

	Ticket                  string
	RequestedBy, ApprovedBy string
	// Asked is when what it asks for was last changed; NotBefore and Expires bound its time. NotBefore may be zero.
	Asked, NotBefore, Expires time.Time
}

// Targets tells that the exception is meant for this NIC of this pod.
func (e *Exception) Targets(p Pod, provider kubeovn.Provider) bool {
	if e.Pods == nil && e.Owner == nil {
		return false
	}
	return e.Providers.Pick(provider) && e.Pods.picks(p.Labels) && (e.Owner == nil || slices.Contains(p.Owners, *e.Owner))
}

// Reason says why an exception has no effect, in a word that never changes; it is the reason of its condition.
type Reason string

// Reasons.
const (
	// InEffect means that it counts.
	InEffect          Reason = "InEffect"
	Unreadable        Reason = "Unreadable"
	Contradictory     Reason = "Contradictory"
	NamespaceNotNamed Reason = "NamespaceNotNamed"
	TooManyPairs      Reason = "TooManyPairs"
	PrefixTooWide     Reason = "PrefixTooWide"
	LevelTooLoose     Reason = "LevelTooLoose"
	OwnerNotNamed     Reason = "OwnerNotNamed"
	TicketMissing     Reason = "TicketMissing"
	NotApproved       Reason = "NotApproved"
	LifetimeTooLong   Reason = "LifetimeTooLong"
	NotYet            Reason = "NotYet"
	Expired           Reason = "Expired"
)

// Standing tells whether the exception counts under the policy at that time, and if not, why: a word, and a sentence that says
// what would have to change.
func (e *Exception) Standing(p *Policy, now time.Time) (Reason, string) {
	if reason, why := e.Admissible(p); reason != InEffect {
		return reason, why
	}
	switch {
	case p.Approval && (e.ApprovedBy == "" || e.ApprovedBy == e.RequestedBy):
		return NotApproved, fmt.Sprintf("policy %s wants it approved by somebody other than %s", p.Name, e.RequestedBy)
	case !e.NotBefore.IsZero() && now.Before(e.NotBefore):
		return NotYet, "it begins at " + e.NotBefore.UTC().Format(time.RFC3339)
	case !now.Before(e.Expires):
		return Expired, "it ended at " + e.Expires.UTC().Format(time.RFC3339)
	}
	return InEffect, ""
}

// Admissible tells whether the policy could ever let the exception count: everything but time and approval.
func (e *Exception) Admissible(p *Policy) (Reason, string) {
	switch {
	case e.Err != nil:
		return Unreadable, e.Err.Error()
	case e.Contradiction != "":
		return Contradictory, e.Contradiction
	case !slices.Contains(p.ExceptionsIn, e.Namespace):
		return NamespaceNotNamed, fmt.Sprintf("%s does not name namespace %s in spec.exceptions.namespaces", p.title(), e.Namespace)
	case p.Limits.Owner && (e.Owner == nil || e.Owner.UID == ""):
		return OwnerNotNamed, fmt.Sprintf("policy %s wants spec.target.owner, with its uid", p.Name)
	case p.Ticket != nil && !p.Ticket.MatchString(e.Ticket):
		return TicketMissing, fmt.Sprintf("policy %s wants a spec.ticket of the form %s", p.Name, p.Ticket)
	case e.Level > p.Limits.Level:
		return LevelTooLoose, fmt.Sprintf("policy %s grants no level looser than %s", p.Name, p.Limits.Level)
	case len(e.Pairs) > p.Limits.Pairs:
		return TooManyPairs, fmt.Sprintf("%d address pairs, policy %s grants %d", len(e.Pairs), p.Name, p.Limits.Pairs)
	case e.Expires.Sub(e.Asked) > p.Limits.Lifetime:
		return LifetimeTooLong, fmt.Sprintf("it lasts longer than the %s that policy %s grants", p.Limits.Lifetime, p.Name)
	}
	for _, pair := range e.Pairs {
		if why := p.tooWide(pair.Prefix); why != "" {
			return PrefixTooWide, why
		}
	}
	return InEffect, ""
}

// tooWide says why a prefix is wider than the policy grants, or "".
func (p *Policy) tooWide(prefix netip.Prefix) string {
	limit := max(p.Limits.Prefix4, 1)
	if prefix.Addr().Is6() {
		limit = max(p.Limits.Prefix6, 1)
	}
	if prefix.IsValid() && prefix.Bits() >= limit {
		return ""
	}
	return fmt.Sprintf("prefix %s is wider than the /%d that %s grants", prefix, limit, p.title())
}

func (p *Policy) title() string {
	if p.Name == "" {
		return "the built-in default"
	}
	return "policy " + p.Name
}
