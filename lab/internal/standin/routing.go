package standin

import (
	"context"
	"net/netip"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/lab/internal/standin/crd"
	"github.com/ovnguard/ovnguard/lab/internal/standin/upstream"
)

// syncRouting brings the policies and the default route of a router up to date with subnets and nodes.
func (c *controller) syncRouting(ctx context.Context, router string) error {
	if router == "" {
		return nil // the subnet has no router
	}
	defer c.locks.lock("routing of " + router)()
	var subnets []*crd.Subnet
	for _, s := range c.subnets.list() {
		if s.DeletionTimestamp == nil {
			subnets = append(subnets, s)
		}
	}
	var nodes []upstream.RoutedNode
	vendor := map[string]string{kubeovn.ExternalIDVendor: kubeovn.Vendor}
	if router == c.cfg.Router {
		for _, n := range c.nodes.list() {
			nodes = append(nodes, routed(n))
		}
		for _, s := range subnets {
			if s.Name != c.cfg.NodeSwitch {
				continue
			}
			for _, route := range upstream.DefaultRoutes(s) {
				if err := c.nb.EnsureRoute(ctx, router, route); err != nil {
					return err
				}
			}
		}
	}
	policies := upstream.Policies(router, c.cfg.NodeSwitch, subnets, nodes)
	// Each address set that a policy names must be there, and it is there with the port group.
	for _, s := range subnets {
		for _, n := range nodes {
			if s.Spec.Vpc != router || s.Name == c.cfg.NodeSwitch {
				continue
			}
			if err := c.nb.EnsurePortGroup(ctx, upstream.SubnetGroup(s.Name, n.Name), vendor); err != nil {
				return err
			}
		}
	}
	return c.nb.SetPolicies(ctx, router, vendor, policies)
}

// routed returns a node's addresses in Kubernetes and on the nodes' subnet; the latter are missing until they are
// allocated.
func routed(n *corev1.Node) upstream.RoutedNode {
	node := upstream.RoutedNode{Name: n.Name}
	for _, a := range n.Status.Addresses {
		if ip, err := netip.ParseAddr(a.Address); err == nil && a.Type == corev1.NodeInternalIP {
			node.Internal = append(node.Internal, ip)
		}
	}
	for text := range strings.SplitSeq(n.Annotations[kubeovn.DefaultProvider.Key(kubeovn.IPAddress)], ",") {
		if ip, err := netip.ParseAddr(text); err == nil {
			node.Join = append(node.Join, ip)
		}
	}
	return node
}
