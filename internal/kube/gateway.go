package kube

import (
	"net/netip"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// GatewayOf returns the facts of a VpcNatGateway (vpc-nat-gateways.kubeovn.io) or a VpcEgressGateway
// (vpc-egress-gateways.kubeovn.io).
func GatewayOf(u *unstructured.Unstructured) inventory.Gateway {
	kind := u.GroupVersionKind()
	g := inventory.Gateway{
		Object: policy.Owner{
			APIVersion: kind.GroupVersion().String(),
			Kind:       kind.Kind,
			Name:       u.GetName(),
			UID:        string(u.GetUID()),
		},
		Made: u.GetCreationTimestamp().Time,
	}
	if kind.Kind == kubeovn.KindNATGateway {
		g.Namespace = specString(u, "namespace") // since 1.16 (natGwNamespace)
		return g
	}
	g.Namespace, g.Workload = u.GetNamespace(), specString(u, "prefix")+u.GetName()
	// What selectors pick is always masqueraded, and nothing is with BGP (reconcileVpcEgressGatewayWorkload,
	// init-vpc-egress-gateway.sh).
	bgp := specString(u, "bgpConf") != ""
	selectors, _, err := unstructured.NestedSlice(u.Object, "spec", "selectors")
	g.Any = bgp && (err != nil || len(selectors) > 0)
	policies, _, err := unstructured.NestedSlice(u.Object, "spec", "policies")
	if err != nil {
		return g
	}
	for _, item := range policies {
		one, ok := item.(map[string]any)
		if !ok {
			continue
		}
		if masquerades, _, err := unstructured.NestedBool(one, "snat"); err == nil && masquerades && !bgp {
			continue
		}
		blocks, _, err := unstructured.NestedStringSlice(one, "ipBlocks")
		if err == nil {
			g.Prefixes = appendPrefixes(g.Prefixes, blocks)
		}
		if subnets, _, err := unstructured.NestedStringSlice(one, "subnets"); err == nil {
			g.Subnets = append(g.Subnets, subnets...)
		}
	}
	return g
}

// appendPrefixes adds prefixes, and addresses as such; what is neither is left out.
func appendPrefixes(list []netip.Prefix, texts []string) []netip.Prefix {
	for _, text := range texts {
		if prefix, err := netip.ParsePrefix(text); err == nil {
			list = append(list, prefix.Masked())
		} else if a, err := netip.ParseAddr(text); err == nil {
			list = append(list, netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen()))
		}
	}
	return list
}

// parentOf returns the object that owns another one by these references: the controller, or else the gateway whose
// workload it says it is. Kube-OVN names gateways by plain references (SetOwnerReference).
func parentOf(refs []metav1.OwnerReference) *policy.Owner {
	if o := controllerOf(refs); o != nil {
		return o
	}
	for _, r := range refs {
		if kubeovn.IsGateway(r.APIVersion, r.Kind) {
			return &policy.Owner{APIVersion: r.APIVersion, Kind: r.Kind, Name: r.Name, UID: string(r.UID)}
		}
	}
	return nil
}

// gateways are the Sources of Kube-OVN's gateways. A cluster may serve neither.
func gateways() []Source {
	set := func(inv *inventory.Inventory, u *unstructured.Unstructured) []string {
		return inv.SetGateway(GatewayOf(u))
	}
	remove := func(inv *inventory.Inventory, u *unstructured.Unstructured) []string {
		return inv.DeleteGateway(GatewayOf(u))
	}
	return []Source{
		untyped(NATGatewayKind, set, remove).optional("").specOnly(),
		untyped(EgressGatewayKind, set, remove).optional("").specOnly(),
	}
}
