package reach

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/ovnguard/ovnguard/internal/acl"
	"github.com/ovnguard/ovnguard/internal/intent"
	"github.com/ovnguard/ovnguard/internal/inventory"
)

// TestWalk follows packets, stage by stage.
func TestWalk(t *testing.T) {
	postgres := Packet{intent.TCP, 5432}
	tests := []struct {
		name     string
		world    *world
		from, to string
		as       string // "" for the sender's own
		packet   Packet
		want     string // stages that were come to, and what became of it
		differs  bool
	}{
		{
			"honest and admitted", shop(t, open), "web.shop", "db.shop", "", postgres,
			"out yes, acls yes, way yes, in yes, receive yes: yes", false,
		},
		{
			"honest and not admitted", shop(t, open), "mallory.dev", "db.shop", "", postgres,
			"out yes, acls yes, way yes, in no: no", false,
		},
		{
			"forged by an open port", shop(t, open), "mallory.dev", "db.shop", "10.16.0.7", postgres,
			"out yes, acls yes, way yes, in yes, receive yes: yes", false,
		},
		{
			"forged by a strict port",
			shop(t, strict),
			"mallory.dev",
			"db.shop",
			"10.16.0.7",
			postgres,
			"out no: no",
			false,
		},
		{
			"another port", shop(t, open), "web.shop", "db.shop", "",
			Packet{intent.TCP, 22},
			"out yes, acls yes, way yes, in no: no", false,
		},
		{
			"to where no policy is", shop(t, open), "db.shop", "web.shop", "",
			Packet{intent.UDP, 53},
			"out yes, acls yes, way yes, in yes, receive yes: yes", false,
		},
		{
			"ping", shop(t, open), "mallory.dev", "db.shop", "",
			Packet{Protocol: intent.ICMP},
			"out yes, acls yes, way yes, in no: no", false,
		},
		{"other family", shop(t, open), "mallory.dev", "db.shop", "2001:db8::1", postgres, "way no: no", false},
		{
			"not realised", func() *world { w := shop(t, open); w.group("shop", "allow-web"); return w }(),
			"mallory.dev", "db.shop", "", postgres, "out yes, acls yes, way yes, in yes, receive yes: yes", true,
		},
		{"not understood", func() *world {
			w := shop(t, open)
			add := w.group("shop", "odd", "db.shop")
			add(acl.ToPort, 3000, acl.Drop, "outport == @ && ip && ct.mark == 1")
			return w
		}(), "web.shop", "db.shop", "", postgres, "out yes, acls yes, way yes, in unknown, receive yes: unknown", false},
	}
	short := map[string]string{
		StageSecurityOut: "out", StageACLsOut: "acls", StageWay: "way", StageACLsRouter: "router", StageACLsIn: "in",
		StageSecurityIn: "receive",
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := test.world.cluster()
			from, to := c.Port(test.from), c.Port(test.to)
			as, _ := from.Honest(to.Address())
			if test.as != "" {
				as = from.Forged(netip.MustParseAddr(test.as))
			}
			w := c.Walk(from, to, as, test.packet)
			var stages []string
			for _, s := range w.Stages {
				stages = append(stages, short[s.Name]+" "+string(s.Passes))
				if s.Why == "" {
					t.Errorf("%s does not say why", s.Name)
				}
			}
			got := strings.Join(stages, ", ") + ": " + string(w.Delivered)
			if got != test.want || (w.Differs != "") != test.differs {
				t.Errorf("%s (differs: %q), want %s", got, w.Differs, test.want)
			}
			if w.Honest != (test.as == "") {
				t.Errorf("honest: %v", w.Honest)
			}
		})
	}
}

// TestWay says how packets come from one switch to another.
func TestWay(t *testing.T) {
	w := newWorld(t)
	w.pod("shop", "a", "", "10.16.0.1", strict)
	w.subnet("near", "10.17.0.0/16", "ovn-cluster")
	w.podOn("near", "shop", "b", "", "10.17.0.1", strict)
	w.subnet("far", "10.99.0.0/16", "other")
	w.podOn("far", "shop", "c", "", "10.99.0.1", strict)
	w.known()
	c := w.cluster()
	for to, want := range map[string]Passes{"b.shop": Yes, "c.shop": No} {
		from, to := c.Port("a.shop"), c.Port(to)
		own, _ := from.Honest(to.Address())
		if got := c.Walk(from, to, own, Packet{intent.TCP, 80}); got.Delivered != want {
			t.Errorf("to %s: %+v", to.Name, got.Stages)
		}
	}
	from := c.Port("a.shop")
	out := c.Outside(netip.MustParseAddr("198.51.100.7"))
	own, _ := from.Honest(out.Address())
	if got := c.Walk(from, out, own, Packet{intent.TCP, 80}); got.Delivered != Yes || len(got.Stages) != 3 {
		t.Errorf("to an address outside: %+v", got)
	}
}

