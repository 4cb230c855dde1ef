package audit

import (
	"strings"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// Class says what kind of port it is, and so what may be expected of it.
type Class string

// Classes of ports.
const (
	// ClassPod is a NIC of a pod.
	ClassPod Class = "pod"
	// ClassVM is a NIC of a KubeVirt machine; ClassMigrating is one of a machine that moves, whose port two launchers share, or two
	// chassis.
	ClassVM        Class = "vm"
	ClassMigrating Class = "vm-migrating"
	// ClassNATGateway is a NIC of a gateway that Kube-OVN runs to translate addresses, ClassEgressGateway of one through which pods
	// leave, and ClassLoadBalancer of one that spreads a Service. They forward what others send.
	ClassNATGateway    Class = "nat-gateway"
	ClassEgressGateway Class = "egress-gateway"
	ClassLoadBalancer  Class = "load-balancer"
	// ClassNode is the port by which a node reaches the pods.
	ClassNode Class = "node"
	// ClassRouter and ClassLocalnet join a switch to a router and to a physical network.
	ClassRouter   Class = "router"
	ClassLocalnet Class = "localnet"
	// ClassVirtual holds an address that several ports share.
	ClassVirtual Class = "virtual"
	// ClassUnknown is a port of which nothing proves what it is.
	ClassUnknown Class = "unknown"
)

// Expectation says in one sentence what is expected of a port of the class.
func (c Class) Expectation() string {
	switch c {
	case ClassPod, ClassVM:
		return "what policy decides for it: strict, unless something loosens it"
	case ClassMigrating:
		return "as a machine's port; nothing is written to it until the migration has ended"
	case ClassNATGateway, ClassEgressGateway, ClassLoadBalancer:
		return "what policy decides for it; it forwards what others send, so that it needs an exception for these addresses"
	case ClassNode, ClassRouter, ClassLocalnet, ClassVirtual:
		return "nothing: what goes through it is not a pod's to send"
	case ClassUnknown:
	}
	return "nothing; who made it, and why, is to be found out"
}

// Kinds of objects that own pods which forward for others. Kube-OVN gives their pods an owner, which a tenant cannot have made.
const (
	kindEgressGateway = "VpcEgressGateway"
	kubeovnGroup      = "kubeovn.io/"
	// loadBalancerKey is on the pods of a Service's load balancer. It proves something in Kube-OVN's own namespace only, where no tenant
	// makes pods, as kubeovn.NATGateway does.
	loadBalancerKey  = "ovn.kubernetes.io/vpc_lb"
	kubeovnNamespace = "kube-system"
	keeperOfMachines = "VirtualMachine"
	typeRouter       = "router"
	typeLocalnet     = "localnet"
	typeVirtual      = "virtual"
	labelNATGateway  = "ovn.kubernetes.io/vpc-nat-gw"
)

// ClassOf gives the class of a port. It rests on what only Kube-OVN or KubeVirt can have made: the row's type and marks, resources,
// owners that exist. A name proves nothing, nor do labels and annotations that a tenant may write.
func ClassOf(p *inventory.Port) Class {
	if p.Pod != nil {
		return classOfPod(p)
	}
	switch {
	case p.Vip:
		return ClassVirtual
	case p.Record != nil && p.Record.Keeper == keeperOfMachines:
		return ClassVM
	case p.Row == nil:
		return ClassUnknown
	}
	switch p.Row.Type {
	case typeRouter:
		return ClassRouter
	case typeLocalnet:
		return ClassLocalnet
	case typeVirtual:
		return ClassVirtual
	case "":
	default:
		return ClassUnknown
	}
	ids := p.Row.ExternalIDs
	switch {
	case ids[kubeovn.ExternalIDVendor] != kubeovn.Vendor:
		return ClassUnknown
	case ids[kubeovn.ExternalIDPod] != "":
		return ClassPod
	case p.Node != "":
		return ClassNode
	}
	return ClassUnknown
}

func classOfPod(p *inventory.Port) Class {
	machine := false // until its owner is seen to be one: a tenant may write any owner into a pod, and its port bears that name then
	for _, o := range p.Owners {
		switch {
		case o.Kind == kindEgressGateway && strings.HasPrefix(o.APIVersion, kubeovnGroup):
			return ClassEgressGateway
		case kubeovn.OwnsLauncher(o.APIVersion, o.Kind):
			machine = true
		}
	}
	switch {
	case machine && p.Claims > 1, p.Binding != nil && p.Binding.Moving:
		return ClassMigrating
	case machine:
		return ClassVM
	case p.Pod.Namespace != kubeovnNamespace || len(p.Owners) == 0:
		return ClassPod
	case p.Pod.Annotations[kubeovn.NATGateway] == kubeovn.True, p.Pod.Labels[labelNATGateway] == kubeovn.True:
		return ClassNATGateway
	case p.Pod.Labels[loadBalancerKey] != "":
		return ClassLoadBalancer
	}
	return ClassPod
}
