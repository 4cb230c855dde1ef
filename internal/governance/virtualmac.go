package governance

import (
	"net/netip"
	"slices"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/portsec"
)

// advertisements warns of virtual MACs for a family in which the ports have no address of their own. OVN lets no packet
// of that family pass from the port's own MAC then, from which keepalived sends its advertisements with vmac_xmit_base.
func (a *Answer) advertisements(inv *inventory.State, e *policy.Exception) {
	if e.Level != policy.Strict {
		return // the own MAC may send from any address
	}
	for _, six := range []bool{false, true} {
		virtual := -1
		own := false
		for i, pair := range e.Pairs {
			switch {
			case pair.Prefix.Addr().Is6() != six:
			case pair.MAC == (portsec.MAC{}):
				own = true
			case policy.IsVirtual(pair) && virtual < 0:
				virtual = i
			}
		}
		if virtual < 0 || own {
			continue
		}
		if ports, example := lacking(inv, e, six); ports != "" {
			family := map[bool]string{false: "IPv4", true: "IPv6"}[six]
			a.Warn(
				"spec.grant.pairs[%d]: %s no %s address, so no %s passes from the port's own MAC; but "+
					"keepalived with vmac_xmit_base sends its advertisements from that MAC; add a pair without mac "+
					"for their source address%s, or give the pods an %s address",
				virtual,
				ports,
				family,
				family,
				example,
				family,
			)
		}
	}
}

// lacking names ports of the exception, or where there are none yet the subnets that pods of the namespace are put on,
// without an address in the family; "" where there are none, or where it is not known. For IPv6 an example of a pair
// that would do goes with it.
func lacking(inv *inventory.State, e *policy.Exception, six bool) (who, example string) {
	known := false
	for _, port := range inv.Targets(e) {
		r := inv.Record(port)
		if r == nil {
			continue
		}
		known = true
		if slices.ContainsFunc(r.IPs, func(text string) bool {
			ip, err := netip.ParseAddr(text)
			return err == nil && ip.Is6() == six
		}) {
			continue
		}
		if mac, err := portsec.ParseMAC(r.MAC); err == nil && six {
			example = ", such as {prefix: \"" + mac.LinkLocal().String() + "\"}"
		}
		return "port " + port + " has", example
	}
	if known {
		return "", ""
	}
	provider := kubeovn.DefaultProvider
	if len(e.Providers) > 0 {
		provider = kubeovn.Provider(e.Providers[0]) // no subnet is found for a pattern, and nothing is said then
	}
	var names []string
	for _, name := range inv.MayBeOn(nil, inv.Namespace(e.Namespace), provider) {
		s, ok := inv.Subnet(name)
		if !ok || slices.ContainsFunc(s.CIDRs, func(p netip.Prefix) bool { return p.Addr().Is6() == six }) {
			return "", ""
		}
		names = append(names, name)
	}
	if len(names) == 0 {
		return "", ""
	}
	return "pods of namespace " + e.Namespace + ", on subnet " + names[0] + ", have", ""
}
