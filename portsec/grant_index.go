package portsec

import "slices"

// grantIndex finds grants that meet another one. Columns are written by people who may not be friends: comparing sets
// must not take the square of the number of their addresses.
type grantIndex struct {
	groups [kinds][]grantGroup
	at     map[grantKey]int
}

// grantKey is what the grants of a group share.
type grantKey struct {
	kind            kind
	source, claimed span
}

// grantGroup is grants that differ in their addresses only, which are canonical.
type grantGroup struct {
	grantKey

	addresses []span
}

func (g grant) key() grantKey { return grantKey{g.kind, g.at[ofSource], g.at[ofClaimed]} }

func indexGrants(all []grant) grantIndex {
	x := grantIndex{at: make(map[grantKey]int)}
	for _, g := range all {
		k := g.key()
		i, ok := x.at[k]
		if !ok {
			i = len(x.groups[k.kind])
			x.at[k] = i
			x.groups[k.kind] = append(x.groups[k.kind], grantGroup{grantKey: k})
		}
		group := &x.groups[k.kind][i]
		group.addresses = append(group.addresses, g.at[ofAddress])
	}
	for _, groups := range x.groups {
		for i := range groups {
			groups[i].addresses = canonical(groups[i].addresses)
		}
	}
	return x
}

// exceeded reports whether something of g is in no grant of the index.
func (x grantIndex) exceeded(g grant) bool {
	if i, ok := x.at[g.key()]; ok { // mostly it is just there
		found := meeting(x.groups[g.kind][i].addresses, g.at[ofAddress])
		if len(found) == 1 && found[0].covers(g.at[ofAddress]) {
			return false
		}
	}
	var others []grant
	for _, group := range x.groups[g.kind] {
		if group.source.meets(g.at[ofSource]) && group.claimed.meets(g.at[ofClaimed]) {
			others = appendGrants(
				others,
				g.kind,
				group.source,
				group.claimed,
				meeting(group.addresses, g.at[ofAddress]),
			)
		}
	}
	return g.exceeds(others)
}

// exceptions returns the parts of the addresses of g that the index allows to all its MACs.
func (x grantIndex) exceptions(g grant) []span {
	var out []span
	for _, group := range x.groups[g.kind] {
		if !group.source.covers(g.at[ofSource]) || !group.claimed.covers(g.at[ofClaimed]) {
			continue
		}
		for _, a := range meeting(group.addresses, g.at[ofAddress]) {
			out = append(out, a.narrower(g.at[ofAddress]))
		}
	}
	return canonical(out)
}

// meeting returns those of canonical spans that meet t: one that covers it, or those within.
func meeting(spans []span, t span) []span {
	begin, found := slices.BinarySearchFunc(spans, t, span.compare)
	if !found && begin > 0 && spans[begin-1].covers(t) {
		return spans[begin-1 : begin]
	}
	// A wider one that begins where t does sorts before it, so that only narrower ones follow.
	end := begin
	for end < len(spans) && t.covers(spans[end]) {
		end++
	}
	return spans[begin:end]
}
