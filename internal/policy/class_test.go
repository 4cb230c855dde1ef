package policy

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ovnguard/ovnguard/portsec"
)

func pairOf(mac, prefix string) portsec.AddressPair {
	p := pair(prefix)
	if mac != "" {
		m, err := portsec.ParseMAC(mac)
		if err != nil {
			panic(err)
		}
		p.MAC = m
	}
	return p
}

const (
	virtual4 = "00:00:5e:00:01:0a"
	virtual6 = "00:00:5e:00:02:0a"
	inner    = "52:54:00:00:00:01"
)

// A class completes the fields that are left out, and refuses values against it.
func TestClassComplete(t *testing.T) {
	for name, c := range map[string]struct {
		class      Class
		grant      Grant
		level      Level
		forwarding Forwarding
		refused    string // words of the error
	}{
		"no class means what it says": {
			class: "", grant: Grant{Level: new(Open), Forwarding: new(Require)}, level: Open, forwarding: Require,
		},
		"unknown": {
			class: "firewall", grant: Grant{Pairs: []portsec.AddressPair{pair("10.20.0.0/24")}}, refused: "spec.class",
		},

		"router": {
			class: Router, grant: Grant{Pairs: []portsec.AddressPair{pair("10.20.0.0/24"), pair("fd00:20::/64")}},
		},
		"router without pairs": {class: Router, refused: "spec.grant.pairs"},
		"router for a MAC": {
			class:   Router,
			grant:   Grant{Pairs: []portsec.AddressPair{pair("10.20.0.0/24"), pairOf(inner, "10.20.0.0/24")}},
			refused: "spec.grant.pairs[1].mac",
		},
		"router with any source": {
			class: Router, grant: Grant{Pairs: []portsec.AddressPair{pair("10.20.0.0/24")}, Level: new(MAC)},
			refused: "spec.grant.level",
		},
		"router that floods": {
			class: Router, grant: Grant{Pairs: []portsec.AddressPair{pair("10.20.0.0/24")}, Forwarding: new(Require)},
			refused: "spec.grant.layer2Forward",
		},
		"router that says no": {
			class: Router, grant: Grant{Pairs: []portsec.AddressPair{pair("10.20.0.0/24")}, Forwarding: new(Forbid)},
		},

		"vpn": {class: VPN, grant: Grant{Pairs: []portsec.AddressPair{pair("10.8.0.0/24")}}},
		"vpn with MAC": {
			class: VPN, grant: Grant{Pairs: []portsec.AddressPair{pairOf(inner, "10.8.0.0/24")}},
			refused: "spec.grant.pairs[0].mac",
		},

		"vrrp": {class: VRRP, grant: Grant{Pairs: []portsec.AddressPair{pair("10.16.0.100/32")}}},
		"vrrp, virtual MAC": {
			class: VRRP,
			grant: Grant{
				Pairs: []portsec.AddressPair{pairOf(virtual4, "10.16.0.100/32"), pairOf(virtual6, "fd00::100/128")},
			},
			forwarding: Require,
		},
		"vrrp, IPv4's MAC for IPv6": {
			class: VRRP, grant: Grant{Pairs: []portsec.AddressPair{pairOf(virtual4, "fd00::100/128")}},
			refused: "spec.grant.pairs[0].mac",
		},
		"vrrp, any MAC": {
			class: VRRP, grant: Grant{Pairs: []portsec.AddressPair{pairOf(inner, "10.16.0.100/32")}},
			refused: "RFC 9568",
		},
		"vrrp for a range": {
			class: VRRP, grant: Grant{Pairs: []portsec.AddressPair{pair("10.16.0.0/28")}},
			refused: "spec.grant.pairs[0].prefix",
		},
		"vrrp floods for nothing": {
			class: VRRP, grant: Grant{Pairs: []portsec.AddressPair{pair("10.16.0.100/32")}, Forwarding: new(Require)},
			refused: "spec.grant.layer2Forward",
		},
		"vrrp keeps its MAC out": {
			class:   VRRP,
			grant:   Grant{Pairs: []portsec.AddressPair{pairOf(virtual4, "10.16.0.100/32")}, Forwarding: new(Forbid)},
			refused: "spec.grant.layer2Forward",
		},
		"vrrp, said what is implied": {
			class: VRRP,
			grant: Grant{
				Pairs: []portsec.AddressPair{pairOf(virtual4, "10.16.0.100/32")}, Forwarding: new(Require),
			},
			forwarding: Require,
		},

		"nat-gateway":       {class: NATGateway, level: MAC},
		"nat-gateway, said": {class: NATGateway, grant: Grant{Level: new(MAC)}, level: MAC},
		"nat-gateway, open": {class: NATGateway, grant: Grant{Level: new(Open)}, refused: "spec.grant.level"},
		"nat-gateway with pairs": {
			class: NATGateway, grant: Grant{Pairs: []portsec.AddressPair{pair("10.20.0.0/24")}},
			refused: "spec.grant.pairs",
		},
		"nat-gateway floods": {
			class: NATGateway, grant: Grant{Forwarding: new(Require)}, refused: "spec.grant.layer2Forward",
		},

		"nested": {
			class: NestedVirtualization, grant: Grant{Pairs: []portsec.AddressPair{pairOf(inner, "10.30.0.0/24")}},
			forwarding: Require,
		},
		"nested without MAC": {
			class: NestedVirtualization, grant: Grant{Pairs: []portsec.AddressPair{pair("10.30.0.0/24")}},
			refused: "spec.grant.pairs[0].mac",
		},
		"nested without delivery": {
			class:   NestedVirtualization,
			grant:   Grant{Pairs: []portsec.AddressPair{pairOf(inner, "10.30.0.0/24")}, Forwarding: new(Forbid)},
			refused: "spec.grant.layer2Forward",
		},
		"nested and open": {
			class:   NestedVirtualization,
			grant:   Grant{Pairs: []portsec.AddressPair{pairOf(inner, "10.30.0.0/24")}, Level: new(Open)},
			refused: "spec.grant.level",
		},
	} {
		level, forwarding, err := c.class.Complete(c.grant)
		switch {
		case c.refused != "" && (err == nil || !strings.Contains(err.Error(), c.refused)):
			t.Errorf("%s: %v, want it refused with %q", name, err, c.refused)
		case c.refused == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case level != c.level || forwarding != c.forwarding:
			t.Errorf("%s: %v and %v, want %v and %v", name, level, forwarding, c.level, c.forwarding)
		}
	}
}

