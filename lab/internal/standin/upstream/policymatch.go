package upstream

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// normalAddresses returns each address once, with the host bits of prefixes cleared.
func normalAddresses(addresses []string) []string {
	list := make([]string, 0, len(addresses))
	for _, a := range addresses {
		if p, err := netip.ParsePrefix(a); err == nil {
			a = p.Masked().String()
		}
		list = append(list, a)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// blockMatch returns the match for prefixes of a family and what they except, or an empty text if there is none. What a
// block excepts outside itself is left out.
func blockMatch(field, family string, blocks []networkingv1.IPBlock) string {
	var parts []string
	several := false
	for _, b := range blocks {
		if familyOf(b.CIDR) != family {
			continue
		}
		part := field + " == " + b.CIDR
		var except []string
		for _, e := range b.Except {
			if contains(b.CIDR, e) {
				except = append(except, e)
			}
		}
		if len(except) > 0 {
			part = and(part, field+" != {"+strings.Join(except, ", ")+"}")
		}
		several = several || len(parts) > 0
		parts = append(parts, part)
	}
	if several {
		for i, p := range parts {
			if strings.Contains(p, "&&") {
				parts[i] = "(" + p + ")"
			}
		}
	}
	return strings.Join(parts, " || ")
}

func contains(outer, inner string) bool {
	a, err1 := netip.ParsePrefix(outer)
	b, err2 := netip.ParsePrefix(inner)
	return err1 == nil && err2 == nil && a.Addr().Is4() == b.Addr().Is4() && a.Bits() <= b.Bits() &&
		a.Contains(b.Addr())
}

// withPorts returns a match for each port of a rule, or the match itself for a rule without ports. A name that no port
// of a pod in the policy's namespace has is no match.
func (c *compiler) withPorts(match string, ports []networkingv1.NetworkPolicyPort) []string {
	if len(ports) == 0 {
		return []string{match}
	}
	var list []string
	for _, p := range ports {
		protocol := "tcp"
		if p.Protocol != nil {
			protocol = strings.ToLower(string(*p.Protocol))
		}
		switch {
		case p.Port == nil:
			list = append(list, and(match, protocol))
		case p.EndPort != nil && p.Port.Type == intstr.Int:
			list = append(list, and(match, fmt.Sprintf("%d <= %s.dst <= %d", p.Port.IntVal, protocol, *p.EndPort)))
		case p.EndPort != nil:
		case p.Port.Type == intstr.Int:
			list = append(list, and(match, fmt.Sprintf("%s.dst == %d", protocol, p.Port.IntVal)))
		default:
			if number, ok := c.numbers[p.Port.StrVal]; ok {
				list = append(list, and(match, fmt.Sprintf("%s.dst == %d", protocol, number)))
			}
		}
	}
	return list
}
