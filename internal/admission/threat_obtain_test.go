package admission

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

const takenVip = "ovn.kubernetes.io/vip"

// overlappingVPC adds a VPC of the tenant's own with the addresses of the default one, and a Vip there.
func overlappingVPC(v inventory.Vip) *scene {
	s := newScene()
	s.inventory.SetSubnet(inventory.Subnet{Name: "twin", VPC: "tenants", Namespaces: []string{"t"}})
	s.inventory.SetSubnet(
		inventory.Subnet{Name: "twin-nad", VPC: "tenants", Namespaces: []string{"t"}, Provider: "nad.n.ovn"},
	)
	v.Name, v.Namespace, v.Subnet = "v", "t", "twin"
	s.inventory.SetVip(v)
	return s
}

// A Vip hands out its address and MAC, to every NIC that Kube-OVN reads the key for, on the switch of that NIC and not
// of the Vip.
func TestThreatT29VipOfAnotherNetwork(t *testing.T) {
	addr := netip.MustParseAddr
	for name, v := range map[string]inventory.Vip{
		"a victim's address": {Addresses: []netip.Addr{addr("10.16.0.5")}, MAC: "0a:00:00:00:00:55"},
		"a victim's MAC":     {Addresses: []netip.Addr{addr("10.16.0.55")}, MAC: "0a:00:00:00:00:05"},
		"a gateway's":        {Addresses: []netip.Addr{addr("10.16.0.1")}, MAC: "0a:00:00:00:00:55"},
		"nobody's":           {Addresses: []netip.Addr{addr("10.16.0.55")}, MAC: "0a:00:00:00:00:55"},
	} {
		t.Run(name, func(t *testing.T) {
			// The NIC is on the default network.
			_, refused := create(t, overlappingVPC(v), tenant, pod(takenVip, "v"))
			mustRefuse(t, refused, takenVip, "twin", "ovn-default")
			// The default NIC is on the network of the Vip, and another NIC is not.
			_, refused = create(t, overlappingVPC(v), tenant, pod(takenVip, "v", lsp, "twin", networks, "u/green"))
			mustRefuse(t, refused, takenVip, "twin", "green.u.ovn", "our-green")
			// On the network of the Vip, the same address is a different one.
			_, refused = create(t, overlappingVPC(v), tenant, pod(takenVip, "v", lsp, "twin"))
			mustAllow(t, refused)
			// The key of an attachment, which some releases read, is about that NIC.
			_, refused = create(
				t,
				overlappingVPC(v),
				tenant,
				pod("nad.n.ovn.kubernetes.io/vip", "v", networks, "n/nad"),
			)
			mustRefuse(t, refused, "nad.n.ovn.kubernetes.io/vip", "twin")
			_, refused = create(
				t,
				overlappingVPC(v),
				tenant,
				pod(
					"nad.n.ovn.kubernetes.io/vip",
					"v",
					networks,
					"n/nad",
					"nad.n.ovn.kubernetes.io/logical_switch",
					"twin",
				),
			)
			mustAllow(t, refused)
			// On a running pod it is judged again: Kube-OVN reads it when it makes the port again.
			old, p := running(), running(takenVip, "v")
			mustRefuse(t, update(t, overlappingVPC(v), tenant, "", &old, &p), takenVip)
		})
	}
}

