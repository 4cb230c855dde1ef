package intent

import (
	"math"
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/network-policy-api/apis/v1alpha1"
	"sigs.k8s.io/network-policy-api/apis/v1alpha2"
)

// The policies of the whole cluster differ in names and in how they write ports, and are read as those of the newest
// version. Where
// a cluster has AdminNetworkPolicies and ClusterNetworkPolicies, priorities count across both.

// clusterPolicy reads what policies of the whole cluster have in common: whom they select.
func (r *reader) clusterPolicy(
	ref Ref, at tier, priority int32, namespaces *metav1.LabelSelector, pods *v1alpha2.NamespacedPod,
) (*policy, field) {
	p := &policy{ref: ref, tier: at, priority: priority}
	spec := field{r, ref.String(), "spec"}
	subject := spec.child("subject")
	selected, ok := set{}, false
	switch {
	case (namespaces != nil) == (pods != nil):
		subject.problem("it needs one of namespaces and pods")
	case namespaces != nil:
		selected, ok = subject.child("namespaces").inNamespaces(namespaces)
	default:
		selected, ok = subject.child("pods").namespacedPods(pods)
	}
	if p.subject = selected; !ok {
		p.subject, p.unsure = r.universe.everyone(), true
	}
	r.policies = append(r.policies, p)
	return p, spec
}

// namespacedPods returns what selectors of namespaces and pods select together.
func (f field) namespacedPods(s *v1alpha2.NamespacedPod) (set, bool) {
	within, ok := f.child("namespaceSelector").inNamespaces(&s.NamespaceSelector)
	if !ok {
		return set{}, false
	}
	return f.child("podSelector").pods(&s.PodSelector, within)
}

// clusterRule adds a rule. What it does is one of the three words; list are its peers, and field where they stand.
func (f field) clusterRule(
	p *policy, d direction, index int, word string, list []v1alpha2.ClusterNetworkPolicyEgressPeer, where ports,
) {
	var does action
	switch {
	case word == "Accept" && p.ref.Kind == KindClusterNetworkPolicy,
		word == "Allow" && p.ref.Kind != KindClusterNetworkPolicy:
		does = accept
	case word == "Deny":
		does = deny
	case word == "Pass" && p.ref.Kind != KindBaselineAdminNetworkPolicy:
		does = pass
	default:
		f.child("action").problem(strconv.Quote(word) + " is no action of this kind")
		does = accept | deny | pass
	}
	list = append([]v1alpha2.ClusterNetworkPolicyEgressPeer(nil), list...)
	name := [...]string{"from", "to"}[d]
	var who peers
	if len(list) == 0 {
		f.child(name).problem("it needs at least one peer")
		who.unsure = true
	}
	for n := range list {
		understood, unset := f.child(name).item(n).clusterPeer(&who, &list[n])
		if unset {
			// The definition of the kind says so: a peer of a later version. What it is about is then refused.
			if does == accept {
				return
			}
			p.rules[d] = append(p.rules[d], newRule(p, d, index, deny, peers{anyone: true}, ports{anyPort: true}))
			return
		}
		who.unsure = who.unsure || !understood
	}
	p.rules[d] = append(p.rules[d], newRule(p, d, index, does, who, where))
}

// clusterPeer adds one peer, and reports whether it was understood, and whether it has no field that is known.
func (f field) clusterPeer(s *peers, peer *v1alpha2.ClusterNetworkPolicyEgressPeer) (understood, unset bool) {
	fields := 0
	for _, is := range []bool{
		peer.Namespaces != nil, peer.Pods != nil, peer.Nodes != nil, peer.Networks != nil, peer.DomainNames != nil,
	} {
		if is {
			fields++
		}
	}
	if fields != 1 {
		f.problem("a peer has one field of those that are known, and not " + strconv.Itoa(fields))
		return false, fields == 0
	}
	found, understood := set{}, true
	switch {
	case peer.Namespaces != nil:
		found, understood = f.child("namespaces").inNamespaces(peer.Namespaces)
	case peer.Pods != nil:
		found, understood = f.child("pods").namespacedPods(peer.Pods)
	case peer.Nodes != nil:
		f.child("nodes").problem("the addresses of nodes are not known here; verdicts about them are unknown")
		s.nodes = true
	case peer.DomainNames != nil:
		f.child("domainNames").problem("the addresses behind names are not known here; verdicts about them are unknown")
		understood = false
	}
	s.pods = s.pods.or(found)
	for n, text := range peer.Networks {
		cidr, ok := f.child("networks").item(n).prefix(string(text))
		if understood = understood && ok; ok {
			s.blocks = append(s.blocks, block{cidr: cidr})
		}
	}
	return understood, false
}

