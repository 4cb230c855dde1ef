package portsec

import "slices"

// Covers reports whether whatever t lets a port send, s lets it send, too. For two columns of one era that is exact to
// the frame. Sets of different eras are compared by what each era enforces of its own; a set without era (IdentitySet)
// is read by the era of the other.
//
// What a port may receive does not count, and neither do the differences between eras that are the same for all sets.
func (s Set) Covers(t Set) bool {
	mine := indexGrants(s.grantsBeside(t))
	return !slices.ContainsFunc(t.grantsBeside(s), mine.exceeded)
}

// Equal reports whether both sets let a port send the same.
func (s Set) Equal(t Set) bool { return s.Covers(t) && t.Covers(s) }

// Union returns the smallest set that a column can express and that covers both; with an open set that is an open one.
// It is of the era of s, or that of t where s has none.
func (s Set) Union(t Set) Set {
	switch {
	case s.Unenforced() && t.Unenforced():
		return s
	case s.Open() || t.Open():
		return s.joined(t, nil, nil)
	}
	hosts := make([]host, 0, len(s.hosts)+len(t.hosts))
	hosts = append(append(hosts, s.hosts...), t.hosts...)
	u := s.joined(t, hosts, append(append([]router(nil), s.routers...), t.routers...))
	if u.era == E0 || u.anyEra {
		// In E0 an element without addresses says nothing beside one with some, so it must stand alone to keep its
		// meaning.
		u.hosts = u.freed(s, t)
	}
	return u
}

// joined returns a set of hosts and routers of the era that two sets have together.
func (s Set) joined(t Set, hosts []host, routers []router) Set {
	u := Set{
		era:     s.era,
		anyEra:  s.anyEra && t.anyEra,
		written: len(hosts)+len(routers) > 0,
		hosts:   hosts,
		routers: routers,
	}
	if s.anyEra {
		u.era = t.era
	}
	return u.normal()
}

// freed returns the hosts of s, without the addresses of those that may use any according to one of the others.
func (s Set) freed(others ...Set) []host {
	for i := range s.hosts {
		for _, o := range others {
			if h := o.find(s.hosts[i].key); h != nil && h.bare && !h.hasIP() {
				s.hosts[i] = host{key: h.key, mac: h.mac, bare: true, noIP6: true}
			}
		}
	}
	return s.hosts
}

// grantsBeside returns the grants of s for a comparison with t.
func (s Set) grantsBeside(t Set) []grant {
	if s.anyEra {
		return s.grants(t.era) // that of another set without era is the newest
	}
	return s.grants(s.era)
}
