package portsec

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
)

// Set is the effective set of a column: what it lets a port send, and which frames reach the port. It is a value that
// never changes. The zero Set is that of an empty column: open.
type Set struct {
	era Era
	// anyEra means that the set was not read by an era, as the set of an identity: it then means what a canonical
	// column means to whatever it is compared with.
	anyEra bool
	// written means that the column was not empty.
	written bool
	hosts   []host // by MAC, each once
	routers []router
}

// host is what all plain elements of one MAC allow together.
type host struct {
	key uint64 // the MAC, left-aligned
	mac MAC
	// bare means that an element has no address at all, noIP6 that one has no IPv6 address. They matter besides elements
	// that have some, each in its own way for neighbour discovery, ARP, and what the port may receive.
	bare, noIP6 bool
	ip4, ip6    []span
	// broadcast are IPv4 destinations that the port may receive besides ip4.
	broadcast []broadcast
}

// broadcast is the broadcast address that comes with an address whose length leaves host bits.
type broadcast struct {
	from netip.Prefix
	to   uint64 // left-aligned
}

// router is a VRRP element. Its parts belong together, so that routers of one MAC do not merge.
type router struct {
	key      uint64
	mac      MAC
	mac4     []span
	mac6     []span
	ip4, ip6 []span
	// broadcast is as that of a host.
	broadcast []broadcast
}

// Set returns the effective set of the column.
func (c Column) Set() Set {
	s := Set{era: c.Era, written: len(c.Elements) > 0}
	for _, e := range c.Elements {
		switch {
		case !e.Usable():
		case e.VRRP:
			s.routers = append(s.routers, newRouter(e))
		default:
			s.hosts = append(s.hosts, newHost(e))
		}
	}
	return s.normal()
}

func newHost(e Element) host {
	h := host{key: e.MAC.key(), mac: e.MAC}
	h.ip4, h.ip6, h.broadcast = effective(e.Addresses)
	h.bare, h.noIP6 = len(e.Addresses) == 0, len(h.ip6) == 0
	return h
}

func newRouter(e Element) router {
	r := router{key: e.MAC.key(), mac: e.MAC, mac4: canonical(e.virtual4), mac6: canonical(e.virtual6)}
	r.ip4, r.ip6, r.broadcast = effective(e.Addresses)
	r.ip4, r.ip6 = canonical(r.ip4), canonical(r.ip6)
	r.broadcast = usefulBroadcasts(r.broadcast, r.ip4)
	return r
}

// effective returns what addresses with lengths mean: with a host bit set just the address (and towards the port its
// broadcast address, for IPv4), without any the whole range.
func effective(addresses []netip.Prefix) (ip4, ip6 []span, broadcasts []broadcast) {
	for _, p := range addresses {
		width := p.Addr().BitLen()
		s := prefixSpan(p)
		if host := prefixSpan(netip.PrefixFrom(p.Addr(), width)); host.hi != s.hi || host.lo != s.lo {
			if width == ip4Bits {
				network, _ := masks(s.n)
				all, _ := masks(ip4Bits)
				broadcasts = append(broadcasts, broadcast{from: p, to: host.hi | all&^network})
			}
			s = host
		}
		if width == ip4Bits {
			ip4 = append(ip4, s)
		} else {
			ip6 = append(ip6, s)
		}
	}
	return ip4, ip6, broadcasts
}

// Destinations that a port with IPv4 or IPv6 addresses may always receive.
var (
	limitedBroadcast = prefixSpan(netip.MustParsePrefix("255.255.255.255/32"))
	multicast4       = prefixSpan(netip.MustParsePrefix("224.0.0.0/4"))
	multicast6       = prefixSpan(netip.MustParsePrefix("ff00::/8"))
	linkScope6       = prefixSpan(netip.MustParsePrefix("ff02::/16"))
)

// usefulBroadcasts sorts broadcasts and drops those that are allowed anyhow.
func usefulBroadcasts(all []broadcast, ip4 []span) []broadcast {
	slices.SortFunc(all, func(a, b broadcast) int {
		return cmp.Or(
			cmp.Compare(a.to, b.to),
			a.from.Addr().Compare(b.from.Addr()),
			cmp.Compare(a.from.Bits(), b.from.Bits()),
		)
	})
	var out []broadcast
	for _, b := range all {
		again := len(out) > 0 && out[len(out)-1].to == b.to
		if !again && !limitedBroadcast.has(b.to, 0) && !multicast4.has(b.to, 0) && !anyHas(ip4, b.to, 0) {
			out = append(out, b)
		}
	}
	return out
}

