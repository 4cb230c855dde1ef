package policy

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/portsec"
)

// LevelLabel is the label with which a namespace asks for a level on all NICs of its pods.
const LevelLabel = "ovnguard.io/level"

// Decide returns the decision for one NIC of a pod.
//
// The policy that matches, or else the built-in default, is where it begins. The namespace may loosen or tighten it,
// the pod may only tighten what the namespace left, and exceptions in effect loosen single ports. Where the namespace
// could not be read, the built-in default stands: strict, and nothing is granted.
func Decide(q Query) Decision {
	d := &draft{query: q, base: BuiltIn()}
	d.LevelFrom, d.ForwardingFrom = FromDefault, FromDefault
	if q.Namespace.Err != nil {
		d.step(Step{
			Source:  FromNamespace,
			Outcome: NotKnown,
			Detail: fmt.Sprintf(
				"namespace %s could not be read, so the strict default applies: %v",
				q.Namespace.Name,
				q.Namespace.Err,
			),
		})
		d.anyPolicyForbids()
	} else {
		d.policies()
		d.namespaceLevel()
		d.namespaceForwarding()
		d.gatewayLevel()
	}
	d.podLevel()
	d.podForwarding()
	d.BaseLevel, d.BaseForwarding = d.Level, d.Forwarding
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
	// held are the Pairs that exceptions grant, and fromVips those that Vips do.
	held, heldByVips *pairSet
	fromVips         []portsec.AddressPair
	// meant is the first policy that picks the pod, or its namespace, by a label, where that says how tight the port
	// must be.
	meant string
	// noVip is what is said of addresses that nobody grants.
	noVip string
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
		d.means(base)
		d.ExternalAddresses, d.Mode, d.Repair = base.ExternalAddresses, base.Mode, base.Repair
		d.step(Step{Source: FromPolicy, Name: base.Name, Value: base.Level.String(), Outcome: Applied})
		d.forbidOthers(base)
	}
	if tighter == nil {
		return
	}
	d.means(tighter)
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
		s.Outcome, s.Detail = Refused, "it selects pods by labels, and the authors of pods choose these, so it "+
			"may only tighten"
	}
	d.Mode = min(d.Mode, tighter.Mode)
	d.ExternalAddresses = d.ExternalAddresses && tighter.ExternalAddresses
	d.step(s)
	d.forbidOthers(tighter)
}

// forbiddenOthers is what a policy says that lets pods have no NICs outside OVN.
const forbiddenOthers = "otherNetworks: Forbid"

// forbidOthers follows a policy that wants the network to be one of OVN. Nothing loosens that: neither a namespace, nor
// a pod, nor an exception has a say, and of two policies one that forbids is enough.
func (d *draft) forbidOthers(p *Policy) {
	if !p.ForbidsOthers {
		return
	}
	d.step(Step{Source: FromPolicy, Name: p.Name, Value: forbiddenOthers, Outcome: outcome(!d.ForbidsOthers())})
	d.OthersForbiddenBy = append(d.OthersForbiddenBy, p.Name)
}

// anyPolicyForbids is for a namespace that could not be read: which policies pick it cannot be told, so that each one
// may.
func (d *draft) anyPolicyForbids() {
	for i := range d.query.Policies {
		if p := &d.query.Policies[i]; p.Providers.Pick(d.query.Provider) {
			d.forbidOthers(p)
		}
	}
}

// namespaceLevel follows the namespace's label and its annotation for this NIC; where both speak, the tighter one
// counts.
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
			own := Step{Source: FromNamespace, Key: LevelLabel, Value: text, Outcome: outcome(level != d.Level)}
			switch {
			case said && level < wish:
				s := &d.Steps[len(d.Steps)-1]
				s.Outcome, s.Detail = Overruled, "label "+LevelLabel+" asks for "+level.String()
			case said && wish < level:
				own.Outcome, own.Detail = Overruled, "annotation "+key+" asks for "+wish.String()
			}
			wish, said = min(wish, level), true
			d.step(own)
		}
	}
	if said {
		d.setLevel(wish, FromNamespace) // also where it only confirms: its author is the one to ask
	}
}

