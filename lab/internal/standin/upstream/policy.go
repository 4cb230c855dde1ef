package upstream

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/lab/internal/standin/crd"
	"github.com/ovnguard/ovnguard/lab/internal/standin/nb"
)

// Annotations of a NetworkPolicy.
const (
	// PolicyLog has the ACLs that drop logged.
	PolicyLog = "ovn.kubernetes.io/enable_log"
	// PolicyLogActions lists the actions that are logged.
	PolicyLogActions = "ovn.kubernetes.io/log_acl_actions"
	// PolicyEnforcement is "lax" for a policy that drops TCP, UDP and SCTP and lets all other traffic pass.
	PolicyEnforcement = "ovn.kubernetes.io/network_policy_enforcement"
	// PolicyFor lists the networks that a policy is for: "ovn" or "<namespace>/<name>" of an attachment.
	PolicyFor = "ovn.kubernetes.io/network_policy_for"
)

// PolicyKey is the external_ids key that names the NetworkPolicy of a port group or an address set.
const PolicyKey = "np"

// PolicyNIC is a NIC of a pod as policies see it.
type PolicyNIC struct {
	Provider kubeovn.Provider
	// Port is the name of its port.
	Port string
	// Subnet is the subnet that it is on; nil if it is not known.
	Subnet *crd.Subnet
}

// PolicyPod is a pod with its NICs as policies see them.
type PolicyPod struct {
	*corev1.Pod
	NICs []PolicyNIC
}

// PolicyCluster has what the rows of a NetworkPolicy depend on.
type PolicyCluster struct {
	Namespaces []*corev1.Namespace
	// Pods are the pods of all namespaces. Where several give a port's name different numbers, the first of the
	// namespace decides.
	Pods []PolicyPod
}

// PolicyRows are the rows that a NetworkPolicy becomes.
type PolicyRows struct {
	// Group is the port group, with the names of its ports in Ports.
	Group nb.PortGroup
	Ports []string
	// AddressSets are those that must exist; an address set of an earlier state of the policy stays, unless Stale says
	// otherwise.
	AddressSets []nb.AddressSet
	// ACLs belong to the group.
	ACLs []nb.ACL
}

// policyName returns the policy's name as its rows have it: it begins with a letter.
func policyName(name string) string {
	if first := []rune(name); len(first) > 0 && !unicode.IsLetter(first[0]) {
		return "np" + name
	}
	return name
}

// PolicyGroup returns the name of the port group of a NetworkPolicy.
func PolicyGroup(namespace, name string) string { return dotted(policyName(name) + "." + namespace) }

// PolicyID returns the value of PolicyKey of the policy's port group; its address sets have the direction behind it.
func PolicyID(namespace, name string) string { return namespace + "/" + policyName(name) }

// Stale reports whether an address set of a policy has no rule any more.
func Stale(np *networkingv1.NetworkPolicy, set *nb.AddressSet) bool {
	direction, rules := ingress.name, len(np.Spec.Ingress)
	if strings.HasSuffix(set.ExternalIDs[PolicyKey], "/"+egress.name) {
		direction, rules = egress.name, len(np.Spec.Egress)
	}
	if !governs(np, direction) {
		return true
	}
	last := set.Name[strings.LastIndexByte(set.Name, '.')+1:]
	if last == allRules {
		return false
	}
	n, err := strconv.Atoi(last)
	return err != nil || n >= rules
}

// allRules stands in the place of a rule's number where a direction has no rules.
const allRules = "all"

// governs reports whether a policy restricts traffic in a direction.
func governs(np *networkingv1.NetworkPolicy, direction string) bool {
	for _, t := range np.Spec.PolicyTypes {
		if strings.Contains(strings.ToLower(string(t)), direction) {
			return true
		}
	}
	if direction == ingress.name {
		return np.Spec.Ingress != nil
	}
	return np.Spec.Egress != nil
}

// rule is a rule of either direction.
type rule struct {
	peers []networkingv1.NetworkPolicyPeer
	ports []networkingv1.NetworkPolicyPort
}

func rulesOf(np *networkingv1.NetworkPolicy, s side) []rule {
	var list []rule
	if s.direction == ToPort {
		for _, r := range np.Spec.Ingress {
			list = append(list, rule{r.From, r.Ports})
		}
		return list
	}
	for _, r := range np.Spec.Egress {
		list = append(list, rule{r.To, r.Ports})
	}
	return list
}

