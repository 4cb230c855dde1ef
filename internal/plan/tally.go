package plan

import (
	"cmp"
	"maps"
	"slices"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// Sides of a comparison.
const (
	sideBefore = iota
	sideAfter
	sides
)

// tally counts, for both sides, for which ports exceptions count and about which ports policies with a podSelector
// decide.
type tally struct {
	exceptions map[inventory.PodKey]*[sides]counted
	policies   map[string]*[sides]say
}

// counted is for how many ports an exception counts, and why it does not for others.
type counted struct {
	ports int
	why   string
}

// say is how many ports a policy picks, about how many of them it decides, and who decides about others in its place.
type say struct {
	picked, decided int
	by              map[string]bool
}

func newTally() tally {
	return tally{exceptions: make(map[inventory.PodKey]*[sides]counted), policies: make(map[string]*[sides]say)}
}

// add adds another tally.
func (t tally) add(o tally) {
	for key, more := range o.exceptions {
		for side := range more {
			of := entry(t.exceptions, key)
			of[side].ports += more[side].ports
			of[side].why = cmp.Or(of[side].why, more[side].why)
		}
	}
	for name, more := range o.policies {
		for side := range more {
			of := entry(t.policies, name)
			of[side].picked += more[side].picked
			of[side].decided += more[side].decided
			of[side].behind(slices.Collect(maps.Keys(more[side].by))...)
		}
	}
}

func (s *say) behind(names ...string) {
	if s.by == nil {
		s.by = make(map[string]bool)
	}
	for _, name := range names {
		s.by[name] = true
	}
}

// entry returns the entry of a map, which is made where it is missing.
func entry[K comparable, V any](m map[K]*V, key K) *V {
	if m[key] == nil {
		m[key] = new(V)
	}
	return m[key]
}

// byLabel returns the policies that pick pods by their labels.
func byLabel(policies []policy.Policy) (out []policy.Policy) {
	for i := range policies {
		if policies[i].Pods != nil {
			out = append(out, policies[i])
		}
	}
	return out
}

// count adds a port. byLabel are the policies of that side with a podSelector, and ns is the pod's namespace there.
func (t tally) count(p *inventory.Port, byLabel []policy.Policy, ns policy.Namespace, side int) {
	d := &p.Decision
	for i := range d.Steps {
		if s := &d.Steps[i]; s.Source == policy.FromException && s.Name != "" {
			of := entry(t.exceptions, inventory.PodKey{Namespace: p.Pod.Namespace, Name: s.Name})
			if s.Outcome == policy.Applied {
				of[side].ports++
			} else {
				of[side].why = cmp.Or(of[side].why, s.Detail)
			}
		}
	}
	for i := range byLabel {
		o := &byLabel[i]
		if o.Namespaces != nil && !o.Namespaces(ns.Labels) || !o.Pods(p.Pod.Labels) || !o.Providers.Pick(p.Provider) {
			continue
		}
		of := &entry(t.policies, o.Name)[side]
		of.picked++
		if slices.ContainsFunc(d.Steps, func(s policy.Step) bool {
			return s.Source == policy.FromPolicy && s.Name == o.Name
		}) {
			of.decided++
			continue
		}
		for _, s := range d.Steps {
			if s.Source == policy.FromPolicy {
				of.behind(s.Name)
			}
		}
	}
}
