package explain

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/ovnguard/ovnguard/internal/answer"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/portsec"
)

// Most is how many ports an answer lists; the others are counted.
const Most = 100

// Question is about an address or about a MAC; the other one is its zero value.
type Question struct {
	IP  netip.Addr
	MAC portsec.MAC
}

// AskIP returns the question about an address.
func AskIP(text string) (Question, error) {
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" {
		return Question{}, fmt.Errorf("%q: want an IPv4 or IPv6 address, such as 10.16.0.5", text)
	}
	return Question{IP: a.Unmap()}, nil
}

// AskMAC returns the question about a MAC.
func AskMAC(text string) (Question, error) {
	mac, err := net.ParseMAC(text)
	if err != nil || len(mac) != len(portsec.MAC{}) {
		return Question{}, fmt.Errorf("%q: want a MAC, such as 0a:00:00:00:00:01", text)
	}
	return Question{MAC: portsec.MAC(mac)}, nil
}

// String returns what is asked about.
func (q Question) String() string {
	if q.IP.IsValid() {
		return q.IP.String()
	}
	return q.MAC.String()
}

// Held is the answer to a question. It may grow; a field never changes its meaning or goes away.
type Held struct {
	answer.Meta

	IP  string `json:"ip,omitempty"`
	MAC string `json:"mac,omitempty"`
	// Holders are those that have it.
	Holders []Holder `json:"holders"`
	// Subnets are those with the address among theirs.
	Subnets []Subnet `json:"subnets"`
	// Senders are ports that may send from it, because their port_security has it; SendersTotal counts those that are
	// not listed as well.
	Senders      []Sender `json:"senders"`
	SendersTotal int      `json:"sendersTotal"`
	// Open are ports that may send from it because they may send from anything.
	Open      []Sender `json:"open"`
	OpenTotal int      `json:"openTotal"`
	// Exceptions are those that grant it.
	Exceptions []Grant  `json:"exceptions"`
	Notes      []string `json:"notes"`
}

// Holder is one that has an address or a MAC, or keeps it.
type Holder struct {
	Kind      inventory.HolderKind `json:"kind"`
	Name      string               `json:"name"`
	Namespace string               `json:"namespace,omitempty"`
	// Pod is that of a port.
	Pod    string `json:"pod,omitempty"`
	Subnet string `json:"subnet,omitempty"`
	VPC    string `json:"vpc,omitempty"`
	// From is the source: "resource" or "row", that of the Northbound database alone.
	From string `json:"from"`
}

// Sources of holders.
const (
	fromResource = "resource"
	fromRow      = "row"
)

// Subnet is one with the address among its ranges.
type Subnet struct {
	Name string `json:"name"`
	VPC  string `json:"vpc,omitempty"`
}

// Sender is a port that may send from an address or a MAC.
type Sender struct {
	Port      string `json:"port"`
	Namespace string `json:"namespace,omitempty"`
	Pod       string `json:"pod,omitempty"`
	Switch    string `json:"switch,omitempty"`
	// Own means that it is the port's own, as Kube-OVN gave it.
	Own bool `json:"own"`
}

// Grant is an exception that grants an address or a MAC.
type Grant struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Pair      string `json:"pair"`
	// Until is when it ends or ended.
	Until time.Time `json:"until"`
	Ended bool      `json:"ended"`
}

// Find returns who has what is asked about, and who may send from it. eras are the parsers that may enforce, where the
// chassis of a port says nothing else.
func Find(inv *inventory.State, q Question, eras []portsec.Era, now time.Time) Held {
	h := Held{
		Meta:    answer.Of("Holders"),
		Holders: []Holder{}, Subnets: []Subnet{}, Senders: []Sender{}, Open: []Sender{}, Exceptions: []Grant{},
		Notes: []string{},
	}
	everywhere := func(inventory.Holder) bool { return true }
	var all []inventory.Holder
	if q.IP.IsValid() {
		h.IP = q.IP.String()
		whole := netip.PrefixFrom(q.IP, q.IP.BitLen())
		all = inv.Holders(q.IP, everywhere)
		for _, r := range inv.Reservations(whole) {
			all = append(all, r.Holder)
		}
		for _, name := range inv.SubnetsIn(whole) {
			h.Subnets = append(h.Subnets, Subnet{name, inv.VPCOf(name)})
		}
	} else {
		h.MAC = q.MAC.String()
		all = inv.MACHolders(h.MAC, everywhere)
	}
	for _, x := range all {
		h.Holders = append(h.Holders, holderOf(inv, x, now))
	}
	h.rows(inv, q, eras, now)
	inv.EachException(func(e *policy.Exception) {
		for _, p := range e.Pairs {
			if q.IP.IsValid() && p.Prefix.Contains(q.IP) || !q.IP.IsValid() && p.MAC == q.MAC {
				h.Exceptions = append(h.Exceptions, Grant{
					e.Namespace, e.Name, pairText(p), e.Expires.UTC(), !now.Before(e.Expires),
				})
			}
		}
	})
	slices.SortFunc(h.Exceptions, func(a, b Grant) int {
		return strings.Compare(a.Namespace+"/"+a.Name+" "+a.Pair, b.Namespace+"/"+b.Name+" "+b.Pair)
	})
	return h
}

