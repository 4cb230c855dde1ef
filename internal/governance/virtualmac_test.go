package governance

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/portsec"
)

// With vmac_xmit_base, a virtual router sends its advertisements from the port's own MAC; OVN lets them pass only in
// the families of the port's addresses. A warning tells the author, with a pair that would help.
func TestVirtualMACOfAFamilyThatThePortLacks(t *testing.T) {
	const (
		four, six = "00:00:5e:00:01:02", "00:00:5e:00:02:01"
		linkLocal = "fe80::200:ff:fe00:1" // of web-0.shop, which has 00:00:00:00:00:01
	)
	type pair = v1alpha1.AddressPair
	cases := map[string]struct {
		records []string // of the pod's port; without any, only its namespace's subnet is known
		cidrs   string   // of that subnet
		pairs   []pair
		level   v1alpha1.Level
		want    []string // nothing where no warning is due
	}{
		"IPv6 on IPv4": {
			records: []string{"10.16.0.13"},
			pairs:   []pair{{MAC: six, Prefix: "2001:db8::ffff"}},
			want: []string{
				"pairs[0]", "port web-0.shop has no IPv6 address", "vmac_xmit_base", `{prefix: "` + linkLocal + `"}`,
			},
		},
		"the second pair": {records: []string{"10.16.0.13"}, pairs: []pair{
			{MAC: four, Prefix: "10.30.0.9"}, {MAC: six, Prefix: "2001:db8::ffff"},
		}, want: []string{"pairs[1]", "no IPv6 address"}},
		"IPv4 on IPv6": {
			records: []string{"fd00:16::13"},
			pairs:   []pair{{MAC: four, Prefix: "10.30.0.9"}},
			want:    []string{"no IPv4 address"},
		},
		"both families": {
			records: []string{"10.16.0.13", "fd00:16::13"},
			pairs:   []pair{{MAC: six, Prefix: "2001:db8::ffff"}},
		},
		"IPv4 on IPv4": {records: []string{"10.16.0.13"}, pairs: []pair{{MAC: four, Prefix: "10.30.0.9"}}},
		"with a link-local address": {
			records: []string{"10.16.0.13"},
			pairs:   []pair{{MAC: six, Prefix: "2001:db8::ffff"}, {Prefix: linkLocal}},
		},
		"a chosen link-local address on the virtual MAC": {records: []string{"10.16.0.13"}, pairs: []pair{
			{MAC: six, Prefix: "2001:db8::ffff"}, {MAC: six, Prefix: "fe80::cdef"},
		}, want: []string{"no IPv6 address"}},
		"another MAC": {
			records: []string{"10.16.0.13"},
			pairs:   []pair{{MAC: "52:54:00:00:00:01", Prefix: "2001:db8::ffff"}},
		},
		"no MAC": {records: []string{"10.16.0.13"}, pairs: []pair{{Prefix: "2001:db8::ffff"}}},
		"from any address": {
			records: []string{"10.16.0.13"},
			pairs:   []pair{{MAC: six, Prefix: "2001:db8::ffff"}},
			level:   v1alpha1.LevelMAC,
		},
		"no port yet": {
			cidrs: "10.16.0.0/16",
			pairs: []pair{{MAC: six, Prefix: "2001:db8::ffff"}},
			want:  []string{"subnet shop-net", "no IPv6 address"},
		},
		"no port yet, dual": {
			cidrs: "10.16.0.0/16,fd00:16::/64",
			pairs: []pair{{MAC: six, Prefix: "2001:db8::ffff"}},
		},
		"nothing is known": {pairs: []pair{{MAC: six, Prefix: "2001:db8::ffff"}}},
		"IPv6 on IPv4, twice": {
			records: []string{"10.16.0.13"},
			pairs:   []pair{{MAC: six, Prefix: "2001:db8::fffe"}, {MAC: six, Prefix: "2001:db8::ffff"}},
			want:    []string{"pairs[0]"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			g := guardOf(honouring())
			g.feed(func(inv *inventory.Inventory) {
				inv.DeleteRecord("web-0.shop")
				if len(c.records) > 0 {
					inv.SetRecord(&inventory.Record{Name: "web-0.shop", MAC: "00:00:00:00:00:01", IPs: c.records})
				}
				if c.cidrs == "" {
					return
				}
				s := inventory.Subnet{Name: "shop-net", Namespaces: []string{"shop"}}
				for text := range strings.SplitSeq(c.cidrs, ",") {
					s.CIDRs = append(s.CIDRs, netip.MustParsePrefix(text))
				}
				inv.SetSubnet(s)
				inv.SetNamespace(policy.Namespace{
					Name:        "shop",
					Labels:      map[string]string{labelName: "shop"},
					Annotations: map[string]string{"ovn.kubernetes.io/logical_switch": "shop-net"},
				})
			})
			object := asked(pairs(c.pairs...), func(e *v1alpha1.PortSecurityException) { e.Spec.Grant.Level = c.level })
			a, err := g.Exception(t.Context(), request(t, exceptions, object, nil))
			expect(t, a, err)
			told := strings.Join(a.Warnings, "\n")
			if warned := strings.Contains(told, "advertisements"); warned != (len(c.want) > 0) {
				t.Errorf("warnings %q", a.Warnings)
			}
			for _, w := range c.want {
				if !strings.Contains(told, w) {
					t.Errorf("warnings %q lack %q", a.Warnings, w)
				}
			}
		})
	}
}

// The warning agrees with OVN, under every parser: the port's own MAC has no address of the family in its set, and with
// the pair from the warning it has one.
func TestOwnMACNeedsAPairOfTheFamily(t *testing.T) {
	own, vrrp := portsec.MAC{0x1e, 0x74, 0x9f, 0x29, 0x58, 0x71}, portsec.MAC{0, 0, 0x5e, 0, 2, 1}
	identity := portsec.Identity{MAC: own, IPs: []netip.Addr{netip.MustParseAddr("10.16.0.13")}}
	single := func(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }
	asked := []portsec.AddressPair{{MAC: vrrp, Prefix: netip.MustParsePrefix("2001:db8::ffff/128")}}
	with := slices.Insert(asked[:1:1], 1, portsec.AddressPair{Prefix: single(own.LinkLocal())})
	for _, era := range portsec.Eras() {
		for _, c := range []struct {
			pairs []portsec.AddressPair
			sends bool
		}{{asked, false}, {with, true}} {
			column, err := portsec.Build(identity, c.pairs)
			if err != nil {
				t.Fatal(err)
			}
			wish, err := portsec.GrantedSet(portsec.Identity{MAC: own, IPs: []netip.Addr{own.LinkLocal()}}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := portsec.Parse(era, column).Set().Covers(wish); got != c.sends {
				t.Errorf("%s: %q lets %s send from %s: %v, want %v", era, column, own, own.LinkLocal(), got, c.sends)
			}
		}
	}
}
