package policy

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"time"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/portsec"
)

// Narrow returns the query with those policies and exceptions alone that are for the pod, on whichever NIC. Who asks
// for the decisions about several NICs of one pod has labels and owners compared once by it, and what the NICs have in
// common found once. Provider and VPCs may be replaced afterwards, and nothing else. The query is for one goroutine
// then, and the steps of exceptions are in the decision about the first of several NICs for which they do the same.
func (q Query) Narrow() Query {
	q.common = newCommon(&q)
	if q.Namespace.Err != nil {
		return q // each policy may be for the namespace
	}
	q.Policies, q.Exceptions = narrowPolicies(&q), narrowExceptions(&q)
	return q
}

// everything picks all labels: those that count have been looked at.
func everything(map[string]string) bool { return true }

func narrowPolicies(q *Query) (out []Policy) {
	for i := range q.Policies {
		p := &q.Policies[i]
		if !p.Namespaces.picks(q.Namespace.Labels) || p.Pods != nil && !p.Pods(q.Pod.Labels) {
			continue
		}
		one := *p
		one.chosen = p.choosy()
		if one.Namespaces = nil; one.Pods != nil {
			one.Pods = everything
		}
		if out = append(out, one); one.Pods == nil && one.Providers.PickAll() {
			break // it is for every NIC, and what comes after it for none
		}
	}
	return out
}

func narrowExceptions(q *Query) (out []Exception) {
	for i := range q.Exceptions {
		e := &q.Exceptions[i]
		if !e.TargetsAny(q.Pod) {
			continue
		}
		one := *e
		if one.Pods = nil; one.Owner == nil {
			one.Pods = everything
		}
		out = append(out, one)
	}
	return out
}

// common is what the decisions about the NICs of one pod have in common.
type common struct {
	// granted is the grants of exceptions, by the decision before them and by the exceptions for the NIC.
	granted map[string]granted
	// aaps is what the annotation of that name gives, by the subnet that the pod names for the NIC.
	aaps map[string]namedVips
	// named and at find the Vips.
	named map[string]*VIP
	at    map[netip.Addr][]*VIP
}

// granted is what exceptions make of a decision.
type granted struct {
	level          Level
	levelFrom      Source
	forwarding     Forwarding
	forwardingFrom Source
	exceptions     []string
	pairs          []portsec.AddressPair
	withheld       []portsec.AddressPair
	set            *pairSet
	nextChange     time.Time
	terms          []Term
	steps          []Step
}

// namedVips is what the Vips that a pod names make of a decision.
type namedVips struct {
	addresses []netip.Addr
	steps     []Step
}

func newCommon(q *Query) *common {
	s := &common{
		granted: make(map[string]granted), aaps: make(map[string]namedVips),
		named: make(map[string]*VIP, len(q.VIPs)), at: make(map[netip.Addr][]*VIP, len(q.VIPs)),
	}
	for i := range q.VIPs {
		v := &q.VIPs[i]
		s.named[v.Name] = v
		for _, a := range v.Addresses {
			s.at[a] = append(s.at[a], v)
		}
	}
	return s
}

// granted returns what the exceptions that are for the NIC grant, and whether another decision has their steps.
func (d *draft) granted() (g granted, told bool) {
	ours := make([]int, 0, len(d.query.Exceptions))
	for i := range d.query.Exceptions {
		if d.query.Exceptions[i].Targets(d.query.Pod, d.query.Provider) {
			ours = append(ours, i)
		}
	}
	if d.query.common == nil {
		return d.grantedBy(ours), false
	}
	key := d.grantedKey(ours)
	if g, told = d.query.common.granted[key]; !told {
		g = d.grantedBy(ours)
		d.query.common.granted[key] = g
	}
	return g, told
}

// grantedKey is a text for what was decided before the exceptions of these numbers are asked.
func (d *draft) grantedKey(exceptions []int) string {
	key := make([]byte, 0, 64+4*len(exceptions))
	for _, text := range []string{d.base.Name, string(d.LevelFrom), string(d.ForwardingFrom)} {
		key = append(append(key, text...), ' ')
	}
	key = append(key, byte(d.Level), byte(d.Forwarding))
	for _, i := range exceptions {
		key = binary.AppendUvarint(key, uint64(i))
	}
	return string(key)
}

// vipsNamed returns what the Vips give that the pod names in aaps.
func (d *draft) vipsNamed() namedVips {
	subnet := d.query.Pod.Annotations[d.query.Provider.Key(kubeovn.LogicalSwitch)]
	if d.query.common == nil {
		return d.vipsNamedOn(subnet)
	}
	n, known := d.query.common.aaps[subnet]
	if !known {
		n = d.vipsNamedOn(subnet)
		d.query.common.aaps[subnet] = n
	}
	return n
}

// vipNamed returns the Vip of a name; nil where there is none.
func (q *Query) vipNamed(name string) *VIP {
	if q.common != nil {
		return q.common.named[name]
	}
	for i := range q.VIPs {
		if q.VIPs[i].Name == name {
			return &q.VIPs[i]
		}
	}
	return nil
}

// vipsAt returns the Vips that have an address.
func (q *Query) vipsAt(a netip.Addr) []*VIP {
	if q.common != nil {
		return q.common.at[a]
	}
	var out []*VIP
	for i := range q.VIPs {
		if slices.Contains(q.VIPs[i].Addresses, a) {
			out = append(out, &q.VIPs[i])
		}
	}
	return out
}