// compiler turns one policy into rows.
type compiler struct {
	v         Version
	np        *networkingv1.NetworkPolicy
	cluster   *PolicyCluster
	name      string
	group     string
	networks  networks
	numbers   map[string]int32
	log, lax  bool
	logsAllow bool
	rows      PolicyRows
}

// Policy returns the rows of a NetworkPolicy. An unreadable selector is an error, and nothing is written.
func Policy(v Version, np *networkingv1.NetworkPolicy, cluster *PolicyCluster) (PolicyRows, error) {
	c := &compiler{
		v: v, np: np, cluster: cluster, name: policyName(np.Name), group: PolicyGroup(np.Namespace, np.Name),
		networks: parseNetworksFor(v, np.Annotations[PolicyFor]),
		numbers:  portNumbers(np.Namespace, cluster.Pods),
		log:      np.Annotations[PolicyLog] == "true",
		lax:      v.knowsLax() && np.Annotations[PolicyEnforcement] == "lax",
	}
	if text := np.Annotations[PolicyLogActions]; text != "" {
		c.logsAllow = c.log && slices.Contains(strings.Split(text, ","), "allow")
	}
	c.rows.Group = nb.PortGroup{
		Name:        c.group,
		ExternalIDs: v.owned(map[string]string{PolicyKey: PolicyID(np.Namespace, np.Name)}),
	}
	subnets, err := c.selectPorts()
	if err != nil {
		return PolicyRows{}, err
	}
	families := familiesOf(subnets)
	for _, s := range []side{ingress, egress} {
		if governs(np, s.name) {
			if err := c.direction(s, families); err != nil {
				return PolicyRows{}, err
			}
		}
	}
	c.gateways(subnets, families)
	return c.rows, nil
}

