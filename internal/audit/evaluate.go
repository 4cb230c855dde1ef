package audit

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/portsec"
)

// check is one rule: whether it holds for a port and, if so, what to say. Each has a file of its own.
type check struct {
	rule Rule
	// find is nil for rules that are found elsewhere.
	find func(s *subject) (f found, holds bool)
}

// found is the result of a check, besides the facts about the port.
type found struct {
	message string
	fix     string
	excess  []portsec.Pair
	loss    []portsec.Pair
	others  []string
	// severity is that of this finding, where it is another one than the rule's; "" otherwise.
	severity Severity
}

// checks are all rules in the order of their IDs. Those without a function are found elsewhere: what concerns other
// subjects than ports by EvaluateSubject, ports of no pod by beyondPods, and notProved when the others have been asked.
var checks = []check{
	openPort,
	unusableEntry,
	widerThanIdentity,
	narrowerThanIdentity,
	unexpectedUnknown,
	portWithoutPod,
	podWithoutPort,
	missingUnknown,
	upgradeOpens,
	identityMismatch,
	contradictoryLayers,
	duplicateMAC,
	duplicateIP,
	grantOverlap,
	{rule: exceptionExpired},
	{rule: exceptionUnused},
	vipNotGranted,
	groupWidened,
	claimedTwice,
	secureByAnnotation,
	southboundDiffers,
	{rule: weakEra},
	contestedPort,
	{rule: outsideOVN},
	{rule: notProved},
	foreignAddress,
	longMigration,
	gatewayCutOff,
	{rule: CheckedNowhere},
	{rule: KubeOVNRefused},
	{rule: refusedWhenMadeAgain},
	wrongSwitch,
	wrongGroups,
	{rule: abandonedPort},
	{rule: unusedRecord},
	{rule: unownedPort},
	grantNotReserved,
	{rule: policyVoid},
	{rule: policyNotRealised},
	{rule: ungovernedGateway},
}

// Rules returns all rules in the order of their IDs.
func Rules() []Rule {
	rules := make([]Rule, len(checks))
	for i, c := range checks {
		rules[i] = c.rule
	}
	return rules
}

// Evaluate judges one port. eras are the parsers of OVN that may be the ones that enforce, as from
// portsec.PlausibleEras: a port counts as protected only if each of them protects it. Without any, all are plausible.
// Where the picture says which may enforce on the port's own chassis, those count.
func Evaluate(p inventory.Port, eras []portsec.Era) Result {
	if len(p.Eras) > 0 {
		eras = p.Eras
	}
	if len(eras) == 0 {
		eras = everyEra
	}
	if r, doubted := doubted(&p); doubted {
		return r
	}
	if why := outOfScope(&p); why != "" {
		return Result{State: OutOfScope, Why: why, Class: ClassOf(&p), Findings: beyondPods(&p, eras)}
	}
	s := subjects.Get().(*subject) //nolint:forcetypeassert // nothing else is put there
	s.Port, s.eras = p, eras
	s.derive()
	defer func() {
		*s = subject{own: s.own[:0]}
		subjects.Put(s)
	}()
	result := Result{Class: s.class, Permitted: permitted(&p)}
	result.Wide, result.Narrow = s.columnWrong()
	result.Open = s.opened()
	for _, c := range checks {
		if c.find == nil {
			continue
		}
		if f, holds := c.find(s); holds {
			result.Findings = append(result.Findings, s.finding(c.rule, f))
		}
	}
	if f, holds := s.givenUp(&result); holds {
		result.Findings = append(result.Findings, s.finding(notProved, f))
		slices.SortFunc(result.Findings, func(a, b Finding) int { return strings.Compare(a.Rule.ID, b.Rule.ID) })
	}
	switch why := s.notKnown(); {
	case result.Breaks():
		result.State = Violation
	case s.NotChecking != "" && s.mustBeChecked():
		result.State, result.Why = Violation, NotChecked(
			s.NotChecking,
		) // the finding is of no port, because its cause is one
	case why != "":
		result.State, result.Why = Unknown, why
	default:
		result.State = Compliant
	}
	return result
}

// doubted returns the result for a port that cannot be judged because not all of the database is known.
func doubted(p *inventory.Port) (r Result, is bool) {
	finished := p.Pod != nil && p.Pod.Finished
	switch {
	case finished:
		return Result{}, false
	case p.Row == nil && p.Doubt.Some && p.Pod != nil:
		r.State, r.Why = Unknown, "the text of the database does not have its row, and may not have all rows"
	case p.Row == nil || p.Doubt.Lacks == "":
		return Result{}, false
	case p.Pod != nil:
		r.State, r.Why = Unknown, "the text of the database lacks columns of its row: "+p.Doubt.Lacks
	default:
		r.State, r.Why = OutOfScope, "no pod has it, and the text of the database lacks columns of its row: "+p.Doubt.Lacks
	}
	r.Class = ClassOf(p)
	return r, true
}

