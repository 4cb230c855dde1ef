package inventory

import (
	"net"
	"slices"
	"strings"
	"unique"

	"github.com/ovnguard/ovnguard/portsec"
)

// RouterPort is a Logical_Router_Port as the Northbound database holds it: a router's end of its link to a switch. A
// port on the switch that has its MAC is sent what is for the gateway.
type RouterPort struct {
	UUID string
	// Name is "<router>-<switch>" where Kube-OVN made it, and the switch's end is "<switch>-<router>".
	Name string
	MAC  string
}

// SetRouterPort adds or replaces a port of a router and returns the names of the ports of its switch that have its MAC,
// or had it.
func (inv *Inventory) SetRouterPort(p RouterPort) []string {
	touched := inv.withMACOfRouter(p.Name)
	inv.network.routerPorts.Set(inv.edit, p.Name, p)
	touched = append(touched, inv.SetFixed(Fixed{Holder: Holder{HeldByRouter, p.Name}, MACs: []string{p.MAC}})...)
	return union(touched, inv.withMACOfRouter(p.Name))
}

// DeleteRouterPort takes the port with this name and UUID out and returns the names of the ports that had its MAC. One
// that was made again under the name meanwhile has another UUID and stays.
func (inv *Inventory) DeleteRouterPort(name, uuid string) []string {
	if inv.routerPorts.Get(name).UUID != uuid {
		return nil
	}
	touched := inv.withMACOfRouter(name)
	inv.network.routerPorts.Delete(inv.edit, name)
	return union(touched, inv.DeleteFixed(Holder{HeldByRouter, name}))
}

// withMACOfRouter returns the names of the ports of pods that have the MAC of a router's port on its switch.
func (inv *Inventory) withMACOfRouter(name string) (ports []string) {
	for _, mac := range inv.holders.macs[Holder{HeldByRouter, name}] {
		for _, sw := range splits(name) {
			ports = append(ports, inv.withMAC(sw[1], mac)...)
		}
	}
	return distinct(ports)
}

// typeRouter is the type of a switch's end of its link to a router.
const typeRouter = "router"

// isLink reports whether the row is a switch's end of a link to a router; it may be nil.
func (r *Row) isLink() bool { return r != nil && r.Type == typeRouter }

// replaceLink keeps the MACs of a switch's end of a link to a router, which Kube-OVN leaves to the router's end. Either
// may be nil. It returns the names of the other ports on the switch for which that matters.
func (inv *Inventory) replaceLink(old, now *Row) (touched []string) {
	if old.isLink() {
		touched = inv.withMACOfLink(old)
		touched = append(touched, inv.DeleteFixed(Holder{HeldByPort, old.Name})...)
	}
	if !now.isLink() {
		return touched
	}
	link := Fixed{Holder: Holder{HeldByPort, now.Name}}
	for _, element := range now.Addresses {
		mac, _, _ := strings.Cut(element, " ")
		link.MACs = append(link.MACs, mac)
	}
	touched = append(touched, inv.SetFixed(link)...)
	return append(touched, inv.withMACOfLink(now)...)
}

// withMACOfLink returns the names of the ports of pods that have the MAC of a link to a router on its switch.
func (inv *Inventory) withMACOfLink(link *Row) (ports []string) {
	macs := inv.holders.macs[Holder{HeldByPort, link.Name}]
	if router, ok := strings.CutPrefix(link.Name, link.Switch+"-"); ok {
		macs = slices.Concat(macs, inv.holders.macs[Holder{HeldByRouter, router + "-" + link.Switch}])
	}
	for _, mac := range macs {
		ports = append(ports, inv.withMAC(link.Switch, mac)...)
	}
	return ports
}

// withMAC returns the names of the ports of pods on a switch that have a MAC.
func (ps *ports) withMAC(sw, text string) []string {
	mac, err := portsec.ParseMAC(text)
	if err != nil {
		return nil
	}
	return ps.onSwitch.names(macOn(unique.Make(ps.domain(sw)), mac))
}

// links returns the links to routers that have the MAC on the row's switch.
func (inv *State) links(r *Row, mac string) (names []string) {
	for h := range inv.fixedMACs.of(mac) {
		end := h.Name
		switch h.Kind { //nolint:exhaustive // the others are on no switch, or have rows of their own
		case HeldByRouter:
			lr, ok := strings.CutSuffix(h.Name, "-"+r.Switch)
			if !ok {
				continue
			}
			end = r.Switch + "-" + lr
		case HeldByPort:
		default:
			continue
		}
		if link := inv.entry(end).row; link.isLink() && link.Switch == r.Switch {
			names = append(names, end)
		}
	}
	return distinct(names)
}

// gatewayDuplicates returns the MACs that a port of a pod has in common with the gateways of its switch.
func (inv *State) gatewayDuplicates(r *Row) (duplicates []Duplicate) {
	if r.Type != "" || r.Disabled || r.Switch == "" {
		return nil
	}
	for _, element := range r.Addresses {
		text, _, _ := strings.Cut(element, " ")
		if mac := strings.ToLower(text); inv.fixedMACs.Has(mac) {
			if links := inv.links(r, mac); len(links) > 0 {
				duplicates = append(duplicates, Duplicate{Text: mac, MAC: true, Others: links})
			}
		}
	}
	return duplicates
}

// gatewayOf returns the gateway of the subnet to which a link between a switch and a router belongs, and any other
// holder as it is.
func (n *network) gatewayOf(h Holder) Holder {
	if h.Kind != HeldByRouter && h.Kind != HeldByPort {
		return h
	}
	for _, sw := range splits(h.Name) {
		router, subnet := sw[0], sw[1]
		if h.Kind == HeldByPort {
			router, subnet = subnet, router
		}
		if s, ok := n.subnets.Find(subnet); ok && n.routerOf(s) == router {
			return Holder{HeldByGateway, subnet}
		}
	}
	return h
}

// NamesALink reports whether the name is, or could be, that of the link between a switch and a router, or of the
// router's end: of a subnet that there is, which is given, or of any and the default router.
func (n *network) NamesALink(name string) (subnet string, ok bool) {
	for _, end := range []Holder{{HeldByRouter, name}, {HeldByPort, name}} {
		if gateway := n.gatewayOf(end); gateway != end {
			return gateway.Name, true
		}
	}
	return "", strings.HasPrefix(name, n.setup.Router+"-") || strings.HasSuffix(name, "-"+n.setup.Router)
}

// splits returns each way to cut a name in two at a hyphen.
func splits(name string) (parts [][2]string) {
	for i := range len(name) {
		if name[i] == '-' {
			parts = append(parts, [2]string{name[:i], name[i+1:]})
		}
	}
	return parts
}

// macOf returns a MAC, in any form that Kube-OVN and OVN take, in small letters with colons.
func macOf(text string) (mac string, ok bool) {
	hw, err := net.ParseMAC(text)
	if err != nil || len(hw) != len(portsec.MAC{}) {
		return "", false
	}
	return hw.String(), true
}

// RouterPort returns a port of a router; ok is false where there is none of that name.
func (n *network) RouterPort(name string) (p RouterPort, ok bool) {
	p, ok = n.routerPorts.Find(name)
	return p, ok
}

// EachRouterPort returns every port of a router to look, in no order.
func (n *network) EachRouterPort(look func(RouterPort)) {
	for p := range n.routerPorts.Values() {
		look(p)
	}
}
