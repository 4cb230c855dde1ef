package policy

import (
	"fmt"
	"slices"
	"time"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/portsec"
)

// LevelLabel is the label by which a namespace asks for a level on all NICs of its pods.
const LevelLabel = "ovnguard.io/level"

// Decide gives the decision for one NIC of a pod.
//
// The policy that matches, or else the built-in default, is where it begins. The namespace may loosen or tighten it, the pod
// may only tighten what the namespace left, and exceptions in effect loosen single ports. Where the namespace could not be
// read, the built-in default stands: strict, and nothing is granted.
func Decide(q Query) Decision {
	d := &draft{query: q, base: BuiltIn()}
	d.LevelFrom, d.ForwardingFrom = FromDefault, FromDefault
	if q.Namespace.Err != nil {
		d.step(Step{
			Source: FromNamespace, Outcome: NotKnown,
			Detail: fmt.Sprintf("namespace %s could not be read, the strict default stands: %v", q.Namespace.Name, q.Namespace.Err),
		})
		d.anyPolicyForbids()
	} else {
		d.policies()
		d.namespaceLevel()
		d.namespaceForwarding()
	}
	d.podLevel()
	d.podForwarding()
	if q.Namespace.Err == nil {
		d.exceptions()
		d.vips()
	}
	d.finish()
	return d.Decision
}

// draft is a decision in the making.
type draft struct {
	Decision
	query Query
	// base is the policy that the port falls under.
	base Policy
}

func (d *draft) step(s Step) { d.Steps = append(d.Steps, s) }

func (d *draft) setLevel(l Level, from Source) { d.Level, d.LevelFrom = l, from }

func (d *draft) setForwarding(f Forwarding, from Source) { d.Forwarding, d.ForwardingFrom = f, from }

// policies begins with the policy that matches. One that selects pods by their labels can only tighten.
func (d *draft) policies() {
	base, tighter := match(&d.query)
	if base != nil {
		d.base = *base
		d.Policy = base.Name
		d.setLevel(base.Level, FromPolicy)
		d.setForwarding(base.Forwarding, FromPolicy)
		d.ExternalAddresses, d.Mode, d.Repair = base.ExternalAddresses, base.Mode, base.Repair
		d.step(Step{Source: FromPolicy, Name: base.Name, Value: base.Level.String(), Outcome: Applied})
		d.forbidOthers(base)
	}
	if tighter == nil {
		return
	}
	s := Step{Source: FromPolicy, Name: tighter.Name, Value: tighter.Level.String(), Outcome: Agreed}
	if tighter.Level < d.Level {
		d.setLevel(tighter.Level, FromPolicy)
		s.Outcome = Applied
	}
	if tighter.Forwarding < d.Forwarding {
		d.setForwarding(tighter.Forwarding, FromPolicy)
		s.Outcome = Applied
	}
	if tighter.Level > d.Level || tighter.Forwarding > d.Forwarding {
		s.Outcome, s.Detail = Refused, "it selects pods by their labels, which their authors choose, and may therefore only tighten"
	}
	d.Mode = min(d.Mode, tighter.Mode)
	d.ExternalAddresses = d.ExternalAddresses && tighter.ExternalAddresses
	d.step(s)
	d.forbidOthers(tighter)
}

// forbiddenOthers is what a policy says that lets pods have no NICs outside OVN.
const forbiddenOthers = "otherNetworks: Forbid"

// forbidOthers follows a policy that wants the network to be one of OVN. Nothing loosens that: neither a namespace, nor a pod, nor
// an exception has a say, and of two policies one that forbids is enough.
func (d *draft) forbidOthers(p *Policy) {
	if !p.ForbidsOthers {
		return
	}
	d.step(Step{Source: FromPolicy, Name: p.Name, Value: forbiddenOthers, Outcome: outcome(!d.ForbidsOthers())})
	d.OthersForbiddenBy = append(d.OthersForbiddenBy, p.Name)
}

// anyPolicyForbids is for a namespace that could not be read: which policies pick it cannot be told, so that each one may.
func (d *draft) anyPolicyForbids() {
	for i := range d.query.Policies {
		if p := &d.query.Policies[i]; p.Providers.Pick(d.query.Provider) {
			d.forbidOthers(p)
		}
	}
}

// namespaceLevel follows the namespace's label and its annotation for this NIC; where both speak, the tighter one counts.
func (d *draft) namespaceLevel() {
	ns := &d.query.Namespace
	wish, said := Open, false
	key := d.namespaceKey(kubeovn.PortSecurity)
	if t := d.toggle(FromNamespace, key, ns.Annotations[key]); t != kubeovn.Unset {
		said = true
		if t == kubeovn.On {
			wish = Strict
		}
		d.step(Step{Source: FromNamespace, Key: key, Value: ns.Annotations[key], Outcome: outcome(wish != d.Level)})
	}
	if text := ns.Labels[LevelLabel]; text != "" {
		level, err := ParseLevel(text)
		if err != nil {
			d.step(Step{Source: FromNamespace, Key: LevelLabel, Value: text, Outcome: Invalid, Detail: err.Error()})
		} else {
			wish, said = min(wish, level), true
			d.step(Step{Source: FromNamespace, Key: LevelLabel, Value: text, Outcome: outcome(level == wish && wish != d.Level)})
		}
	}
	if said {
		d.setLevel(wish, FromNamespace) // also where it only confirms: its author is the one to ask
	}
}

