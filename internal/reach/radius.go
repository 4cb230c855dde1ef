package reach

import (
	"net/netip"
	"slices"

	"github.com/ovnguard/ovnguard/internal/intent"
	"github.com/ovnguard/ovnguard/internal/inventory"
)

// Found is all that is wrong of what pods may send to each other.
type Found struct {
	Voids      []Void
	Unrealised []Unrealised
	Ungoverned []Ungoverned
	// Radii are what ports could do with sources that are not their own, by the names of the ports.
	Radii map[string]inventory.Radius
}

// Look looks for all of it, and returns it as the inventory has it.
func Look(in Input) ([]inventory.Reached, map[string]inventory.Radius) {
	if idle(in.State) {
		return nil, nil
	}
	found := New(in).Find()
	return found.Facts(), found.Radii
}

// Find looks for all of it.
func (c *Cluster) Find() Found {
	rules := c.Rules()
	voids, opened := rules.voids()
	return Found{
		Voids: voids, Unrealised: rules.unrealised(), Ungoverned: c.Ungoverned(), Radii: c.radii(opened),
	}
}

// opensNamed is how many of the things that a port opens are named.
const opensNamed = 3

// radii returns what each port that may forge sources could do with them.
func (c *Cluster) radii(opened []opening) map[string]inventory.Radius {
	all := make(map[string]inventory.Radius)
	poses := c.poses()
	for i := range c.ports {
		p := &c.ports[i]
		if p.pod < 0 || p.forges.none() && len(p.forges.claims) == 0 {
			continue
		}
		r := inventory.Radius{Poses: inventory.Rounded(poses(p))}
		for _, o := range opened {
			if !o.forgers.Test(uint(i)) {
				continue
			}
			if len(r.Opens) < opensNamed {
				r.Opens = append(r.Opens, o.text)
			}
			r.OpensTotal++
		}
		all[p.Name] = r
	}
	return all
}

// poses returns a function that counts the pods whose addresses a port may send from, or claim, in its VPC.
func (c *Cluster) poses() func(*Port) int {
	inVPC := make(map[string]int)
	addresses := make(map[string][]netip.Addr)
	for i := range c.ports {
		p := &c.ports[i]
		if p.pod < 0 {
			continue
		}
		inVPC[p.VPC]++
		addresses[p.VPC] = append(addresses[p.VPC], p.Own.IPs...)
	}
	for _, list := range addresses {
		slices.SortFunc(list, netip.Addr.Compare)
	}
	return func(p *Port) int {
		if p.forges.any {
			return inVPC[p.VPC] - 1
		}
		posing := make(map[int]bool)
		for _, pair := range slices.Concat(p.forges.packets, p.forges.claims) {
			list := addresses[p.VPC]
			if pair.Addresses.IsValid() {
				at, _ := slices.BinarySearchFunc(list, pair.Addresses.Masked().Addr(), netip.Addr.Compare)
				list = list[at:]
			}
			for _, a := range list {
				if pair.Addresses.IsValid() && !pair.Addresses.Contains(a) {
					break
				}
				if slices.ContainsFunc(pair.Except, func(e netip.Prefix) bool { return e.Contains(a) }) {
					continue
				}
				for _, i := range c.at[a] {
					if other := &c.ports[i]; other.pod >= 0 && other.pod != p.pod && other.VPC == p.VPC {
						posing[other.pod] = true
					}
				}
			}
		}
		return len(posing)
	}
}

// Ungoverned is a pod that was granted the addresses of others, and whose egress no policy bounds.
type Ungoverned struct {
	Namespace, Pod string
	// Granted are its ports with such addresses.
	Granted []string
}

// Ungoverned returns the gateways that no egress policy bounds.
func (c *Cluster) Ungoverned() (out []Ungoverned) {
	if !c.PoliciesKnown() {
		return nil
	}
	for i := range c.ports {
		p := &c.ports[i]
		if !p.Granted || p.pod < 0 || len(p.Own.IPs) == 0 {
			continue
		}
		own := p.Own.IPs[0]
		stranger := strangers[0]
		if !own.Is4() {
			stranger = strangers[1]
		}
		v := c.asked(p.pod, outsider, own, stranger, Packet{intent.TCP, unnamedPort})
		if len(v.Egress.Isolating) > 0 {
			continue
		}
		if n := len(out); n > 0 && out[n-1].Namespace == p.Namespace && out[n-1].Pod == p.Pod {
			out[n-1].Granted = append(out[n-1].Granted, p.Name)
			continue
		}
		out = append(out, Ungoverned{p.Namespace, p.Pod, []string{p.Name}})
	}
	return out
}