// normal returns the set with one host for each MAC, everything sorted and no range twice.
func (s Set) normal() Set {
	hosts := slices.Clone(s.hosts)
	slices.SortStableFunc(hosts, func(a, b host) int { return cmp.Compare(a.key, b.key) })
	s.hosts = nil
	for _, h := range hosts {
		if n := len(s.hosts); n > 0 && s.hosts[n-1].key == h.key {
			s.hosts[n-1] = s.hosts[n-1].with(h)
		} else {
			h.ip4, h.ip6, h.broadcast = slices.Clip(
				h.ip4,
			), slices.Clip(
				h.ip6,
			), slices.Clip(
				h.broadcast,
			) // with appends to copies
			s.hosts = append(s.hosts, h)
		}
	}
	for i := range s.hosts {
		h := &s.hosts[i]
		h.ip4, h.ip6 = canonical(h.ip4), canonical(h.ip6)
		h.broadcast = usefulBroadcasts(slices.Clone(h.broadcast), h.ip4)
	}
	routers := slices.Clone(s.routers)
	slices.SortFunc(routers, router.compare)
	s.routers = slices.CompactFunc(routers, func(a, b router) bool { return a.compare(b) == 0 })
	return s
}

// with joins two hosts of one MAC. It may write behind what h has, so that many are joined in linear time.
func (h host) with(o host) host {
	return host{
		key: h.key, mac: h.mac, bare: h.bare || o.bare, noIP6: h.noIP6 || o.noIP6,
		ip4: append(h.ip4, o.ip4...), ip6: append(h.ip6, o.ip6...), broadcast: append(h.broadcast, o.broadcast...),
	}
}

func (h host) hasIP() bool { return len(h.ip4) > 0 || len(h.ip6) > 0 }

func (r router) hasIP() bool { return len(r.ip4) > 0 || len(r.ip6) > 0 }

func (r router) compare(o router) int {
	return cmp.Or(
		cmp.Compare(r.key, o.key),
		slices.CompareFunc(r.mac4, o.mac4, span.compare), slices.CompareFunc(r.mac6, o.mac6, span.compare),
		slices.CompareFunc(r.ip4, o.ip4, span.compare), slices.CompareFunc(r.ip6, o.ip6, span.compare),
		slices.CompareFunc(r.broadcast, o.broadcast, func(a, b broadcast) int { return cmp.Compare(a.to, b.to) }),
	)
}

// find returns the host with the MAC, or nil.
func (s *Set) find(key uint64) *host {
	low, high := 0, len(s.hosts)
	for low < high {
		if mid := int(uint(low+high) >> 1); s.hosts[mid].key < key {
			low = mid + 1
		} else {
			high = mid
		}
	}
	if low < len(s.hosts) && s.hosts[low].key == key {
		return &s.hosts[low]
	}
	return nil
}

// linkLocalOf returns the link-local address of a MAC.
func linkLocalOf(key uint64) (hi, lo uint64) {
	const universal, middle = 2 << 56, 0xfffe << 24
	front := key & (0xffffff << 40)
	return 0xfe80 << 48, (front ^ universal) | middle | key>>16&0xffffff
}

// linkLocalSpan returns the link-local addresses of a range of MACs that share at least three octets.
func linkLocalSpan(m span) span {
	hi, lo := linkLocalOf(m.hi)
	return newSpan(hi, lo, m.n+80)
}

// Open reports whether the source of what the port sends is not checked: the column is empty, or nothing of it can be
// used.
func (s Set) Open() bool { return len(s.hosts) == 0 && len(s.routers) == 0 }

// Unenforced reports whether the column is not empty and yet nothing is checked: it looks protected and is open. (OVN
// of era E0 at least drops ARP and neighbour discovery from such a port.)
func (s Set) Unenforced() bool { return s.written && s.Open() }

// String returns the set as the column that Canonical gives, or says that it is open.
func (s Set) String() string {
	switch {
	case s.Unenforced():
		return "open, because nothing of it can be used"
	case s.Open():
		return "open"
	}
	return strings.Join(s.Canonical(), ", ")
}