// familiesOf returns the families of subnets.
func familiesOf(subnets []*crd.Subnet) []string {
	var list []string
	for _, s := range subnets {
		switch s.Spec.Protocol {
		case familyDual:
			list = append(list, familyIPv4, familyIPv6)
		default:
			list = append(list, s.Spec.Protocol)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// selectPorts finds the ports that the policy is for, and their subnets.
func (c *compiler) selectPorts() ([]*crd.Subnet, error) {
	selector, err := metav1.LabelSelectorAsSelector(&c.np.Spec.PodSelector)
	if err != nil {
		return nil, fmt.Errorf("spec.podSelector: %w", err)
	}
	var subnets []*crd.Subnet
	for _, pod := range c.cluster.Pods {
		if pod.Namespace != c.np.Namespace || pod.Spec.HostNetwork || !selector.Matches(labels.Set(pod.Labels)) {
			continue
		}
		for _, n := range pod.NICs {
			if n.Subnet == nil || !n.Subnet.IsOVN() || !c.networks.include(n.Provider) ||
				pod.Annotations[n.Provider.Key(kubeovn.Allocated)] != kubeovn.True {
				continue
			}
			c.rows.Ports = append(c.rows.Ports, n.Port)
			if !slices.Contains(subnets, n.Subnet) {
				subnets = append(subnets, n.Subnet)
			}
		}
	}
	return subnets, nil
}

// direction adds the address sets and ACLs of one direction. A policy without ports has none.
func (c *compiler) direction(s side, families []string) error {
	if len(families) == 0 {
		return nil
	}
	for i, family := range families {
		if i == 0 || c.v.dropsPerFamily() {
			c.drop(s)
		}
		rules := rulesOf(c.np, s)
		for i, r := range rules {
			if err := c.rule(s, family, strconv.Itoa(i), r); err != nil {
				return err
			}
		}
		if len(rules) == 0 {
			c.selected(s, family, allRules, nil, nil, nil)
		}
	}
	return nil
}

// drop adds the ACL that drops what no rule allows, and for a lax policy those that let DHCP pass.
func (c *compiler) drop(s side) {
	key := c.np.Namespace + "/" + c.np.Name
	traffic := "ip"
	if c.lax {
		traffic = "(tcp || udp || sctp)"
		v4, v6 := s.dhcp(c.group)
		for _, match := range []string{v6, v4} {
			c.add(s, key, priorityPolicyAllow, actionAllow, match, false)
		}
	}
	c.add(s, key, priorityPolicyDrop, actionDrop, and(s.of(c.group), traffic), c.log)
	if c.log {
		warning := "warning"
		c.rows.ACLs[len(c.rows.ACLs)-1].Severity = &warning
	}
}

func (c *compiler) add(s side, name string, priority int, action, match string, log bool) {
	a := s.afterLoadBalancing(c.v.acl(s, c.group, priority, PolicyTier, action, match))
	a.Log = log
	c.rows.ACLs = append(c.rows.ACLs, named(a, name))
}

// rule adds the rows of one rule in one family.
func (c *compiler) rule(s side, family, number string, r rule) error {
	var allowed, excepted []string
	var blocks []networkingv1.IPBlock
	if len(r.peers) == 0 {
		allowed = []string{anywhere(family)}
	}
	for _, peer := range r.peers {
		if peer.IPBlock != nil {
			if c.v.inlinesBlocks() {
				blocks = append(blocks, *peer.IPBlock)
			} else if familyOf(peer.IPBlock.CIDR) == family {
				allowed = append(allowed, peer.IPBlock.CIDR)
				excepted = append(excepted, peer.IPBlock.Except...)
			}
		}
		addresses, err := c.peerAddresses(family, peer)
		if err != nil {
			return err
		}
		allowed = append(allowed, addresses...)
	}
	c.selected(s, family, number, allowed, excepted, r.ports)
	if match := blockMatch(ip(family)+"."+s.remote, family, blocks); match != "" {
		name := c.ruleName(s, family, number) + "/ipBlock"
		for _, m := range c.withPorts(and(s.of(c.group), "ip", "("+match+")"), r.ports) {
			c.add(s, name, priorityPolicyAllow, actionAllow, m, c.logsAllow)
		}
	}
	return nil
}

func anywhere(family string) string {
	if family == familyIPv4 {
		return "0.0.0.0/0"
	}
	return "::/0"
}

func (c *compiler) ruleName(s side, family, number string) string {
	return fmt.Sprintf("np/%s.%s/%s/%s/%s", c.name, c.np.Namespace, s.name, family, number)
}

// selected adds the address sets of a rule, and its ACLs. A rule that allows no address has no ACL, except where it
// stands for all rules and, on the release line without ipBlock in matches, everywhere; that one names no ports.
func (c *compiler) selected(
	s side,
	family, number string,
	allowed, excepted []string,
	ports []networkingv1.NetworkPolicyPort,
) {
	id := map[string]string{PolicyKey: PolicyID(c.np.Namespace, c.np.Name) + "/" + s.name}
	set := func(word string, addresses []string) string {
		name := dotted(fmt.Sprintf("%s.%s.%s.%s", c.name, c.np.Namespace, s.name, word)) + "." + family + "." + number
		c.rows.AddressSets = append(c.rows.AddressSets, nb.AddressSet{
			Name: name, Addresses: normalAddresses(addresses), ExternalIDs: c.v.owned(id),
		})
		return name
	}
	allow, except := set("allow", allowed), set("except", excepted)
	if len(allowed) == 0 && len(excepted) == 0 {
		if number != allRules && c.v.inlinesBlocks() {
			return
		}
		ports = nil
	}
	field := ip(family) + "." + s.remote
	base := and(s.of(c.group), "ip", field+" == $"+allow, field+" != $"+except)
	for _, m := range c.withPorts(base, ports) {
		c.add(s, c.ruleName(s, family, number), priorityPolicyAllow, actionAllow, m, c.logsAllow)
	}
}

// gateways adds the ACLs without a port group in their match: they hold for every port of the switches that the policy
// has ports on. Those for ICMPv6 are written behind the others, if the group does not have them.
func (c *compiler) gateways(subnets []*crd.Subnet, families []string) {
	add := func(s side, match string) {
		a := s.afterLoadBalancing(c.v.acl(s, c.group, priorityPolicyAllow, PolicyTier, actionStateless, match))
		c.rows.ACLs = append(c.rows.ACLs, a)
	}
	if !c.v.allowsGateways() {
		if !c.lax && slices.Contains(families, familyIPv6) {
			add(egress, "icmp6")
			add(ingress, "icmp6")
		}
		return
	}
	discovery := false
	for _, s := range subnets {
		for _, gateway := range s.Gateways() {
			field := ip(familyOf(gateway))
			discovery = discovery || field == "ip6"
			add(ingress, field+".src == "+gateway)
			add(egress, field+".dst == "+gateway)
		}
	}
	if discovery {
		add(egress, "nd || nd_ra || nd_rs")
	}
}