// TestMatrix shows what comes to the pods of a namespace.
func TestMatrix(t *testing.T) {
	w := shop(t, open)
	w.pod("dev", "bob", "", "10.16.0.67", strict)
	var got []string
	for _, l := range w.cluster().Matrix("shop", nil) {
		got = append(got, fmt.Sprintf("%s -> %s: %s; %s %s", l.From, l.To, strings.Join(l.Honest, ","),
			strings.Join(l.Forged, ","), l.As))
	}
	want := []string{
		"shop/Pod web -> shop/Pod db: tcp/5432;  ",
		"namespace dev (2 pods) -> shop/Pod db: ; tcp/5432 10.16.0.7",
		"shop/Pod db -> shop/Pod web: any;  ",
		"namespace dev (2 pods) -> shop/Pod web: any;  ",
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	var dot, svg strings.Builder
	lines := w.cluster().Matrix("shop", nil)
	lines[0].From.Workload = "Pod </text><script>\"\x1b"
	if err := WriteDOT(&dot, "shop", lines); err != nil {
		t.Fatal(err)
	}
	if err := WriteSVG(&svg, "shop", lines); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(svg.String(), "<script>") || strings.Contains(dot.String(), "\x1b") ||
		!strings.Contains(
			dot.String(),
			"style=dashed",
		) || !strings.Contains(svg.String(), "forged: tcp/5432 as 10.16.0.7") {
		t.Errorf("%s\n%s", dot.String(), svg.String())
	}
}

// TestRadius says what open ports could do.
func TestRadius(t *testing.T) {
	w := shop(t, open)
	for i := range 30 {
		w.pod("dev", fmt.Sprintf("other-%d", i), "", fmt.Sprintf("10.16.1.%d", i+1), strict)
	}
	w.pod("dev", "router", "", "10.16.0.80", "10.16.1.0/30")
	found := w.cluster().Find()
	mallory, router := found.Radii["mallory.dev"], found.Radii["router.dev"]
	want := "it may pose as more than 30 other pods and so comes to shop/db (tcp/5432) through NetworkPolicy " +
		"shop/allow-web"
	if got := mallory.String(); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got, want := router.String(), "it may pose as 3 other pods"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if len(found.Radii) != 2 {
		t.Errorf("strict ports have a radius: %v", found.Radii)
	}
}

// TestSuggest proposes egress policies that admit what policies of others do.
func TestSuggest(t *testing.T) {
	w := shop(t, open)
	c := w.cluster()
	s, err := c.SuggestForNamespace("shop")
	if err != nil {
		t.Fatal(err)
	}
	w.policies.NetworkPolicies = append(w.policies.NetworkPolicies, s.Policy)
	c = w.cluster()
	for _, test := range []struct {
		from, to, ip string
		packet       Packet
		want         bool
	}{
		{"web.shop", "db.shop", "", Packet{intent.TCP, 5432}, true},
		{"web.shop", "mallory.dev", "", Packet{intent.TCP, 5432}, false},
		{"web.shop", "", "198.51.100.7", Packet{intent.TCP, 443}, true},
		{"web.shop", "", "10.16.200.1", Packet{intent.TCP, 443}, false},
		{"mallory.dev", "web.shop", "", Packet{intent.TCP, 443}, true}, // not bounded
	} {
		from, to := c.Port(test.from), c.Port(test.to)
		if test.ip != "" {
			to = c.Outside(netip.MustParseAddr(test.ip))
		}
		own, _ := from.Honest(to.Address())
		if got := c.Walk(from, to, own, test.packet).Policies.Allowed; got != test.want {
			t.Errorf("%+v: %v", test, got)
		}
	}
}

// A router drops what says that it comes from the router itself, or from where no host can be.
func TestRouterRefuses(t *testing.T) {
	w := newWorld(t)
	w.inv.SetSubnet(inventory.Subnet{
		Name: "ovn-default", UID: "ovn-default", CIDRs: []netip.Prefix{netip.MustParsePrefix("10.16.0.0/16")},
		VPC: "ovn-cluster", Gateways: []netip.Addr{netip.MustParseAddr("10.16.0.1")},
	})
	w.subnet("near", "10.17.0.0/16", "ovn-cluster")
	w.inv.SetRouterPort(inventory.RouterPort{Name: "ovn-cluster-ovn-default", MAC: "0a:00:00:00:ff:01"})
	from := w.pod("dev", "mallory", "", "10.16.0.66", open)
	beside := w.pod("shop", "web", "", "10.16.0.7", strict)
	far := w.podOn("near", "shop", "db", "", "10.17.0.9", strict)
	w.known()
	c := w.cluster()
	for _, test := range []struct {
		source, to string
		want       Passes
	}{
		{"10.16.0.7", far, Yes},
		{"10.16.0.1", far, No},
		{"10.16.0.1", beside, Yes}, // no router is on the way
		{"127.0.0.1", far, No},
		{"224.0.0.5", far, No},
		{"255.255.255.255", far, No},
		{"0.1.2.3", far, No},
		{"10.17.0.1", far, Yes}, // that subnet's gateway is not known
	} {
		sender, to := c.Port(from), c.Port(test.to)
		as := sender.Forged(netip.MustParseAddr(test.source))
		p := Packet{intent.TCP, 80}
		if got := c.Walk(sender, to, as, p).Delivered; got != test.want {
			t.Errorf("from %s to %s: %s, want %s", test.source, test.to, got, test.want)
		}
		if got := c.comes(sender, to, as, p); got != test.want {
			t.Errorf("from %s to %s: comes %s, want %s", test.source, test.to, got, test.want)
		}
	}
}
