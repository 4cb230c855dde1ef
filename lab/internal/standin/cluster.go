package standin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/lab/internal/standin/crd"
	"github.com/ovnguard/ovnguard/lab/internal/standin/ipam"
	"github.com/ovnguard/ovnguard/lab/internal/standin/upstream"
)

// bringUp fills the address manager from the cluster's objects and makes the network, before it listens to any change.
// Addresses of StatefulSets and VMs come from their IP resources, those of other pods from the pods' annotations, which
// any tenant may have changed; the first in the list wins, as upstream.
func (c *controller) bringUp(ctx context.Context) error {
	for _, v := range c.vpcs.list() {
		if err := c.syncVPC(ctx, v.Name); err != nil {
			return err
		}
	}
	for _, s := range c.subnets.list() {
		if err := c.syncSubnet(ctx, s.Name); err != nil {
			c.log.Warn("subnet does not work", "subnet", s.Name, "error", err)
		}
	}
	for _, p := range c.pools.list() {
		if err := c.syncPool(p.Name); err != nil {
			c.log.Warn("pool does not work", "pool", p.Name, "error", err)
		}
	}
	for _, v := range c.vips.list() {
		if v.Status.MAC != "" {
			c.adopt(
				v.Spec.Subnet,
				vipLease(v.Name),
				ipam.Lease{V4: v.Status.V4IP, V6: v.Status.V6IP, MAC: v.Status.MAC}.Addresses(),
				v.Status.MAC,
			)
		}
	}
	for _, ip := range c.ips.list() {
		if ip.Spec.PodType != "" || ip.Spec.Namespace == "" {
			c.adopt(ip.Spec.Subnet, ip.Name, ip.Spec.IPAddress, ip.Spec.MACAddress)
		}
	}
	for _, pod := range c.podsSeen.list() {
		if pod.Spec.HostNetwork || upstream.IsFinished(pod) || pod.Annotations[upstream.StaticVip] != "" {
			continue
		}
		nics, err := c.nics(pod)
		if err != nil {
			c.log.Warn("addresses of pod are not known", "pod", pod.Namespace+"/"+pod.Name, "error", err)
			continue
		}
		for _, n := range nics {
			if pod.Annotations[n.Provider.Key(kubeovn.Allocated)] == kubeovn.True {
				subnet := c.subnetOf(pod, n)
				c.adopt(
					subnet,
					portName(pod, n),
					pod.Annotations[n.Provider.Key(kubeovn.IPAddress)],
					pod.Annotations[n.Provider.Key(kubeovn.MACAddress)],
				)
			}
		}
	}
	return errors.Join(c.removeLost(ctx), c.removeForeign(ctx), c.joinSubnetGroups(ctx), c.syncDenyAll(ctx))
}

// adopt restores the lease that a NIC had before.
func (c *controller) adopt(subnet, nic, addresses, mac string) {
	r := ipam.Request{Subnet: subnet, NIC: nic, MAC: mac, NoMAC: mac == ""}
	if addresses != "" {
		r.Static = strings.Split(addresses, ",")
	}
	if _, err := c.ipam.Acquire(r); err != nil {
		c.log.Warn(
			"address is not kept",
			"nic",
			nic,
			"subnet",
			subnet,
			"addresses",
			addresses,
			"mac",
			mac,
			"error",
			err,
		)
	}
}

// removeLost removes the ports and addresses of pods that were deleted while nobody watched.
func (c *controller) removeLost(ctx context.Context) error {
	known := map[string]bool{}
	for _, pod := range c.podsSeen.list() {
		if !pod.Spec.HostNetwork {
			known[upstream.PodKey(pod.Namespace, upstream.OwnerOf(pod))] = true
		}
	}
	for _, ip := range c.ips.list() {
		key := ip.Spec.Namespace + "/" + ip.Spec.PodName
		if ip.Spec.Namespace == "" || known[key] {
			continue
		}
		owner := upstream.Owner{Name: ip.Spec.PodName, VM: ip.Spec.PodType == "VirtualMachine"}
		if ip.Spec.PodType == "StatefulSet" {
			owner = upstream.OwnerByName(ip.Spec.PodName)
		}
		keep, err := c.keepsPorts(ctx, ip.Spec.Namespace, owner)
		if err != nil {
			return err
		}
		if keep {
			continue
		}
		if err := c.removePort(ctx, ip.Name); err != nil {
			return err
		}
	}
	return nil
}

// syncVPC makes or removes the logical router of a VPC.
func (c *controller) syncVPC(ctx context.Context, name string) error {
	v, ok := c.vpcs.get("", name)
	if !ok {
		return nil
	}
	if v.DeletionTimestamp == nil {
		if !slices.Contains(v.Finalizers, crd.Finalizer) {
			if err := c.merge(
				ctx,
				crd.VPCs,
				name,
				finalizers(append(slices.Clone(v.Finalizers), crd.Finalizer)...),
			); err != nil {
				return err
			}
		}
		return c.nb.EnsureRouter(ctx, name, map[string]string{kubeovn.ExternalIDVendor: kubeovn.Vendor})
	}
	for _, s := range c.subnets.list() {
		if s.Spec.Vpc == name && s.IsOVN() {
			return fmt.Errorf("vpc %s is still used by subnet %s", name, s.Name)
		}
	}
	if err := c.nb.DeleteRouter(ctx, name); err != nil {
		return err
	}
	return c.merge(ctx, crd.VPCs, name, finalizers())
}