// clusterNetworkPolicies reads ClusterNetworkPolicies.
func (r *reader) clusterNetworkPolicies(list []*v1alpha2.ClusterNetworkPolicy) {
	for _, o := range list {
		if o == nil {
			continue
		}
		in := adminTier
		if o.Spec.Tier == v1alpha2.BaselineTier {
			in = baselineTier
		}
		ref := Ref{Kind: KindClusterNetworkPolicy, Name: o.Name}
		p, spec := r.clusterPolicy(ref, in, o.Spec.Priority, o.Spec.Subject.Namespaces, o.Spec.Subject.Pods)
		for n, rule := range o.Spec.Ingress {
			at := spec.child("ingress").item(n)
			at.clusterRule(p, ingress, n, string(rule.Action), ingressPeers(rule.From), at.protocols(rule.Protocols))
		}
		for n, rule := range o.Spec.Egress {
			at := spec.child("egress").item(n)
			at.clusterRule(p, egress, n, string(rule.Action), rule.To, at.protocols(rule.Protocols))
		}
		if o.Spec.Tier != v1alpha2.AdminTier && o.Spec.Tier != v1alpha2.BaselineTier {
			spec.child("tier").problem(strconv.Quote(string(o.Spec.Tier)) + " is neither Admin nor Baseline")
			p.unsure = true
			baseline := *p
			baseline.tier = baselineTier
			r.policies = append(r.policies, &baseline)
		}
	}
}

// ingressPeers returns peers of ingress rules as peers of egress rules, which may have more fields.
func ingressPeers(from []v1alpha2.ClusterNetworkPolicyIngressPeer) []v1alpha2.ClusterNetworkPolicyEgressPeer {
	all := make([]v1alpha2.ClusterNetworkPolicyEgressPeer, len(from))
	for n, p := range from {
		all[n] = v1alpha2.ClusterNetworkPolicyEgressPeer{Namespaces: p.Namespaces, Pods: p.Pods}
	}
	return all
}

// protocols reads the protocols and ports of a rule.
func (f field) protocols(list []v1alpha2.ClusterNetworkPolicyProtocol) ports {
	s := ports{anyPort: len(list) == 0}
	for n := range list {
		at, p := f.child("protocols").item(n), &list[n]
		fields := 0
		one := func(protocol Protocol, port *v1alpha2.Port) {
			fields++
			at.destinationPort(&s, protocol, port)
		}
		if p.TCP != nil {
			one(TCP, p.TCP.DestinationPort)
		}
		if p.UDP != nil {
			one(UDP, p.UDP.DestinationPort)
		}
		if p.SCTP != nil {
			one(SCTP, p.SCTP.DestinationPort)
		}
		if p.DestinationNamedPort != "" {
			fields++
			at.child("destinationNamedPort").named(&s, p.DestinationNamedPort, "")
		}
		if fields != 1 {
			at.problem("a protocol has one field of those that are known, and not " + strconv.Itoa(fields))
			s.unsure = true
		}
	}
	return s
}

// destinationPort adds the ports of one protocol; without any it is all of them.
func (f field) destinationPort(s *ports, protocol Protocol, p *v1alpha2.Port) {
	at := f.child("destinationPort")
	switch {
	case p == nil:
		s.ranges = append(s.ranges, PortRange{protocol, 0, 65535})
	case (p.Number != 0) == (p.Range != nil):
		at.problem("it needs one of number and range")
		s.unsure = true
	case p.Range != nil:
		at.portRange(s, string(protocol), p.Range.Start, p.Range.End)
	default:
		at.portRange(s, string(protocol), p.Number, p.Number)
	}
}

