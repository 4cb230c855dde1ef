// Package reach says what pods may send to each other: honestly, and with a source that their ports let them forge. It
// looks at what policies ask for (intent), at the ACLs that OVN has (acl), and at port security on both sides
// (portsec). It is pure: a state of the inventory and policies in, walks, a matrix and facts for the inventory out.
package reach

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/ovnguard/ovnguard/internal/acl"
	"github.com/ovnguard/ovnguard/internal/audit"
	"github.com/ovnguard/ovnguard/internal/intent"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/portsec"
)

// Input is what a cluster is made of.
type Input struct {
	State *inventory.State
	// Eras are the parsers of OVN that may enforce where the chassis of a port does not say.
	Eras     []portsec.Era
	Policies intent.Objects
	Now      time.Time
}

// Port is one that pods have, or a node, as reach sees it.
type Port struct {
	Name, Switch, VPC string
	// Namespace, Pod and Provider are those of the pod that has it; "" where none has.
	Namespace, Pod string
	Provider       kubeovn.Provider
	// Own is the MAC and the addresses that are the port's.
	Own portsec.Identity
	// Workload is what made the pod, as "Deployment web"; "" where nothing did.
	Workload string
	// Granted means that the port has ranges of addresses besides its own because somebody granted them: it forwards.
	Granted bool

	pod int // index in Cluster.pods, or outsider
	// outside means that it is no port of OVN's.
	outside bool
	kind    portsec.Port
	// column is port_security, and eras are those that may enforce it.
	column []string
	eras   []portsec.Era
	forges forgery
	router routerEnd
}

// routerEnd is the port by which a router is on a switch: the name of the switch's end, and the router's MAC.
type routerEnd struct {
	name string
	mac  portsec.MAC
}

// Owner returns whose port it is, as "NAMESPACE/POD"; the port's name where it is no pod's.
func (p *Port) Owner() string {
	if p.Pod == "" {
		return p.Name
	}
	return p.Namespace + "/" + p.Pod
}

// Cluster is all ports with what governs what they send to each other. It is not changed once it is made.
type Cluster struct {
	State *inventory.State

	ports  []Port
	byName map[string]int
	// at are the ports that have an address for their own.
	at map[netip.Addr][]int

	// routers are the ports of routers by the switches that they are on.
	routers map[string]routerEnd

	pods    []intent.Pod
	portsOf [][]int // of each pod

	policies intent.Objects
	intent   *intent.Intent
	// acls is nil where the ACLs are not known.
	acls   *acl.Table
	scopes scopes
	now    time.Time
}

// New joins what is known of a cluster.
func New(in Input) *Cluster {
	names := in.State.Names()
	c := &Cluster{
		State:  in.State,
		ports:  make([]Port, 0, len(names)),
		byName: make(map[string]int, len(names)),
		at:     make(map[netip.Addr][]int, len(names)),

		routers:  make(map[string]routerEnd),
		policies: in.Policies,
		scopes:   scopesOf(&in.Policies),
		now:      in.Now,
	}
	if in.State.ACLsKnown() {
		c.acls = acl.New(in.State.ACLs())
	}
	index := make(map[inventory.PodKey]int)
	namespaces := make(map[string]map[string]string)
	for _, name := range names {
		p := in.State.Port(name, in.Now)
		if p.Row == nil || p.Row.Type != "" {
			continue
		}
		c.enter(&p, in.Eras, index)
	}
	for i := range c.pods {
		ns := c.pods[i].Namespace
		if _, known := namespaces[ns]; !known {
			namespaces[ns] = in.State.Namespace(ns).Labels
		}
	}
	c.intent = intent.New(intent.Cluster{Objects: in.Policies, Namespaces: namespaces, Pods: c.pods})
	return c
}

// enter adds a port, and its pod with the first of its ports.
func (c *Cluster) enter(p *inventory.Port, eras []portsec.Era, index map[inventory.PodKey]int) {
	if len(p.Eras) > 0 {
		eras = p.Eras
	}
	port := Port{
		Name: p.Name, Switch: p.Row.Switch, VPC: c.State.VPCOf(p.Row.Switch), pod: outsider,
		Own:    ownOf(p),
		kind:   portsec.Port{Type: p.Row.Type, Disabled: p.Row.Disabled},
		column: p.Row.PortSecurity, eras: eras,
	}
	port.router = c.routerOn(port.Switch, port.VPC)
	if !isIdentity(port.column, &port.Own) {
		port.forges = forgeryOf(portsec.ParseAll(eras, port.column), port.Own, p.Row.Disabled)
	}
	if p.Pod != nil && !p.Pod.Finished {
		at, known := index[p.Pod.PodKey]
		if !known {
			at = len(c.pods)
			index[p.Pod.PodKey] = at
			c.pods, c.portsOf = append(c.pods, podOf(p.Pod)), append(c.portsOf, nil)
		}
		port.Namespace, port.Pod, port.Provider, port.pod = p.Pod.Namespace, p.Pod.Name, p.Provider, at
		port.Granted = slices.ContainsFunc(p.Decision.Pairs, func(pair portsec.AddressPair) bool {
			// A single address is one that moves, such as VRRP's.
			return !pair.Prefix.IsValid() || !pair.Prefix.IsSingleIP()
		})
		if n := len(p.Owners); n > 0 {
			port.Workload = p.Owners[n-1].Kind + " " + p.Owners[n-1].Name
		}
		c.pods[at].Addresses = append(c.pods[at].Addresses, port.Own.IPs...)
		c.portsOf[at] = append(c.portsOf[at], len(c.ports))
	}
	c.byName[port.Name] = len(c.ports)
	for _, a := range port.Own.IPs {
		c.at[a] = append(c.at[a], len(c.ports))
	}
	c.ports = append(c.ports, port)
}