// Where it is not known on which switch the NIC will be, or where it may be on several, no address that somebody has on
// any of them is given.
func TestThreatT29VipWhoseAddressIsTaken(t *testing.T) {
	for name, c := range map[string]struct {
		v     inventory.Vip
		whose string
	}{
		"address": {
			inventory.Vip{Addresses: []netip.Addr{netip.MustParseAddr("10.16.0.5")}, MAC: "0a:00:00:00:00:55"},
			"port victim.u",
		},
		"second": {
			inventory.Vip{Addresses: []netip.Addr{netip.MustParseAddr("10.16.0.55"), netip.MustParseAddr("10.16.0.1")}},
			"the gateway of subnet ovn-default",
		},
		"MAC": {
			inventory.Vip{Addresses: []netip.Addr{netip.MustParseAddr("10.16.0.55")}, MAC: "0A:00:00:00:00:05"},
			"port victim.u",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := overlappingVPC(c.v)
			s.namespace.Annotations = nil // Kube-OVN has not written the subnets for its pods yet
			_, refused := create(t, s, tenant, pod(takenVip, "v"))
			mustRefuse(t, refused, takenVip, c.whose)
			s = overlappingVPC(c.v)
			s.namespace.Annotations = map[string]string{lsp: "twin,ovn-default"}
			_, refused = create(t, s, tenant, pod(takenVip, "v"))
			mustRefuse(t, refused, takenVip, c.whose)
		})
	}
	// Releases use two names for the NIC, and the switch of one of them is not known.
	s := newScene()
	s.namespace.Annotations = nil
	_, refused := create(
		t,
		s,
		tenant,
		pod(
			networks,
			`[{"name":"nad","namespace":"n","interface":"net1","ips":["10.16.0.5/16"]},{"name":"nad","namespace":"n","interface":"net2"}]`,
			"nad.n.ovn.kubernetes.io/logical_switch",
			"island",
		),
	)
	mustRefuse(t, refused, networks, "10.16.0.5")
	// A Vip without an address would leave the pod without one, and its port security would check nothing.
	_, refused = create(t, overlappingVPC(inventory.Vip{}), tenant, pod(takenVip, "v", lsp, "twin"))
	mustRefuse(t, refused, takenVip, "has no address yet")
	// A Vip cannot hand out an address that something else keeps; the Vip's own reservation does not count against it.
	own := inventory.Vip{Addresses: []netip.Addr{netip.MustParseAddr("10.16.0.55")}, MAC: "0a:00:00:00:00:55"}
	s = overlappingVPC(own)
	_, refused = create(t, s, tenant, pod(takenVip, "v", lsp, "twin"))
	mustAllow(t, refused)
	s.inventory.SetSubnet(
		inventory.Subnet{Name: "twin", VPC: "tenants", Namespaces: []string{"t"}, Shared: own.Addresses},
	)
	_, refused = create(t, s, tenant, pod(takenVip, "v", lsp, "twin"))
	mustRefuse(t, refused, takenVip, "10.16.0.55", "port_vips")
}

// keptAddresses returns the scene with every kind of object that keeps addresses of the default network.
func keptAddresses() *scene {
	s := newScene()
	addr := netip.MustParseAddr
	within := func(from, to string) []inventory.Range { return []inventory.Range{{From: addr(from), To: addr(to)}} }
	s.inventory.SetPool(
		inventory.Pool{
			Name:       "our-pool",
			Subnet:     "ovn-default",
			Namespaces: []string{"t"},
			Ranges:     within("10.16.7.0", "10.16.7.255"),
		},
	)
	s.inventory.SetPool(
		inventory.Pool{
			Name:       "their-pool",
			Subnet:     "ovn-default",
			Namespaces: []string{"u"},
			Ranges:     within("10.16.8.10", "10.16.8.20"),
		},
	)
	s.inventory.SetPool(
		inventory.Pool{Name: "free-pool", Subnet: "ovn-default", Ranges: within("10.16.9.0", "10.16.9.255")},
	)
	s.inventory.SetReserved(
		inventory.Holder{Kind: inventory.HeldByServices, Name: "kubernetes"},
		within("10.96.0.0", "10.111.255.255"),
	)
	s.inventory.SetSubnet(inventory.Subnet{Name: "join", CIDRs: []netip.Prefix{netip.MustParsePrefix("100.64.0.0/16")}})
	s.inventory.SetSubnet(inventory.Subnet{
		Name:     "ovn-default",
		CIDRs:    []netip.Prefix{netip.MustParsePrefix("10.16.0.0/16")},
		Gateways: []netip.Addr{addr("10.16.0.1")},
		Shared:   []netip.Addr{addr("10.16.0.111")},
	})
	fixed := func(kind inventory.HolderKind, address string, at inventory.At) {
		s.inventory.SetFixed(
			inventory.Fixed{
				Holder:    inventory.Holder{Kind: kind, Name: "o"},
				Addresses: []netip.Addr{addr(address)},
				At:        at,
			},
		)
	}
	fixed(inventory.HeldByEIP, "10.16.0.112", inventory.At{Subnet: "ovn-default"})
	fixed(inventory.HeldByFIP, "10.16.0.113", inventory.At{})
	fixed(inventory.HeldByFIPInside, "10.16.0.114", inventory.At{VPC: kubeovn.DefaultVPC, Port: "victim.u"})
	fixed(inventory.HeldByRule, "10.16.0.115", inventory.At{})
	return s
}

