package standin

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/lab/internal/standin/crd"
	"github.com/ovnguard/ovnguard/lab/internal/standin/nb"
	"github.com/ovnguard/ovnguard/lab/internal/standin/upstream"
)

// syncPod does everything that is due for a pod, and for deleted pods of the same name.
func (c *controller) syncPod(ctx context.Context, namespace, name string) error {
	key := namespace + "/" + name
	notes := c.pods.take(key)
	for i, gone := range notes.gone {
		if err := c.removePod(ctx, gone); err != nil {
			c.pods.putBack(key, podNotes{secure: notes.secure, gone: notes.gone[i:]})
			return err
		}
	}
	pod, ok := c.podsSeen.get(namespace, name)
	if !ok || pod.Spec.HostNetwork || pod.DeletionTimestamp != nil || upstream.IsFinished(pod) {
		return nil
	}
	if c.pods.isStale(pod) {
		c.pods.putBack(key, podNotes{secure: notes.secure})
		return nil
	}
	defer c.locks.lock(upstream.PodKey(namespace, upstream.OwnerOf(pod)))()
	// The security update comes first: where one event asks for both, a rebuild of the row has the last word.
	var securityErr error
	if notes.secure {
		if securityErr = c.securePod(ctx, pod); securityErr != nil {
			c.pods.putBack(key, podNotes{secure: true})
		}
	}
	return errors.Join(securityErr, c.allocatePod(ctx, pod))
}

// nics returns the pod's NICs in the present cluster.
func (c *controller) nics(pod *corev1.Pod) ([]upstream.NIC, error) {
	cluster := &upstream.Cluster{
		NAD:           func(namespace, name string) (*crd.NAD, bool) { return c.nads.get(namespace, name) },
		Subnets:       c.subnets.list(),
		DefaultSubnet: DefaultSubnet,
		NonPrimary:    c.cfg.NonPrimary,
	}
	if ns, ok := c.namespaces.get("", pod.Namespace); ok {
		if text := ns.Annotations[kubeovn.DefaultProvider.Key(kubeovn.LogicalSwitch)]; text != "" {
			cluster.NamespaceSubnets = strings.Split(text, ",")
		}
	}
	nics, err := upstream.NICs(c.cfg.Version, pod, cluster)
	if err != nil {
		return nil, fmt.Errorf("networks of pod %s/%s: %w", pod.Namespace, pod.Name, err)
	}
	return nics, nil
}

// allocatePod allocates addresses for the pod's NICs, makes their ports, and puts the ports into their groups.
func (c *controller) allocatePod(ctx context.Context, pod *corev1.Pod) error {
	if problem := upstream.Invalid(pod.Annotations); problem != "" {
		c.event.Event(pod, corev1.EventTypeWarning, reasonInvalid, problem)
		return fmt.Errorf("pod %s/%s: %s", pod.Namespace, pod.Name, problem)
	}
	nics, err := c.nics(pod)
	if err != nil {
		return err
	}
	if pod, err = c.dropPorts(ctx, pod, nics); err != nil || pod == nil {
		return err
	}
	set := map[string]*string{}
	var done []upstream.Allocation
	for _, n := range upstream.ToAllocate(pod, nics) {
		a, err := c.allocateNIC(ctx, pod, n)
		if err != nil {
			return err
		}
		done = append(done, a)
		maps.Copy(set, upstream.Annotations(pod, a))
	}
	if pod, err = c.annotatePod(ctx, pod, set); err != nil || pod == nil {
		return err
	}
	for _, a := range done {
		c.event.Eventf(
			pod,
			corev1.EventTypeNormal,
			reasonAllocated,
			"provider=%s subnet=%s ip=%s mac=%s logicalSwitchPort=%s",
			a.NIC.Provider,
			a.Subnet.Name,
			a.Lease.Addresses(),
			a.Lease.MAC,
			portName(pod, a.NIC),
		)
	}
	return c.routePod(ctx, pod, upstream.ToRoute(pod, nics))
}