// adminNetworkPolicies reads AdminNetworkPolicies.
func (r *reader) adminNetworkPolicies(list []*v1alpha1.AdminNetworkPolicy) {
	for _, o := range list {
		if o == nil {
			continue
		}
		p, spec := r.clusterPolicy(Ref{Kind: KindAdminNetworkPolicy, Name: o.Name}, adminTier, o.Spec.Priority,
			o.Spec.Subject.Namespaces, (*v1alpha2.NamespacedPod)(o.Spec.Subject.Pods))
		for n, rule := range o.Spec.Ingress {
			at := spec.child("ingress").item(n)
			at.clusterRule(p, ingress, n, string(rule.Action), adminPeers(rule.From), at.adminPorts(rule.Ports))
		}
		for n, rule := range o.Spec.Egress {
			at := spec.child("egress").item(n)
			to := make([]v1alpha2.ClusterNetworkPolicyEgressPeer, len(rule.To))
			for m, peer := range rule.To {
				to[m] = adminPeer(peer.Namespaces, peer.Pods, peer.Nodes, peer.Networks)
				for _, name := range peer.DomainNames {
					to[m].DomainNames = append(to[m].DomainNames, v1alpha2.DomainName(name))
				}
			}
			at.clusterRule(p, egress, n, string(rule.Action), to, at.adminPorts(rule.Ports))
		}
	}
}

// baselineAdminNetworkPolicies reads BaselineAdminNetworkPolicies, which come last.
func (r *reader) baselineAdminNetworkPolicies(list []*v1alpha1.BaselineAdminNetworkPolicy) {
	for _, o := range list {
		if o == nil {
			continue
		}
		p, spec := r.clusterPolicy(Ref{Kind: KindBaselineAdminNetworkPolicy, Name: o.Name}, baselineTier, math.MaxInt32,
			o.Spec.Subject.Namespaces, (*v1alpha2.NamespacedPod)(o.Spec.Subject.Pods))
		for n, rule := range o.Spec.Ingress {
			at := spec.child("ingress").item(n)
			at.clusterRule(p, ingress, n, string(rule.Action), adminPeers(rule.From), at.adminPorts(rule.Ports))
		}
		for n, rule := range o.Spec.Egress {
			at := spec.child("egress").item(n)
			to := make([]v1alpha2.ClusterNetworkPolicyEgressPeer, len(rule.To))
			for m, peer := range rule.To {
				to[m] = adminPeer(peer.Namespaces, peer.Pods, peer.Nodes, peer.Networks)
			}
			at.clusterRule(p, egress, n, string(rule.Action), to, at.adminPorts(rule.Ports))
		}
	}
}

// adminPeers returns peers of ingress rules of the older kinds.
func adminPeers(from []v1alpha1.AdminNetworkPolicyIngressPeer) []v1alpha2.ClusterNetworkPolicyEgressPeer {
	all := make([]v1alpha2.ClusterNetworkPolicyEgressPeer, len(from))
	for n, p := range from {
		all[n] = adminPeer(p.Namespaces, p.Pods, nil, nil)
	}
	return all
}

func adminPeer(
	namespaces *metav1.LabelSelector,
	pods *v1alpha1.NamespacedPod,
	nodes *metav1.LabelSelector,
	networks []v1alpha1.CIDR,
) v1alpha2.ClusterNetworkPolicyEgressPeer {
	p := v1alpha2.ClusterNetworkPolicyEgressPeer{
		Namespaces: namespaces, Pods: (*v1alpha2.NamespacedPod)(pods), Nodes: nodes,
	}
	for _, n := range networks {
		p.Networks = append(p.Networks, v1alpha2.CIDR(n))
	}
	return p
}

// adminPorts reads the ports of a rule of the older kinds. A port without protocol is one of TCP.
func (f field) adminPorts(list *[]v1alpha1.AdminNetworkPolicyPort) ports {
	if list == nil || len(*list) == 0 {
		return ports{anyPort: true}
	}
	var s ports
	for n, p := range *list {
		at := f.child("ports").item(n)
		fields := 0
		if p.PortNumber != nil {
			fields++
			protocol := transport(NamedPort{Protocol: Protocol(p.PortNumber.Protocol)})
			at.child("portNumber").portRange(&s, string(protocol), p.PortNumber.Port, p.PortNumber.Port)
		}
		if p.PortRange != nil {
			fields++
			protocol := transport(NamedPort{Protocol: Protocol(p.PortRange.Protocol)})
			at.child("portRange").portRange(&s, string(protocol), p.PortRange.Start, p.PortRange.End)
		}
		if p.NamedPort != nil {
			fields++
			at.child("namedPort").named(&s, *p.NamedPort, "")
		}
		if fields != 1 {
			at.problem("a port has one field of those that are known, and not " + strconv.Itoa(fields))
			s.unsure = true
		}
	}
	return s
}
