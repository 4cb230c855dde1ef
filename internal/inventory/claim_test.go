package inventory

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/portsec"
)

// shared returns an inventory with a pod of namespace gw on subnet s, and one of namespace bank there; gw/x grants the
// pair to the first one.
func shared(pair portsec.AddressPair, with string, shares ...policy.Share) (inv *Inventory, port func() Port) {
	inv = New()
	inv.SetPolicy(policy.Policy{
		Name: "all", ExceptionsIn: []string{"gw"}, Repair: policy.RepairOn,
		Limits: policy.Limits{Pairs: 9, Prefix4: 8, Prefix6: 8, Lifetime: time.Hour},
	})
	for _, ns := range []string{"gw", "bank"} {
		inv.SetNamespace(policy.Namespace{Name: ns, UID: ns + "-uid"})
		inv.SetPod(&Pod{PodKey: PodKey{ns, "p"}, Owner: "p"})
	}
	inv.SetSubnet(subnetS())
	inv.SetRecord(
		&Record{
			Name:   "p.gw",
			Of:     PodKey{Namespace: "gw", Name: "p"},
			Subnet: "s",
			MAC:    "00:00:00:00:00:01",
			IPs:    []string{"10.16.0.10"},
		},
	)
	inv.SetRecord(
		&Record{
			Name:   "p.bank",
			Of:     PodKey{Namespace: "bank", Name: "p"},
			Subnet: "s",
			MAC:    "00:00:00:00:00:02",
			IPs:    []string{"10.16.0.20"},
		},
	)
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	inv.SetException(policy.Exception{
		Namespace:  "gw",
		Name:       "x",
		Pods:       func(map[string]string) bool { return true },
		Pairs:      []portsec.AddressPair{pair},
		SharedWith: []string{with},
		Shares:     shares,
		Asked:      now,
		Expires:    now.Add(time.Minute),
	})
	return inv, func() Port {
		p := inv.Port("p.gw", now)
		inv.Granted("p.gw", p.Decision)
		return p
	}
}

func subnetS() Subnet {
	return Subnet{
		Name:     "s",
		UID:      "s-uid",
		CIDRs:    []netip.Prefix{netip.MustParsePrefix("10.16.0.0/16")},
		Gateways: []netip.Addr{netip.MustParseAddr("10.16.0.1")},
	}
}

func pairOf(text string) portsec.AddressPair {
	return portsec.AddressPair{Prefix: netip.MustParsePrefix(text)}
}

var (
	ofBank = policy.Share{Resource: policy.Namespaces, Name: "bank", UID: "bank-uid"}
	ofS    = policy.Share{Resource: policy.Subnets, Name: "s", UID: "s-uid"}
)