// allocateNIC gets the addresses, writes the port, then the IP resource.
func (c *controller) allocateNIC(ctx context.Context, pod *corev1.Pod, n upstream.NIC) (upstream.Allocation, error) {
	a, err := c.acquire(ctx, pod, n)
	if err != nil {
		text := err.Error()
		if c.cfg.Version.NamesStage() {
			text = "stage=acquireAddress error=" + text
		}
		c.event.Event(pod, corev1.EventTypeWarning, reasonAcquireFailed, text)
		return a, fmt.Errorf("addresses for %s of pod %s/%s: %w", n.Provider, pod.Namespace, pod.Name, err)
	}
	if !n.IPAMOnly {
		if err := c.complete(&a); err != nil {
			return a, err
		}
		a.VIPs = upstream.VIPs(pod, n, a.Subnet.Name, c.vip)
		row := upstream.Port(pod, a)
		if err := c.writePort(ctx, row, a.Subnet); err != nil {
			return a, err
		}
		c.queueGroups(&row)
		if upstream.Forward(pod, n) {
			if err := c.forward(ctx, portName(pod, n)); err != nil {
				return a, err
			}
		}
		if len(a.VIPs) > 0 {
			c.queue.add(kindVirtual, "", a.Subnet.Name)
		}
	}
	return a, c.putIP(ctx, pod, a)
}

// complete adds the subnet's settings for its ports.
func (c *controller) complete(a *upstream.Allocation) error {
	a.DefaultVPC = c.cfg.Router
	a.DHCPv4, a.DHCPv6 = a.Subnet.Status.DHCPv4OptionsUUID, a.Subnet.Status.DHCPv6OptionsUUID
	if a.Subnet.Spec.EnableDHCP && a.DHCPv4 == "" && a.DHCPv6 == "" {
		return fmt.Errorf("subnet %s has no DHCP options yet", a.Subnet.Name)
	}
	if a.Subnet.Spec.Vlan == "" {
		return nil
	}
	v, ok := c.vlans.get("", a.Subnet.Spec.Vlan)
	if !ok {
		return fmt.Errorf("subnet %s: vlan %s is not found", a.Subnet.Name, a.Subnet.Spec.Vlan)
	}
	a.Vlan = v
	return nil
}

// writePort makes the port, or writes the columns of an allocation. A port on another switch moves.
func (c *controller) writePort(ctx context.Context, row nb.LogicalSwitchPort, subnet *crd.Subnet) error {
	old, exists, err := c.nb.Port(ctx, row.Name)
	if err != nil {
		return err
	}
	if exists && old.ExternalIDs[kubeovn.ExternalIDSwitch] != subnet.Name {
		if err := c.nb.DeletePort(ctx, row.Name); err != nil {
			return err
		}
		exists = false
	}
	if !exists {
		return c.nb.CreatePort(ctx, subnet.Name, row)
	}
	row.UUID = old.UUID
	return c.nb.UpdatePort(
		ctx,
		&row,
		&row.Addresses,
		&row.PortSecurity,
		&row.ExternalIDs,
		&row.DHCPv4Options,
		&row.DHCPv6Options,
	)
}

// forward adds "unknown" to the port's addresses, in a transaction of its own as upstream does.
func (c *controller) forward(ctx context.Context, name string) error {
	row, ok, err := c.nb.Port(ctx, name)
	if err != nil {
		return err
	}
	if !ok || slices.Contains(row.Addresses, kubeovn.AddressUnknown) {
		return nil
	}
	row.Addresses = append(slices.Clone(row.Addresses), kubeovn.AddressUnknown)
	return c.nb.UpdatePort(ctx, &row, &row.Addresses)
}

// dropPorts deletes the ports of NICs that the pod no longer has, with their annotations. It returns nil if the pod is
// gone.
func (c *controller) dropPorts(ctx context.Context, pod *corev1.Pod, nics []upstream.NIC) (*corev1.Pod, error) {
	owner := upstream.OwnerOf(pod)
	rows, err := c.nb.PortsOfPod(ctx, upstream.PodKey(pod.Namespace, owner))
	if err != nil {
		return nil, err
	}
	set := map[string]*string{}
	for _, row := range rows {
		if row.Type != "" ||
			slices.ContainsFunc(nics, func(n upstream.NIC) bool { return portName(pod, n) == row.Name }) {
			continue
		}
		if err := c.removePort(ctx, row.Name); err != nil {
			return nil, err
		}
		provider, ok := strings.CutPrefix(
			row.Name,
			kubeovn.PortName(owner.Name, pod.Namespace, kubeovn.DefaultProvider)+".",
		)
		if !ok {
			continue
		}
		for key := range pod.Annotations {
			if strings.HasPrefix(key, provider) {
				set[key] = nil
			}
		}
	}
	return c.annotatePod(ctx, pod, set)
}

// portName returns the name of the NIC's port and of its IP resource.
func portName(pod *corev1.Pod, n upstream.NIC) string {
	return kubeovn.PortName(upstream.OwnerOf(pod).Name, pod.Namespace, n.Provider)
}
