package policy

import (
	"bytes"
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/portsec"
)

// vips grants the addresses that the pod names in port_vips and aaps, where a Vip of its namespace or an exception has them.
// Kube-OVN puts them into port_security without asking anybody.
func (d *draft) vips() {
	q := d.query
	if key := q.Provider.Key(kubeovn.PortVIPs); q.Pod.Annotations[key] != "" {
		for text := range strings.SplitSeq(q.Pod.Annotations[key], ",") {
			d.vip(key, text)
		}
	}
	text := q.Pod.Annotations[kubeovn.AAPs]
	if text == "" {
		return
	}
	subnet := q.Pod.Annotations[q.Provider.Key(kubeovn.LogicalSwitch)]
	for name := range strings.SplitSeq(text, ",") {
		name = strings.TrimSpace(name)
		i := slices.IndexFunc(q.VIPs, func(v VIP) bool { return v.Name == name })
		switch {
		case i < 0:
			d.step(Step{Source: FromPod, Key: kubeovn.AAPs, Value: name, Outcome: Refused, Detail: fmt.Sprintf("namespace %s has no Vip %q", q.Namespace.Name, name)})
		case q.VIPs[i].Subnet != "" && subnet != "" && q.VIPs[i].Subnet != subnet:
			// It is of another NIC.
		default:
			for _, a := range q.VIPs[i].Addresses {
				d.Pairs = append(d.Pairs, portsec.AddressPair{Prefix: netip.PrefixFrom(a, a.BitLen())})
			}
			d.step(Step{Source: FromVIP, Name: name, Key: kubeovn.AAPs, Value: name, Outcome: Applied})
		}
	}
}

// vip grants one address of port_vips, where a Vip has it on a subnet of the NIC's VPC. In another one the same address is another's.
func (d *draft) vip(key, text string) {
	s := Step{Source: FromPod, Key: key, Value: text}
	a, err := CanonicalAddress(text)
	if err != nil {
		s.Outcome, s.Detail = Invalid, err.Error()
		d.step(s)
		return
	}
	pair := portsec.AddressPair{Prefix: netip.PrefixFrom(a, a.BitLen())}
	if !d.lacks(pair) {
		s.Outcome = Agreed
		d.step(s)
		return
	}
	s.Outcome = Refused
	s.Detail = fmt.Sprintf("no Vip of namespace %s has the address, and no exception grants it", d.query.Namespace.Name)
	for _, v := range d.query.VIPs {
		switch {
		case !slices.Contains(v.Addresses, a):
		case d.query.near(&v):
			d.Pairs = append(d.Pairs, pair)
			s.Source, s.Name, s.Outcome, s.Detail = FromVIP, v.Name, Applied, ""
			d.step(s)
			return
		default:
			s.Detail = fmt.Sprintf("Vip %s has the address on subnet %q, which is not known to be in the NIC's VPC, and no exception grants it", v.Name, v.Subnet)
		}
	}
	d.step(s)
}

// near tells that wherever the NIC may be, it is in the VPC of the Vip.
func (q *Query) near(v *VIP) bool {
	return v.VPC != "" && len(q.VPCs) > 0 && !slices.ContainsFunc(q.VPCs, func(vpc string) bool { return vpc != v.VPC })
}

// CanonicalAddress reads an address that must be written in its one canonical form. OVN reads others differently from Kube-OVN:
// a v4-mapped address, for one, makes OVN from 24.03.8 on drop the whole element.
func CanonicalAddress(text string) (netip.Addr, error) {
	a, err := netip.ParseAddr(text)
	switch {
	case err != nil:
		return netip.Addr{}, fmt.Errorf("%q is no address", text)
	case a.Zone() != "":
		return netip.Addr{}, fmt.Errorf("%q has a zone, which OVN does not know; leave out what follows the %%", text)
	case a.Is4In6():
		return netip.Addr{}, fmt.Errorf("%q must be written as %q", text, a.Unmap())
	case a.String() != text:
		return netip.Addr{}, fmt.Errorf("%q must be written as %q", text, a)
	}
	return a, nil
}

// StationMAC reads a MAC that must be that of one station, in the form that OVN reads. Kube-OVN takes other forms too and copies the
// text into port_security, where OVN ignores what it cannot read: the column is there then and checks nothing.
func StationMAC(text string) (portsec.MAC, error) {
	m, err := portsec.ParseMAC(text)
	switch {
	case err != nil:
		return portsec.MAC{}, err
	case m.Group(), m == portsec.MAC{}:
		return portsec.MAC{}, fmt.Errorf("%q is not the address of one station", text)
	}
	return m, nil
}

// ParseLevel reads a level that a namespace may ask for.
func ParseLevel(text string) (Level, error) {
	for _, l := range []Level{Strict, MAC, Open} {
		if text == l.String() {
			return l, nil
		}
	}
	return Strict, fmt.Errorf("%q is none of strict, mac and open", text)
}

// comparePairs orders pairs: by MAC, and the widest first.
func comparePairs(a, b portsec.AddressPair) int {
	return cmp.Or(
		bytes.Compare(a.MAC[:], b.MAC[:]),
		cmp.Compare(a.Prefix.Bits(), b.Prefix.Bits()),
		a.Prefix.Addr().Compare(b.Prefix.Addr()),
	)
}
