package exception

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/portsec"
)

// need is something that a port sends beyond its own identity, and what shows it.
type need struct {
	portsec.AddressPair

	evidence []string
	// listed means that an annotation lists the address as one that pods share.
	listed bool
}

// needs collects what ports of one exception send beyond their identity.
type needs struct {
	pairs []need
	// anyNeeded shows that answers come from any address; anyNow that the column lets the port send from any address with
	// its own MAC.
	anyNeeded, anyNow []string
	// strange are MACs that may send from any address, which no pair grants.
	strange []string
	// unknown means that addresses has "unknown", so that frames for any MAC reach the port.
	unknown bool
	unseen  []string
}

// add notes a pair with what shows it.
func (n *needs) add(pair portsec.AddressPair, listed bool, evidence string) {
	if !pair.Prefix.IsValid() {
		return
	}
	pair.Prefix = pair.Prefix.Masked()
	i := slices.IndexFunc(n.pairs, func(o need) bool { return o.AddressPair == pair })
	if i < 0 {
		n.pairs = append(n.pairs, need{AddressPair: pair})
		i = len(n.pairs) - 1
	}
	n.pairs[i].listed = n.pairs[i].listed || listed
	if !slices.Contains(n.pairs[i].evidence, evidence) {
		n.pairs[i].evidence = append(n.pairs[i].evidence, evidence)
	}
}

// ofPort collects what a port shows. whose is how the evidence names it.
func (n *needs) ofPort(p *inventory.Port, identity portsec.Identity, eras []portsec.Era, granted portsec.Set) {
	n.column(p, identity, eras, granted)
	n.addresses(p, identity, granted)
	for _, key := range []string{p.Provider.Key(kubeovn.PortVIPs)} {
		for item := range strings.SplitSeq(p.Pod.Annotations[key], ",") {
			if prefix, ok := prefixOf(strings.TrimSpace(item)); ok && lacks(granted, identity.MAC, prefix) {
				n.add(portsec.AddressPair{Prefix: prefix}, true, fmt.Sprintf("pod %s asks for it by %s", p.Pod, key))
			}
		}
	}
	if f := p.Passing; f != nil && f.Cut {
		text := fmt.Sprintf("%s is a port of %s, which forwards it", p.Name, f.Title)
		if f.Any {
			n.anyNeeded = append(n.anyNeeded, text)
		}
		for _, source := range f.Sources {
			n.add(portsec.AddressPair{Prefix: source}, false, text)
		}
	}
}

// column reads what port_security lets the port send beyond what was decided.
func (n *needs) column(p *inventory.Port, identity portsec.Identity, eras []portsec.Era, granted portsec.Set) {
	if p.Row == nil {
		n.unseen = append(n.unseen, fmt.Sprintf("port %s has no row in the Northbound database", p.Name))
		return
	}
	if len(p.Eras) > 0 {
		eras = p.Eras
	}
	open := len(p.Row.PortSecurity) == 0
	for _, r := range portsec.Assess(eras, p.Row.Type, p.Row.PortSecurity, granted).Readings {
		if r.Open() {
			open = true
			continue
		}
		for _, pair := range r.Excess {
			n.excess(p, identity, pair, shows(p, r.Era, pair, granted))
		}
	}
	if open {
		n.unseen = append(n.unseen, fmt.Sprintf(
			"port_security of %s checks nothing, so that it does not tell what the port needs", p.Name,
		))
	}
}

// excess notes one pair that the column lets the port send.
func (n *needs) excess(p *inventory.Port, identity portsec.Identity, pair portsec.Pair, evidence string) {
	if pair.Traffic != portsec.AllTraffic && pair.Traffic != portsec.IPTraffic {
		return // ARP and neighbour discovery for what IP may be sent from come with it
	}
	own := pair.MAC.Bits == macBits && pair.MAC.MAC == identity.MAC
	all := pair.Any() || pair.Addresses.Bits() == 0
	switch {
	case own && all:
		n.anyNow = append(n.anyNow, evidence)
	case own:
		n.add(portsec.AddressPair{Prefix: pair.Addresses}, false, evidence)
	case pair.MAC.Bits == macBits && !all:
		n.add(portsec.AddressPair{MAC: pair.MAC.MAC, Prefix: pair.Addresses}, false, evidence)
	default:
		n.strange = append(n.strange, fmt.Sprintf("%s may send from %s: no pair grants that", p.Name, pair))
	}
}

// macBits is the length of a whole MAC.
const macBits = 48

