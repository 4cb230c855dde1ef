// Package report writes the findings of an audit, one format a file.
package report

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/ovnguard/ovnguard/internal/audit"
	"github.com/ovnguard/ovnguard/internal/monitor"
)

// Judged is the verdict on one port, or for one subject that is no port.
type Judged struct{ monitor.Verdict }

// Options say how results are combined.
type Options struct {
	Filter Filter
	// FailOn is the least severe finding that breaks; Never for none, and Low where it is empty.
	FailOn audit.Severity
	// Notes say what the audit could not take into account.
	Notes []string
	// Time is when both sides were read, and Version is that of the program.
	Time    time.Time
	Version string
}

// Never is the value of FailOn with which no finding breaks.
const Never audit.Severity = "never"

// Summary is the result of one audit, as far as the filter selects it.
type Summary struct {
	Options
	// Ports counts the pods' ports by state. Ports that are out of scope are not counted.
	Ports map[audit.State]int
	// Namespaces has a tally for each namespace with ports or findings, the worst first.
	Namespaces []NamespaceTally
	// Rules has a tally for each rule with findings, the worst first.
	Rules []RuleTally
	// Findings are ordered by severity, rule, port, and pod: the same findings always have the same order.
	Findings []audit.Finding
	// Unknown says, for each port that could not be judged, why.
	Unknown map[string]string
	// Permitted are the permissions of ports, ordered by namespace, pod, port and level.
	Permitted []audit.Permission
	// Changes compares with an earlier report; nil without one.
	Changes *Changes

	judged []Judged
}

// NamespaceTally counts the ports and the findings of a namespace. Namespace is empty for what belongs to none, and
// Worst is empty where there are no findings.
type NamespaceTally struct {
	Namespace string         `json:"namespace"`
	Compliant int            `json:"compliant"`
	Violation int            `json:"violation"`
	Unknown   int            `json:"unknown"`
	Findings  int            `json:"findings"`
	Worst     audit.Severity `json:"worst,omitempty"`
}

// Ports returns the number of ports that were judged.
func (t NamespaceTally) Ports() int { return t.Compliant + t.Violation + t.Unknown }

// numbers returns what is counted, as text: ports, compliant, violation, unknown, findings.
func (t NamespaceTally) numbers() (words []string) {
	for _, n := range []int{t.Ports(), t.Compliant, t.Violation, t.Unknown, t.Findings} {
		words = append(words, strconv.Itoa(n))
	}
	return words
}

// RuleTally counts the findings of a rule. Severity is the worst of them.
type RuleTally struct {
	Rule     string         `json:"rule"`
	Name     string         `json:"name"`
	Severity audit.Severity `json:"severity"`
	Findings int            `json:"findings"`
}

// Summarise combines the results that the filter selects.
func Summarise(judged []Judged, o Options) Summary {
	s := Summary{
		Options: o,
		Ports:   map[audit.State]int{audit.Compliant: 0, audit.Violation: 0, audit.Unknown: 0},
		Unknown: make(map[string]string),
		judged:  make([]Judged, 0, len(judged)),
	}
	most := 0
	for i := range judged {
		most += len(judged[i].Findings)
	}
	s.Findings = slices.Grow(s.Findings, most)
	spaces := make(map[string]*NamespaceTally)
	space := func(name string) *NamespaceTally {
		if spaces[name] == nil {
			spaces[name] = &NamespaceTally{Namespace: name}
		}
		return spaces[name]
	}
	rules := make(map[string]*RuleTally)
	for _, j := range judged {
		var selected []audit.Finding
		for i := range j.Findings {
			if f := &j.Findings[i]; o.Filter.finding(f) {
				selected = append(selected, *f)
				t := space(f.Namespace)
				t.Findings, t.Worst = t.Findings+1, worse(t.Worst, f.Rule.Severity)
				if rules[f.Rule.ID] == nil {
					rules[f.Rule.ID] = &RuleTally{Rule: f.Rule.ID, Name: f.Rule.Name}
				}
				r := rules[f.Rule.ID]
				r.Findings, r.Severity = r.Findings+1, worse(r.Severity, f.Rule.Severity)
			}
		}
		j.Findings = selected
		s.judged = append(s.judged, j)
		s.Findings = append(s.Findings, selected...)
		if j.State == audit.OutOfScope || !o.Filter.port(&j) {
			continue
		}
		s.Ports[j.State]++
		s.Permitted = append(s.Permitted, j.Permitted...)
		t := space(j.Pod.Namespace)
		switch j.State {
		case audit.Compliant:
			t.Compliant++
		case audit.Violation:
			t.Violation++
		case audit.Unknown:
			t.Unknown++
			s.Unknown[j.Port] = j.Why
		case audit.OutOfScope:
		}
	}
	s.Namespaces, s.Rules = bySeverity(spaces), byRule(rules)
	order(s.Findings)
	slices.SortFunc(s.Permitted, func(a, b audit.Permission) int {
		return cmp.Or(
			cmp.Compare(a.Namespace, b.Namespace),
			cmp.Compare(a.Pod, b.Pod),
			cmp.Compare(a.Port, b.Port),
			cmp.Compare(a.Level.Rank(), b.Level.Rank()),
		)
	})
	return s
}