// Nobody may ask for a kept address, by address, in a list, with a network or through a Vip, except the pods that the
// object keeps it for.
func TestThreatT30ReservedAddresses(t *testing.T) {
	const pool = "ovn.kubernetes.io/ip_pool"
	for address, words := range map[string][]string{
		"10.16.8.10": {"IPPool"}, "10.16.8.20": {"IPPool"}, "10.96.0.50": {"ServiceCIDR"},
		"100.64.9.9":  {"subnet that connects the nodes"},
		"10.16.0.111": {"port_vips"}, "10.16.0.112": nil, "10.16.0.113": nil, "10.16.0.114": {"OvnFip", "spec.ipName"},
		"10.16.0.115": nil,
	} {
		t.Run(address, func(t *testing.T) {
			words := append(words, address)
			_, refused := create(t, keptAddresses(), tenant, pod(ip, address))
			mustRefuse(t, refused, append(words, ip)...)
			_, refused = create(t, keptAddresses(), tenant, pod(pool, "10.16.0.200;"+address))
			mustRefuse(t, refused, append(words, pool)...)
			_, refused = create(
				t,
				keptAddresses(),
				tenant,
				pod(networks, `[{"name":"nad","namespace":"n","ips":["`+address+`/16"]}]`),
			)
			mustRefuse(t, refused, append(words, networks)...)
			s := keptAddresses()
			s.inventory.SetVip(
				inventory.Vip{
					Name:      "v",
					Namespace: "t",
					Subnet:    "ovn-default",
					Addresses: []netip.Addr{netip.MustParseAddr(address)},
				},
			)
			_, refused = create(t, s, tenant, pod(takenVip, "v"))
			mustRefuse(t, refused, append(words, takenVip)...)
			_, refused = create(t, keptAddresses(), tenant, pod(ip, address))
			if told, _, _ := strings.Cut(
				refused,
				"(audit log",
			); strings.Contains(told, "their-pool") ||
				strings.Contains(told, "victim") {
				t.Errorf("it tells whose the address is: %s", told)
			}
		})
	}
	// The first is in the pool of the namespace, the next two are outside the other pool, and the last are in a pool for
	// everybody or in none.
	for _, address := range []string{"10.16.7.7", "10.16.8.9", "10.16.8.21", "10.16.9.9", "10.16.0.200"} {
		_, refused := create(t, keptAddresses(), tenant, pod(ip, address))
		mustAllow(t, refused)
		_, refused = create(t, keptAddresses(), tenant, pod(pool, address+",10.16.0.201"))
		mustAllow(t, refused)
	}
	// In another VPC these are other addresses.
	for _, address := range []string{"10.16.8.10", "10.96.0.50", "10.16.0.111", "10.16.0.112", "10.16.0.114"} {
		_, refused := create(t, keptAddresses(), tenant, pod(ip, address, lsp, "island"))
		mustAllow(t, refused)
	}
}

// The pods behind an OvnFip get its address again and again.
func TestOvnFipLeadsToItsPod(t *testing.T) {
	for port, allowed := range map[string]bool{
		"p.t": true, "web-5.t": true, "": false, "victim.u": false, "t.u": false,
	} {
		s := keptAddresses()
		s.inventory.SetFixed(inventory.Fixed{
			Holder: inventory.Holder{
				Kind: inventory.HeldByFIPInside,
				Name: "o",
			},
			Addresses: []netip.Addr{netip.MustParseAddr("10.16.0.114")},
			At:        inventory.At{VPC: kubeovn.DefaultVPC, Port: port},
		})
		_, refused := create(t, s, tenant, pod(ip, "10.16.0.114"))
		if got := refused == ""; got != allowed {
			t.Errorf("an OvnFip that leads to %q: allowed %v, %s", port, got, refused)
		}
		// A pod that has the address keeps it.
		s.inventory.SetRecord(
			&inventory.Record{Name: "p.t", IPs: []string{"10.16.0.114"}, Subnet: "ovn-default", Keeper: "StatefulSet"},
		)
		_, refused = create(t, s, tenant, pod(ip, "10.16.0.114"))
		mustAllow(t, refused)
	}
}

// The pods on a subnet may share the addresses that it shares, and nobody else may.
func TestSharedVIPsOfTheSubnet(t *testing.T) {
	_, refused := create(t, keptAddresses(), tenant, pod(vips, "10.16.0.111"))
	mustAllow(t, refused)
	_, refused = create(t, keptAddresses(), tenant, pod(vips, "10.16.0.111,10.16.0.112"))
	mustRefuse(t, refused, vips, "10.16.0.112")
	for _, on := range []string{"ours", "island"} {
		_, refused = create(t, keptAddresses(), tenant, pod(vips, "10.16.0.111", lsp, on))
		mustRefuse(t, refused, vips, "10.16.0.111")
	}
	s := keptAddresses()
	s.namespace.Annotations = map[string]string{lsp: "ours,ovn-default"} // it may be on either
	_, refused = create(t, s, tenant, pod(vips, "10.16.0.111"))
	mustRefuse(t, refused, vips)
	_, refused = create(t, s, tenant, pod(vips, "10.16.0.111", lsp, "ovn-default"))
	mustAllow(t, refused)
	// A subnet that is not for the namespace shares nothing with its pods.
	s = keptAddresses()
	s.inventory.SetSubnet(
		inventory.Subnet{
			Name:       "theirs",
			Namespaces: []string{"u"},
			Shared:     []netip.Addr{netip.MustParseAddr("10.18.0.9")},
		},
	)
	_, refused = create(t, s, tenant, pod(vips, "10.18.0.9", lsp, "theirs"))
	mustRefuse(t, refused, vips, "10.18.0.9")
	// The same holds on a running pod.
	old, p := running(), running(vips, "10.16.0.111")
	mustAllow(t, update(t, keptAddresses(), tenant, "", &old, &p))
}

