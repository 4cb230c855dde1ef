package inventory

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/ovnguard/ovnguard/internal/policy"
)

// TestPlacement covers ports on another switch than they should be on.
func TestPlacement(t *testing.T) {
	inv := New()
	inv.SetNamespace(policy.Namespace{Name: "a"})
	for _, s := range []Subnet{
		{Name: "s"}, {Name: "other"}, {Name: "bank", Namespaces: []string{"b"}}, {Name: "red", VPC: "red"},
	} {
		inv.SetSubnet(s)
	}
	at := func(sw, subnet, annotation string) *Placement {
		inv.SetPod(pod("a", "p", func(p *Pod) {
			p.Annotations = map[string]string{
				"ovn.kubernetes.io/allocated": "true", "ovn.kubernetes.io/logical_switch": annotation,
			}
		}))
		inv.SetRecord(&Record{Name: "p.a", Subnet: subnet})
		inv.SetRow(&Row{UUID: "r", Name: "p.a", Switch: sw})
		return inv.Port("p.a", time.Time{}).Placement
	}
	if got := at("s", "s", "s"); got != nil {
		t.Errorf("where it should be: %+v", got)
	}
	for name, c := range map[string]struct {
		sw, subnet, annotation string
		want                   Placement
	}{
		"the IP resource differs": {"s", "other", "s", Placement{"other", "IP resource", false, ""}},
		"both differ":             {"s", "other", "other", Placement{"other", "IP resource", true, ""}},
		"the annotation differs":  {"s", "s", "other", Placement{"other", "ovn.kubernetes.io/logical_switch", true, ""}},
		"an unknown switch":       {"x", "s", "s", Placement{"s", "IP resource", true, ""}},
		"an unknown subnet":       {"s", "x", "s", Placement{"x", "IP resource", false, ""}},
		"another VPC's":           {"red", "s", "s", Placement{"s", "IP resource", true, "in another VPC, red"}},
		"another namespace's": {
			"bank", "s", "s", Placement{"s", "IP resource", true, "of a subnet that is not for namespace a"},
		},
		"the nodes' own":            {"join", "s", "s", Placement{"s", "IP resource", true, ""}},
		"without IP resource's own": {"s", "", "other", Placement{"other", "ovn.kubernetes.io/logical_switch", true, ""}},
	} {
		if got := at(c.sw, c.subnet, c.annotation); got == nil || *got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
	for cidr, fits := range map[string]bool{"10.0.0.0/24": true, "10.0.1.0/24": false} {
		inv.SetSubnet(Subnet{Name: "s", CIDRs: []netip.Prefix{netip.MustParsePrefix(cidr)}})
		at("other", "s", "s")
		inv.SetRecord(&Record{Name: "p.a", Subnet: "s", IPs: []string{"10.0.0.5"}})
		if got := inv.Port("p.a", time.Time{}).Placement; got == nil || got.Fits != fits {
			t.Errorf("10.0.0.5 on a subnet with %s: %+v", cidr, got)
		}
	}
	at("bank", "s", "s")
	if touched := inv.SetSubnet(Subnet{Name: "bank"}); !slices.Contains(touched, "p.a") {
		t.Errorf("a subnet that is for all touches %q", touched)
	}
}
