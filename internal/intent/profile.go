package intent

import (
	"cmp"
	"slices"
)

// profile are the policies that select a pod.
type profile [2]pipeline

// pipeline are those that count in one direction, in the order in which they are asked.
type pipeline struct {
	admin, own, baseline []*policy
	isolating            []Ref  // of own, those that isolate for certain
	none                 string // what is said where none of own admits a packet
}

// order puts policies in the order in which they are asked.
func (r *reader) order() {
	slices.SortStableFunc(r.policies, func(a, b *policy) int {
		return cmp.Or(cmp.Compare(a.tier, b.tier), cmp.Compare(a.priority, b.priority), a.ref.compare(b.ref))
	})
	for n, p := range r.policies[min(1, len(r.policies)):] {
		before := r.policies[n]
		if p.tier != ownTier && p.tier == before.tier && p.priority == before.priority {
			r.problem(p.ref.String(), "spec.priority", before.ref.String()+
				" has the same priority in the same tier, so that either may come first; they are asked in order of their names")
		}
	}
}

// profile finds for each pod which policies select it. Pods that the same ones select share the answer.
func (i *Intent) profile() {
	// A state is the set of policies that select a pod so far: that of an earlier state, and one more.
	type state struct {
		before int32
		policy *policy
	}
	states := []state{{}}
	stateOf := make([]int32, len(i.universe.order))
	for _, p := range i.policies {
		next := make(map[int32]int32)
		for place := range p.subject.all {
			to, ok := next[stateOf[place]]
			if !ok {
				to = int32(len(states))
				states = append(states, state{stateOf[place], p})
				next[stateOf[place]] = to
			}
			stateOf[place] = to
		}
	}
	profileOf := make(map[int32]int32)
	i.profileOf = make([]int32, len(stateOf))
	for place, s := range stateOf {
		n, ok := profileOf[s]
		if !ok {
			var selecting []*policy
			for at := s; at != 0; at = states[at].before {
				selecting = append(selecting, states[at].policy)
			}
			slices.Reverse(selecting)
			n = int32(len(i.profiles))
			i.profiles = append(i.profiles, profile{newPipeline(ingress, selecting), newPipeline(egress, selecting)})
			profileOf[s] = n
		}
		i.profileOf[place] = n
	}
}

// newPipeline returns the policies that count in one direction.
func newPipeline(d direction, selecting []*policy) pipeline {
	var l pipeline
	for _, p := range selecting {
		switch {
		case p.tier == adminTier && len(p.rules[d]) > 0:
			l.admin = append(l.admin, p)
		case p.tier == baselineTier && len(p.rules[d]) > 0:
			l.baseline = append(l.baseline, p)
		case p.tier == ownTier && p.isolates[d] != no:
			l.own = append(l.own, p)
			if p.isolation(d) == yes {
				l.isolating = append(l.isolating, p.ref)
			}
		}
	}
	l.none = "no rule of spec." + d.String() + " admits it in " + names(l.isolating)
	return l
}

// isolation returns whether the policy isolates the pods of its subject.
func (p *policy) isolation(d direction) truth {
	if p.unsure {
		return min(p.isolates[d], maybe)
	}
	return p.isolates[d]
}
