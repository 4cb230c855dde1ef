package ovnmatch

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/ovnguard/ovnguard/portsec"
)

func tcp4() *Packet {
	return &Packet{
		InPort:  "web.shop",
		OutPort: "db.shop",
		EthSrc:  portsec.MAC{0, 0, 0, 0, 0, 1},
		EthDst:  portsec.MAC{0, 0, 0, 0, 0, 2},
		EthType: TypeIP4,
		IPSrc:   netip.MustParseAddr("10.16.0.5"),
		IPDst:   netip.MustParseAddr("10.16.0.9"),
		Proto:   6,
		TTL:     64,
		SrcPort: 40000,
		DstPort: 5432,
	}
}

func solicitation() *Packet {
	return &Packet{
		InPort:   "web.shop",
		EthDst:   portsec.MAC{0x33, 0x33, 0xff, 0, 0, 2},
		EthType:  TypeIP6,
		IPSrc:    netip.MustParseAddr("fe80::1"),
		IPDst:    netip.MustParseAddr("ff02::1:ff00:2"),
		Proto:    58,
		TTL:      255,
		ICMPType: 135,
		Target:   netip.MustParseAddr("fd00::2"),
	}
}

func arp() *Packet {
	return &Packet{
		InPort: "web.shop", EthType: TypeARP, ARPOp: 1, SPA: netip.MustParseAddr("10.16.0.5"),
		TPA: netip.MustParseAddr("10.16.0.9"),
	}
}

