package plan

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/ovnguard/ovnguard/internal/audit"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/portsec"
)

// signsLimit is how many routes, addresses or pairs a sign names.
const signsLimit = 3

// hop is an address in a VPC to which a router sends.
type hop struct {
	vpc     string
	address netip.Addr
}

// hopsOf returns what the routers send to each next hop.
func hopsOf(s *inventory.State) map[hop][]string {
	out := make(map[hop][]string)
	for v := range s.VPCs() {
		for _, r := range v.Routes {
			key := hop{v.Name, r.NextHop}
			out[key] = append(out[key], r.Matches)
		}
	}
	return out
}

// forwards returns the signs that a port which loses something forwards for others, and the command that leads to an
// exception for it; none without signs. The port loses something from picture before to picture after. A port is
// proved to forward only where Kube-OVN made it a gateway's; everything
// else that can be seen from outside the pod is a sign. Signs that do not tell from which addresses it sends lead to no
// command: nothing could be proposed.
func (c *comparison) forwards(before, after *inventory.Port) (signs []string, command string) {
	today := c.before.Port(after.Name, c.Before.Cluster.Now)
	add := func(format string, args ...any) { signs = append(signs, fmt.Sprintf(format, args...)) }
	if after.Passing != nil && after.Passing.Cut {
		add("%s", audit.SparedFor(after))
		command = audit.ExceptionCommand(after.Passing)
	}
	generate := "ovnguard exception generate --port=" + audit.ShellWord(after.Name)
	vpc := c.before.VPCOf(after.Row.Switch)
	for _, a := range addressesOf(after) {
		if routes := c.hops[hop{vpc, a}]; len(routes) > 0 {
			add("VPC %s sends to %s: %s", vpc, a, listed(routes))
		}
	}
	for _, vip := range vipsOf(c.before, after) {
		if c.loses(after, before.Row, after.Row, vip.address) {
			what := "address " + vip.address.String()
			if vip.name != "" {
				what = "Vip " + vip.name + ", " + vip.address.String()
			}
			add("it shares %s with other pods", what)
			command = cmp.Or(command, generate)
		}
	}
	if slices.Contains(today.Row.Addresses, kubeovn.AddressUnknown) {
		what := "it takes in frames for MACs that nobody has (unknown in addresses)"
		if audit.ClassOf(after) == audit.ClassVM {
			what += ", as a machine with machines or containers in it needs"
		}
		add("%s", what)
	}
	if more := c.byHand(&today); len(more) > 0 {
		add("port_security lets it send from %s besides its identity today", listed(more))
		command = cmp.Or(command, generate)
	}
	return signs, command
}

// listed joins the first texts, and says how many more there are.
func listed(all []string) string {
	if more := len(all) - signsLimit; more > 0 {
		return strings.Join(all[:signsLimit], ", ") + fmt.Sprintf(" and %d more", more)
	}
	return strings.Join(all, ", ")
}

// ownSet returns what the port may send with its MAC and some addresses; ok is false where the MAC is not known.
func ownSet(p *inventory.Port, addresses ...netip.Addr) (s portsec.Set, ok bool) {
	text, _ := identityOf(p)
	mac, err := portsec.ParseMAC(text)
	if err != nil {
		return portsec.Set{}, false
	}
	return portsec.IdentitySet(portsec.Identity{MAC: mac, IPs: addresses}), true
}

// loses reports whether one row lets the port send from the address, and the other one does not.
func (c *comparison) loses(p *inventory.Port, before, after *inventory.Row, address netip.Addr) bool {
	one, ok := ownSet(p, address)
	if !ok {
		return false
	}
	lets := func(era portsec.Era, row *inventory.Row) bool {
		set := portsec.Parse(era, row.PortSecurity).Set()
		return set.Open() || set.Covers(one)
	}
	return slices.ContainsFunc(
		c.erasOf(p),
		func(era portsec.Era) bool { return lets(era, before) && !lets(era, after) },
	)
}

// byHand returns what the row lets the port send besides its identity and what its annotations name, where the row
// restricts it at all: somebody wrote that, and mostly because it is needed.
func (c *comparison) byHand(p *inventory.Port) []string {
	addresses := addressesOf(p)
	for _, vip := range vipsOf(c.before, p) {
		addresses = append(addresses, vip.address)
	}
	own, ok := ownSet(p, addresses...)
	if !ok {
		return nil
	}
	for _, era := range c.erasOf(p) {
		set := portsec.Parse(era, p.Row.PortSecurity).Set()
		if set.Open() || !era.Checks(p.Row.Type) {
			return nil
		}
		if more := portsec.Excess(set, own); len(more) > 0 {
			return texts(more)
		}
	}
	return nil
}