// Every class has both halves: the port receives frames for every MAC that it may send from, it receives none without
// need, and no class opens a port.
func TestClassHalvesFit(t *testing.T) {
	accepted := 0
	rapid.Check(t, func(t *rapid.T) {
		class := rapid.SampledFrom(Classes()).Draw(t, "class")
		var g Grant
		for range rapid.IntRange(0, 2).Draw(t, "pairs") {
			g.Pairs = append(g.Pairs, pairOf(
				rapid.SampledFrom([]string{"", virtual4, virtual6, inner}).Draw(t, "mac"),
				rapid.SampledFrom([]string{"10.16.0.100/32", "10.20.0.0/24", "fd00::100/128", "fd00:20::/64"}).
					Draw(t, "prefix"),
			))
		}
		if rapid.Bool().Draw(t, "says level") {
			g.Level = new(rapid.SampledFrom([]Level{Strict, MAC, Open}).Draw(t, "level"))
		}
		if rapid.Bool().Draw(t, "says forwarding") {
			g.Forwarding = new(rapid.SampledFrom([]Forwarding{Forbid, Require}).Draw(t, "forwarding"))
		}
		level, forwarding, err := class.Complete(g)
		if err != nil {
			return
		}
		accepted++
		foreign := false
		for _, p := range g.Pairs {
			foreign = foreign || hasMAC(p)
		}
		if foreign != (forwarding == Require) || level == Open || level == MAC && len(g.Pairs) > 0 ||
			level == Strict && len(g.Pairs) == 0 {
			t.Errorf("%s of %+v gives %v and %v", class, g, level, forwarding)
		}
		e := Exception{Pairs: g.Pairs, Level: level, Forwarding: forwarding}
		if doubts := e.Doubts(); len(doubts) > 0 {
			t.Errorf("%s of %+v is in doubt: %v", class, g, doubts)
		}
	})
	if accepted == 0 {
		t.Error("no class let anything through")
	}
}

func TestDoubts(t *testing.T) {
	foreign := []portsec.AddressPair{pairOf(inner, "10.30.0.0/24")}
	for name, c := range map[string]struct {
		e    Exception
		want string
	}{
		"MAC that nothing is delivered for": {Exception{Pairs: foreign}, "do not arrive"},
		"delivered, and then kept out":      {Exception{Forwarding: Require}, "port security drops them"},
		"both halves":                       {Exception{Pairs: foreign, Forwarding: Require}, ""},
		"open":                              {Exception{Level: Open, Forwarding: Require}, ""},
		"addresses alone":                   {Exception{Pairs: []portsec.AddressPair{pair("10.20.0.0/24")}}, ""},
	} {
		got := strings.Join(c.e.Doubts(), "; ")
		if (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
