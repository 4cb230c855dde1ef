package kube

import (
	"cmp"
	"net/netip"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ovnguard/ovnguard/internal/inventory"
)

// rangesOf reads ranges of addresses in the three forms that IPPools have them: one address, a prefix, and
// "first..last" (NewIPRangeListFrom in Kube-OVN's pkg/ipam). What is none of them is left out; Kube-OVN gives nothing
// from it either.
func rangesOf(texts []string) (list []inventory.Range) {
	for _, text := range texts {
		text = strings.TrimSpace(text)
		if prefix, err := netip.ParsePrefix(text); err == nil {
			list = append(list, inventory.RangeOf(prefix))
			continue
		}
		first, last, between := strings.Cut(text, "..")
		if !between {
			last = first
		}
		from, err := netip.ParseAddr(strings.TrimSpace(first))
		if err != nil {
			continue
		}
		if to, err := netip.ParseAddr(strings.TrimSpace(last)); err == nil {
			list = append(list, inventory.Range{From: from.Unmap(), To: to.Unmap()})
		}
	}
	return list
}

// servicesOf returns a ServiceCIDR (networking.k8s.io/v1), from which Services are given their addresses, with its
// ranges.
func servicesOf(u *unstructured.Unstructured) (inventory.Holder, []inventory.Range) {
	h := inventory.Holder{Kind: inventory.HeldByServices, Name: u.GetName()}
	list, _, err := unstructured.NestedStringSlice(u.Object, "spec", "cidrs")
	if err != nil {
		return h, nil
	}
	return h, rangesOf(list)
}

// eipOf returns the addresses of an OvnEip (ovn-eips.kubeovn.io) on its external subnet: those that it was given, or
// else asks for.
func eipOf(u *unstructured.Unstructured) inventory.Fixed {
	f := inventory.Fixed{
		Holder: inventory.Holder{Kind: inventory.HeldByEIP, Name: u.GetName()},
		At:     inventory.At{Subnet: specString(u, "externalSubnet")},
	}
	for _, field := range []string{"v4Ip", "v6Ip"} {
		f.Addresses = appendAddress(f.Addresses, cmp.Or(statusString(u, field), specString(u, field)))
	}
	if mac := cmp.Or(statusString(u, "macAddress"), specString(u, "macAddress")); mac != "" {
		f.MACs = []string{mac}
	}
	return f
}

// vipOfFIP is the ipType of an OvnFip that leads to a Vip, which has its address itself.
const vipOfFIP = "vip"

// fipsOf returns the addresses of an OvnFip (ovn-fips.kubeovn.io): outside, and in its VPC. The latter is kept for the
// port whose IP resource it names.
func fipsOf(u *unstructured.Unstructured) (outside, inside inventory.Fixed) {
	outside.Holder = inventory.Holder{Kind: inventory.HeldByFIP, Name: u.GetName()}
	inside.Holder = inventory.Holder{Kind: inventory.HeldByFIPInside, Name: u.GetName()}
	inside.At = inventory.At{
		VPC:  cmp.Or(statusString(u, "vpc"), specString(u, "vpc")),
		Port: specString(u, "ipName"),
	}
	for _, family := range []string{"v4", "v6"} {
		outside.Addresses = appendAddress(outside.Addresses, statusString(u, family+"Eip"))
		if specString(u, "ipType") != vipOfFIP {
			inside.Addresses = appendAddress(
				inside.Addresses,
				cmp.Or(statusString(u, family+"Ip"), specString(u, family+"Ip")),
			)
		}
	}
	return outside, inside
}

// ruleOf returns the address of a SwitchLBRule (switch-lb-rules.kubeovn.io), at which a load balancer answers.
func ruleOf(u *unstructured.Unstructured) inventory.Fixed {
	f := inventory.Fixed{
		Holder: inventory.Holder{
			Kind: inventory.HeldByRule,
			Name: u.GetName(),
		},
		At: inventory.At{Namespace: specString(u, "namespace")},
	}
	for text := range strings.SplitSeq(specString(u, "vip"), ",") {
		f.Addresses = appendAddress(f.Addresses, strings.TrimSpace(text))
	}
	return f
}

// fixed is a Source of things that have addresses of their own.
func fixed(
	of func(*unstructured.Unstructured) []inventory.Fixed,
) (set, remove func(*inventory.Inventory, *unstructured.Unstructured) []string) {
	set = func(inv *inventory.Inventory, u *unstructured.Unstructured) (touched []string) {
		for _, f := range of(u) {
			touched = append(touched, inv.SetFixed(f)...)
		}
		return touched
	}
	remove = func(inv *inventory.Inventory, u *unstructured.Unstructured) (touched []string) {
		for _, f := range of(u) {
			touched = append(touched, inv.DeleteFixed(f.Holder)...)
		}
		return touched
	}
	return set, remove
}

// reservations are the Sources of what keeps addresses that are no port's. A cluster may serve none of them.
func reservations() []Source {
	setEIP, deleteEIP := fixed(
		func(u *unstructured.Unstructured) []inventory.Fixed { return []inventory.Fixed{eipOf(u)} },
	)
	setFIP, deleteFIP := fixed(func(u *unstructured.Unstructured) []inventory.Fixed {
		outside, inside := fipsOf(u)
		return []inventory.Fixed{outside, inside}
	})
	setRule, deleteRule := fixed(
		func(u *unstructured.Unstructured) []inventory.Fixed { return []inventory.Fixed{ruleOf(u)} },
	)
	return []Source{
		untyped(ServiceCIDRKind,
			func(inv *inventory.Inventory, u *unstructured.Unstructured) []string {
				return inv.SetReserved(servicesOf(u))
			},
			func(inv *inventory.Inventory, u *unstructured.Unstructured) []string {
				h, _ := servicesOf(u)
				return inv.DeleteReserved(h)
			},
		).optional(""),
		untyped(EIPKind, setEIP, deleteEIP).optional(""),
		untyped(FIPKind, setFIP, deleteFIP).optional(""),
		untyped(LBRuleKind, setRule, deleteRule).optional(""),
	}
}
