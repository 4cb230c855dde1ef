// Package upstream has the rules that Kube-OVN's controller follows to turn pods into ports: which NICs a pod has, what
// it writes for an allocation, what it writes when a watched annotation changes, and what it leaves alone. Its
// functions only compute values; nothing here talks to Kubernetes or to OVN. The rules are those seen on the real
// controller.
package upstream

import "fmt"

// Version is the release line of Kube-OVN to behave as.
type Version string

// Release lines that were observed. They differ in the treatment of an attachment that is listed twice, of ip_family
// and of subnets without a CIDR.
const (
	Master Version = "master"
	V1_15  Version = "1.15"
	V1_14  Version = "1.14"
)

// ParseVersion parses the name of a release line; an empty one means Master.
func ParseVersion(text string) (Version, error) {
	switch v := Version(text); v {
	case "":
		return Master, nil
	case Master, V1_15, V1_14:
		return v, nil
	}
	return "", fmt.Errorf("version %q is not known, use %q, %q or %q", text, Master, V1_15, V1_14)
}

// providerPerInterface reports whether an attachment listed more than once gets a provider for each interface name.
func (v Version) providerPerInterface() bool { return v == Master }

// HonoursFamily reports whether the annotation ip_family limits what is allocated.
func (v Version) HonoursFamily() bool { return v == Master }

// AllowsMACOnly reports whether a subnet may be without a CIDR.
func (v Version) AllowsMACOnly() bool { return v == Master }

// NamesStage reports whether the event about a refused address names the stage of the refusal.
func (v Version) NamesStage() bool { return v == Master }

// DeletesForeignGroups reports whether port groups and switch ACLs of others are deleted when the controller starts.
func (v Version) DeletesForeignGroups() bool { return v == V1_14 }

// KeepsGroupsOfMovedVM reports whether a VM's port stays in its node's groups when the pod that the VM moved away from
// goes.
func (v Version) KeepsGroupsOfMovedVM() bool { return v == Master }

// DeletesAfterGrace reports whether the ports of a pod go away when its grace period ends although no node confirmed
// that it has stopped.
func (v Version) DeletesAfterGrace() bool { return v == V1_14 }

// marksPolicies reports whether rows of NetworkPolicies carry the mark of Kube-OVN's rows.
func (v Version) marksPolicies() bool { return v != V1_14 }

// inlinesBlocks reports whether the prefixes of ipBlock stand in the match of an ACL of their own, and not in the
// address sets of the rule.
func (v Version) inlinesBlocks() bool { return v != V1_14 }

// dropsPerFamily reports whether a policy has the ACL that drops what no rule allows once for each family.
func (v Version) dropsPerFamily() bool { return v == V1_14 }

// followsAnyAnnotation reports whether any changed annotation of a NetworkPolicy has its rows written again.
func (v Version) followsAnyAnnotation() bool { return v == V1_14 }

// knowsLax reports whether a NetworkPolicy may be lax.
func (v Version) knowsLax() bool { return v != V1_14 }

// knowsPolicyFor reports whether a NetworkPolicy may be for some networks only.
func (v Version) knowsPolicyFor() bool { return v == Master }

// allowsGateways reports whether the ports of a NetworkPolicy may talk to their subnet's gateway at every port; later
// releases allow ICMPv6 in its place.
func (v Version) allowsGateways() bool { return v == V1_14 }

// topRule is the priority above that of the first rule of a SecurityGroup.
func (v Version) topRule() int {
	if v == Master {
		return 18484
	}
	return 2300
}

// lastRule is the highest number of a SecurityGroup's rule.
func (v Version) lastRule() int {
	if v == Master {
		return 16384
	}
	return 200
}

// hasGroupTiers reports whether SecurityGroups have tiers, local addresses and rules that pass.
func (v Version) hasGroupTiers() bool { return v == Master }