// shows names the element of the column that lets the port send the pair.
func shows(p *inventory.Port, era portsec.Era, pair portsec.Pair, granted portsec.Set) string {
	for _, text := range p.Row.PortSecurity {
		set := portsec.Parse(era, []string{text}).Set()
		if set.Open() {
			continue
		}
		same := func(o portsec.Pair) bool { return o.MAC == pair.MAC && o.Addresses == pair.Addresses }
		if slices.ContainsFunc(portsec.Excess(set, granted), same) {
			return fmt.Sprintf("port_security of %s has %q, and lets it send it now", p.Name, text)
		}
	}
	return fmt.Sprintf("port_security of %s lets it send it now", p.Name)
}

// addresses reads which addresses OVN says that the port has.
func (n *needs) addresses(p *inventory.Port, identity portsec.Identity, granted portsec.Set) {
	if p.Row == nil {
		return
	}
	for _, text := range p.Row.Addresses {
		if text == "unknown" {
			n.unknown = true
			continue
		}
		e := portsec.ParseElement(portsec.E2, text) // the column has the form of an element, a MAC and addresses
		if !e.Usable() {
			continue
		}
		for _, a := range e.Addresses {
			if !lacks(granted, e.MAC, a) {
				continue
			}
			pair := portsec.AddressPair{Prefix: a}
			if e.MAC != identity.MAC {
				pair.MAC = e.MAC
			}
			n.add(pair, false, fmt.Sprintf("addresses of %s has %q, so that OVN answers for it", p.Name, text))
		}
	}
}

// lacks reports whether a set does not let a MAC send from a whole prefix.
func lacks(granted portsec.Set, mac portsec.MAC, prefix netip.Prefix) bool {
	column := []string{mac.String() + " " + prefix.Masked().String()}
	return !granted.Covers(portsec.Parse(portsec.E3, column).Set())
}

// prefixOf reads an address or a prefix.
func prefixOf(text string) (netip.Prefix, bool) {
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), true
	}
	prefix, err := netip.ParsePrefix(text)
	return prefix, err == nil && !prefix.Addr().Is4In6()
}

// route is one entry of Kube-OVN's annotation routes.
type route struct {
	To string `json:"dst"`
	By string `json:"gw"`
}

// routesTold is how many pods that route through a port are named.
const routesTold = 3

// routed collects which pods send by the addresses of ports: what they send to comes back by the port, with the
// addresses of where they sent it.
func (n *needs) routed(inv *inventory.State, own []netip.Addr, granted portsec.Set, mac portsec.MAC) {
	for p := range inv.EachPod() {
		if p.Finished {
			continue
		}
		for key, value := range p.Annotations {
			switch kubeovn.BaseSuffix(key) { //nolint:exhaustive // the others tell nothing of forwarding
			case kubeovn.Routes:
				var list []route
				if json.Unmarshal([]byte(value), &list) != nil {
					continue
				}
				for _, r := range list {
					n.route(p, key, r, own, granted, mac)
				}
			case kubeovn.NorthGateway:
				if a, err := netip.ParseAddr(value); err == nil && slices.Contains(own, a) {
					n.anyNeeded = limited(n.anyNeeded, fmt.Sprintf(
						"pod %s has it as %s, so that answers to that pod come from any address", p, key))
				}
			}
		}
	}
}

func (n *needs) route(
	p *inventory.Pod, key string, r route, own []netip.Addr, granted portsec.Set, mac portsec.MAC,
) {
	gateway, err := netip.ParseAddr(r.By)
	if err != nil || !slices.Contains(own, gateway) {
		return
	}
	to, ok := prefixOf(r.To)
	switch {
	case r.To == "default" || ok && to.Bits() == 0:
		n.anyNeeded = limited(n.anyNeeded, fmt.Sprintf(
			"pod %s has a default route by it (%s), so that answers come from any address", p, key))
	case ok && lacks(granted, mac, to):
		pair := portsec.AddressPair{Prefix: to.Masked()}
		if i := slices.IndexFunc(n.pairs, func(o need) bool { return o.AddressPair == pair }); i >= 0 &&
			len(n.pairs[i].evidence) >= routesTold {
			return
		}
		n.add(pair, false, fmt.Sprintf("pod %s has a route by it (%s), so that answers come from there", p, key))
	}
}

// limited adds a text while there are few.
func limited(texts []string, text string) []string {
	if len(texts) >= routesTold || slices.Contains(texts, text) {
		return texts
	}
	return append(texts, text)
}
