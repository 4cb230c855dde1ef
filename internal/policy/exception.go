package policy

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
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

	// Class names what it is for; empty where it names nothing. Contradiction says what in the grant does not fit the
	// class, and is empty where all does; the exception has no effect otherwise.
	Class         Class
	Contradiction string
	// Level is Strict where it grants none.
	Level Level
	Pairs []portsec.AddressPair
	// SharedWith names, for each of the pairs, whose addresses or MAC it has where that is meant; "" where nobody's.
	SharedWith []string
	// Shares are the owners of those whose consent was recorded when it was written or approved.
	Shares []Share
	// Unshared says, for people, whose addresses or MACs it would grant without their consent, and what to do; empty
	// where nobody's. Who has what changes, so that it is filled in again for each decision.
	Unshared string
	// Uncounted says, for people, why it does not count beside the other exceptions of its namespace; empty where it
	// does.
	Uncounted string
	// Forwarding is Require where it grants layer-2 forwarding, else Forbid.
	Forwarding Forwarding

	Ticket                  string
	RequestedBy, ApprovedBy string
	// Asked is when what it asks for was last changed; NotBefore and Expires bound its time. NotBefore may be zero.
	Asked, NotBefore, Expires time.Time
}

// Share is the consent of an owner: of the Namespace whose pods have an address, or of the Subnet in which it is.
type Share struct {
	// Resource is Namespaces or Subnets.
	Resource string
	Name     string
	// UID tells the owner from a later one of the same name.
	UID string
}

// Resources of Share, in whose names the verb "share" is given.
const (
	Namespaces = "namespaces"
	Subnets    = "subnets"
)

// String returns the right to consent, such as "subnets.ovnguard.io ovn-default".
func (s Share) String() string { return s.Resource + ".ovnguard.io " + s.Name }

// Targets reports whether the exception is meant for this NIC of this pod.
func (e *Exception) Targets(p Pod, provider kubeovn.Provider) bool {
	return e.Providers.Pick(provider) && e.TargetsAny(p)
}

// TargetsAny reports whether the exception would be meant for some NIC of this pod, if the pod had one that it names.
func (e *Exception) TargetsAny(p Pod) bool {
	if e.Pods == nil && e.Owner == nil {
		return false
	}
	return e.Pods.picks(p.Labels) && (e.Owner == nil || slices.Contains(p.Owners, *e.Owner))
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
	NotShared         Reason = "NotShared"
	TooManyExceptions Reason = "TooManyExceptions"
	LifetimeTooLong   Reason = "LifetimeTooLong"
	NotYet            Reason = "NotYet"
	Expired           Reason = "Expired"
)

// Standing reports whether the exception counts under the policy at that time, and if not, why: a word, and a sentence
// that says what would have to change.
func (e *Exception) Standing(p *Policy, now time.Time) (Reason, string) {
	if reason, why := e.Admissible(p); reason != InEffect {
		return reason, why
	}
	switch {
	case p.Approval && (e.ApprovedBy == "" || e.ApprovedBy == e.RequestedBy):
		return NotApproved, fmt.Sprintf(
			"policy %s requires that a user other than %s approves it",
			p.Name,
			e.RequestedBy,
		)
	case p.Approval && OwnAccount(e.Namespace, e.ApprovedBy):
		return NotApproved, fmt.Sprintf("policy %s requires an approval, but %s is a ServiceAccount of "+
			"namespace %s, and anyone who may create pods there can act as this account; remove "+
			"spec.approvedBy and let another user approve it",
			p.Name, e.ApprovedBy, e.Namespace)
	case !now.Before(e.Expires):
		return Expired, "it ended at " + e.Expires.UTC().Format(time.RFC3339)
	case e.Uncounted != "":
		return TooManyExceptions, e.Uncounted
	case e.Unshared != "":
		return NotShared, e.Unshared
	case !e.NotBefore.IsZero() && now.Before(e.NotBefore):
		return NotYet, "it begins at " + e.NotBefore.UTC().Format(time.RFC3339)
	}
	return InEffect, ""
}

// OwnAccount reports whether the user is a ServiceAccount of the namespace. Whoever may make pods there can act as each
// of them, so that two of them, or one of them and its user, need not be two people.
func OwnAccount(namespace, user string) bool {
	return strings.HasPrefix(user, "system:serviceaccount:"+namespace+":")
}

// Admissible reports whether the policy could ever let the exception count: everything but time and approval. Who asked
// for it is part of that, because an approval does not change it.
func (e *Exception) Admissible(p *Policy) (Reason, string) {
	switch {
	case e.Err != nil:
		return Unreadable, e.Err.Error()
	case e.Contradiction != "":
		return Contradictory, e.Contradiction
	case !slices.Contains(p.ExceptionsIn, e.Namespace):
		return NamespaceNotNamed, fmt.Sprintf(
			"%s does not name namespace %s in spec.exceptions.namespaces",
			p.title(),
			e.Namespace,
		)
	case p.Limits.Owner && (e.Owner == nil || e.Owner.UID == ""):
		return OwnerNotNamed, fmt.Sprintf("policy %s requires spec.target.owner, with its uid", p.Name)
	case p.Approval && OwnAccount(e.Namespace, e.RequestedBy):
		return NotApproved, fmt.Sprintf(
			"policy %s requires the approval of a second person, but %s, who asked for it, is a ServiceAccount "+
				"of namespace %s, and anyone who may create pods there can act as this account; a person, or an "+
				"account of another namespace, must ask for it",
			p.Name,
			e.RequestedBy,
			e.Namespace,
		)
	case p.Ticket != nil && !p.Ticket.MatchString(e.Ticket):
		return TicketMissing, fmt.Sprintf("policy %s requires a spec.ticket of the form %s", p.Name, p.Ticket)
	case e.Level > p.Limits.Level:
		return LevelTooLoose, fmt.Sprintf("policy %s grants no level looser than %s", p.Name, p.Limits.Level)
	case len(e.Pairs) > p.Limits.Pairs:
		return TooManyPairs, fmt.Sprintf("%d address pairs, policy %s grants %d", len(e.Pairs), p.Name, p.Limits.Pairs)
	case e.Expires.Sub(e.Asked) > p.Limits.Lifetime:
		return LifetimeTooLong, fmt.Sprintf(
			"it lasts longer than the %s that policy %s grants",
			p.Limits.Lifetime,
			p.Name,
		)
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
