package upstream

import (
	"cmp"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/ovnguard/ovnguard/lab/internal/standin/crd"
	"github.com/ovnguard/ovnguard/lab/internal/standin/nb"
)

// Values of the fields of a SecurityGroup's rule.
const (
	ipVersion4    = "ipv4"
	ipVersion6    = "ipv6"
	remoteAddress = "address"
	remoteGroup   = "securityGroup"
	policyAllow   = "allow"
	policyPass    = "pass"
)

// lastGroupTier is the highest tier of a SecurityGroup.
const lastGroupTier = 1

// tiers returns the tiers of OVN that SecurityGroups use.
func (v Version) tiers() []int {
	if v.hasGroupTiers() {
		return []int{PolicyTier, lastTier}
	}
	return []int{PolicyTier}
}

// groupTier returns the tier in OVN of a SecurityGroup's rules.
func (v Version) groupTier(g *crd.SecurityGroup) int {
	if v.hasGroupTiers() {
		return PolicyTier + g.Spec.Tier
	}
	return PolicyTier
}

// DenyAllACLs returns the ACLs of the port group of every port in some SecurityGroup.
func DenyAllACLs(v Version) []nb.ACL {
	var list []nb.ACL
	for _, tier := range v.tiers() {
		for _, s := range []side{ingress, egress} {
			list = append(list, v.acl(
				s, DenyAllGroup, priorityGroupDrop, tier, actionDrop, and(s.of(DenyAllGroup), "ip"),
			))
		}
	}
	return list
}

// GroupACLs returns the ACLs of a SecurityGroup in one direction: its rules, those for members of the same group, and
// those that every group has.
func GroupACLs(v Version, g *crd.SecurityGroup, direction string) []nb.ACL {
	s := ingress
	if direction == FromPort {
		s = egress
	}
	var list []nb.ACL
	group, tier := SecurityGroup(g.Name), v.groupTier(g)
	if g.Spec.AllowSameGroupTraffic {
		v4, v6 := AddressSets(g.Name)
		for _, m := range []struct{ proto, set string }{{"ip4", v4}, {"ip6", v6}} {
			match := and(s.of(group), m.proto, m.proto+"."+s.remote+" == $"+m.set)
			list = append(list, v.acl(s, group, priorityGroupMember, tier, actionAllow, match))
		}
	}
	list = append(list, GroupRules(v, g, direction)...)
	v4, v6 := s.dhcp(group)
	for _, match := range []string{
		and(s.of(group), "arp"),
		and(s.of(group), "icmp6.type == "+s.neighbours, "icmp6.code == 0", "ip.ttl == 255"),
		v4,
		v6,
		and(s.of(group), "ip.proto == 112"),
	} {
		for _, tier := range v.tiers() {
			list = append(list, v.acl(s, group, priorityGroupBase, tier, actionAllow, match))
		}
	}
	return list
}

// GroupRules returns the ACLs of the rules of a SecurityGroup in one direction.
func GroupRules(v Version, g *crd.SecurityGroup, direction string) []nb.ACL {
	s, rules := ingress, g.Spec.IngressRules
	if direction == FromPort {
		s, rules = egress, g.Spec.EgressRules
	}
	list := make([]nb.ACL, 0, len(rules))
	for _, r := range rules {
		list = append(list, v.acl(s, SecurityGroup(g.Name), v.topRule()-r.Priority, v.groupTier(g), v.actionOf(r),
			v.ruleMatch(s, g.Name, r)))
	}
	return list
}

func (v Version) actionOf(r crd.SecurityGroupRule) string {
	switch {
	case r.Policy == policyAllow:
		return actionAllow
	case r.Policy == policyPass && v.hasGroupTiers():
		return actionPass
	}
	return actionDrop
}

// ruleMatch returns the match of a rule. Source ports count only for a rule with a local address.
func (v Version) ruleMatch(s side, group string, r crd.SecurityGroupRule) string {
	proto, icmp, set := "ip4", "icmp4", 0
	if r.IPVersion == ipVersion6 {
		proto, icmp, set = "ip6", "icmp6", 1
	}
	remote := r.RemoteAddress
	if r.RemoteType == remoteGroup {
		v4, v6 := AddressSets(r.RemoteSecurityGroup)
		remote = "$" + []string{v4, v6}[set]
	}
	parts := []string{s.of(SecurityGroup(group)), proto, proto + "." + s.remote + " == " + remote}
	local := r.LocalAddress != "" && v.hasGroupTiers()
	if local {
		parts = append(parts, proto+"."+s.local+" == "+r.LocalAddress)
	}
	switch r.Protocol {
	case "icmp":
		parts = append(parts, icmp)
	case "tcp", "udp":
		parts = append(parts, between(r.PortRangeMin, r.Protocol+".dst", r.PortRangeMax))
		if local {
			parts = append(parts, between(r.SourcePortRangeMin, r.Protocol+".src", r.SourcePortRangeMax))
		}
	}
	return and(parts...)
}