// outOfScope says why a port is not judged, or "" where it is.
func outOfScope(p *inventory.Port) string {
	switch {
	case p.Pod != nil && p.Pod.Finished:
		return "its pod has ended"
	case p.Pod != nil && p.Row == nil && p.NICSpelling &&
		p.Pod.Annotations[p.Provider.Key(kubeovn.Allocated)] != kubeovn.True:
		return "the pod lists its attachment several times, and its ports may have this name or another"
	case p.Pod != nil:
		return ""
	case p.Row == nil && p.Record != nil:
		return "it is an IP resource without a port"
	case p.Row == nil:
		return "nothing has this name"
	case p.Row.Type != "":
		return fmt.Sprintf("it is of type %s, which is not a pod's", p.Row.Type)
	case p.Row.ExternalIDs[kubeovn.ExternalIDVendor] != kubeovn.Vendor:
		return "Kube-OVN did not make it"
	case p.Row.ExternalIDs[kubeovn.ExternalIDPod] == "":
		return "it has no pod name, like the ports of nodes and gateways"
	case p.Vip:
		return "it belongs to a Vip"
	case kubeovn.IsMulticastQuerier(p.Row.Name, p.Row.ExternalIDs):
		return "it is the multicast querier of its subnet"
	case p.Record != nil && p.Record.Keeper != "":
		return fmt.Sprintf("no pod runs, and its %s keeps it", p.Record.Keeper)
	}
	return ""
}

var everyEra = portsec.Eras()

// subject is a port with what the checks derive from it, once for all.
type subject struct {
	inventory.Port
	identity     portsec.Identity
	identityFrom string
	identityErr  error
	class        Class
	// eras are those that may enforce.
	eras []portsec.Era
	// own is the identity as Kube-OVN writes it, "MAC IP..."; empty where it is not known.
	own []byte
	// stated is the identity that the row's addresses give instead of identity, where port_security lets the port send
	// from nothing else: the whole row is another identity's, which is one fault. It is nil otherwise.
	stated *portsec.Identity
	// exact means that port_security is the identity to the letter, and nothing else was decided. Every era reads that
	// alike, and it is what nearly all ports have, so that nothing has to be read.
	exact bool
	// column is the port's port_security as each plausible era reads it, besides the identity; empty where there is no
	// row, and where it is exact.
	column portsec.Assessment
}

// subjects are used again: there is one for each port that is judged, and most ports are as they must be.
var subjects = sync.Pool{New: func() any { return new(subject) }}

// derive fills in what follows from the port.
func (s *subject) derive() {
	p := &s.Port
	s.class = ClassOf(p)
	s.identity, s.identityFrom, s.identityErr = IdentityOf(p)
	if s.identityErr == nil {
		s.own = appendIdentity(s.own, s.identity)
	}
	s.exact = p.Row != nil && s.identityErr == nil && p.Pod != nil && p.Row.Type == "" &&
		p.Decision.Level == policy.Strict &&
		len(p.Row.PortSecurity) == 1 &&
		ordinary(s.identity) &&
		p.Row.PortSecurity[0] == string(s.own)
	if p.Row != nil && !s.exact {
		var want portsec.Set // stays open where there is no identity; nobody compares with it then
		if s.identityErr == nil {
			want, s.identityErr = wanted(s.identity, p.Decision)
		}
		s.column = portsec.Assess(s.eras, p.Row.Type, p.Row.PortSecurity, want)
		s.stated = s.statedIdentity()
	}
}

// statedIdentity returns the identity that the whole row is of instead of the port's own; nil where there is none.
func (s *subject) statedIdentity() *portsec.Identity {
	rest := stations(s.Row.Addresses)
	if !s.mustBeChecked() || s.Record == nil || s.identityErr != nil || len(rest) != 1 || holdsOnly(rest, s.identity) {
		return nil
	}
	words := strings.Fields(rest[0])
	if len(words) == 0 {
		return nil
	}
	stated, err := parseIdentity(words[0], words[1:])
	if err != nil {
		return nil
	}
	want, err := wanted(stated, s.Decision)
	if err != nil {
		return nil
	}
	for _, r := range portsec.Assess(s.eras, s.Row.Type, s.Row.PortSecurity, want).Readings {
		if r.Open() || len(r.Excess) > 0 {
			return nil
		}
	}
	return &stated
}

// columnWrong reports whether port_security lets the port send more than was decided, and whether it lets it send less.
func (s *subject) columnWrong() (wide, narrow bool) {
	if s.exact || !s.mustBeChecked() {
		return false, false
	}
	for _, r := range s.column.Readings {
		open := r.Open()
		wide = wide || open || s.identityErr == nil && len(r.Excess) > 0
		narrow = narrow || !open && s.identityErr == nil && len(r.Loss) > 0
	}
	return wide, narrow
}