// means notes a policy that can be meant for a gateway: not one for whatever there is.
func (d *draft) means(p *Policy) {
	if d.meant == "" && p.Level < MAC && p.choosy() {
		d.meant = p.Name
	}
}

// gatewayLevel keeps a gateway that administrators made from being cut off by what is said of all pods: what it
// forwards has the addresses of others. Where a policy or the namespace is meant for it, that counts.
func (d *draft) gatewayLevel() {
	if d.query.Pod.Gateway == "" || d.Level >= MAC {
		return
	}
	s := Step{Source: FromGateway, Name: d.query.Pod.Gateway, Value: MAC.String(), Outcome: Applied}
	switch {
	case d.LevelFrom == FromNamespace:
		s.Outcome, s.Detail = Overruled, "the namespace asks for "+d.Level.String()
	case d.meant != "":
		s.Outcome, s.Detail = Overruled, "policy "+d.meant+", which picks by labels, asks for "+d.Level.String()
	default:
		d.setLevel(MAC, FromGateway)
	}
	d.step(s)
}

// namespaceKey returns the key of the namespace's annotation about the NIC: that of its attachment, where it says
// nothing about the one interface.
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

// podLevel lets the pod tighten an open port. Between strict and mac it has no say: Kube-OVN's annotation is on for
// both.
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
		s.Detail = fmt.Sprintf("the %s asks for %s, and a pod may only tighten", d.LevelFrom.Phrase(), d.Level)
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
		s.Detail = fmt.Sprintf(
			"the %s forbids layer-2 forwarding, and a pod may only tighten",
			d.ForwardingFrom.Phrase(),
		)
	case t == kubeovn.Off && d.Forwarding != Forbid:
		s.Outcome = Applied
		d.setForwarding(Forbid, FromPod)
	}
	d.step(s)
}

// exceptions adds what the exceptions in effect grant, and notes when that changes.
func (d *draft) exceptions() {
	if len(d.query.Exceptions) == 0 {
		return
	}
	g, told := d.granted()
	d.Level, d.LevelFrom, d.Forwarding, d.ForwardingFrom = g.level, g.levelFrom, g.forwarding, g.forwardingFrom
	d.Exceptions, d.Pairs, d.held, d.NextChange, d.Terms, d.Withheld = g.exceptions, g.pairs, g.set, g.nextChange,
		g.terms, g.withheld
	if len(g.exceptions) > 0 {
		d.settlePod()
	}
	if !told {
		d.Steps = append(slices.Grow(d.Steps, len(g.steps)), g.steps...)
	}
}

// settlePod says of the pod's wishes what became of them with exceptions: what one grants is not refused, even if
// admission wrote the wish itself, and what one is against does not stand.
func (d *draft) settlePod() {
	by := "PortSecurityException " + strings.Join(d.Exceptions, ", ")
	for i := range d.Steps {
		s := &d.Steps[i]
		if s.Source != FromPod || s.Outcome == Invalid {
			continue
		}
		var granted bool
		switch s.Key {
		case d.query.Provider.Key(kubeovn.PortSecurity):
			granted = d.Level == Open && d.BaseLevel != Open
		case d.query.Provider.Key(kubeovn.Layer2Forward):
			granted = d.Forwarding == Require
		default:
			continue
		}
		switch {
		case granted && s.Outcome == Refused:
			s.Outcome, s.Detail = Agreed, by+" grants it"
		case granted && !d.asksFor(s):
			s.Outcome, s.Detail = Overruled, by+" grants more"
		}
	}
}

// asksFor reports whether a step asks for what exceptions grant: to be open, or layer-2 forwarding.
func (d *draft) asksFor(s *Step) bool {
	t, err := kubeovn.ParseToggle(s.Value)
	if s.Key == d.query.Provider.Key(kubeovn.PortSecurity) {
		return err == nil && t == kubeovn.Off
	}
	return err == nil && t == kubeovn.On
}

