package kube

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// NodeOf returns the addresses of a node.
func NodeOf(o *corev1.Node) inventory.Fixed {
	f := inventory.Fixed{Holder: inventory.Holder{Kind: inventory.HeldByNode, Name: o.Name}}
	for _, a := range o.Status.Addresses {
		if a.Type == corev1.NodeInternalIP || a.Type == corev1.NodeExternalIP {
			f.Addresses = appendAddress(f.Addresses, a.Address)
		}
	}
	return f
}

// NodeIdentityOf returns what Kube-OVN noted on a node for its port.
func NodeIdentityOf(o *corev1.Node) inventory.NodeIdentity {
	out := inventory.NodeIdentity{Node: o.Name}
	if key := kubeovn.DefaultProvider.Key; o.Annotations[key(kubeovn.Allocated)] == kubeovn.True {
		out.MAC, out.IPs = o.Annotations[key(kubeovn.MACAddress)], o.Annotations[key(kubeovn.IPAddress)]
	}
	return out
}

// ServiceOf returns the addresses of a Service inside the cluster.
func ServiceOf(o *corev1.Service) inventory.Fixed {
	f := inventory.Fixed{Holder: inventory.Holder{Kind: inventory.HeldByService, Name: o.Namespace + "/" + o.Name}}
	for _, a := range o.Spec.ClusterIPs {
		f.Addresses = appendAddress(f.Addresses, a)
	}
	return f
}

// BalancerOf returns the addresses that load balancers have given to a Service.
func BalancerOf(o *corev1.Service) inventory.Fixed {
	f := inventory.Fixed{Holder: inventory.Holder{Kind: inventory.HeldByBalancer, Name: o.Namespace + "/" + o.Name}}
	for _, i := range o.Status.LoadBalancer.Ingress {
		f.Addresses = appendAddress(f.Addresses, i.IP)
	}
	return f
}

// ExternalOf returns the addresses outside the cluster that a Service claims.
func ExternalOf(o *corev1.Service) inventory.Fixed {
	f := inventory.Fixed{Holder: inventory.Holder{Kind: inventory.HeldByExternal, Name: o.Namespace + "/" + o.Name}}
	for _, a := range o.Spec.ExternalIPs {
		f.Addresses = appendAddress(f.Addresses, a)
	}
	return f
}

// setService enters all addresses of a Service. Few have any outside the cluster.
func setService(inv *inventory.Inventory, o *corev1.Service) (touched []string) {
	touched = inv.SetFixed(ServiceOf(o))
	for _, f := range []inventory.Fixed{BalancerOf(o), ExternalOf(o)} {
		if len(f.Addresses) == 0 {
			touched = append(touched, inv.DeleteFixed(f.Holder)...)
			continue
		}
		touched = append(touched, inv.SetFixed(f)...)
	}
	return touched
}

// deleteService takes them out.
func deleteService(inv *inventory.Inventory, o *corev1.Service) (touched []string) {
	for _, f := range []inventory.Fixed{ServiceOf(o), BalancerOf(o), ExternalOf(o)} {
		touched = append(touched, inv.DeleteFixed(f.Holder)...)
	}
	return touched
}