// opened reports whether the port may send from any MAC and address, under some plausible era, although it must not.
func (s *subject) opened() bool {
	return s.mustBeChecked() && (s.NotChecking != "" ||
		!s.exact && slices.ContainsFunc(s.column.Readings, portsec.Reading.Open))
}

// skipped reports whether some plausible era does not check ports of this type at all.
func (s *subject) skipped() bool {
	return slices.ContainsFunc(s.column.Readings, func(r portsec.Reading) bool { return !r.Checked })
}

// passes reports whether the port exists, belongs to a pod and passes frames at all. OVN drops every frame of a
// disabled port, whatever the other columns say.
func (s *subject) passes() bool { return s.Pod != nil && s.Row != nil && !s.Row.Disabled }

// mustBeChecked reports whether the port passes frames and policy does not let it send from anything.
func (s *subject) mustBeChecked() bool { return s.passes() && s.Decision.Level != policy.Open }

// notKnown says why a port without findings still cannot be called compliant.
func (s *subject) notKnown() string {
	switch {
	case s.Pod == nil && s.Unread != "":
		return "not all networks of its pod are known: " + s.Unread
	case s.Pod == nil:
		return ""
	case s.Pod.Unread != "":
		return "not all networks of its pod are known: " + s.Pod.Unread
	case s.Row == nil && s.NoneMarked:
		return "Kube-OVN made no row of this Northbound database: it is the wrong database, or another network " +
			"plugin's, or empty"
	case s.Row == nil && !s.NICKnown:
		return "its attachment could not be read, and OVN has no such port"
	case s.Row == nil:
		return "Kube-OVN has not made the port yet"
	case s.mustBeChecked() && s.identityErr != nil:
		return s.identityErr.Error()
	}
	return ""
}

func (s *subject) finding(rule Rule, f found) Finding {
	out := Finding{
		Rule:     rule,
		Port:     s.Name,
		Provider: s.Provider,
		Message:  f.message,
		Fix:      f.fix,
		Evidence: Evidence{
			Excess:    texts(f.excess),
			Loss:      texts(f.loss),
			Class:     s.class,
			Others:    f.others,
			Effective: s.effective(),
		},
	}
	if s.cutOff() && f.fix != "" && f.fix == s.fixException() {
		out.Message, out.Elsewhere = out.Message+"; "+s.gatewayText(), true
	}
	if text := s.Radius.String(); text != "" && wide(rule) {
		out.Message += "; " + text
		out.Evidence.Radius, out.Elsewhere = text, true
	}
	if f.severity != "" {
		out.Rule.Severity = f.severity
	}
	for _, c := range s.Chassis {
		out.Evidence.Chassis = append(out.Evidence.Chassis, c.Name)
	}
	for _, e := range s.eras {
		out.Evidence.Eras = append(out.Evidence.Eras, e.String())
	}
	if s.Binding != nil {
		out.Evidence.Southbound = s.Binding.PortSecurity
	}
	if s.Pod != nil {
		out.Namespace, out.Pod = s.Pod.Namespace, s.Pod.Name
		out.Evidence.Decision, out.Evidence.DecisionFrom = s.Decision.Level.String(), string(s.Decision.LevelFrom)
	}
	if s.Row != nil {
		out.Evidence.Switch, out.Evidence.PortSecurity, out.Evidence.Addresses = s.Row.Switch, s.Row.PortSecurity,
			s.Row.Addresses
	}
	if s.Pod != nil && s.Decision.Level != policy.Open {
		out.Evidence.Expected = s.ownColumn()
	}
	if s.identityErr == nil {
		out.Evidence.Identity, out.Evidence.IdentityFrom = identityText(s.identity), s.identityFrom
	}
	return out
}

// effective returns what the column lets the port send, once for each different reading of those that may enforce.
func (s *subject) effective() (texts []string) {
	if s.exact {
		return []string{identityText(s.identity)}
	}
	for _, r := range s.column.Readings {
		text := r.Set.String()
		if !r.Checked {
			text = "open"
		}
		if !slices.Contains(texts, text) {
			texts = append(texts, text)
		}
	}
	return texts
}

// inEras words the eras in which something holds: nothing where it holds in all that are plausible.
func (s *subject) inEras(eras []portsec.Era) string {
	if len(eras) == len(s.column.Readings) {
		return ""
	}
	names := make([]string, len(eras))
	for i, e := range eras {
		names[i] = e.String()
	}
	return " (as OVN of era " + strings.Join(names, ", ") + " reads it)"
}

func texts(pairs []portsec.Pair) []string {
	out := make([]string, len(pairs))
	for i, p := range pairs {
		out[i] = p.String()
	}
	return out
}

func quoted(column []string) string {
	if len(column) == 0 {
		return "empty"
	}
	return fmt.Sprintf("%q", column)
}