// A consent is for the addresses of its owner, for as long as the owner has them: a later holder has consented to
// nothing. The port is judged again each time.
func TestThreatT32HolderChanged(t *testing.T) {
	router := portsec.MAC{0, 0, 0, 0, 0, 2}
	cases := map[string]struct {
		pair    portsec.AddressPair
		with    string
		share   policy.Share
		change  func(*Inventory) []string
		again   func(*Inventory) []string // puts the old state back; nil where nothing does
		granted bool                      // still, after the change
	}{
		"the pod goes, and comes again": {
			pair: pairOf("10.16.0.20/32"), with: "p.bank", share: ofBank,
			change: func(inv *Inventory) []string { return inv.DeleteRecord("p.bank") },
			again: func(inv *Inventory) []string {
				return inv.SetRecord(
					&Record{
						Name:   "p.bank",
						Of:     PodKey{Namespace: "bank", Name: "p"},
						Subnet: "s",
						IPs:    []string{"10.16.0.20"},
					},
				)
			},
		},
		"another namespace gets the address": {
			pair: pairOf("10.16.0.20/32"), with: "p.bank", share: ofBank,
			change: func(inv *Inventory) []string {
				inv.DeleteRecord("p.bank")
				return inv.SetRecord(
					&Record{
						Name:   "p.clinic",
						Of:     PodKey{Namespace: "clinic", Name: "p"},
						Subnet: "s",
						IPs:    []string{"10.16.0.20"},
					},
				)
			},
		},
		"the subnet's owner consented, and others get addresses": {
			pair: pairOf("10.16.5.0/24"), with: "s", share: ofS, granted: true,
			change: func(inv *Inventory) []string {
				return inv.SetRecord(
					&Record{
						Name:   "p.clinic",
						Of:     PodKey{Namespace: "clinic", Name: "p"},
						Subnet: "s",
						IPs:    []string{"10.16.5.20"},
					},
				)
			},
		},
		"the namespace is made again": {
			pair:   pairOf("10.16.0.20/32"),
			with:   "p.bank",
			share:  ofBank,
			change: func(inv *Inventory) []string { return inv.SetNamespace(policy.Namespace{Name: "bank", UID: "later"}) },
			again: func(inv *Inventory) []string {
				return inv.SetNamespace(policy.Namespace{Name: "bank", UID: "bank-uid"})
			},
		},
		"the subnet is made again": {
			pair: pairOf("10.16.5.0/24"), with: "s", share: ofS,
			change: func(inv *Inventory) []string {
				inv.DeleteSubnet("s")
				s := subnetS()
				s.UID = "later"
				return inv.SetSubnet(s)
			},
		},
		"a gateway moves there": {
			pair: pairOf("10.16.5.0/24"), with: "s", share: ofS,
			change: func(inv *Inventory) []string {
				s := subnetS()
				s.Gateways = []netip.Addr{netip.MustParseAddr("10.16.5.1")}
				return inv.SetSubnet(s)
			},
			again: func(inv *Inventory) []string { return inv.SetSubnet(subnetS()) },
		},
		"a node comes there": {
			pair: pairOf("10.30.0.0/24"),
			change: func(inv *Inventory) []string {
				return inv.SetFixed(
					Fixed{Holder: Holder{HeldByNode, "n"}, Addresses: []netip.Addr{netip.MustParseAddr("10.30.0.7")}},
				)
			},
			again: func(inv *Inventory) []string { return inv.DeleteFixed(Holder{HeldByNode, "n"}) },
		},
		"a subnet comes there": {
			pair: pairOf("10.30.0.0/24"),
			change: func(inv *Inventory) []string {
				return inv.SetSubnet(Subnet{Name: "new", CIDRs: []netip.Prefix{netip.MustParsePrefix("10.30.0.0/16")}})
			},
			again: func(inv *Inventory) []string { return inv.DeleteSubnet("new") },
		},
		"a subnet of another VPC comes there": {
			pair: pairOf("10.30.0.0/24"), granted: true,
			change: func(inv *Inventory) []string {
				return inv.SetSubnet(
					Subnet{
						Name:       "new",
						VPC:        "island",
						Namespaces: []string{"islanders"},
						CIDRs:      []netip.Prefix{netip.MustParsePrefix("10.30.0.0/16")},
					},
				)
			},
		},
		"Services are given addresses from there": {
			pair: pairOf("10.30.0.0/24"),
			change: func(inv *Inventory) []string {
				return inv.SetReserved(
					Holder{HeldByServices, "more"},
					[]Range{RangeOf(netip.MustParsePrefix("10.30.0.0/20"))},
				)
			},
			again: func(inv *Inventory) []string { return inv.DeleteReserved(Holder{HeldByServices, "more"}) },
		},
		"anybody's Service claims an external IP there": {
			pair: pairOf("10.30.0.0/24"), granted: true,
			change: func(inv *Inventory) []string {
				return inv.SetFixed(
					Fixed{
						Holder:    Holder{HeldByExternal, "clinic/s"},
						Addresses: []netip.Addr{netip.MustParseAddr("10.30.0.7")},
					},
				)
			},
		},
		"the Vip is deleted": {
			pair:   pairOf("10.16.0.100/32"),
			change: func(inv *Inventory) []string { return inv.DeleteVip("v") },
			again: func(inv *Inventory) []string {
				return inv.SetVip(
					Vip{
						Name:      "v",
						Namespace: "gw",
						Subnet:    "s",
						Addresses: []netip.Addr{netip.MustParseAddr("10.16.0.100")},
					},
				)
			},
		},
		"the MAC gets a holder": {
			pair: portsec.AddressPair{
				MAC:    portsec.MAC{2, 0, 0, 0, 0, 9},
				Prefix: netip.MustParsePrefix("10.30.0.1/32"),
			},
			change: func(inv *Inventory) []string {
				return inv.SetRecord(
					&Record{
						Name:   "p.clinic",
						Of:     PodKey{Namespace: "clinic", Name: "p"},
						Subnet: "s",
						MAC:    "02:00:00:00:00:09",
						IPs:    []string{"10.16.0.30"},
					},
				)
			},
			again: func(inv *Inventory) []string { return inv.DeleteRecord("p.clinic") },
		},
		"the shared MAC is another's": {
			pair: portsec.AddressPair{
				MAC:    router,
				Prefix: netip.MustParsePrefix("10.30.0.1/32"),
			},
			with:  "p.bank",
			share: ofBank,
			change: func(inv *Inventory) []string {
				inv.DeleteRecord("p.bank")
				return inv.SetRouterPort(RouterPort{UUID: "r", Name: "lr-s", MAC: router.String()})
			},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			inv, port := shared(c.pair, c.with, c.share)
			if name == "the Vip is deleted" {
				c.again(inv)
			}
			has := func() bool { return slices.Contains(port().Decision.Exceptions, "x") }
			if !has() {
				t.Fatalf("not granted at first: %+v", port().Decision.Steps)
			}
			touched := c.change(inv)
			if has() != c.granted {
				t.Errorf("granted %v after the change, want %v: %+v", !c.granted, c.granted, port().Decision.Steps)
			}
			if !c.granted && !slices.Contains(touched, "p.gw") {
				t.Errorf("the change touches %v", touched)
			}
			if c.again == nil {
				return
			}
			if touched := c.again(inv); !has() || !slices.Contains(touched, "p.gw") {
				t.Errorf("as it was, granted %v, and touches %v", has(), touched)
			}
		})
	}
}

