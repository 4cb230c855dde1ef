// Package exception says what stands of exceptions, which of them are of no use any more, and which one a port would
// need. It is pure.
package exception

import (
	"cmp"
	"slices"
	"time"

	"github.com/ovnguard/ovnguard/internal/audit"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/internal/status"
)

// State is what stands of an exception, in a word.
type State string

// States.
const (
	// Approved means that it counts now.
	Approved State = "approved"
	// Pending means that it will count by itself, or once somebody approves it or consents to it.
	Pending State = "pending"
	// Expired means that its time is over.
	Expired State = "expired"
	// Refused means that policy does not let it count.
	Refused State = "refused"
)

// StateOf returns the state of an exception with that standing.
func StateOf(reason policy.Reason, expires, now time.Time) State {
	switch {
	case !expires.IsZero() && !now.Before(expires):
		return Expired
	case reason == policy.InEffect:
		return Approved
	case slices.Contains([]policy.Reason{policy.NotApproved, policy.NotShared, policy.NotYet}, reason):
		return Pending
	}
	return Refused
}

// Listed is an exception and what stands of it.
type Listed struct {
	policy.Exception

	State State
	status.Standing
	// Ports are the names of the ports that it is for.
	Ports []string
}

// List returns the exceptions of a namespace, or of all for "", by namespace and name.
func List(inv *inventory.State, namespace string, now time.Time) (out []Listed) {
	inv.EachException(func(e *policy.Exception) {
		if namespace != "" && e.Namespace != namespace {
			return
		}
		standing := inv.Standing(*e)
		s := status.StandingOf(&standing, inv.Policies(), inv.Namespace(e.Namespace), now)
		out = append(out, Listed{
			Exception: *e, State: StateOf(s.Reason, e.Expires, now), Standing: s, Ports: inv.Targets(e),
		})
	})
	slices.SortFunc(out, func(a, b Listed) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return out
}

// Ends reports whether the exception has not ended yet, and does within a span.
func (l *Listed) Ends(within time.Duration, now time.Time) bool {
	return l.State != Expired && !l.Expires.After(now.Add(within))
}

// Useless says why an exception can be deleted: it has ended, or is meant for no port; "" where it cannot. It asks the
// audit, which finds the same.
func (l *Listed) Useless(now time.Time) string {
	for _, f := range audit.EvaluateException(&l.Exception, len(l.Ports) > 0, now).Findings {
		return f.Message
	}
	return ""
}
