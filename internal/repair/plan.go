// Package repair decides what is done about a port that is not what it must be. The decision is pure: a picture of the port, what
// was done about it before, and the time go in; one action comes out.
//
// Kube-OVN's own path comes first: it writes the narrow column when the pod's annotation changes to its one true value, and whatever
// it writes later falls back to that. Only what that path cannot do, or has not done in time, is written to the database, on rows
// that are proved to be that pod's.
package repair

import (
	"fmt"
	"slices"
	"time"

	"github.com/ovnguard/ovnguard/internal/audit"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/portsec"
)

// Kind says what is done about a port.
type Kind string

// Kinds of actions.
const (
	// Nothing: the port is as it must be, or it is not for repair to say.
	Nothing Kind = "nothing"
	// Annotate writes the pod's annotations, so that Kube-OVN writes the port.
	Annotate Kind = "annotate"
	// Write writes the row.
	Write Kind = "write"
	// Wait leaves the port to Kube-OVN until a time.
	Wait Kind = "wait"
	// Frozen leaves the port of a machine alone while it migrates.
	Frozen Kind = "frozen"
	// Contested waits longer and longer, because somebody else keeps writing something else.
	Contested Kind = "contested"
	// NotProved leaves a row alone that is not proved to be that of the pod.
	NotProved Kind = "not-proved"
)

// Action is what is to be done about one port.
type Action struct {
	Kind Kind
	// Why says for people what the action rests on; empty for Nothing.
	Why string
	// Log tells that policy wants to be told only: nothing is to be done.
	Log bool
	// Annotations are those to write, for Annotate.
	Annotations map[string]string
	// PortSecurity and Addresses are the columns to write, for Write; nil leaves one as it is.
	PortSecurity, Addresses []string
	// Again is when the port is to be looked at again, though nothing changes; zero for never.
	Again time.Time
}

// Times of repair.
const (
	// Grace is how long Kube-OVN has to follow an annotation: it takes some ten milliseconds where it runs.
	Grace = 2 * time.Second
	// newRow is how long a row that replaced another of the same name is watched before it is written.
	newRow = time.Second
)

// columnRules are the findings about port_security, addressRules those about addresses.
var (
	columnRules  = []string{"OVG001", "OVG002", "OVG003", "OVG004"}
	addressRules = []string{"OVG005", "OVG008"}
)

// Plan says what is to be done about a port. eras are those that may enforce, and past is what was done about it before.
func Plan(p inventory.Port, eras []portsec.Era, past History, now time.Time) Action {
	if p.Pod == nil || p.Row == nil || p.Pod.Finished || p.Pod.Terminating || p.Row.Disabled ||
		p.Decision.Mode != policy.Enforce || p.Decision.Repair == policy.RepairOff {
		return Action{Kind: Nothing}
	}
	result := audit.Evaluate(p, eras)
	has := func(rules []string) bool {
		return slices.ContainsFunc(result.Findings, func(f audit.Finding) bool { return slices.Contains(rules, f.Rule.ID) })
	}
	column, addresses := has(columnRules), has(addressRules)
	annotations := annotate(p)
	if !column && !addresses && annotations == nil {
		return Action{Kind: Nothing}
	}
	a := plan(p, column, addresses, annotations, past, now)
	a.Log = p.Decision.Repair == policy.RepairLog
	return a
}

func plan(p inventory.Port, column, addresses bool, annotations map[string]string, past History, now time.Time) Action {
	if audit.ClassOf(&p) == audit.ClassMigrating { // a launcher keeps the annotation of its migration for the rest of its life, which tells nothing
		return Action{Kind: Frozen, Why: "its machine migrates, and Kube-OVN writes the port itself until that has ended"}
	}
	if why := unproved(p); why != "" {
		return Action{Kind: NotProved, Why: why}
	}
	if annotations != nil && past.annotated(p.Pod.UID, annotations, now).IsZero() {
		return Action{Kind: Annotate, Why: "Kube-OVN writes the port when the annotation is what was decided", Annotations: annotations, Again: now.Add(Grace)}
	}
	// Also where the annotation can be seen already: Kube-OVN sees it no sooner.
	if rest := past.told(p.Pod.UID).Add(Grace); (column || annotations != nil) && now.Before(rest) {
		return Action{Kind: Wait, Why: "Kube-OVN is about to write the port", Again: rest}
	}
	if !column && !addresses {
		return Action{Kind: Nothing} // the annotation was written, and cannot be seen yet
	}
	if since := past.replaced(p.Row.UUID, p.Pod.UID); !since.IsZero() && now.Before(since.Add(newRow)) {
		return Action{Kind: Wait, Why: "the row replaced another one a moment ago", Again: since.Add(newRow)}
	}
	if until := past.backOff(now); now.Before(until) {
		return Action{Kind: Contested, Why: fmt.Sprintf("it was put right %d times and somebody keeps writing something else", past.Streak), Again: until}
	}
	expected, err := audit.ExpectedOf(p)
	if err != nil {
		return Action{Kind: NotProved, Why: err.Error()}
	}
	out := Action{Kind: Write, Why: "Kube-OVN does not look at the row again"}
	if column {
		out.PortSecurity = expected.PortSecurity
	}
	if addresses {
		out.Addresses = expected.Addresses
	}
	if out.PortSecurity == nil && out.Addresses == nil {
		return Action{Kind: Nothing}
	}
	return out
}

// annotate gives the annotations that Kube-OVN must read instead of those that the pod has; nil where they are right. The record
// keeps saying that the pod did not ask for it, so that a later decision is followed as well.
func annotate(p inventory.Port) map[string]string {
	key, want := p.Provider.Key(kubeovn.PortSecurity), p.Decision.Level.Value()
	have := p.Pod.Annotations[key]
	if have == want || have == "" && want != kubeovn.True {
		return nil
	}
	record := policy.ReadRecord(p.Pod.Annotations)
	r := record[p.Provider]
	record[p.Provider] = policy.Recorded{
		Level: p.Decision.Level.String(), From: string(p.Decision.LevelFrom),
		Layer2Forward: p.Decision.Forwarding.String(), ForwardingFrom: string(p.Decision.ForwardingFrom),
		Asked: r.Asked, Named: r.Named,
	}
	return map[string]string{key: want, policy.RecordAnnotation: policy.Record(record)}
}

// unproved says why the row may be somebody else's, or "" where it is proved to be the pod's.
func unproved(p inventory.Port) string {
	ids := p.Row.ExternalIDs
	switch {
	case p.Row.Type != "":
		return fmt.Sprintf("the row is of type %s, which is not a pod's", p.Row.Type)
	case ids[kubeovn.ExternalIDVendor] != kubeovn.Vendor:
		return "Kube-OVN did not make the row"
	case ids[kubeovn.ExternalIDPod] != p.Pod.Namespace+"/"+p.Pod.Owner:
		return fmt.Sprintf("the row names pod %q", ids[kubeovn.ExternalIDPod])
	case p.Record == nil:
		return "there is no IP resource, and the pod's annotations prove nothing"
	case !identical(p.Row.Addresses, p.Record):
		return "the row's addresses are not those of the IP resource"
	}
	return ""
}