// The decision and the audit agree: an address that is shared by consent is no finding, an address that is not shared
// is not granted, and an address that anybody may claim is found and ends nobody's grant.
func TestThreatT31AuditAgreesWithTheDecision(t *testing.T) {
	for name, c := range map[string]struct {
		with    string
		shares  []policy.Share
		granted bool
	}{
		"nothing named":      {},
		"named, not shared":  {with: "s"},
		"shared":             {with: "s", shares: []policy.Share{ofS}, granted: true},
		"another's consent":  {with: "s", shares: []policy.Share{ofBank}},
		"shared by the bank": {with: "p.bank", shares: []policy.Share{ofBank}},
	} {
		t.Run(name, func(t *testing.T) {
			_, port := shared(pairOf("10.16.0.16/28"), c.with, c.shares...)
			p := port()
			if got := len(p.Decision.Pairs) > 0; got != c.granted {
				t.Errorf("granted %v: %+v", got, p.Decision.Steps)
			}
			if len(p.Overlaps) > 0 {
				t.Errorf("found %v", p.Overlaps)
			}
			if withheld := len(p.Decision.Withheld) > 0; withheld == c.granted {
				t.Errorf("withheld: %v", p.Decision.Withheld)
			}
		})
	}
	inv, port := shared(pairOf("10.30.0.0/24"), "")
	inv.SetFixed(
		Fixed{Holder: Holder{HeldByExternal, "clinic/s"}, Addresses: []netip.Addr{netip.MustParseAddr("10.30.0.7")}},
	)
	if p := port(); len(p.Decision.Pairs) != 1 || len(p.Overlaps) != 1 {
		t.Errorf("pairs %v, found %v", p.Decision.Pairs, p.Overlaps)
	}
}

// Ownership of an address depends on the network of the NICs: a namespace with pods on the subnet of another VPC does
// not hold the same addresses elsewhere.
func TestClaimsInTheNetworkOfTheNICs(t *testing.T) {
	island := Subnet{
		Name:       "island-net",
		VPC:        "island",
		Namespaces: []string{"gw"},
		CIDRs:      []netip.Prefix{netip.MustParsePrefix("10.40.0.0/16")},
	}
	for name, c := range map[string]struct {
		noted, prefix string
		want          string // the holder of the claimed addresses
	}{
		"of the default network":       {"", "10.16.5.0/24", "subnet s"},
		"of the namespace's":           {"island-net", "10.40.5.0/24", "subnet island-net"},
		"the same addresses elsewhere": {"island-net", "10.16.5.0/24", ""},
	} {
		t.Run(name, func(t *testing.T) {
			inv, _ := shared(pairOf(c.prefix), "")
			inv.DeletePod(PodKey{"gw", "p"})
			inv.SetSubnet(island)
			ns := policy.Namespace{Name: "gw"}
			if c.noted != "" {
				ns.Annotations = map[string]string{kubeovn.DefaultProvider.Key(kubeovn.LogicalSwitch): c.noted}
			}
			inv.SetNamespace(ns)
			e := inv.Exceptions("gw")[0]
			claims := inv.Claims(&e)
			if got := len(claims); (got > 0) != (c.want != "") || got > 0 && claims[0].Whose != c.want {
				t.Errorf("claims %+v, want %q", claims, c.want)
			}
			if why := inv.Standing(e).Unshared; strings.Contains(why, c.want) != true || (why == "") != (c.want == "") {
				t.Errorf("unshared: %q", why)
			}
		})
	}
}

// A Vip makes an address its namespace's own on the network of the Vip, and nowhere else where the exception counts.
func TestThreatT31OwnVipOfAnotherNetwork(t *testing.T) {
	inv, _ := shared(pairOf("10.16.0.30/32"), "")
	prefix := netip.MustParsePrefix("10.16.0.0/16")
	inv.SetSubnet(Subnet{Name: "duplicate", VPC: "island", Namespaces: []string{"gw"}, CIDRs: []netip.Prefix{prefix}})
	inv.SetVip(
		Vip{
			Name:      "ours",
			Namespace: "gw",
			Subnet:    "duplicate",
			Addresses: []netip.Addr{netip.MustParseAddr("10.16.0.30")},
		},
	)
	inv.SetNamespace(policy.Namespace{
		Name:        "gw",
		UID:         "gw-uid",
		Annotations: map[string]string{kubeovn.DefaultProvider.Key(kubeovn.LogicalSwitch): "duplicate"},
	})
	e := inv.Exceptions("gw")[0] // for pods on subnet duplicate, and for one on s
	claims := inv.Claims(&e)
	if len(claims) != 1 || claims[0].Whose != "subnet s" {
		t.Errorf("claims %+v, want the one of subnet s", claims)
	}
}