// holderOf returns a holder with where it is.
func holderOf(inv *inventory.State, x inventory.Holder, now time.Time) Holder {
	out := Holder{Kind: x.Kind, Name: x.Name, Namespace: inv.NamespaceOf(x), From: fromResource}
	switch x.Kind { //nolint:exhaustive // the others are on no subnet of theirs
	case inventory.HeldByPort:
		out.Subnet = inv.SubnetOf(x.Name)
		if p := inv.Port(x.Name, now); p.Pod != nil {
			out.Pod = p.Pod.Name
		}
	case inventory.HeldByGateway, inventory.HeldBySubnet, inventory.HeldByNodes, inventory.HeldByShared:
		out.Subnet = x.Name
	case inventory.HeldByVip:
		v, _ := inv.Vip(x.Name)
		out.Subnet = v.Subnet
	}
	if _, known := inv.Subnet(out.Subnet); known {
		out.VPC = inv.VPCOf(out.Subnet)
	}
	return out
}

// rows enters the rows that have it, and those that may send from it.
func (h *Held) rows(inv *inventory.State, q Question, eras []portsec.Era, now time.Time) {
	var senders, open, have []*inventory.Row
	probes := make(probes)
	inv.EachRow(func(r *inventory.Row) {
		if q.among(r.Addresses) {
			have = append(have, r)
		}
		if r.Type != "" {
			return
		}
		at := eras
		if b := inv.Binding(r.Name); b != nil {
			if p := inv.Port(r.Name, now); len(p.Eras) > 0 {
				at = p.Eras
			}
		}
		switch j := newJudge(r, at); {
		case j.open():
			open = append(open, r)
		case probes.sends(j, r, q):
			senders = append(senders, r)
		}
	})
	byName := func(a, b *inventory.Row) int { return strings.Compare(a.Name, b.Name) }
	slices.SortFunc(have, byName)
	for _, r := range have {
		if !slices.ContainsFunc(h.Holders, func(x Holder) bool {
			return x.Kind == inventory.HeldByPort && x.Name == r.Name
		}) {
			x := holderOf(inv, inventory.Holder{Kind: inventory.HeldByPort, Name: r.Name}, now)
			x.Subnet, x.From = r.Switch, fromRow
			h.Holders = append(h.Holders, x)
		}
	}
	slices.SortFunc(senders, byName)
	slices.SortFunc(open, byName)
	h.SendersTotal, h.OpenTotal = len(senders), len(open)
	list := func(rows []*inventory.Row) []Sender {
		out := make([]Sender, 0, min(len(rows), Most))
		for _, r := range rows[:min(len(rows), Most)] {
			s := Sender{Port: r.Name, Switch: r.Switch}
			p := inv.Port(r.Name, now)
			if p.Pod != nil {
				s.Namespace, s.Pod = p.Pod.Namespace, p.Pod.Name
			}
			s.Own = slices.ContainsFunc(h.Holders, func(x Holder) bool {
				return x.Kind == inventory.HeldByPort && x.Name == r.Name && x.From == fromResource
			})
			out = append(out, s)
		}
		return out
	}
	h.Senders, h.Open = list(senders), list(open)
}

// among reports whether a column of addresses has it.
func (q Question) among(column []string) bool {
	for _, element := range column {
		for word := range strings.FieldsSeq(element) {
			if q.IP.IsValid() {
				if a, err := netip.ParseAddr(word); err == nil && a.Unmap() == q.IP {
					return true
				}
			} else if mac, err := net.ParseMAC(word); err == nil && portsec.MAC(mac) == q.MAC {
				return true
			}
		}
	}
	return false
}

// probes are packets by the address that they are from; their MAC is set for each use.
type probes map[netip.Addr][]byte

// sends reports whether a port may send from what is asked about: from the address with some MAC of its column, or from
// the MAC with some address of it. Where a MAC may send from any address, another's is one of these.
func (ps probes) sends(j judge, r *inventory.Row, q Question) bool {
	macs, addresses := candidates(r)
	if q.IP.IsValid() {
		addresses = []netip.Addr{q.IP}
	} else {
		macs = []portsec.MAC{q.MAC}
	}
	for _, a := range addresses {
		data, known := ps[a]
		if !known {
			data, _ = packet(portsec.MAC{}, a).Bytes() // nil for an address that no packet can have
			ps[a] = data
		}
		if data == nil {
			continue
		}
		for _, mac := range macs {
			copy(data[len(mac):], mac[:])
			if j.verdict(data).Allow {
				return true
			}
		}
	}
	return false
}

// anyOf are addresses that a MAC without addresses in the column may send from.
var anyOf = []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")}

// candidates returns the MACs and the addresses that a row's columns name, the first one of each range.
func candidates(r *inventory.Row) (macs []portsec.MAC, addresses []netip.Addr) {
	addresses = slices.Clone(anyOf)
	for _, element := range slices.Concat(r.PortSecurity, r.Addresses) {
		for word := range strings.FieldsFuncSeq(element, func(c rune) bool { return c == ' ' || c == ',' }) {
			word, bits, _ := strings.Cut(word, "/")
			if hw, err := net.ParseMAC(word); err == nil && len(hw) == len(portsec.MAC{}) {
				macs = append(macs, portsec.MAC(hw))
			} else if a, err := netip.ParseAddr(word); err == nil {
				if p, err := netip.ParsePrefix(word + "/" + bits); err == nil {
					addresses = append(addresses, p.Masked().Addr(), p.Masked().Addr().Next())
				}
				addresses = append(addresses, a)
			}
		}
	}
	return macs, addresses
}
