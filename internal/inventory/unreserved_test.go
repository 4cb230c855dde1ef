package inventory

import (
	"net/netip"
	"testing"
	"time"

	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/portsec"
)

// TestUnreserved covers granted addresses that Kube-OVN may give to another pod.
func TestUnreserved(t *testing.T) {
	cidr := netip.MustParsePrefix("10.0.0.0/24")
	free, used := netip.MustParseAddr("10.0.0.100"), netip.MustParseAddr("10.0.0.5")
	build := func(more func(*Inventory)) []Held {
		inv := New()
		inv.SetNamespace(policy.Namespace{Name: "a"})
		inv.SetSubnet(Subnet{Name: "s", CIDRs: []netip.Prefix{cidr}})
		inv.SetRecord(&Record{Name: "p.a", IPs: []string{used.String()}, Subnet: "s"})
		inv.SetPod(pod("a", "p"))
		inv.SetException(policy.Exception{
			Namespace: "a",
			Name:      "g",
			Pods:      func(map[string]string) bool { return true },
			SharedWith: []string{
				"s",
			},
			Shares:  inv.consentOfSubnet("s").Owners, // nothing else grants addresses of a subnet
			Pairs:   []portsec.AddressPair{{Prefix: netip.PrefixFrom(free, 32)}},
			Asked:   time.Unix(900, 0),
			Expires: time.Unix(2000, 0),
		})
		inv.SetPolicy(policy.Policy{
			Name: "p", ExceptionsIn: []string{"a"}, Limits: policy.Limits{Pairs: 1, Prefix4: 32, Lifetime: time.Hour},
		})
		more(inv)
		return inv.Port("p.a", time.Unix(1000, 0)).Unreserved
	}
	for name, c := range map[string]struct {
		more func(*Inventory)
		want bool
	}{
		"free": {func(*Inventory) {}, true},
		"excluded": {func(inv *Inventory) {
			inv.SetSubnet(Subnet{Name: "s", CIDRs: []netip.Prefix{cidr}, Excluded: []Range{{free, free}}})
		}, false},
		"of a Vip": {func(inv *Inventory) {
			inv.SetVip(Vip{Name: "v", Namespace: "a", Subnet: "s", Addresses: []netip.Addr{free}})
		}, false},
		"of a pod": {func(inv *Inventory) {
			inv.SetRecord(&Record{Name: "q.a", IPs: []string{free.String()}, Subnet: "s"})
		}, false},
		"outside of all subnets": {func(inv *Inventory) {
			inv.SetSubnet(Subnet{Name: "s", CIDRs: []netip.Prefix{netip.MustParsePrefix("10.9.0.0/24")}})
		}, false},
	} {
		if got := build(c.more); (len(got) == 1 && got[0].Address == free) != c.want || len(got) > 1 {
			t.Errorf("%s: %v", name, got)
		}
	}
}