func between(low int, field string, high int) string {
	return strconv.Itoa(low) + " <= " + field + " <= " + strconv.Itoa(high)
}

// CheckGroup returns why the controller refuses a SecurityGroup, and nil if it writes its rules. exists reports whether
// there is a SecurityGroup of a name.
func CheckGroup(v Version, g *crd.SecurityGroup, exists func(name string) bool) error {
	if v.hasGroupTiers() && (g.Spec.Tier < 0 || g.Spec.Tier > lastGroupTier) {
		return fmt.Errorf("security group %s: spec.tier %d is not 0 or %d", g.Name, g.Spec.Tier, lastGroupTier)
	}
	return cmp.Or(
		v.checkRules(g, "ingressRules", g.Spec.IngressRules, exists),
		v.checkRules(g, "egressRules", g.Spec.EgressRules, exists),
	)
}

func (v Version) checkRules(
	g *crd.SecurityGroup,
	field string,
	rules []crd.SecurityGroupRule,
	exists func(name string) bool,
) error {
	for i, r := range rules {
		if problem := v.checkRule(g, r, exists); problem != "" {
			return fmt.Errorf("security group %s: spec.%s[%d]: %s", g.Name, field, i, problem)
		}
	}
	return nil
}

func (v Version) checkRule(g *crd.SecurityGroup, r crd.SecurityGroupRule, exists func(name string) bool) string {
	switch {
	case r.IPVersion != ipVersion4 && r.IPVersion != ipVersion6:
		return fmt.Sprintf("ipVersion %q is not ipv4 or ipv6", r.IPVersion)
	case r.Priority < 1 || r.Priority > v.lastRule():
		return fmt.Sprintf("priority %d is not between 1 and %d", r.Priority, v.lastRule())
	case v.hasGroupTiers() && g.Spec.Tier == lastGroupTier && r.Policy == policyPass:
		return "policy pass has no tier to pass to"
	}
	switch r.RemoteType {
	case remoteAddress:
		if !isAddress(r.RemoteAddress) {
			return fmt.Sprintf("remoteAddress %q is no address and no prefix", r.RemoteAddress)
		}
	case remoteGroup:
		if !exists(r.RemoteSecurityGroup) {
			return fmt.Sprintf("remoteSecurityGroup %q does not exist", r.RemoteSecurityGroup)
		}
	default:
		return fmt.Sprintf("remoteType %q is not address or securityGroup", r.RemoteType)
	}
	local := r.LocalAddress != "" && v.hasGroupTiers()
	if local && !isAddress(r.LocalAddress) {
		return fmt.Sprintf("localAddress %q is no address and no prefix", r.LocalAddress)
	}
	if r.Protocol != "tcp" && r.Protocol != "udp" {
		return ""
	}
	if !isRange(r.PortRangeMin, r.PortRangeMax) {
		return fmt.Sprintf("portRangeMin %d and portRangeMax %d are no range of ports", r.PortRangeMin, r.PortRangeMax)
	}
	if local && !isRange(r.SourcePortRangeMin, r.SourcePortRangeMax) {
		return fmt.Sprintf("sourcePortRangeMin %d and sourcePortRangeMax %d are no range of ports",
			r.SourcePortRangeMin, r.SourcePortRangeMax)
	}
	return ""
}

func isAddress(text string) bool {
	if strings.Contains(text, "/") {
		_, err := netip.ParsePrefix(text)
		return err == nil
	}
	_, err := netip.ParseAddr(text)
	return err == nil
}

func isRange(low, high int) bool {
	const lastPort = 65535
	return low >= 1 && high <= lastPort && low <= high
}

// NeedsTiers reports whether an ACL means something else where OVN has no tiers: it stands in a later tier than the one
// of everything else, or passes to one.
func NeedsTiers(a nb.ACL) bool { return a.Tier > PolicyTier || a.Action == actionPass }