// worse returns the more severe one of two; "" is none.
func worse(a, b audit.Severity) audit.Severity {
	if a == "" || b != "" && b.Rank() < a.Rank() {
		return b
	}
	return a
}

// rank orders severities, and none behind all others.
func rank(s audit.Severity) int {
	if s == "" {
		return audit.Info.Rank() + 1
	}
	return s.Rank()
}

func bySeverity(spaces map[string]*NamespaceTally) (out []NamespaceTally) {
	for t := range maps.Values(spaces) {
		out = append(out, *t)
	}
	slices.SortFunc(out, func(a, b NamespaceTally) int {
		return cmp.Or(
			cmp.Compare(rank(a.Worst), rank(b.Worst)),
			-cmp.Compare(a.Violation, b.Violation),
			-cmp.Compare(a.Findings, b.Findings),
			-cmp.Compare(a.Unknown, b.Unknown),
			cmp.Compare(a.Namespace, b.Namespace),
		)
	})
	return out
}

func byRule(rules map[string]*RuleTally) (out []RuleTally) {
	for t := range maps.Values(rules) {
		out = append(out, *t)
	}
	slices.SortFunc(out, func(a, b RuleTally) int {
		return cmp.Or(cmp.Compare(a.Severity.Rank(), b.Severity.Rank()), cmp.Compare(a.Rule, b.Rule))
	})
	return out
}

// order sorts findings by severity, rule, port and the rest.
func order(findings []audit.Finding) {
	slices.SortFunc(findings, func(a, b audit.Finding) int {
		return cmp.Or(
			cmp.Compare(
				a.Rule.Severity.Rank(),
				b.Rule.Severity.Rank(),
			),
			cmp.Compare(a.Rule.ID, b.Rule.ID),
			cmp.Compare(a.Port, b.Port),
			cmp.Compare(a.Namespace, b.Namespace),
			cmp.Compare(a.Pod, b.Pod),
			cmp.Compare(a.Provider, b.Provider),
			cmp.Compare(a.Workload.Name, b.Workload.Name),
			cmp.Compare(a.Message, b.Message),
		)
	})
}

// PermittedPorts returns how many ports have permissions.
func (s Summary) PermittedPorts() int {
	ports := make(map[string]bool)
	for i := range s.Permitted {
		ports[s.Permitted[i].Port] = true
	}
	return len(ports)
}

// Breaks reports whether there is a finding as severe as FailOn, or worse.
func (s Summary) Breaks() bool { return slices.ContainsFunc(s.Findings, s.breaks) }

func (s Summary) breaks(f audit.Finding) bool {
	limit := cmp.Or(s.FailOn, audit.Low)
	return limit != Never && f.Rule.Severity.Rank() <= limit.Rank()
}

// Total returns the number of ports that were judged.
func (s Summary) Total() int {
	n := 0
	for _, count := range s.Ports {
		n += count
	}
	return n
}

// severities counts the findings by severity, the worst first; all severities are there.
func (s Summary) severities() []count {
	counts := make(map[audit.Severity]int)
	for i := range s.Findings {
		counts[s.Findings[i].Rule.Severity]++
	}
	var out []count
	for _, severity := range audit.Severities() {
		out = append(out, count{string(severity), counts[severity]})
	}
	return out
}

// count is a number with its name.
type count struct {
	Name string
	N    int
}
