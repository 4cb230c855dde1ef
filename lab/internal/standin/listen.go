package standin

import (
	"errors"
	"maps"
	"reflect"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/lab/internal/standin/crd"
	"github.com/ovnguard/ovnguard/lab/internal/standin/upstream"
)

// listen turns changes in the cluster into tasks. Upstream does not notice the other changes either.
func (c *controller) listen() error {
	return errors.Join(
		c.namespaces.on(c.namespaceChanged, c.namespaceGone),
		c.nodes.on(
			func(_, n *corev1.Node) { c.queue.add(kindNode, "", n.Name) },
			func(n *corev1.Node) { c.queue.add(kindNode, "", n.Name) },
		),
		c.vpcs.on(
			func(_, v *crd.Vpc) { c.queue.add(kindVPC, "", v.Name) },
			func(v *crd.Vpc) { c.queue.add(kindVPC, "", v.Name) },
		),
		c.subnets.on(c.subnetChanged, func(s *crd.Subnet) { c.queue.add(kindSubnet, "", s.Name) }),
		c.pools.on(
			func(_, p *crd.IPPool) { c.queue.add(kindPool, "", p.Name) },
			func(p *crd.IPPool) { c.queue.add(kindPool, "", p.Name) },
		),
		c.vips.on(c.vipChanged, c.vipGone),
		c.policies.on(c.policyChanged, c.policyGone),
		c.groups.on(c.groupChanged, func(g *crd.SecurityGroup) { c.queue.add(kindGroup, "", g.Name) }),
		c.ips.on(c.ipChanged, func(*crd.IP) {}),
		c.podsSeen.on(c.podChanged, c.podGone),
	)
}

func (c *controller) podChanged(before, pod *corev1.Pod) {
	defer c.pods.saw(pod)
	if before == nil {
		if pod.Status.PodIP != "" {
			c.queuePoliciesOf(pod)
		}
		c.podAppeared(pod)
		return
	}
	for _, name := range append(upstream.VipNames(before), upstream.VipNames(pod)...) {
		c.queue.add(kindParents, "", name)
	}
	key := pod.Namespace + "/" + pod.Name
	owner := upstream.OwnerOf(pod)
	if pod.Spec.HostNetwork {
		return
	}
	c.queuePoliciesOfChanged(before, pod)
	switch {
	case pod.DeletionTimestamp != nil:
		c.podTerminating(pod)
		return
	case upstream.IsFinished(pod):
		if owner.StatefulSet == "" && !owner.VM {
			c.pods.gone(key, pod)
			c.queue.add(kindPod, pod.Namespace, pod.Name)
		}
		return
	}
	nics, err := c.nics(pod)
	if err != nil {
		// The change is lost, as it is upstream: nothing looks again until the pod changes once more.
		c.log.Warn("pod change is not dealt with", "pod", key, "error", err)
		return
	}
	if upstream.SecurityChanged(before, pod, nics) {
		c.pods.secure(key)
	}
	c.queue.add(kindPod, pod.Namespace, pod.Name)
}

// podAppeared handles a pod that is new, or new to a stand-in that has just started.
func (c *controller) podAppeared(pod *corev1.Pod) {
	if pod.Spec.HostNetwork || pod.DeletionTimestamp != nil {
		return
	}
	owner := upstream.OwnerOf(pod)
	if upstream.IsFinished(pod) {
		if owner.StatefulSet == "" && !owner.VM {
			c.pods.gone(pod.Namespace+"/"+pod.Name, pod)
			c.queue.add(kindPod, pod.Namespace, pod.Name)
		}
		return
	}
	nics := func() []upstream.NIC {
		nics, err := c.nics(pod)
		if err != nil {
			c.log.Warn("pod is not dealt with", "pod", pod.Namespace+"/"+pod.Name, "error", err)
		}
		return nics
	}
	hasIP := func(port string) bool { _, ok := c.ips.get("", port); return ok }
	if upstream.NeedsSync(pod, nics, hasIP) {
		c.queue.add(kindPod, pod.Namespace, pod.Name)
	}
}

// podTerminating deletes the ports of a pod that has not ended within its grace period, on the release line that does
// so.
func (c *controller) podTerminating(pod *corev1.Pod) {
	if !c.cfg.Version.DeletesAfterGrace() {
		return
	}
	time.AfterFunc(time.Until(pod.DeletionTimestamp.Time), func() {
		if now, ok := c.podsSeen.get(pod.Namespace, pod.Name); ok && now.UID == pod.UID {
			c.pods.gone(pod.Namespace+"/"+pod.Name, pod)
			c.queue.add(kindPod, pod.Namespace, pod.Name)
		}
	})
}

func (c *controller) podGone(pod *corev1.Pod) {
	defer c.pods.saw(pod)
	for _, name := range upstream.VipNames(pod) {
		c.queue.add(kindParents, "", name)
	}
	if pod.Spec.HostNetwork {
		return
	}
	c.queuePoliciesOf(pod)
	key := pod.Namespace + "/" + pod.Name
	c.pods.gone(key, pod)
	c.pods.forget(key)
	c.queue.add(kindPod, pod.Namespace, pod.Name)
}

// namespaceChanged queues new namespaces, namespaces with changed labels and those that lost their switch.
func (c *controller) namespaceChanged(before, ns *corev1.Namespace) {
	c.queuePoliciesOfNamespace(before, ns)
	if before == nil || !maps.Equal(before.Labels, ns.Labels) ||
		ns.Annotations[kubeovn.DefaultProvider.Key(kubeovn.LogicalSwitch)] == "" {
		c.queue.add(kindNamespace, "", ns.Name)
	}
}

func (c *controller) subnetChanged(before, s *crd.Subnet) {
	if before != nil && before.Generation == s.Generation &&
		(before.DeletionTimestamp == nil) == (s.DeletionTimestamp == nil) {
		return // a change of the status only
	}
	c.queue.add(kindSubnet, "", s.Name)
	if before == nil || !slices.Equal(before.Spec.Namespaces, s.Spec.Namespaces) ||
		!reflect.DeepEqual(before.Spec.NamespaceSelectors, s.Spec.NamespaceSelectors) {
		for _, ns := range c.namespaces.list() {
			c.queue.add(kindNamespace, "", ns.Name)
		}
	}
}

func (c *controller) vipChanged(before, v *crd.Vip) {
	c.queue.add(kindVip, "", v.Name)
	if before != nil && !slices.Equal(before.Spec.Selector, v.Spec.Selector) {
		c.queue.add(kindParents, "", v.Name)
	}
}

func (c *controller) vipGone(v *crd.Vip) { c.queue.add(kindVip, "", v.Name) }

// ipChanged only queues IP resources that a user deletes.
func (c *controller) ipChanged(_, ip *crd.IP) {
	if ip.DeletionTimestamp != nil {
		c.queue.add(kindIP, "", ip.Name)
	}
}
