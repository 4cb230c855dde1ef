// Package overview sums up what an audit found so that it fits on one screen: ports by what they may send, the
// namespaces with the most to do, and the findings that need action. It is pure.
package overview

import (
	"cmp"
	"maps"
	"slices"

	"github.com/ovnguard/ovnguard/internal/audit"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/monitor"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// Counts are numbers of ports by what they may send.
type Counts struct {
	Protected        int `json:"protected"`
	Extended         int `json:"extended"`
	OpenByPermission int `json:"openByPermission"`
	Widened          int `json:"widened"`
	Open             int `json:"open"`
	Unknown          int `json:"unknown"`
	OutOfScope       int `json:"outOfScope"`
}

func (c *Counts) add(p audit.Protection) {
	switch p {
	case audit.Protected:
		c.Protected++
	case audit.Extended:
		c.Extended++
	case audit.OpenByPermission:
		c.OpenByPermission++
	case audit.Widened:
		c.Widened++
	case audit.Opened:
		c.Open++
	case audit.NotKnown:
		c.Unknown++
	case audit.NotJudged:
		c.OutOfScope++
	}
}

// Total returns the number of ports that were judged.
func (c Counts) Total() int {
	return c.Protected + c.Extended + c.OpenByPermission + c.Widened + c.Open + c.Unknown
}

// Namespace is what there is to say of the ports of a namespace.
type Namespace struct {
	Name string `json:"name"`
	Counts
	// Urgent is the number of critical and high findings.
	Urgent int `json:"urgent"`
}

// Action is a rule with critical or high findings.
type Action struct {
	Rule     string `json:"rule"`
	Name     string `json:"name"`
	Severity string `json:"severity"`
	Summary  string `json:"summary"`
	// Findings counts the critical and high ones, and Namespaces the namespaces that have some.
	Findings   int `json:"findings"`
	Namespaces int `json:"namespaces"`
	// Command shows them.
	Command string `json:"command"`
}

// Policies says what governs the namespaces.
type Policies struct {
	Total int `json:"total"`
	// Modes counts policies by mode.
	Modes      map[string]int `json:"modes"`
	Exceptions int            `json:"exceptions"`
	Namespaces int            `json:"namespaces"`
	// Enforcing is the number of namespaces where the policy for the default network enforces; the built-in default
	// does.
	Enforcing int `json:"enforcing"`
}

// Node says which parsers of port_security may enforce on a chassis.
type Node struct {
	Name string   `json:"name"`
	Eras []string `json:"eras"`
}

// Picture is what an audit found.
type Picture struct {
	Verdicts []monitor.Verdict
	// Only is the namespace to look at; "" for all.
	Only string
}

// Sum returns the ports of all namespaces together, by namespace with the worst first, and what needs action.
func (p *Picture) Sum() (total Counts, by []Namespace, actions []Action) {
	namespaces, rules := make(map[string]*Namespace), make(map[string]*Action)
	in := func(name string) *Namespace {
		if namespaces[name] == nil {
			namespaces[name] = &Namespace{Name: name}
		}
		return namespaces[name]
	}
	affected := make(map[string]map[string]bool) // namespaces by rule
	for n := range p.Verdicts {
		r := &p.Verdicts[n]
		for i := range r.Findings {
			f := &r.Findings[i]
			if f.Rule.Severity.Rank() > audit.High.Rank() || p.Only != "" && f.Namespace != p.Only {
				continue
			}
			a := rules[f.Rule.ID]
			if a == nil {
				a = &Action{
					Rule: f.Rule.ID, Name: f.Rule.Name, Summary: f.Rule.Summary, Severity: string(f.Rule.Severity),
				}
				rules[f.Rule.ID], affected[f.Rule.ID] = a, make(map[string]bool)
			}
			if a.Findings++; f.Rule.Severity.Rank() < audit.Severity(a.Severity).Rank() {
				a.Severity = string(f.Rule.Severity)
			}
			if f.Namespace != "" {
				in(f.Namespace).Urgent++
				affected[f.Rule.ID][f.Namespace] = true
			}
		}
		if r.State == "" || r.Class == "" { // it is no port
			continue
		}
		namespace := r.Pod.Namespace
		if p.Only != "" && namespace != p.Only {
			continue
		}
		total.add(r.Protection())
		if namespace != "" {
			in(namespace).add(r.Protection())
		}
	}
	for id, a := range rules {
		a.Namespaces = len(affected[id])
		actions = append(actions, *a)
	}
	slices.SortFunc(actions, func(a, b Action) int {
		return cmp.Or(
			cmp.Compare(audit.Severity(a.Severity).Rank(), audit.Severity(b.Severity).Rank()),
			-cmp.Compare(a.Findings, b.Findings),
			cmp.Compare(a.Rule, b.Rule),
		)
	})
	for _, n := range namespaces {
		by = append(by, *n)
	}
	slices.SortFunc(by, worse)
	return total, by, actions
}

// worse orders namespaces by what there is to do, the most first.
func worse(a, b Namespace) int {
	return cmp.Or(
		-cmp.Compare(a.Open, b.Open),
		-cmp.Compare(a.Widened, b.Widened),
		-cmp.Compare(a.Urgent, b.Urgent),
		-cmp.Compare(a.Unknown, b.Unknown),
		-cmp.Compare(a.OpenByPermission, b.OpenByPermission),
		-cmp.Compare(a.Extended, b.Extended),
		cmp.Compare(a.Name, b.Name),
	)
}

// PoliciesOf returns what governs the namespaces, or the one that is named.
func PoliciesOf(s *inventory.State, only string) Policies {
	all := s.Policies()
	out := Policies{Total: len(all), Modes: make(map[string]int)}
	for i := range all {
		out.Modes[all[i].Mode.String()]++
	}
	s.EachException(func(e *policy.Exception) {
		if only == "" || e.Namespace == only {
			out.Exceptions++
		}
	})
	for _, ns := range s.Namespaces() {
		if only != "" && ns.Name != only {
			continue
		}
		out.Namespaces++
		if base, _ := policy.Match(all, ns, kubeovn.DefaultProvider); base.Mode == policy.Enforce {
			out.Enforcing++
		}
	}
	return out
}

// NodesOf returns the chassis that the Southbound database has, by name.
func NodesOf(s *inventory.State) []Node {
	eras := make(map[string][]string)
	for _, t := range s.Subjects() {
		if t.Kind != inventory.SubjectChassis {
			continue
		}
		v := s.SubjectView(t)
		if v.Chassis == nil {
			continue
		}
		name := cmp.Or(v.Chassis.Host, v.Chassis.Name)
		for _, e := range v.Eras {
			if !slices.Contains(eras[name], e.String()) {
				eras[name] = append(eras[name], e.String())
			}
		}
	}
	var out []Node
	for _, name := range slices.Sorted(maps.Keys(eras)) {
		out = append(out, Node{name, eras[name]})
	}
	return out
}
