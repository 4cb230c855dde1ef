package intent

import (
	"strconv"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// networkPolicies reads NetworkPolicies.
func (r *reader) networkPolicies(list []*networkingv1.NetworkPolicy) {
	for _, o := range list {
		if o != nil {
			r.networkPolicy(o)
		}
	}
}

func (r *reader) networkPolicy(o *networkingv1.NetworkPolicy) {
	p := &policy{ref: Ref{KindNetworkPolicy, o.Namespace, o.Name}, tier: ownTier}
	spec := field{r, p.ref.String(), "spec"}
	local := r.universe.in(o.Namespace)

	var ok bool
	if p.subject, ok = spec.child("podSelector").pods(&o.Spec.PodSelector, local); !ok {
		p.subject, p.unsure = local, true
	}
	p.isolates = spec.policyTypes(&o.Spec)
	if p.isolates[ingress] != no {
		for n, from := range o.Spec.Ingress {
			at := spec.child("ingress").item(n)
			who, where := at.child("from").peers(from.From, local), at.child("ports").ports(from.Ports)
			p.rules[ingress] = append(p.rules[ingress], newRule(p, ingress, n, accept, who, where))
		}
	}
	if p.isolates[egress] != no {
		for n, to := range o.Spec.Egress {
			at := spec.child("egress").item(n)
			who, where := at.child("to").peers(to.To, local), at.child("ports").ports(to.Ports)
			p.rules[egress] = append(p.rules[egress], newRule(p, egress, n, accept, who, where))
		}
	}
	r.policies = append(r.policies, p)
}

// policyTypes returns in which directions a policy isolates. Without policyTypes it is ingress, and egress if there are
// rules for it.
func (f field) policyTypes(s *networkingv1.NetworkPolicySpec) (isolates [2]truth) {
	if len(s.PolicyTypes) == 0 {
		isolates[ingress] = yes
		if len(s.Egress) > 0 {
			isolates[egress] = yes
		}
		return isolates
	}
	for n, t := range s.PolicyTypes {
		switch t {
		case networkingv1.PolicyTypeIngress:
			isolates[ingress] = yes
		case networkingv1.PolicyTypeEgress:
			isolates[egress] = yes
		default:
			f.child("policyTypes").item(n).problem(strconv.Quote(string(t)) + " is neither Ingress nor Egress")
			isolates[ingress], isolates[egress] = max(isolates[ingress], maybe), max(isolates[egress], maybe)
		}
	}
	return isolates
}

// peers reads from or to of a rule. An empty one is about all.
func (f field) peers(list []networkingv1.NetworkPolicyPeer, local set) peers {
	s := peers{anyone: len(list) == 0}
	for n := range list {
		if !f.item(n).peer(&s, &list[n], local) {
			s.unsure = true
		}
	}
	return s
}

// peer adds one peer, and reports whether it was understood.
func (f field) peer(s *peers, peer *networkingv1.NetworkPolicyPeer, local set) bool {
	switch selectors := peer.PodSelector != nil || peer.NamespaceSelector != nil; {
	case selectors == (peer.IPBlock != nil):
		f.problem("a peer is an ipBlock, or a podSelector, a namespaceSelector or both")
		return false
	case peer.IPBlock != nil:
		b, ok := f.child("ipBlock").block(peer.IPBlock)
		if ok {
			s.blocks = append(s.blocks, b)
		}
		return ok
	}
	found := local
	if peer.NamespaceSelector != nil {
		var ok bool
		if found, ok = f.child("namespaceSelector").inNamespaces(peer.NamespaceSelector); !ok {
			return false
		}
	}
	if peer.PodSelector != nil {
		var ok bool
		if found, ok = f.child("podSelector").pods(peer.PodSelector, found); !ok {
			return false
		}
	}
	s.pods = s.pods.or(found)
	return true
}

// block reads an ipBlock.
func (f field) block(from *networkingv1.IPBlock) (b block, ok bool) {
	if b.cidr, ok = f.child("cidr").prefix(from.CIDR); !ok {
		return b, false
	}
	for n, text := range from.Except {
		e, ok := f.child("except").item(n).prefix(text)
		if !ok {
			return b, false
		}
		b.except = append(b.except, e)
	}
	return b, true
}

// ports reads the ports of a rule. Without any it is about all, and about what has no ports.
func (f field) ports(list []networkingv1.NetworkPolicyPort) ports {
	s := ports{anyPort: len(list) == 0}
	for n := range list {
		f.item(n).port(&s, &list[n])
	}
	return s
}

func (f field) port(s *ports, p *networkingv1.NetworkPolicyPort) {
	protocol := string(TCP)
	if p.Protocol != nil {
		protocol = string(*p.Protocol)
	}
	switch {
	case p.Port == nil && p.EndPort != nil, p.Port != nil && p.Port.Type == intstr.String && p.EndPort != nil:
		f.child("endPort").problem("it needs a port that is a number")
		s.unsure = true
	case p.Port == nil:
		before := len(s.ranges)
		if f.portRange(s, protocol, 1, 65535); len(s.ranges) > before {
			s.ranges[before].First = 0
		}
	case p.Port.Type == intstr.Int && p.EndPort != nil:
		f.portRange(s, protocol, p.Port.IntVal, *p.EndPort)
	case p.Port.Type == intstr.Int:
		f.portRange(s, protocol, p.Port.IntVal, p.Port.IntVal)
	default:
		f.named(s, p.Port.StrVal, Protocol(protocol))
	}
}

// named adds a port by its name.
func (f field) named(s *ports, name string, protocol Protocol) {
	_, err := strconv.Atoi(name)
	switch {
	case name == "" || err == nil:
		f.problem(strconv.Quote(name) + " is no name of a port; a number stands without quotes")
		s.unsure = true
	case protocol != "" && protocol != TCP && protocol != UDP && protocol != SCTP:
		f.problem(strconv.Quote(string(protocol)) + " is none of the protocols TCP, UDP and SCTP")
		s.unsure = true
	default:
		s.named = append(s.named, namedPort{name, protocol})
	}
}
