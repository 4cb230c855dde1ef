package policy

import (
	"bytes"
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/portsec"
)

// vips grants the addresses that the pod names in port_vips and aaps, where a Vip of its namespace or an exception has
// them. Kube-OVN puts them into port_security without asking anybody.
func (d *draft) vips() {
	q := &d.query
	key := q.Provider.Key(kubeovn.PortVIPs)
	items, steps := q.list(key, AddressItem)
	d.Steps = append(slices.Grow(d.Steps, len(steps)+len(items)), steps...)
	for _, item := range items {
		d.vip(key, item)
	}
	named := d.vipsNamed()
	for _, a := range named.addresses {
		d.grant(a)
	}
	d.Steps = append(d.Steps, named.steps...)
}

// vipsNamedOn returns the grants of the Vips that the pod names in aaps, for a NIC with the subnet that the pod names,
// or with none.
func (d *draft) vipsNamedOn(subnet string) (out namedVips) {
	q := &d.query
	items, steps := q.list(kubeovn.AAPs, NameItem)
	out.steps = steps
	for _, item := range items {
		name := item.Text
		v := q.vipNamed(name)
		switch {
		case v == nil:
			out.steps = append(out.steps, Step{
				Source:  FromPod,
				Key:     kubeovn.AAPs,
				Value:   name,
				Outcome: Refused,
				Detail:  fmt.Sprintf("namespace %s has no Vip %q", q.Namespace.Name, name),
			})
		case !v.Pods.picks(q.Pod.Labels):
			out.steps = append(
				out.steps,
				Step{Source: FromPod, Key: kubeovn.AAPs, Value: name, Outcome: Refused, Detail: notSelected(v)},
			)
		case v.Subnet != "" && subnet != "" && v.Subnet != subnet:
			// It is of another NIC.
		default:
			out.addresses = append(out.addresses, v.Addresses...)
			out.steps = append(
				out.steps,
				Step{Source: FromVIP, Name: name, Key: kubeovn.AAPs, Value: name, Outcome: Applied},
			)
		}
	}
	return out
}

// notSelected says that a Vip is for other pods of the namespace.
func notSelected(v *VIP) string {
	return fmt.Sprintf(
		"Vip %s has a spec.selector, and the labels of this pod do not match it",
		v.Name,
	)
}

// list returns the items of a list on the pod, and a step that says so where it is longer than what counts.
func (q *Query) list(key string, read func(string) Item) (items []Item, steps []Step) {
	text := q.Pod.Annotations[key]
	if text == "" {
		return nil, nil
	}
	if items, parsed := q.Pod.Lists[key]; parsed {
		return items, nil
	}
	items, count := List(text, ListLimit, read)
	if count > ListLimit {
		steps = []Step{
			{
				Source:  FromPod,
				Key:     key,
				Outcome: Refused,
				Detail:  fmt.Sprintf("it lists %d items, and only the first %d count", count, ListLimit),
			},
		}
	}
	return items, steps
}

// vip grants one address of port_vips, where a Vip has it on a subnet of the NIC's VPC, or the NIC's own subnet has it
// in spec.vips. In another VPC the same address is another's.
func (d *draft) vip(key string, item Item) {
	s := Step{Source: FromPod, Key: key, Value: item.Text}
	if item.Err != nil {
		s.Outcome, s.Detail = Invalid, item.Err.Error()
		d.step(s)
		return
	}
	a := item.Address
	if d.grants(portsec.AddressPair{Prefix: netip.PrefixFrom(a, a.BitLen())}) {
		s.Outcome = Agreed
		d.step(s)
		return
	}
	s.Outcome = Refused
	if d.noVip == "" { // one sentence for all addresses
		d.noVip = fmt.Sprintf(
			"no Vip of namespace %s has the address, and no exception grants it",
			d.query.Namespace.Name,
		)
	}
	s.Detail = d.noVip
	for _, v := range d.query.vipsAt(a) {
		switch {
		case !v.Pods.picks(d.query.Pod.Labels):
			s.Detail = notSelected(v)
		case d.query.near(v):
			d.grant(a)
			s.Source, s.Name, s.Outcome, s.Detail = FromVIP, v.Name, Applied, ""
			d.step(s)
			return
		default:
			s.Detail = fmt.Sprintf(
				"Vip %s has the address on subnet %q, but that subnet is not known to be in the NIC's VPC, and "+
					"no exception grants it",
				v.Name,
				v.Subnet,
			)
		}
	}
	for _, v := range d.query.Shared {
		if slices.Contains(v.Addresses, a) {
			d.grant(a)
			s.Source, s.Name, s.Outcome, s.Detail = FromVIP, "spec.vips of subnet "+v.Subnet, Applied, ""
			break
		}
	}
	d.step(s)
}

// near reports whether wherever the NIC may be, it is in the VPC of the Vip.
func (q *Query) near(v *VIP) bool {
	return v.VPC != "" && len(q.VPCs) > 0 && !slices.ContainsFunc(q.VPCs, func(vpc string) bool { return vpc != v.VPC })
}

// CanonicalAddress reads an address that must be written in its one canonical form. OVN reads others differently from
// Kube-OVN: a v4-mapped address, for one, makes OVN from 24.03.8 on drop the whole element.
func CanonicalAddress(text string) (netip.Addr, error) {
	a, err := netip.ParseAddr(text)
	switch {
	case err != nil:
		return netip.Addr{}, fmt.Errorf("%q is not an address", text)
	case a.Zone() != "":
		return netip.Addr{}, fmt.Errorf("%q has a zone, and OVN does not know zones; leave out the %% and the "+
			"rest", text)
	case a.Is4In6():
		return netip.Addr{}, fmt.Errorf("%q must be written as %q", text, a.Unmap())
	case a.String() != text:
		return netip.Addr{}, fmt.Errorf("%q must be written as %q", text, a)
	}
	return a, nil
}

// StationMAC reads a MAC that must be that of one station, in the form that OVN reads. Kube-OVN takes other forms too
// and copies the text into port_security, where OVN ignores what it cannot read: the column is there then and checks
// nothing.
func StationMAC(text string) (portsec.MAC, error) {
	m, err := portsec.ParseMAC(text)
	switch {
	case err != nil:
		return portsec.MAC{}, err
	case m.Group(), m == portsec.MAC{}:
		return portsec.MAC{}, fmt.Errorf("%q is not a unicast address", text)
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
	return Strict, fmt.Errorf("%q is not one of strict, mac and open", text)
}

// comparePairs orders pairs: by MAC, and the widest first.
func comparePairs(a, b portsec.AddressPair) int {
	return cmp.Or(
		bytes.Compare(a.MAC[:], b.MAC[:]),
		cmp.Compare(a.Prefix.Bits(), b.Prefix.Bits()),
		a.Prefix.Addr().Compare(b.Prefix.Addr()),
	)
}