// namespaceKey gives the key by which the namespace speaks about the NIC: that of its attachment, where it says nothing about the one
// interface.
func (d *draft) namespaceKey(s kubeovn.Suffix) string {
	key := d.query.Provider.Key(s)
	if d.query.Namespace.Annotations[key] == "" {
		key = d.query.Provider.Attachment().Key(s)
	}
	return key
}

func (d *draft) namespaceForwarding() {
	key := d.namespaceKey(kubeovn.Layer2Forward)
	value := d.query.Namespace.Annotations[key]
	var wish Forwarding
	switch d.toggle(FromNamespace, key, value) {
	case kubeovn.Unset:
		return
	case kubeovn.On:
		wish = Allow
	case kubeovn.Off:
		wish = Forbid
	}
	d.step(Step{Source: FromNamespace, Key: key, Value: value, Outcome: outcome(wish != d.Forwarding)})
	d.setForwarding(wish, FromNamespace)
}

// podLevel lets the pod tighten an open port. Between strict and mac it has no say: Kube-OVN's annotation is on for both.
func (d *draft) podLevel() {
	key := d.query.Provider.Key(kubeovn.PortSecurity)
	value := d.query.Pod.Annotations[key]
	if slices.Contains(d.query.Pod.Inherited, d.query.Provider) {
		return
	}
	s := Step{Source: FromPod, Key: key, Value: value, Outcome: Agreed}
	switch t := d.toggle(FromPod, key, value); {
	case t == kubeovn.Unset:
		return
	case t == kubeovn.On && d.Level == Open:
		s.Outcome = Applied
		d.setLevel(Strict, FromPod)
	case t == kubeovn.Off && d.Level != Open:
		s.Outcome = Refused
		s.Detail = fmt.Sprintf("the %s asks for %s and a pod may only tighten", d.LevelFrom.Phrase(), d.Level)
	}
	d.step(s)
}

func (d *draft) podForwarding() {
	key := d.query.Provider.Key(kubeovn.Layer2Forward)
	s := Step{Source: FromPod, Key: key, Value: d.query.Pod.Annotations[key], Outcome: Agreed}
	switch t := d.toggle(FromPod, key, s.Value); {
	case t == kubeovn.Unset:
		return
	case t == kubeovn.On && d.Forwarding == Forbid:
		s.Outcome = Refused
		s.Detail = fmt.Sprintf("the %s forbids layer-2 forwarding and a pod may only tighten", d.ForwardingFrom.Phrase())
	case t == kubeovn.Off && d.Forwarding != Forbid:
		s.Outcome = Applied
		d.setForwarding(Forbid, FromPod)
	}
	d.step(s)
}

// exceptions adds what the exceptions in effect grant, and notes when that changes.
func (d *draft) exceptions() {
	for i := range d.query.Exceptions {
		e := &d.query.Exceptions[i]
		if !e.Targets(d.query.Pod, d.query.Provider) {
			continue
		}
		reason, why := e.Standing(&d.base, d.query.Now)
		if reason != InEffect {
			if reason == NotYet {
				d.changesAt(e.NotBefore)
			}
			d.step(Step{Source: FromException, Name: e.Name, Outcome: Refused, Detail: why})
			continue
		}
		d.changesAt(e.Expires)
		d.Exceptions = append(d.Exceptions, e.Name)
		if e.Level > d.Level {
			d.setLevel(e.Level, FromException)
		}
		if e.Forwarding > d.Forwarding {
			d.setForwarding(e.Forwarding, FromException)
		}
		d.Pairs = append(d.Pairs, e.Pairs...)
		d.step(Step{Source: FromException, Name: e.Name, Outcome: Applied, Detail: "until " + e.Expires.UTC().Format(time.RFC3339)})
	}
	slices.Sort(d.Exceptions)
}

// changesAt notes a moment, later than now, at which the decision changes by itself.
func (d *draft) changesAt(t time.Time) {
	if d.NextChange.IsZero() || t.Before(d.NextChange) {
		d.NextChange = t
	}
}

// finish puts the pairs in order and settles what they make of the level.
func (d *draft) finish() {
	if d.Level == Open {
		d.Pairs = nil
		return
	}
	d.Pairs = distinct(d.Pairs, d.Level)
	if d.Level == Strict && len(d.Pairs) > 0 {
		d.Level = Extended
		if d.LevelFrom = FromVIP; len(d.Exceptions) > 0 {
			d.LevelFrom = FromException
		}
	}
}

// distinct gives the pairs in order, without those that another one or the level holds.
func distinct(pairs []portsec.AddressPair, level Level) []portsec.AddressPair {
	if len(pairs) == 0 {
		return nil
	}
	sorted := slices.Clone(pairs)
	slices.SortFunc(sorted, comparePairs)
	var out []portsec.AddressPair
	for _, p := range sorted {
		if !(Decision{Level: level, Pairs: out}).lacks(p) {
			continue
		}
		out = append(out, p)
	}
	return out
}

// toggle reads an on/off annotation; one that cannot be read is a step and says nothing.
func (d *draft) toggle(source Source, key, value string) kubeovn.Toggle {
	t, err := kubeovn.ParseToggle(value)
	if err != nil {
		d.step(Step{Source: source, Key: key, Value: value, Outcome: Invalid, Detail: err.Error()})
	}
	return t
}

func outcome(changes bool) Outcome {
	if changes {
		return Applied
	}
	return Agreed
}

// Phrase names the source in a sentence, after "the".
func (s Source) Phrase() string {
	if s == FromDefault {
		return "built-in default"
	}
	return string(s)
}