func names(t *testing.T) Names {
	t.Helper()
	set := func(members ...string) *Set {
		s, err := NewSet(members)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	return Names{
		Sets: map[string]*Set{
			"web_v4": set(
				"10.16.0.5",
				"10.16.1.0/24",
			),
			"none_v4":   set(),
			"db_v6":     set("fd00::2"),
			"odd.set-1": set("10.16.0.9"),
		},
		Groups: map[string]map[string]bool{"shop.db": {"db.shop": true}, "web": {"web.shop": true}},
	}
}

func TestEvaluate(t *testing.T) {
	given := names(t)
	for _, c := range []struct {
		text string
		// The results for the TCP packet, the solicitation, and the ARP request.
		tcp, nd, arp Truth
	}{
		{"1", True, True, True},
		{"0", False, False, False},
		{"ip", True, True, False},
		{"ip4.src == $web_v4", True, False, False},
		{"ip && ip4.src == $web_v4 && ip4.src != $none_v4 && tcp.dst == 5432", True, False, False},
		{"ip4.src == $none_v4", False, False, False},
		{`outport == @shop.db && ip && (ip4.src == 10.16.0.0/16 && ip4.src != {10.16.0.0/30, 10.17.0.1}) && tcp.dst == 5432`, True, False, False},
		{"outport == @shop.db && ip", True, False, False},
		{`inport == "web.shop" && arp`, False, False, True},
		{`inport == {"a", "web.shop"}`, True, True, True},
		{"inport == @web && icmp6.type == {130, 134, 135, 136} && icmp6.code == 0 && ip.ttl == 255", False, True, False},
		{"5000 <= tcp.dst <= 6000", True, False, False},
		{"6000 >= tcp.dst > 5432", False, False, False},
		{"5432 == tcp.dst", True, False, False},
		{"80 < tcp.dst", True, False, False},
		{"tcp || udp || sctp", True, False, False},
		{"!(tcp.dst == 80)", True, False, False},
		{"!(tcp.dst == 80 || udp.dst == 80)", False, False, False},
		{"!(tcp.dst == 80 && udp.dst == 80)", True, False, False},
		{"tcp.dst != 80", True, False, False},
		{"ip6.dst == ff02::/16", False, True, False},
		{"ip6.mcast", False, True, False},
		{"nd", False, True, False},
		{"nd_ns && nd.target == fd00::2", False, True, False},
		{"nd_ns && nd.target == $db_v6", False, True, False},
		{"nd_na", False, False, False},
		{"arp.spa == 10.16.0.5 && arp.op == 1", False, False, True},
		{"eth.src == 00:00:00:00:00:01", True, False, False},
		{"eth.dst[0..7] == 2", True, True, False},
		{"eth.mcast", False, True, False},
		{"eth.type == 0x806", False, False, True},
		{"vlan.present", False, False, False},
		{"ip4.dst == $odd.set-1", True, False, False},
		{"ct.est && tcp", Unknown, False, False},
		{"ct.est || tcp", True, Unknown, Unknown},
		{"!ct.est && ip4", Unknown, False, False},
		{"ip4.src == $gone", Unknown, Unknown, Unknown},
		{"inport == @gone && ip4", Unknown, False, False},
		{"reg0[3] == 1 && arp", False, False, Unknown},
	} {
		m := Parse(c.text, given)
		for i, p := range []*Packet{tcp4(), solicitation(), arp()} {
			if got, want := m.Evaluate(p), []Truth{c.tcp, c.nd, c.arp}[i]; got != want {
				t.Errorf("%s, packet %d: %d, want %d; unclear: %q", c.text, i, got, want, m.Unclear())
			}
		}
		unknown := c.tcp == Unknown || c.nd == Unknown || c.arp == Unknown
		if unknown != (len(m.Unclear()) > 0) {
			t.Errorf("%s: unclear are %q", c.text, m.Unclear())
		}
	}
}

// What OVN refuses is unknown as a whole, with the reason.
func TestRefused(t *testing.T) {
	for text, says := range map[string]string{
		"":                               "no constant",
		"ip4 && tcp || udp":              "mixed",
		"ip4.src == 10.0.0.1/8":          "outside of its mask",
		"ip4.src == fd00::1":             "128",
		"ip4.src":                        "not compared",
		"tcp.dst == 70000":               "too large",
		"(ip4":                           "parenthesis",
		"ip4.src == {10.0.0.1":           "brace",
		"ip4.src < {10.0.0.1, 10.0.0.2}": "order",
		`ip4.src == "x"`:                 "text",
		"inport == 7":                    "number",
		"1 < tcp.dst > 2":                "directions",
		"ip4 tcp":                        "not expected",
		`inport == "x`:                   "no constant",
		"eth.dst[40..50] == 1":           "no bits",
		"2":                              "field is missing",
		"!ip":                            "negatively",
		"!(tcp.dst == 80 || !!ip6)":      "negatively",
		"ip.ttl != 255":                  "negatively",
		"ip.ttl < 255":                   "order",
		"ip4.src == {}":                  "no constant",
		strings.Repeat("(", 200) + "ip4": "deep",
	} {
		m := Parse(text, names(t))
		if m.Evaluate(tcp4()) != Unknown || len(m.Unclear()) != 1 || !strings.Contains(m.Unclear()[0], says) {
			t.Errorf("%.60s: %q", text, m.Unclear())
		}
	}
}

// The table of symbols is understood as a whole: no expression in it is refused, and none goes in a circle.
func TestSymbols(t *testing.T) {
	for name, s := range symbols {
		for _, text := range []string{s.needs, s.means} {
			if m := Parse(text, Names{}); text != "" && m.Unclear() != nil {
				t.Errorf("%s: %q", name, m.Unclear())
			}
		}
	}
}

func TestNewSetRefuses(t *testing.T) {
	for _, text := range []string{"", "x", "10.0.0.1/8", "10.0.0.1-10.0.0.9"} {
		if _, err := NewSet([]string{"10.0.0.1", text}); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{
		`inport == @web && ip && (ip4.src == 10.0.0.0/8 && ip4.src != {10.1.0.0/16}) && tcp.dst == 80`, "1 <= udp.dst <= 9",
		`!(inport == {"a\"b", "c"}) || ct.est`, "eth.src[3..5] == 0x7/0x5", "ip6.dst == fd00::/8 && sctp.dst == 7",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		names := Names{Groups: map[string]map[string]bool{"web": {"web.shop": true}}}
		m := Parse(text, names)
		twice := Parse("!(!("+text+"))", names)
		for _, p := range []*Packet{tcp4(), solicitation(), arp(), {}} {
			got := m.Evaluate(p)
			if got == Unknown && m.Unclear() == nil {
				t.Errorf("%q is unknown for no reason", text)
			}
			if got != twice.Evaluate(p) && m.Unclear() == nil && twice.Unclear() == nil {
				t.Errorf("%q and its double negation differ", text)
			}
		}
	})
}