// A network with addresses from Kube-OVN but without OVN is reserved for the namespaces of its subnet, too.
func TestThreatT09ForeignNetworkOutside(t *testing.T) {
	s := newScene()
	s.inventory.SetSubnet(inventory.Subnet{Name: "their-vlan", Provider: "vlan.u", Namespaces: []string{"u"}})
	_, refused := create(t, s, tenant, pod(networks, "u/vlan"))
	mustRefuse(t, refused, networks, "their-vlan", "other namespaces")
	// For that network Kube-OVN does not read the key of a NIC on OVN, but a key of its own.
	_, refused = create(t, s, tenant, pod(networks, "u/vlan", "vlan.u.ovn.kubernetes.io/logical_switch", "ovn-default"))
	mustRefuse(t, refused, networks, "their-vlan", "other namespaces")
	_, refused = create(t, s, tenant, pod(networks, "u/vlan", "vlan.u.kubernetes.io/logical_switch", "their-vlan"))
	mustRefuse(t, refused, "vlan.u.kubernetes.io/logical_switch", "their-vlan")
	_, refused = create(t, s, tenant, pod(networks, "u/vlan", "vlan.u.kubernetes.io/logical_switch", "ovn-default"))
	mustAllow(t, refused)
}

// An address for a NIC outside OVN is looked up on the subnet of that NIC, whatever subnet is named for a NIC on OVN.
func TestThreatT29AddressOutsideOVN(t *testing.T) {
	s := newScene()
	s.inventory.SetSubnet(inventory.Subnet{Name: "vlan-7", Provider: "vlan.u"})
	s.inventory.SetSubnet(inventory.Subnet{Name: "mine", VPC: "mine"})
	s.inventory.SetFixed(inventory.Fixed{
		Holder:    inventory.Holder{Kind: inventory.HeldByVip, Name: "victim"},
		Addresses: []netip.Addr{netip.MustParseAddr("10.7.0.9")}, At: inventory.At{Subnet: "vlan-7"},
	})
	asked := `[{"name":"vlan","namespace":"u","ips":["10.7.0.9"]}]`
	_, refused := create(t, s, tenant, pod(networks, asked, "vlan.u.ovn.kubernetes.io/logical_switch", "mine"))
	mustRefuse(t, refused, networks, "10.7.0.9")
}

// A pod with the longest list of addresses is judged by look-ups: the cost does not depend on the number of subnets,
// pools and addresses.
func TestManyReservationsCostLittle(t *testing.T) {
	small, large := keptAddresses(), keptAddresses()
	for i := range 4000 {
		at := netip.AddrFrom4([4]byte{10, 32 + byte(i>>8), byte(i), 0})
		large.inventory.SetSubnet(
			inventory.Subnet{
				Name:     fmt.Sprintf("s%d", i),
				CIDRs:    []netip.Prefix{netip.PrefixFrom(at, 24)},
				Gateways: []netip.Addr{at.Next()},
			},
		)
		large.inventory.SetPool(
			inventory.Pool{
				Name:       fmt.Sprintf("p%d", i),
				Namespaces: []string{"u"},
				Ranges:     []inventory.Range{inventory.RangeOf(netip.PrefixFrom(at, 25))},
			},
		)
	}
	var list []string
	a := netip.MustParseAddr("10.16.64.0")
	for range 1024 {
		list = append(list, a.String())
		a = a.Next()
	}
	p := pod(ps, "true", "ovn.kubernetes.io/ip_pool", strings.Join(list, ";"))
	parsed := ParsePod("t", &p, nil)
	cost := func(s *scene) time.Duration {
		best := time.Hour
		for range 20 {
			start := time.Now()
			s.Look(t.Context(), "t", tenant, func(v *View) {
				if refusals, _ := v.CheckCreate(parsed); len(refusals) > 0 {
					t.Fatalf("refused: %v", refusals[0])
				}
			})
			best = min(best, time.Since(start))
		}
		return best
	}
	few, many := cost(small), cost(large)
	t.Logf("1024 addresses: %v beside few subnets and pools, %v beside 4000 of each", few, many)
	if many > 20*few {
		t.Errorf("4000 subnets and pools make it cost %v, and %v without them", many, few)
	}
}
