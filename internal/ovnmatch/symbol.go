package ovnmatch

import "slices"

// symbol is a name that expressions test: a field, a part of one, or a predicate that stands for an expression.
type symbol struct {
	name string
	// bits is the width of a field; 0 for one of text.
	bits int
	// get and text return the value of a field.
	get  func(*Packet) number
	text func(*Packet) string
	// needs is the expression that must hold before the field is looked at; "" for none.
	needs string
	// means is the expression that a predicate stands for; "" for a field.
	means string
	// nominal means that OVN takes no negation and no order of the field: it is text, or OpenFlow has no mask for it.
	nominal bool
}

// nominals are the fields without a mask in OpenFlow.
var nominals = []string{
	"eth.type", "ip.proto", "ip.ttl", "icmp4.type", "icmp4.code", "icmp6.type", "icmp6.code", "arp.op",
}

// isNominal reports whether OVN takes no negation of a symbol; for a predicate, because of a field in its meaning.
func (s symbol) isNominal() bool {
	if s.means == "" {
		return s.nominal
	}
	p := parser{lexer: lexer{rest: s.means}}
	meaning := p.expression()
	return meaning.isNominal()
}

func (n *node) isNominal() bool {
	if len(n.of) > 0 {
		return slices.ContainsFunc(n.of, func(part node) bool { return part.isNominal() })
	}
	return n.symbol.isNominal()
}

func field(name string, bits int, needs string, get func(*Packet) number) symbol {
	return symbol{name: name, bits: bits, needs: needs, get: get, nominal: slices.Contains(nominals, name)}
}

func predicate(name, means string) symbol { return symbol{name: name, bits: 1, means: means} }

