package standin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/lab/internal/standin/nb"
	"github.com/ovnguard/ovnguard/lab/internal/standin/upstream"
)

// syncPolicy writes the rows of a NetworkPolicy, or removes them. All its ACLs are new each time.
func (c *controller) syncPolicy(ctx context.Context, namespace, name string) error {
	defer c.locks.lock("policy " + namespace + "/" + name)()
	np, ok := c.policies.get(namespace, name)
	if !ok || c.cfg.IgnorePolicies {
		return c.removePolicy(ctx, upstream.PolicyGroup(namespace, name), upstream.PolicyID(namespace, name))
	}
	cluster, err := c.policyCluster()
	if err != nil {
		return err
	}
	rows, err := upstream.Policy(c.cfg.Version, np, cluster)
	if err != nil {
		return fmt.Errorf("network policy %s/%s: %w", namespace, name, err)
	}
	return c.writePolicy(ctx, np, &rows)
}

func (c *controller) writePolicy(
	ctx context.Context,
	np *networkingv1.NetworkPolicy,
	rows *upstream.PolicyRows,
) error {
	if err := c.nb.EnsurePortGroup(ctx, rows.Group.Name, rows.Group.ExternalIDs); err != nil {
		return err
	}
	ports, err := c.portUUIDs(ctx, rows.Ports)
	if err != nil {
		return err
	}
	if err := c.nb.SetPortGroup(ctx, rows.Group.Name, ports); err != nil {
		return err
	}
	for _, s := range rows.AddressSets {
		if err := c.nb.SetAddressSet(ctx, s.Name, s.Addresses, s.ExternalIDs); err != nil {
			return err
		}
	}
	for _, direction := range []string{upstream.ToPort, upstream.FromPort} {
		acls := slices.DeleteFunc(
			slices.Clone(rows.ACLs),
			func(a nb.ACL) bool { return a.Direction != direction },
		)
		if err := c.nb.ReplaceACLs(ctx, rows.Group.Name, direction, acls); err != nil {
			return err
		}
	}
	return c.removeAddressSets(ctx, upstream.PolicyID(np.Namespace, np.Name), func(s *nb.AddressSet) bool {
		return upstream.Stale(np, s)
	})
}

// portUUIDs returns the UUIDs of the ports of these names that exist.
func (c *controller) portUUIDs(ctx context.Context, names []string) ([]string, error) {
	var list []string
	for _, name := range names {
		row, ok, err := c.nb.Port(ctx, name)
		if err != nil {
			return nil, err
		}
		if ok && !slices.Contains(list, row.UUID) { // the pods of a VM share a port
			list = append(list, row.UUID)
		}
	}
	return list, nil
}

// policyCluster returns what the rows of policies depend on.
func (c *controller) policyCluster() (*upstream.PolicyCluster, error) {
	cluster := &upstream.PolicyCluster{Namespaces: c.namespaces.list()}
	for _, pod := range c.podsSeen.list() {
		nics, err := c.nics(pod)
		if err != nil {
			return nil, err
		}
		p := upstream.PolicyPod{Pod: pod}
		for _, n := range nics {
			nic := upstream.PolicyNIC{Provider: n.Provider, Port: portName(pod, n)}
			if s, ok := c.subnets.get("", c.subnetOf(pod, n)); ok {
				nic.Subnet = s
			}
			p.NICs = append(p.NICs, nic)
		}
		cluster.Pods = append(cluster.Pods, p)
	}
	slices.SortStableFunc(cluster.Pods, func(a, b upstream.PolicyPod) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), strings.Compare(a.Name, b.Name))
	})
	return cluster, nil
}

// removePolicy removes the port group with its ACLs, and the address sets of a policy.
func (c *controller) removePolicy(ctx context.Context, group, id string) error {
	return errors.Join(
		c.nb.DeletePortGroup(ctx, group),
		c.removeAddressSets(ctx, id, func(*nb.AddressSet) bool { return true }),
	)
}

// removeAddressSets removes those address sets of a policy for which match is true.
func (c *controller) removeAddressSets(ctx context.Context, id string, match func(*nb.AddressSet) bool) error {
	sets, err := c.nb.AddressSets(ctx, func(s *nb.AddressSet) bool {
		return policyOf(s) == id && match(s)
	})
	if err != nil {
		return err
	}
	var list []string
	for _, s := range sets {
		list = append(list, s.UUID)
	}
	return c.nb.DeleteAddressSets(ctx, list...)
}

