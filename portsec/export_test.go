package portsec

import "slices"

// Witness describes a frame that one set lets a port send and another does not.
type Witness struct {
	// Kind is "ip4", "ip6", "arp", "other", "solicitation" or "advertisement".
	Kind            string
	Source, Claimed MAC
	// Address is the source address, the ARP sender's, or the target of an advertisement, in 128 bits; IPv4 has the first
	// 32.
	Address [2]uint64
	// From is an IPv6 address that the source may send neighbour discovery from.
	From [2]uint64
}

// Witnesses returns a frame for each piece in which have exceeds want, if such a frame is possible.
func Witnesses(have, want Set) []Witness {
	haves, wants := have.grantsBeside(want), want.grantsBeside(have)
	names := [kinds]string{"ip4", "ip6", "arp", "other", "solicitation", "advertisement"}
	var out []Witness
	for _, g := range haves {
		for _, piece := range g.without(wants) {
			w := Witness{Kind: names[g.kind], Claimed: keyMAC(piece.at[ofClaimed].hi)}
			w.Address = [2]uint64{piece.at[ofAddress].hi, piece.at[ofAddress].lo}
			source := piece.at[ofSource]
			if g.kind == viaNS || g.kind == viaNA {
				i := slices.IndexFunc(
					haves,
					func(o grant) bool { return o.kind == viaIP6 && o.at[ofSource].meets(source) },
				)
				if i < 0 {
					continue
				}
				source = source.narrower(haves[i].at[ofSource])
				w.From = [2]uint64{haves[i].at[ofAddress].hi, haves[i].at[ofAddress].lo}
			}
			if w.Source = keyMAC(source.hi); w.Source.Group() {
				continue
			}
			out = append(out, w)
		}
	}
	return out
}

// minus returns the rest of s without t, which lies within s: one span for each bit in which t is narrower.
func (s span) minus(t span) []span {
	out := make([]span, 0, t.n-s.n)
	for n := s.n + 1; n <= t.n; n++ {
		out = append(out, t.sibling(n))
	}
	return out
}

// minus returns the rest of g without o.
func (g grant) minus(o grant) []grant {
	if !g.meets(o) {
		return []grant{g}
	}
	var out []grant
	for f := range fields {
		if o.at[f].covers(g.at[f]) {
			continue
		}
		for _, piece := range g.at[f].minus(o.at[f]) {
			part := g
			part.at[f] = piece
			out = append(out, part)
		}
		g.at[f] = o.at[f] // the other fields split the rest
	}
	return out
}

// without returns the rest of g without any of the others.
func (g grant) without(others []grant) []grant {
	left := []grant{g}
	for _, o := range others {
		var next []grant
		for _, l := range left {
			next = append(next, l.minus(o)...)
		}
		if left = next; len(left) == 0 {
			return nil
		}
	}
	return left
}

// CommitEras returns the commits of commits.txt.
func CommitEras() map[string]Era { return commitEras() }
