// Package repair decides what is done about a port that is not what it must be. The decision is pure: a picture of the
// port, what was done about it before, and the time go in; one action comes out.
//
// Kube-OVN's own path comes first: it writes the narrow column when the pod's annotation changes to its one true
// value, and whatever it writes later falls back to that. Only what that path cannot do, or has not done in time, is
// written to the database, on rows that are proved to be that pod's.
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
	// Contested leaves a row for a while, longer each time, because somebody else keeps writing something else.
	Contested Kind = "contested"
	// Gateway leaves the port of a gateway alone that nobody has excepted: to tighten it would cut off what goes
	// through it.
	Gateway Kind = "gateway"
	// NotProved leaves a row alone that is not proved to be that of the pod.
	NotProved Kind = "not-proved"
)

// Action is what is to be done about one port.
type Action struct {
	Kind Kind
	// Why says for people what the action rests on; empty for Nothing.
	Why string
	// Log means that policy wants to be told only: nothing is to be done.
	Log bool
	// Annotations are those to write, for Annotate, and Found is port_security as Kube-OVN finds it then.
	Annotations map[string]string
	Found       []string
	// PortSecurity, Addresses and ExternalIDs are the columns to write, for Write; nil leaves one as it is.
	PortSecurity, Addresses []string
	ExternalIDs             map[string]string
	// Answers means that somebody else changed the row after it was written, for Write.
	Answers bool
	// Right means that the port is as was decided.
	Right bool
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

// Plan says what is to be done about a port. eras are those that may enforce, and past is what was done about it
// before. The port of a pod that is being deleted is only ever tightened: as long as its grace period lasts it sends
// like any other.
func Plan(p inventory.Port, eras []portsec.Era, past History, now time.Time) Action {
	return plan(p, eras, past, now, p.Pod != nil && p.Pod.Terminating)
}

// Tighten says what is to be done about a port that may not be given more than it has: what it has beyond its decision
// is taken away.
func Tighten(p inventory.Port, eras []portsec.Era, past History, now time.Time) Action {
	return plan(p, eras, past, now, true)
}

func plan(p inventory.Port, eras []portsec.Era, past History, now time.Time, tighten bool) Action {
	if p.Pod == nil || p.Row == nil || p.Pod.Finished || p.Row.Disabled ||
		p.Decision.Mode != policy.Enforce || p.Decision.Repair == policy.RepairOff {
		return Action{Kind: Nothing}
	}
	if tighten {
		p = tightened(p, eras)
	}
	result := audit.Evaluate(p, eras)
	column := result.Wide || !tighten && result.Narrow
	expected, err := audit.ExpectedOf(p)
	todo := todo{port: &p, column: column, expected: expected, err: err, wide: result.Wide}
	if !tighten || !p.Pod.Terminating { // Kube-OVN does not look at the annotations of a pod that is being deleted
		todo.annotations = annotate(p)
	}
	if tighten && p.Decision.Level == policy.Open {
		todo.annotations = nil
	}
	if !todo.any() {
		return Action{Kind: Nothing, Right: !tighten}
	}
	a := todo.action(past, now)
	a.Log = p.Decision.Repair == policy.RepairLog
	return a
}

// tightened returns the port with a decision that gives it nothing that its row does not give it already.
func tightened(p inventory.Port, eras []portsec.Era) inventory.Port {
	p.Decision = audit.Held(&p, eras)
	if p.Decision.Forwarding == policy.Require {
		p.Decision.Forwarding = policy.Allow // what is there stays, and nothing is put there
	}
	return p
}

// todo is what is wrong with a port.
type todo struct {
	port        *inventory.Port
	annotations map[string]string
	// column means that port_security is wrong; addresses is where expected says how it must be.
	column   bool
	expected audit.Expected
	err      error
	// wide means that something would be taken from the port.
	wide bool
}

func (t todo) any() bool { return t.column || t.expected.Addresses != nil || t.annotations != nil }

// action says what is done about it first.
func (t todo) action(past History, now time.Time) Action {
	p := t.port
	// A launcher keeps the annotation of its migration for the rest of its life, so that it tells nothing.
	if audit.ClassOf(p) == audit.ClassMigrating {
		why := "its machine migrates, and Kube-OVN writes the port itself until the migration has ended"
		return Action{Kind: Frozen, Why: why, Again: p.Migration.Until()}
	}
	if t.wide && audit.Spared(p) {
		return Action{Kind: Gateway, Why: audit.SparedFor(p)}
	}
	if why := past.unproved(p); why != "" {
		return Action{Kind: NotProved, Why: why}
	}
	// Where the annotation cannot be written, which whoever fills the pod's annotations brings about, what the port has
	// too much is taken from its row meanwhile.
	retry := past.AnnotateFailed.Until()
	late := Action{Kind: Wait, Why: "the annotation could not be written; the write is tried again", Again: retry}
	waits := t.annotations != nil && now.Before(retry)
	if waits && !t.wide && !t.takesAddress() {
		return late
	}
	if t.annotations != nil && !waits && past.annotated(p.Pod.UID, t.annotations, now).IsZero() {
		why := "Kube-OVN writes the port once the annotation is as decided"
		return Action{
			Kind:        Annotate,
			Why:         why,
			Annotations: t.annotations,
			Found:       p.Row.PortSecurity,
			Again:       now.Add(Grace),
		}
	}
	// Also where the annotation can be seen already: Kube-OVN sees it no sooner. What it writes is the identity alone,
	// so that a port that is granted more and uses it is without that until the row is widened: nothing is waited for
	// once Kube-OVN has written.
	if rest := past.told(p.Pod.UID).
		Add(Grace); (t.column || t.annotations != nil) && now.Before(rest) &&
		!past.followed(p.Row) {
		return Action{Kind: Wait, Why: "Kube-OVN is about to write the port", Again: rest}
	}
	switch {
	case t.column || t.expected.Addresses != nil:
	case waits:
		return late
	default:
		return Action{Kind: Nothing} // the annotation was written, and cannot be seen yet
	}
	if since := past.replaced(p.Row.UUID, p.Pod.UID); !since.IsZero() && now.Before(since.Add(newRow)) {
		return Action{Kind: Wait, Why: "the row has just replaced another row", Again: since.Add(newRow)}
	}
	if t.err != nil {
		return Action{Kind: NotProved, Why: t.err.Error()}
	}
	return t.write(past, now)
}

// takesAddress reports whether the row has something in addresses that it must not have.
func (t todo) takesAddress() bool {
	return t.expected.Addresses != nil && slices.ContainsFunc(
		t.port.Row.Addresses,
		func(element string) bool { return !slices.Contains(t.expected.Addresses, element) },
	)
}

// write writes the row, or waits where somebody else keeps taking back this very write. One that follows from another
// decision than the last is not kept waiting for that. Where the annotation asks for more than was decided, and cannot
// be written, it is Kube-OVN that takes the write back, and whoever may change the pod has it do so: nothing is waited
// for then.
func (t todo) write(past History, now time.Time) Action {
	if until := past.WriteFailed.Until(); now.Before(until) {
		return Action{Kind: Wait, Why: "the row could not be written; the write is tried again", Again: until}
	}
	out := Action{Kind: Write, Why: "Kube-OVN does not read the row again", Addresses: t.expected.Addresses}
	out.Answers = past.overwritten(t.port.Row)
	if t.column {
		out.PortSecurity = t.expected.PortSecurity
	}
	if out.PortSecurity == nil && out.Addresses == nil {
		return Action{Kind: Nothing}
	}
	until := past.backOff(now)
	if out.Answers && past.repeats(out) && now.Before(until) && (!t.wide || t.annotations == nil) {
		why := fmt.Sprintf("repair wrote it %d times, but another writer keeps changing it", past.Streak)
		return Action{Kind: Contested, Why: why, Again: until}
	}
	out.ExternalIDs = audit.Marks(t.port)
	return out
}

// annotate returns the annotations that Kube-OVN must read instead of those that the pod has; nil where they are right.
// The record keeps saying that the pod did not ask for it, so that a later decision is followed as well.
func annotate(p inventory.Port) map[string]string {
	key, want := p.Provider.Key(kubeovn.PortSecurity), p.Decision.Value()
	have := p.Pod.Annotations[key]
	if have == want || have == "" && want != kubeovn.True {
		return nil
	}
	record := policy.ReadRecord(p.Pod.Annotations)
	r := record[p.Provider]
	record[p.Provider] = policy.Recorded{
		Level: p.Decision.Level.String(), From: string(p.Decision.LevelFrom),
		Layer2Forward: p.Decision.Forwarding.String(), ForwardingFrom: string(p.Decision.ForwardingFrom),
		Asked: r.Asked, Overruled: r.Overruled, Named: r.Named,
	}
	return map[string]string{key: want, policy.RecordAnnotation: policy.Record(record)}
}