// policyOf returns the ID of the policy of an address set; empty if it is of none.
func policyOf(s *nb.AddressSet) string {
	namespaceAndName, _, _ := cutLast(s.ExternalIDs[upstream.PolicyKey], "/")
	return namespaceAndName
}

func cutLast(text, separator string) (before, after string, found bool) {
	if i := strings.LastIndex(text, separator); i >= 0 {
		return text[:i], text[i+len(separator):], true
	}
	return text, "", false
}

// removeLostPolicies removes the rows of policies that were deleted while nobody watched.
func (c *controller) removeLostPolicies(ctx context.Context) error {
	known := map[string]bool{}
	for _, np := range c.policies.list() {
		known[upstream.PolicyID(np.Namespace, np.Name)] = true
	}
	groups, err := c.nb.PortGroups(ctx)
	if err != nil {
		return err
	}
	for _, g := range groups {
		if id := g.ExternalIDs[upstream.PolicyKey]; id != "" && !known[id] {
			if err := c.removePolicy(ctx, g.Name, id); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *controller) policyChanged(before, np *networkingv1.NetworkPolicy) {
	if before == nil || upstream.PolicyChanged(c.cfg.Version, before, np) {
		c.queue.add(kindPolicy, np.Namespace, np.Name)
	}
}

func (c *controller) policyGone(np *networkingv1.NetworkPolicy) {
	c.queue.add(kindPolicy, np.Namespace, np.Name)
}

// touching returns the policies that select a pod, or that have a peer which does.
func (c *controller) touching(pod *corev1.Pod) map[string]*networkingv1.NetworkPolicy {
	ns, ok := c.namespaces.get("", pod.Namespace)
	if !ok || pod.Spec.HostNetwork {
		return nil
	}
	return c.policiesWhere(func(np *networkingv1.NetworkPolicy) bool { return upstream.PolicyTouches(np, pod, ns) })
}

func (c *controller) policiesWhere(
	match func(*networkingv1.NetworkPolicy) bool,
) map[string]*networkingv1.NetworkPolicy {
	found := map[string]*networkingv1.NetworkPolicy{}
	for _, np := range c.policies.list() {
		if match(np) {
			found[np.Namespace+"/"+np.Name] = np
		}
	}
	return found
}

func (c *controller) queuePoliciesOf(pod *corev1.Pod) { c.queuePolicies(c.touching(pod)) }

func (c *controller) queuePolicies(list map[string]*networkingv1.NetworkPolicy) {
	for _, np := range list {
		c.queue.add(kindPolicy, np.Namespace, np.Name)
	}
}

// queuePoliciesOfChanged queues the policies that a changed label brings a pod into or takes it out of, and all of its
// policies when one of its NICs was allocated. A policy that has to do with the pod before and after is not queued.
func (c *controller) queuePoliciesOfChanged(before, pod *corev1.Pod) {
	if !maps.Equal(before.Labels, pod.Labels) {
		c.queueDifference(c.touching(before), c.touching(pod))
	}
	nics, err := c.nics(pod)
	if err != nil {
		return // the change of the pod is lost as well
	}
	for _, n := range nics {
		key := n.Provider.Key(kubeovn.Allocated)
		if before.Annotations[key] != pod.Annotations[key] {
			c.queuePoliciesOf(pod)
			return
		}
	}
}

func (c *controller) queueDifference(before, after map[string]*networkingv1.NetworkPolicy) {
	for key := range before {
		if after[key] != nil {
			delete(before, key)
			delete(after, key)
		}
	}
	c.queuePolicies(before)
	c.queuePolicies(after)
}

// queuePoliciesOfNamespace queues the policies with a peer that selects a new namespace, or that selects a changed one
// only before or only after.
func (c *controller) queuePoliciesOfNamespace(before, ns *corev1.Namespace) {
	naming := func(ns *corev1.Namespace) map[string]*networkingv1.NetworkPolicy {
		return c.policiesWhere(func(np *networkingv1.NetworkPolicy) bool {
			return upstream.PolicyNamesNamespace(np, ns)
		})
	}
	switch {
	case before == nil:
		c.queuePolicies(naming(ns))
	case !maps.Equal(before.Labels, ns.Labels):
		c.queueDifference(naming(before), naming(ns))
	}
}

func (c *controller) namespaceGone(ns *corev1.Namespace) {
	c.queuePolicies(c.policiesWhere(func(np *networkingv1.NetworkPolicy) bool {
		return upstream.PolicyNamesNamespace(np, ns)
	}))
}