// routerOn returns the port by which a router is on a switch, which is looked for once.
func (c *Cluster) routerOn(on, router string) routerEnd {
	r, known := c.routers[on]
	if !known {
		r.name = on + "-" + router
		if p, ok := c.State.RouterPort(router + "-" + on); ok {
			r.mac, _ = portsec.ParseMAC(p.MAC)
		}
		c.routers[on] = r
	}
	return r
}

// isIdentity reports whether a column is, to the letter, a MAC and addresses: by it nothing can be forged under any
// era. Where that is false it may still mean the same.
func isIdentity(column []string, own *portsec.Identity) bool {
	if len(column) != 1 || len(own.IPs) == 0 || own.MAC.Group() {
		return false
	}
	var buffer [256]byte
	text := append(buffer[:0], own.MAC.String()...)
	for _, a := range own.IPs {
		if !a.IsGlobalUnicast() || a.Is4In6() {
			return false // eras read such addresses in their own ways
		}
		text = a.AppendTo(append(text, ' '))
	}
	return column[0] == string(text)
}

// ownOf returns the MAC and addresses of a port: those that Kube-OVN gave it, or else those of its row.
func ownOf(p *inventory.Port) portsec.Identity {
	if own, _, err := audit.IdentityOf(p); err == nil {
		return own
	}
	var own portsec.Identity
	for _, element := range p.Row.Addresses {
		for i, word := range strings.Fields(element) {
			if a, err := netip.ParseAddr(word); err == nil {
				own.IPs = append(own.IPs, a)
			} else if mac, err := portsec.ParseMAC(word); err == nil && i == 0 {
				own.MAC = mac
			}
		}
	}
	return own
}

func podOf(p *inventory.Pod) intent.Pod {
	pod := intent.Pod{Namespace: p.Namespace, Name: p.Name, Labels: p.Labels, HostNetwork: p.HostNetwork}
	for _, named := range p.Ports {
		pod.Ports = append(pod.Ports, intent.NamedPort{
			Name: named.Name, Protocol: intent.Protocol(named.Protocol), Number: named.Number,
		})
	}
	return pod
}

// Port returns a port by its name; nil where there is none.
func (c *Cluster) Port(name string) *Port {
	if i, ok := c.byName[name]; ok {
		return &c.ports[i]
	}
	return nil
}

// PortOf returns the first port of those that are meant, that of the default network first; nil where none is.
func (c *Cluster) PortOf(meant func(*inventory.Port) bool) (found *Port) {
	for i := range c.ports {
		p := &c.ports[i]
		if found != nil && p.Provider != kubeovn.DefaultProvider {
			continue
		}
		if picture := c.State.Port(p.Name, c.now); meant(&picture) {
			if p.Provider == kubeovn.DefaultProvider {
				return p
			}
			found = p
		}
	}
	return found
}

// Outside returns the one port that has an address for its own, or else one that stands for who has it outside OVN.
func (c *Cluster) Outside(a netip.Addr) *Port {
	if at := c.at[a]; len(at) == 1 {
		return &c.ports[at[0]]
	}
	return &Port{Name: a.String(), Own: portsec.Identity{IPs: []netip.Addr{a}}, pod: outsider, outside: true}
}

// ACLsKnown reports whether the ACLs that OVN has are known.
func (c *Cluster) ACLsKnown() bool { return c.acls != nil }

// PoliciesKnown reports whether it is known which NetworkPolicies there are.
func (c *Cluster) PoliciesKnown() bool { return !c.unread(intent.KindNetworkPolicy) }

// unread reports whether it is not known which policies of a kind there are.
func (c *Cluster) unread(kind string) bool {
	of := map[string]inventory.Kind{
		intent.KindNetworkPolicy:              inventory.NetworkPolicies,
		intent.KindClusterNetworkPolicy:       inventory.ClusterNetworkPolicies,
		intent.KindAdminNetworkPolicy:         inventory.AdminNetworkPolicies,
		intent.KindBaselineAdminNetworkPolicy: inventory.BaselineNetworkPolicies,
	}
	return len(c.State.Unread(of[kind])) > 0
}

// network names where ports reach each other: the VPC, or the switch alone where that is not known.
func (p *Port) network() string {
	if p.VPC == "" {
		return "switch " + p.Switch
	}
	return p.VPC
}

// Problems returns what was not understood of policies and address sets.
func (c *Cluster) Problems() []string {
	problems := c.intent.Problems()
	if c.acls != nil {
		problems = append(problems, c.acls.BadSets...)
	}
	return problems
}
