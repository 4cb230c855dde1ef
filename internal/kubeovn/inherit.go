package kubeovn

import (
	"fmt"
	"slices"
	"strings"
)

// InheritableSuffixes are the suffixes of the keys that a namespace may hand down to its pods: those of class Harmless
// that Kube-OVN reads of ordinary pods. Keys that mark gateways and devices (vpc_nat_gw, vf, generate-hash) are not
// among them: in Kube-OVN's own namespace vpc_nat_gw proves that a pod is a gateway.
var InheritableSuffixes = []Suffix{
	"bgp",
	"default_route",
	"dhcp-v4-options",
	"dhcp-v6-options",
	"egress_burst",
	"egress_rate",
	"ingress_burst",
	"ingress_rate",
	"jitter",
	"latency",
	"limit",
	"loss",
	"mirror",
	"routes",
}

// Inheritable reports whether a namespace may hand the key down to its pods: it is about a NIC on OVN, and has no
// effect on what a port may send or takes in.
func Inheritable(key string) bool {
	provider, suffix, ok := SplitKey(key)
	return ok && slices.Contains(InheritableSuffixes, suffix) && ClassOf(key) == Harmless && provider.isNIC()
}

// isNIC reports whether the provider is that of the default network, "ovn", or of an attachment on OVN,
// "<attachment>.<namespace>.ovn".
func (p Provider) isNIC() bool {
	attachment, onOVN := strings.CutSuffix(string(p), ".ovn")
	return p == DefaultProvider || onOVN && strings.Contains(attachment, ".")
}

// WhyNotInherited says why a namespace may not hand the key down to its pods; "" where it may.
func WhyNotInherited(key string) string {
	if Inheritable(key) {
		return ""
	}
	switch ClassOf(key) {
	case LevelKey:
		return "it decides what a port may send or takes in; a namespace may carry it for its pods without this list, and " +
			"policy decides how far it counts"
	case GrantKey:
		return "it adds addresses to a port; grant them to single pods by a PortSecurityException or a Vip"
	case IdentityKey:
		return "it chooses the addresses, the MAC or the subnet of a port"
	case OwnKey:
		return "Kube-OVN writes it itself and trusts it"
	case MachineKey:
		return "it makes Kube-OVN treat a port as in a live migration, and is for KubeVirt and Kube-OVN to write"
	case EgressKey:
		return "it takes an external address or steers traffic to a router; pods ask for that themselves where " +
			"spec.externalAddresses allows it"
	case GroupKey:
		return "it puts a port into security groups"
	case NetworkKey:
		return "it chooses the networks of a pod"
	case WishKey:
		return "Kube-OVN takes it over when it makes the port"
	case UnknownKey:
		return "ovnguard does not know what it does to a port"
	case Harmless:
	}
	_, suffix, ok := SplitKey(key)
	if ok && slices.Contains(InheritableSuffixes, suffix) {
		return fmt.Sprintf("it is about no NIC on OVN; write ovn.kubernetes.io/%s for the default network, or "+
			"ATTACHMENT.NAMESPACE.ovn.kubernetes.io/%s for an attachment", suffix, suffix)
	}
	return "it is no key that Kube-OVN reads of ordinary pods"
}
