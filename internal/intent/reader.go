package intent

import (
	"net/netip"
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// reader reads objects into policies. What it does not understand becomes a problem, and what depends on it unsure.
type reader struct {
	universe *universe
	policies []*policy
	problems []string
}

func (r *reader) problem(object, field, what string) {
	r.problems = append(r.problems, object+": "+field+": "+what)
}

// field is a part of an object, for problems.
type field struct {
	reader *reader
	object string
	path   string
}

func (f field) child(name string) field {
	f.path += "." + name
	return f
}

func (f field) item(n int) field {
	f.path += "[" + strconv.Itoa(n) + "]"
	return f
}

func (f field) problem(what string) { f.reader.problem(f.object, f.path, what) }

// pods returns the pods that a selector selects within others, and whether it could be read.
func (f field) pods(s *metav1.LabelSelector, within set) (set, bool) {
	selected, err := f.reader.universe.labelled(s)
	if err != nil {
		f.problem(err.Error())
		return set{}, false
	}
	return selected.and(within), true
}

// inNamespaces returns the pods of the namespaces that a selector selects, and whether it could be read.
func (f field) inNamespaces(s *metav1.LabelSelector) (set, bool) {
	selected, err := f.reader.universe.inNamespaces(s)
	if err != nil {
		f.problem(err.Error())
		return set{}, false
	}
	return selected, true
}

// prefix returns a range of addresses, and whether it could be read.
func (f field) prefix(text string) (netip.Prefix, bool) {
	p, err := netip.ParsePrefix(text)
	if err != nil || p.Addr().Is4In6() {
		f.problem(strconv.Quote(text) + " is no range of addresses such as 10.0.0.0/8")
		return netip.Prefix{}, false
	}
	return p.Masked(), true
}

// portRange adds ports of a protocol from one to another, if that is a range.
func (f field) portRange(to *ports, protocol string, first, last int32) {
	p := Protocol(protocol)
	switch {
	case p != TCP && p != UDP && p != SCTP:
		f.problem(strconv.Quote(protocol) + " is none of the protocols TCP, UDP and SCTP")
	case first < 1 || last > 65535 || first > last:
		f.problem("the ports " + strconv.Itoa(int(first)) + " to " + strconv.Itoa(int(last)) +
			" are no range between 1 and 65535")
	default:
		to.ranges = append(to.ranges, PortRange{p, uint16(first), uint16(last)})
		return
	}
	to.unsure = true
}

// newRule returns a rule with what it says of itself.
func newRule(p *policy, d direction, index int, a action, who peers, where ports) rule {
	name := "spec." + d.String() + "[" + strconv.Itoa(index) + "] of " + p.ref.String()
	r := rule{index: index, action: a, peers: who, ports: where}
	verb, other := "admits", "source"
	if a == deny {
		verb = "refuses"
	}
	if d == egress {
		other = "destination"
	}
	r.decides = name + " " + verb + " it"
	r.elsewhere = name + " is about this " + other + ", but not about the port"
	r.mayDecide = name + " may decide otherwise: part of it cannot be judged here"
	return r
}
