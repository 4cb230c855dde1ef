package intent

import "net/netip"

// Packet is a packet that opens a connection.
type Packet struct {
	// Sender and Receiver are the pods that send and receive it, as indexes in Cluster.Pods; -1 for outside.
	Sender, Receiver int
	// Source and Destination are the addresses in the packet. Source may be forged, and Destination may be a Service's:
	// policies of the receiver judge by who has Source, and those of the sender by who has Destination.
	Source, Destination netip.Addr
	Protocol            Protocol
	Port                uint16 // the destination port; 0 for ICMP
}

// Step is what policies of one pod say about a packet in one direction.
type Step struct {
	Allowed bool
	// Unknown says that it could also be the opposite of Allowed, because something was not understood.
	Unknown bool
	Policy  *Ref // that decided; nil where none did
	Rule    int  // which of its ingress or egress rules; -1 where none admits the packet or none decided
	// Isolating are the NetworkPolicies that isolate the pod in this direction. It must not be changed.
	Isolating []Ref
	Why       string
}

// Verdict is what policies say about a packet.
type Verdict struct {
	Allowed bool
	Unknown bool // it could also be the opposite
	// Egress is what policies of the sender say, Ingress what those of the receiver say.
	Egress, Ingress Step
}

// Judge returns what policies say about a packet.
func (i *Intent) Judge(p Packet) Verdict {
	source, destination := plain(p.Source), plain(p.Destination)
	out := traffic{protocol: p.Protocol, port: p.Port, peer: destination, pods: i.at[destination], target: -1}
	in := traffic{protocol: p.Protocol, port: p.Port, peer: source, pods: i.at[source], target: p.Receiver}
	v := Verdict{Egress: i.step(egress, p.Sender, &out), Ingress: i.step(ingress, p.Receiver, &in)}
	v.Allowed = v.Egress.Allowed && v.Ingress.Allowed
	// A side that is known to refuse decides alone.
	refused := !v.Egress.Allowed && !v.Egress.Unknown || !v.Ingress.Allowed && !v.Ingress.Unknown
	v.Unknown = !refused && (v.Egress.Unknown || v.Ingress.Unknown)
	return v
}

// step returns what policies of a pod say.
func (i *Intent) step(d direction, pod int, t *traffic) Step {
	if pod < 0 || pod >= len(i.pods) {
		return Step{Allowed: true, Rule: -1, Why: "no pod, so that no policy counts"}
	}
	place := i.universe.placeOf[pod]
	if place < 0 {
		return Step{Allowed: true, Rule: -1, Why: "the pod is on the host's network, where no policy counts"}
	}
	w := walk{Intent: i, direction: d, traffic: t, line: &i.profiles[i.profileOf[place]][d]}
	s, possible := w.admin()
	s.Isolating = w.line.isolating
	opposite := accept
	if s.Allowed {
		opposite = deny
	}
	if s.Unknown = possible&opposite != 0; s.Unknown && w.unsure != "" {
		s.Why += "; " + w.unsure
	}
	return s
}

// walk asks the policies of one pod in one direction, tier by tier. Each tier returns what is said as far as all was
// understood, and, as accept and deny, what else may come out of it.
type walk struct {
	*Intent
	direction direction
	traffic   *traffic
	line      *pipeline
	unsure    string // the first reason why it could be otherwise
}

func (w *walk) admin() (Step, action) {
	decided, possible := w.scan(w.line.admin)
	if possible&pass == 0 {
		return decided, possible
	}
	next, more := w.own()
	if decided.Policy == nil {
		decided = next
	}
	return decided, possible&^pass | more
}

func (w *walk) own() (Step, action) {
	var possible action
	why, certain := w.line.none, len(w.line.isolating) > 0
	for _, p := range w.line.own {
		isolates := p.isolation(w.direction)
		for n := range p.rules[w.direction] {
			r := &p.rules[w.direction][n]
			matches, peer := w.match(r, w.traffic)
			switch matches = min(matches, isolates); {
			case matches == yes:
				return Step{Allowed: true, Policy: &p.ref, Rule: r.index, Why: r.decides}, accept
			case matches == maybe:
				possible |= accept
				w.doubt(r)
			case peer == yes && isolates == yes:
				why = r.elsewhere
			}
		}
	}
	if certain {
		return Step{Policy: &w.line.own[w.firstIsolating()].ref, Rule: -1, Why: why}, possible | deny
	}
	if len(w.line.own) > 0 {
		possible |= deny
		if w.unsure == "" {
			w.unsure = w.line.own[0].ref.String() + " may isolate the pod: it was not understood"
		}
	}
	s, more := w.baseline()
	return s, possible | more
}

// firstIsolating returns the first policy that isolates for certain.
func (w *walk) firstIsolating() int {
	for n, p := range w.line.own {
		if p.isolation(w.direction) == yes {
			return n
		}
	}
	return 0
}

func (w *walk) baseline() (Step, action) {
	decided, possible := w.scan(w.line.baseline)
	if possible&pass != 0 {
		possible = possible&^pass | accept
	}
	if decided.Policy == nil {
		decided = Step{Allowed: true, Rule: -1, Why: "no policy that selects the pod refuses it"}
		if len(w.line.admin)+len(w.line.own)+len(w.line.baseline) == 0 {
			decided.Why = "no policy selects the pod in this direction"
		}
	}
	return decided, possible
}

// scan asks the policies of a tier in which the first rule that matches decides. Pass is possible where none does.
func (w *walk) scan(policies []*policy) (Step, action) {
	var possible action
	for _, p := range policies {
		for n := range p.rules[w.direction] {
			r := &p.rules[w.direction][n]
			matches, _ := w.match(r, w.traffic)
			if matches == no {
				continue
			}
			possible |= r.action
			if matches == maybe || p.unsure || !r.action.single() {
				w.doubt(r)
				continue
			}
			if r.action == pass {
				return Step{}, possible
			}
			return Step{Allowed: r.action == accept, Policy: &p.ref, Rule: r.index, Why: r.decides}, possible
		}
	}
	return Step{}, possible | pass
}

// doubt remembers the first rule that could decide otherwise.
func (w *walk) doubt(r *rule) {
	if w.unsure == "" {
		w.unsure = r.mayDecide
	}
}
