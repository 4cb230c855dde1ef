package intent

import (
	"net/netip"
	"slices"
)

// truth is how well a rule matches a packet: what was not understood may match.
type truth uint8

const (
	no truth = iota
	maybe
	yes
)

// direction is the side of a pod that a rule is about.
type direction uint8

const (
	ingress direction = iota
	egress
)

func (d direction) String() string { return [...]string{"ingress", "egress"}[d] }

// action is what a rule does with what it matches; several where that was not understood.
type action uint8

const (
	accept action = 1 << iota
	deny
	pass
)

// single reports whether it is known what the rule does.
func (a action) single() bool { return a&(a-1) == 0 }

// tier is where in the order of evaluation a policy stands.
type tier uint8

const (
	adminTier tier = iota
	ownTier        // NetworkPolicy
	baselineTier
)

// policy is one policy, read.
type policy struct {
	ref      Ref
	tier     tier
	priority int32
	subject  set
	// unsure says that it is not known whether the policy counts for what is in subject.
	unsure bool
	// isolates says for each direction whether a pod that the policy selects may only do what some rule admits.
	isolates [2]truth
	rules    [2][]rule
}

// rule is one rule of a policy, read.
type rule struct {
	index  int
	action action
	peers  peers
	ports  ports
	// What is said where the rule decides, where all but its ports match, and where it may decide.
	decides, elsewhere, mayDecide string
}

// peers are whom a rule is about: the sources of ingress, the destinations of egress.
type peers struct {
	anyone bool
	pods   set
	blocks []block
	nodes  bool // nodes as well, which are not known here
	unsure bool // others as well, which were not understood
}

// block is a range of addresses with exceptions.
type block struct {
	cidr   netip.Prefix
	except []netip.Prefix
}

func (b block) contains(a netip.Addr) bool {
	return b.cidr.Contains(a) && !slices.ContainsFunc(b.except, func(e netip.Prefix) bool { return e.Contains(a) })
}

// PortRange are ports of one protocol, both ends included.
type PortRange struct {
	Protocol    Protocol
	First, Last uint16
}

func (r PortRange) has(protocol Protocol, port uint16) bool {
	return r.Protocol == protocol && r.First <= port && port <= r.Last
}

// ports are the ports that a rule is about.
type ports struct {
	anyPort bool
	ranges  []PortRange
	named   []namedPort
	unsure  bool
}

// namedPort is a port by the name that its container has for it; protocol is "" where each one counts.
type namedPort struct {
	name     string
	protocol Protocol
}

// names reports whether this is the name of a pod's port.
func (n namedPort) names(p NamedPort) bool {
	return n.name == p.Name && (n.protocol == "" || n.protocol == transport(p))
}

// transport returns the protocol of a container's port; it is TCP if nothing is said.
func transport(p NamedPort) Protocol {
	if p.Protocol == "" {
		return TCP
	}
	return p.Protocol
}

// number reports whether a port is one of those that are named by number.
func (s *ports) number(protocol Protocol, port uint16) bool {
	if s.anyPort {
		return true
	}
	for _, r := range s.ranges {
		if r.has(protocol, port) {
			return true
		}
	}
	return false
}

// namedOn reports whether a port is one of those that are named by their name, on this pod.
func (s *ports) namedOn(pod *Pod, protocol Protocol, port uint16) bool {
	for _, n := range s.named {
		for _, p := range pod.Ports {
			if p.Number == port && transport(p) == protocol && n.names(p) {
				return true
			}
		}
	}
	return false
}

// traffic is a packet as the rules of one pod and direction see it.
type traffic struct {
	protocol Protocol
	port     uint16
	peer     netip.Addr // the other side
	pods     []int      // the pods that have that address
	target   int        // the receiving pod where a policy of it is asked, otherwise -1: each of pods is one
}

// match returns whether a rule matches, and the same without a look at its ports.
func (i *Intent) match(r *rule, t *traffic) (matches, peer truth) {
	peer = i.matchPeer(&r.peers, t)
	switch {
	case peer == no:
		return no, no
	case r.ports.number(t.protocol, t.port):
		return peer, peer
	}
	if len(r.ports.named) > 0 {
		matches = i.matchNamed(r, t, peer)
	}
	if r.ports.unsure {
		matches = max(matches, maybe)
	}
	return matches, peer
}

// matchNamed returns whether a rule matches by the name of a port.
func (i *Intent) matchNamed(r *rule, t *traffic, peer truth) (matches truth) {
	if t.target >= 0 {
		if r.ports.namedOn(&i.pods[t.target], t.protocol, t.port) {
			return peer
		}
		return no
	}
	// The pod that the rule is about and the pod that has the port must be the same one.
	for n, p := range t.pods {
		if r.ports.namedOn(&i.pods[p], t.protocol, t.port) {
			one := *t
			one.pods = t.pods[n : n+1]
			matches = max(matches, i.matchPeer(&r.peers, &one))
		}
	}
	return matches
}

// matchPeer returns whether the other side is one that a rule is about.
func (i *Intent) matchPeer(s *peers, t *traffic) truth {
	if s.anyone {
		return yes
	}
	for _, p := range t.pods {
		if s.pods.has(i.universe.placeOf[p]) {
			return yes
		}
	}
	for n := range s.blocks {
		if s.blocks[n].contains(t.peer) {
			return yes
		}
	}
	if s.unsure || s.nodes && len(t.pods) == 0 {
		return maybe
	}
	return no
}
