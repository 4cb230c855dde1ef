package admission

import (
	"net/netip"
	"testing"
	"time"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/portsec"
)

// A grant without its owner's consent counts on no NIC of the pod: a default network in a VPC of the tenant's own,
// where nobody has the address, does not lend it to a second NIC on a network where somebody has it.
func TestThreatT31GrantForASecondNIC(t *testing.T) {
	for _, subnet := range []string{"ovn-default", "twin"} {
		s := newScene()
		s.inventory.SetSubnet(inventory.Subnet{
			Name:     "ovn-default",
			Gateways: []netip.Addr{netip.MustParseAddr("10.16.0.1")},
			CIDRs:    []netip.Prefix{netip.MustParsePrefix("10.16.0.0/16")},
		})
		s.inventory.SetSubnet(inventory.Subnet{Name: "twin", VPC: "tenants", Namespaces: []string{"t"}})
		s.exception(func(e *policy.Exception) {
			e.Pairs = []portsec.AddressPair{{Prefix: netip.MustParsePrefix("10.16.0.5/32")}}
			e.SharedWith = []string{""}
			e.Expires = now.Add(time.Minute)
		})
		p := pod(lsp, subnet, networks, "u/green", "green.u.ovn.kubernetes.io/port_vips", "10.16.0.5")
		p.Metadata.Labels = map[string]string{"app": "router"}
		if _, refused := create(t, s, tenant, p); len(refused) == 0 {
			t.Errorf(
				"default network on %s: the second NIC shares an address of ovn-default without its owner's consent",
				subnet,
			)
		}
	}
}
