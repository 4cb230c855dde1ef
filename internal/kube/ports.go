package kube

import (
	"cmp"
	"hash/maphash"
	"slices"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"

	"github.com/ovnguard/ovnguard/internal/inventory"
)

// portLists are lists of named ports that were met lately, by a hash: pods of one ReplicaSet have the same.
var portLists [1024]atomic.Pointer[[]inventory.NamedPort]

// namedPorts returns the ports with a name of the containers that run with the pod: its own, and sidecars among its
// init containers. Pods with the same list have it in common. A number that is none of a port is passed over: the API
// server lets none in.
func namedPorts(spec *corev1.PodSpec) []inventory.NamedPort {
	var ports []inventory.NamedPort
	add := func(c *corev1.Container) {
		for _, p := range c.Ports {
			if p.Name == "" || p.ContainerPort < 1 || p.ContainerPort > 1<<16-1 {
				continue
			}
			ports = append(ports, inventory.NamedPort{
				Name: shared(p.Name), Protocol: shared(string(cmp.Or(p.Protocol, corev1.ProtocolTCP))),
				Number: uint16(p.ContainerPort),
			})
		}
	}
	for i := range spec.InitContainers {
		c := &spec.InitContainers[i]
		if c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			add(c)
		}
	}
	for i := range spec.Containers {
		add(&spec.Containers[i])
	}
	if len(ports) == 0 {
		return nil
	}
	var hash maphash.Hash
	hash.SetSeed(seed)
	for _, p := range ports {
		maphash.WriteComparable(&hash, p)
	}
	at := &portLists[hash.Sum64()%uint64(len(portLists))]
	if met := at.Load(); met != nil && slices.Equal(*met, ports) {
		return *met
	}
	ports = slices.Clip(ports)
	at.Store(&ports)
	return ports
}