// symbols are the names that ACLs use. Other names of OVN, such as registers and the state of connections, are
// unknown.
var symbols = func() map[string]symbol {
	small := func(get func(*Packet) uint16) func(*Packet) number {
		return func(p *Packet) number { return number{0, uint64(get(p))} }
	}
	srcPort := small(func(p *Packet) uint16 { return p.SrcPort })
	dstPort := small(func(p *Packet) uint16 { return p.DstPort })
	icmpType := small(func(p *Packet) uint16 { return uint16(p.ICMPType) })
	icmpCode := small(func(p *Packet) uint16 { return uint16(p.ICMPCode) })
	tag := small(func(p *Packet) uint16 { return p.VLAN })
	ipSrc := func(p *Packet) number { return ofAddr(p.IPSrc) }
	ipDst := func(p *Packet) number { return ofAddr(p.IPDst) }
	fragment := func(p *Packet) number {
		n := ofBool(p.Fragment)
		n.lo |= ofBool(p.Later).lo << 1
		return n
	}
	all := []symbol{
		{name: "inport", text: func(p *Packet) string { return p.InPort }, nominal: true},
		{name: "outport", text: func(p *Packet) string { return p.OutPort }, nominal: true},

		field("eth.src", 48, "", func(p *Packet) number { return ofMAC(p.EthSrc) }),
		field("eth.dst", 48, "", func(p *Packet) number { return ofMAC(p.EthDst) }),
		field("eth.type", 16, "", small(func(p *Packet) uint16 { return p.EthType })),
		predicate("eth.bcast", "eth.dst == ff:ff:ff:ff:ff:ff"),
		predicate("eth.mcast", "eth.dst[40] == 1"),
		predicate("eth.mcastv6", "eth.dst[32..47] == 0x3333"),

		predicate("vlan.present", "vlan.tci[12] == 1"),
		field("vlan.tci", 16, "", func(p *Packet) number {
			if !p.Tagged {
				return number{}
			}
			return number{0, tag(p).lo | 1<<12}
		}),
		field("vlan.vid", 12, "vlan.present", func(p *Packet) number { return tag(p).and(ones(12)) }),
		field("vlan.pcp", 3, "vlan.present", func(p *Packet) number { return tag(p).shifted(13) }),

		predicate("ip4", "eth.type == 0x800"),
		predicate("ip6", "eth.type == 0x86dd"),
		predicate("ip", "ip4 || ip6"),
		field("ip.proto", 8, "ip", small(func(p *Packet) uint16 { return uint16(p.Proto) })),
		field("ip.ttl", 8, "ip", small(func(p *Packet) uint16 { return uint16(p.TTL) })),
		field("ip.frag", 2, "ip", fragment),
		predicate("ip.is_frag", "ip.frag[0] == 1"),
		predicate("ip.later_frag", "ip.frag[1] == 1"),
		predicate("ip.first_frag", "ip.is_frag && !ip.later_frag"),
		field("ip4.src", 32, "ip4", ipSrc),
		field("ip4.dst", 32, "ip4", ipDst),
		predicate("ip4.mcast", "eth.mcast && ip4.dst[28..31] == 0xe"),
		predicate("ip4.src_mcast", "ip4.src[28..31] == 0xe"),
		field("ip6.src", 128, "ip6", ipSrc),
		field("ip6.dst", 128, "ip6", ipDst),
		predicate("ip6.mcast", "eth.mcastv6 && ip6.dst[120..127] == 0xff"),

		predicate("icmp4", "ip4 && ip.proto == 1"),
		predicate("icmp6", "ip6 && ip.proto == 58"),
		predicate("icmp", "icmp4 || icmp6"),
		predicate("igmp", "ip4 && ip.proto == 2"),
		field("icmp4.type", 8, "icmp4", icmpType),
		field("icmp4.code", 8, "icmp4", icmpCode),
		field("icmp6.type", 8, "icmp6", icmpType),
		field("icmp6.code", 8, "icmp6", icmpCode),

		predicate("tcp", "ip.proto == 6"),
		predicate("udp", "ip.proto == 17"),
		predicate("sctp", "ip.proto == 132"),

		predicate("arp", "eth.type == 0x806"),
		predicate("rarp", "eth.type == 0x8035"),
		field("arp.op", 16, "arp", small(func(p *Packet) uint16 { return p.ARPOp })),
		field("arp.spa", 32, "arp", func(p *Packet) number { return ofAddr(p.SPA) }),
		field("arp.tpa", 32, "arp", func(p *Packet) number { return ofAddr(p.TPA) }),
		field("arp.sha", 48, "arp", func(p *Packet) number { return ofMAC(p.SHA) }),
		field("arp.tha", 48, "arp", func(p *Packet) number { return ofMAC(p.THA) }),

		predicate("nd", "icmp6.type == {135, 136} && icmp6.code == 0 && ip.ttl == 255"),
		predicate("nd_ns", "icmp6.type == 135 && icmp6.code == 0 && ip.ttl == 255"),
		predicate("nd_na", "icmp6.type == 136 && icmp6.code == 0 && ip.ttl == 255"),
		predicate("nd_rs", "icmp6.type == 133 && icmp6.code == 0 && ip.ttl == 255"),
		predicate("nd_ra", "icmp6.type == 134 && icmp6.code == 0 && ip.ttl == 255"),
		field("nd.target", 128, "nd", func(p *Packet) number { return ofAddr(p.Target) }),
		field("nd.sll", 48, "nd_ns", func(p *Packet) number { return ofMAC(p.SLL) }),
		field("nd.tll", 48, "nd_na", func(p *Packet) number { return ofMAC(p.TLL) }),
		predicate("mldv1", "ip6.src == fe80::/10 && icmp6.type == {130, 131, 132}"),
		predicate("mldv2", "ip6.dst == ff02::16 && icmp6.type == 143"),
	}
	for _, proto := range []string{"tcp", "udp", "sctp"} {
		all = append(all, field(proto+".src", 16, proto, srcPort), field(proto+".dst", 16, proto, dstPort))
	}
	out := make(map[string]symbol, len(all))
	for _, s := range all {
		out[s.name] = s
	}
	return out
}()
