package standin

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/lab/internal/standin/crd"
	"github.com/ovnguard/ovnguard/lab/internal/standin/ipam"
	"github.com/ovnguard/ovnguard/lab/internal/standin/nb"
	"github.com/ovnguard/ovnguard/lab/internal/standin/upstream"
)

// ensureDefaults makes the default router and the two subnets that every cluster has, if they are missing.
func (c *controller) ensureDefaults(ctx context.Context) error {
	vpc := &crd.Vpc{
		TypeMeta:   metav1.TypeMeta{APIVersion: crd.APIVersion, Kind: "Vpc"},
		ObjectMeta: metav1.ObjectMeta{Name: c.cfg.Router, Finalizers: []string{crd.Finalizer}},
	}
	if _, err := c.create(ctx, crd.VPCs, vpc); err != nil {
		return err
	}
	for name, cidr := range map[string]string{DefaultSubnet: c.cfg.CIDR, c.cfg.NodeSwitch: c.cfg.JoinCIDR} {
		s := &crd.Subnet{
			TypeMeta:   metav1.TypeMeta{APIVersion: crd.APIVersion, Kind: "Subnet"},
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec:       crd.SubnetSpec{CIDRBlock: cidr, Vpc: c.cfg.Router, Provider: string(kubeovn.DefaultProvider)},
		}
		if name == DefaultSubnet {
			s.Spec.Default, s.Spec.NatOutgoing, s.Spec.GatewayType = true, true, "distributed"
		} else {
			s.Spec.DisableInterconnect = true
		}
		if err := c.fillSubnet(s); err != nil {
			return err
		}
		if _, err := c.create(ctx, crd.Subnets, s); err != nil {
			return err
		}
	}
	return nil
}

// fillSubnet sets the fields that a user may leave out, as upstream does.
func (c *controller) fillSubnet(s *crd.Subnet) error {
	families := map[bool]bool{}
	for i, text := range s.CIDRs() {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return fmt.Errorf(
				"subnet %s: spec.cidrBlock: %q is not a prefix, write one such as 10.20.0.0/16: %w",
				s.Name,
				text,
				err,
			)
		}
		families[p.Addr().Is4()] = true
		if len(s.Gateways()) <= i {
			s.Spec.Gateway = strings.TrimPrefix(s.Spec.Gateway+","+p.Masked().Addr().Next().String(), ",")
		}
	}
	switch {
	case len(families) == 2:
		s.Spec.Protocol = "Dual"
	case families[true]:
		s.Spec.Protocol = "IPv4"
	case families[false]:
		s.Spec.Protocol = "IPv6"
	default:
		s.Spec.Protocol = "Mac"
	}
	for _, gateway := range s.Gateways() {
		if !slices.Contains(s.Spec.ExcludeIPs, gateway) {
			s.Spec.ExcludeIPs = append(s.Spec.ExcludeIPs, gateway)
		}
	}
	if s.Spec.Provider == "" {
		s.Spec.Provider = string(kubeovn.DefaultProvider)
	}
	if s.Spec.Vpc == "" && s.IsOVN() {
		s.Spec.Vpc = c.cfg.Router
	}
	if !slices.Contains(s.Finalizers, crd.Finalizer) {
		s.Finalizers = append(s.Finalizers, crd.Finalizer)
	}
	return nil
}

// syncSubnet makes or removes the logical switch of a subnet with everything that belongs to it.
func (c *controller) syncSubnet(ctx context.Context, name string) error {
	seen, ok := c.subnets.get("", name)
	if !ok {
		return nil
	}
	if seen.DeletionTimestamp != nil {
		return c.removeSubnet(ctx, seen)
	}
	s := *seen
	s.Finalizers = slices.Clone(seen.Finalizers)
	s.Spec.ExcludeIPs = slices.Clone(seen.Spec.ExcludeIPs)
	if err := c.fillSubnet(&s); err != nil {
		return c.subnetStatus(ctx, &s, err)
	}
	if len(s.CIDRs()) == 0 && !c.cfg.Version.AllowsMACOnly() {
		return c.subnetStatus(ctx, &s, errors.New("spec.cidrBlock: cidr is invalid"))
	}
	if err := c.ipam.SetSubnet(name, s.CIDRs(), s.Spec.ExcludeIPs, s.Gateways()); err != nil {
		return c.subnetStatus(ctx, &s, err)
	}
	patch := map[string]any{"metadata": map[string]any{"finalizers": s.Finalizers}, "spec": map[string]any{
		"protocol":   s.Spec.Protocol,
		"gateway":    s.Spec.Gateway,
		"excludeIps": s.Spec.ExcludeIPs,
		"provider":   s.Spec.Provider,
		"vpc":        s.Spec.Vpc,
	}}
	if s.Spec.Protocol != seen.Spec.Protocol || s.Spec.Gateway != seen.Spec.Gateway ||
		s.Spec.Provider != seen.Spec.Provider ||
		s.Spec.Vpc != seen.Spec.Vpc ||
		!slices.Equal(s.Spec.ExcludeIPs, seen.Spec.ExcludeIPs) ||
		!slices.Equal(s.Finalizers, seen.Finalizers) {
		if err := c.merge(ctx, crd.Subnets, name, patch); err != nil {
			return err
		}
	}
	if s.IsOVN() {
		if err := errors.Join(c.buildSwitch(ctx, &s), c.syncRouting(ctx, s.Spec.Vpc)); err != nil {
			return err
		}
	}
	return c.subnetStatus(ctx, &s, nil)
}