// grantedBy finds what the exceptions of these numbers grant to a port that has been decided so far.
func (d *draft) grantedBy(exceptions []int) granted {
	g := granted{level: d.Level, levelFrom: d.LevelFrom, forwarding: d.Forwarding, forwardingFrom: d.ForwardingFrom}
	changesAt := func(t time.Time) {
		if g.nextChange.IsZero() || t.Before(g.nextChange) {
			g.nextChange = t
		}
	}
	for _, i := range exceptions {
		e := &d.query.Exceptions[i]
		reason, why := e.Standing(&d.base, d.query.Now)
		if d.query.Now.Before(e.Expires) {
			g.terms = append(
				g.terms,
				Term{Name: e.Name, Asked: e.Asked, Expires: e.Expires, Counts: reason == InEffect},
			)
		}
		if reason != InEffect {
			switch reason { //nolint:exhaustive // the others change with the exception or the policy alone
			case NotYet:
				changesAt(e.NotBefore)
			case NotShared:
				g.withheld = append(g.withheld, e.Pairs...)
			}
			g.steps = append(g.steps, Step{Source: FromException, Name: e.Name, Outcome: Refused, Detail: why})
			continue
		}
		changesAt(e.Expires)
		g.exceptions = append(g.exceptions, e.Name)
		if e.Level > g.level {
			g.level, g.levelFrom = e.Level, FromException
		}
		if e.Forwarding > g.forwarding {
			g.forwarding, g.forwardingFrom = e.Forwarding, FromException
		}
		g.pairs = append(g.pairs, e.Pairs...)
		g.steps = append(
			g.steps,
			Step{
				Source:  FromException,
				Name:    e.Name,
				Outcome: Applied,
				Detail:  "until " + e.Expires.UTC().Format(time.RFC3339),
			},
		)
	}
	slices.Sort(g.exceptions)
	slices.SortFunc(g.terms, func(a, b Term) int { return cmp.Compare(a.Name, b.Name) })
	if len(g.pairs) > 0 {
		g.pairs, g.set = distinct(g.pairs, g.level)
	}
	return g
}

// finish puts the pairs in order and settles what they make of the level.
func (d *draft) finish() {
	if d.Level == Open {
		d.Pairs = nil
		return
	}
	d.share()
	if d.Level == Strict && len(d.Pairs) > 0 {
		d.Level = Extended
		if d.LevelFrom = FromVIP; len(d.Exceptions) > 0 {
			d.LevelFrom = FromException
		}
	}
}

// grants reports whether the level, an exception or a Vip lets the port send from all of a pair.
func (d *draft) grants(p portsec.AddressPair) bool {
	return d.Level.holds(p) || d.held.holds(p) || d.heldByVips.holds(p)
}

// grant adds the address of a Vip.
func (d *draft) grant(a netip.Addr) {
	p := portsec.AddressPair{Prefix: netip.PrefixFrom(a, a.BitLen())}
	if d.grants(p) {
		return
	}
	if d.heldByVips == nil {
		d.heldByVips = newPairSet(1)
	}
	d.heldByVips.add(p)
	d.fromVips = append(d.fromVips, p)
}

// share puts the addresses of Vips among what exceptions grant. Each is a single address that no other pair holds.
func (d *draft) share() {
	if len(d.fromVips) == 0 {
		return
	}
	slices.SortFunc(d.fromVips, comparePairs)
	all := make(
		[]portsec.AddressPair,
		0,
		len(d.Pairs)+len(d.fromVips),
	) // other decisions may have what exceptions grant, too
	granted := d.Pairs
	for _, p := range d.fromVips {
		at, _ := slices.BinarySearchFunc(granted, p, comparePairs)
		all = append(append(all, granted[:at]...), p)
		granted = granted[at:]
	}
	d.Pairs = append(all, granted...)
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

// ForbidsOthers reports whether a policy lets the pod have the NIC only where OVN makes it.
func ForbidsOthers(q Query) bool {
	d := &draft{query: q, base: BuiltIn()}
	if q.Namespace.Err != nil {
		d.anyPolicyForbids()
	} else {
		d.policies()
	}
	return d.ForbidsOthers()
}
