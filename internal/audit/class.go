package audit

import (
	"slices"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// Class says what kind of port it is, and so what may be expected of it.
type Class string

// Classes of ports.
const (
	// ClassPod is a NIC of a pod.
	ClassPod Class = "pod"
	// ClassVM is a NIC of a KubeVirt machine; ClassMigrating is one of a machine that KubeVirt moves at that time.
	ClassVM        Class = "vm"
	ClassMigrating Class = "vm-migrating"
	// ClassNATGateway is a NIC of a gateway that Kube-OVN runs to translate addresses, ClassEgressGateway of one
	// through which pods leave, and ClassLoadBalancer of one that spreads a Service. They forward what others send.
	ClassNATGateway    Class = "nat-gateway"
	ClassEgressGateway Class = "egress-gateway"
	ClassLoadBalancer  Class = "load-balancer"
	// ClassNode is the port that connects a node to the pods.
	ClassNode Class = "node"
	// ClassRouter and ClassLocalnet join a switch to a router and to a physical network.
	ClassRouter   Class = "router"
	ClassLocalnet Class = "localnet"
	// ClassVirtual holds an address that several ports share.
	ClassVirtual Class = "virtual"
	// ClassUnknown is a port without proof of its kind.
	ClassUnknown Class = "unknown"
)

// Classes returns all classes.
func Classes() []Class {
	return []Class{
		ClassPod, ClassVM, ClassMigrating, ClassNATGateway, ClassEgressGateway, ClassLoadBalancer, ClassNode,
		ClassRouter, ClassLocalnet, ClassVirtual, ClassUnknown,
	}
}

const (
	keeperOfMachines = "VirtualMachine"
	typeRouter       = "router"
	typeLocalnet     = "localnet"
	typeVirtual      = "virtual"
)

// ClassOf returns the class of a port. It rests on what only Kube-OVN or KubeVirt can have made: the row's type and
// marks, resources, owners that exist. A name proves nothing, nor do labels and annotations that a tenant may write.
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
	case p.Node != "", nodeNamed(p) != "":
		return ClassNode
	}
	return ClassUnknown
}

func classOfPod(p *inventory.Port) Class {
	if p.Passing != nil {
		switch p.Passing.Kind {
		case kubeovn.KindNATGateway:
			return ClassNATGateway
		case kubeovn.KindEgressGateway:
			return ClassEgressGateway
		}
		return ClassLoadBalancer
	}
	// Until its owner is seen to be one it is no machine: a tenant may write any owner into a pod, and its port bears
	// that name then.
	machine := slices.ContainsFunc(
		p.Owners,
		func(o policy.Owner) bool { return kubeovn.OwnsLauncher(o.APIVersion, o.Kind) },
	)
	switch {
	case machine && p.Migrates:
		return ClassMigrating
	case machine:
		return ClassVM
	}
	return ClassPod
}