// buildSwitch makes the logical switch, its link to the router or to the underlay, its DHCP options and virtual ports.
func (c *controller) buildSwitch(ctx context.Context, s *crd.Subnet) error {
	vendor := map[string]string{kubeovn.ExternalIDVendor: kubeovn.Vendor}
	if err := c.nb.EnsureSwitch(ctx, s.Name, vendor); err != nil {
		return err
	}
	link := upstream.RouterLink(s, ipam.RandomMAC())
	if link != nil {
		if err := c.nb.EnsureRouter(ctx, s.Spec.Vpc, vendor); err != nil {
			return err
		}
		if err := c.nb.EnsureRouterPort(ctx, s.Spec.Vpc, link.Router); err != nil {
			return err
		}
		if err := c.ensurePort(ctx, s.Name, link.Switch); err != nil {
			return err
		}
	}
	if s.Spec.Vlan != "" {
		v, ok := c.vlans.get("", s.Spec.Vlan)
		if !ok {
			return fmt.Errorf("subnet %s: spec.vlan: vlan %s is not found", s.Name, s.Spec.Vlan)
		}
		if err := c.ensurePort(ctx, s.Name, upstream.Localnet(s, v)); err != nil {
			return err
		}
	}
	if err := c.buildDHCP(ctx, s); err != nil {
		return err
	}
	if err := c.dropVirtual(ctx, s); err != nil {
		return err
	}
	return c.syncVirtual(ctx, s.Name)
}

// buildDHCP makes the DHCP_Options of the subnet and writes them to its status.
func (c *controller) buildDHCP(ctx context.Context, s *crd.Subnet) error {
	if !s.Spec.EnableDHCP {
		return nil
	}
	mac := ipam.RandomMAC()
	if lrp, ok, err := c.nb.RouterPort(ctx, upstream.RouterPortName(s)); err != nil {
		return err
	} else if ok {
		mac = lrp.MAC
	}
	for _, want := range upstream.DHCP(s, mac) {
		uuid, err := c.nb.EnsureDHCP(ctx, want)
		if err != nil {
			return err
		}
		if strings.Contains(want.CIDR, ":") {
			s.Status.DHCPv6OptionsUUID = uuid
		} else {
			s.Status.DHCPv4OptionsUUID = uuid
		}
	}
	return nil
}

// ensurePort makes a port of the infrastructure if there is none of that name.
func (c *controller) ensurePort(ctx context.Context, switchName string, row nb.LogicalSwitchPort) error {
	if _, ok, err := c.nb.Port(ctx, row.Name); err != nil || ok {
		return err
	}
	return c.nb.CreatePort(ctx, switchName, row)
}

// subnetStatus writes whether the subnet works, and returns the problem.
func (c *controller) subnetStatus(ctx context.Context, s *crd.Subnet, problem error) error {
	ready := crd.Condition{Type: "Ready", Status: "True", Reason: "ResetLogicalSwitchAclSuccess"}
	if problem != nil {
		ready = crd.Condition{
			Type:    "Ready",
			Status:  "False",
			Reason:  "ValidateLogicalSwitchFailed",
			Message: problem.Error(),
		}
	}
	status := s.Status
	status.Conditions = []crd.Condition{ready}
	if old, ok := c.subnets.get("", s.Name); ok && slices.Equal(old.Status.Conditions, status.Conditions) &&
		old.Status.DHCPv4OptionsUUID == status.DHCPv4OptionsUUID && old.Status.DHCPv6OptionsUUID == status.DHCPv6OptionsUUID {
		return problem
	}
	if err := c.merge(ctx, crd.Subnets, s.Name, map[string]any{"status": status}, "status"); err != nil {
		return errors.Join(problem, err)
	}
	return problem
}

// removeSubnet removes the logical switch once nothing uses the subnet.
func (c *controller) removeSubnet(ctx context.Context, s *crd.Subnet) error {
	for _, ip := range c.ips.list() {
		if ip.Spec.Subnet == s.Name {
			return fmt.Errorf("subnet %s is still used by %s", s.Name, ip.Name)
		}
	}
	if s.IsOVN() {
		if err := c.nb.DeleteRouterPort(ctx, s.Spec.Vpc, upstream.RouterPortName(s)); err != nil {
			return err
		}
		if err := c.nb.DeleteSwitch(ctx, s.Name); err != nil {
			return err
		}
	}
	c.ipam.DeleteSubnet(s.Name)
	return errors.Join(c.syncRouting(ctx, s.Spec.Vpc), c.merge(ctx, crd.Subnets, s.Name, finalizers()))
}

// syncPool tells the address manager about an IPPool.
func (c *controller) syncPool(name string) error {
	if p, ok := c.pools.get("", name); ok {
		return c.ipam.SetPool(p.Spec.Subnet, name, p.Spec.IPs)
	}
	return nil
}