// syncNode makes or removes the port of a node on the join subnet.
func (c *controller) syncNode(ctx context.Context, name string) error {
	node, ok := c.nodes.get("", name)
	if !ok {
		return errors.Join(c.removePort(ctx, upstream.NodePortName(name)), c.syncRouting(ctx, c.cfg.Router))
	}
	key := func(s kubeovn.Suffix) string { return kubeovn.DefaultProvider.Key(s) }
	r := ipam.Request{
		Subnet: c.cfg.NodeSwitch,
		NIC:    upstream.NodePortName(name),
		MAC:    node.Annotations[key(kubeovn.MACAddress)],
	}
	if text := node.Annotations[key(kubeovn.IPAddress)]; text != "" {
		r.Static = strings.Split(text, ",")
	}
	lease, err := c.ipam.Acquire(r)
	if err != nil {
		return fmt.Errorf("node %s: %w", name, err)
	}
	if err := c.ensurePort(
		ctx,
		c.cfg.NodeSwitch,
		upstream.NodePort(c.cfg.NodeSwitch, name, lease.MAC, lease.Addresses()),
	); err != nil {
		return err
	}
	ip := newIP(upstream.NodePortName(name), c.cfg.NodeSwitch, lease, crd.IPSpec{PodName: name, NodeName: name})
	ip.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "Node", Name: name, UID: node.UID}}
	if err := c.writeIP(ctx, ip); err != nil {
		return err
	}
	join, ok := c.subnets.get("", c.cfg.NodeSwitch)
	if !ok || node.Annotations[key(kubeovn.Allocated)] == kubeovn.True {
		return c.syncRouting(ctx, c.cfg.Router)
	}
	set := map[string]*string{}
	for s, value := range map[kubeovn.Suffix]string{
		kubeovn.Allocated: kubeovn.True, kubeovn.IPAddress: lease.Addresses(), kubeovn.MACAddress: lease.MAC,
		kubeovn.CIDR: join.Spec.CIDRBlock, kubeovn.Gateway: join.Spec.Gateway, kubeovn.LogicalSwitch: c.cfg.NodeSwitch,
		upstream.PortName: upstream.NodePortName(name),
	} {
		set[key(s)] = &value
	}
	patch, err := annotationPatch(set)
	if err != nil {
		return err
	}
	if _, err := c.kube.CoreV1().
		Nodes().
		Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil &&
		!apierrors.IsNotFound(err) {
		return fmt.Errorf("annotate node %s: %w", name, err)
	}
	return nil
}

// syncNamespace writes the namespace's subnets to its annotations: those that name it or select it by labels, or else
// the default one. An unreadable selector stops it for every namespace, as it stops upstream.
func (c *controller) syncNamespace(ctx context.Context, name string) error {
	ns, ok := c.namespaces.get("", name)
	if !ok || ns.DeletionTimestamp != nil {
		return nil
	}
	var mine []*crd.Subnet
	for _, s := range c.subnets.list() {
		selected, err := selects(s, ns.Labels)
		if err != nil {
			return err
		}
		if selected || slices.Contains(s.Spec.Namespaces, name) {
			mine = append(mine, s)
		}
	}
	if s, ok := c.subnets.get("", DefaultSubnet); ok && len(mine) == 0 {
		mine = append(mine, s)
	}
	var names, cidrs, excluded []string
	for _, s := range mine {
		names = append(names, s.Name)
		cidrs = append(cidrs, s.Spec.CIDRBlock)
		excluded = append(excluded, strings.Join(s.Spec.ExcludeIPs, ","))
	}
	set := map[string]*string{}
	for s, value := range map[kubeovn.Suffix]string{
		kubeovn.LogicalSwitch: strings.Join(names, ","), kubeovn.CIDR: strings.Join(cidrs, ";"),
		upstream.ExcludeIPs: strings.Join(excluded, ";"),
	} {
		if ns.Annotations[kubeovn.DefaultProvider.Key(s)] != value {
			set[kubeovn.DefaultProvider.Key(s)] = &value
		}
	}
	if len(set) == 0 {
		return nil
	}
	patch, err := annotationPatch(set)
	if err != nil {
		return err
	}
	if _, err := c.kube.CoreV1().
		Namespaces().
		Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil &&
		!apierrors.IsNotFound(err) {
		return fmt.Errorf("annotate namespace %s: %w", name, err)
	}
	return nil
}

// selects reports whether one of a subnet's selectors selects a namespace with these labels.
func selects(s *crd.Subnet, of map[string]string) (bool, error) {
	for i := range s.Spec.NamespaceSelectors {
		selector, err := metav1.LabelSelectorAsSelector(&s.Spec.NamespaceSelectors[i])
		if err != nil {
			return false, fmt.Errorf("subnet %s: spec.namespaceSelectors[%d]: %w", s.Name, i, err)
		}
		if selector.Matches(labels.Set(of)) {
			return true, nil
		}
	}
	return false, nil
}
