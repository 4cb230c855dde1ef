//go:build integration

package standin

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"

	"github.com/ovnguard/ovnguard/internal/intent"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/ovn"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/internal/reach"
	"github.com/ovnguard/ovnguard/internal/rows"
	"github.com/ovnguard/ovnguard/lab/internal/standin/crd"
	"github.com/ovnguard/ovnguard/lab/internal/standin/nb"
	"github.com/ovnguard/ovnguard/lab/internal/standin/upstream"
	"github.com/ovnguard/ovnguard/lab/wire"
	"github.com/ovnguard/ovnguard/portsec"
	"github.com/ovnguard/ovnguard/test/ovnbox"
)

var (
	reachPackets = flag.Int("reach.packets", 2000, "packets that TestReachLikeOVN compares")
	reachSeed    = flag.Uint64(
		"reach.seed",
		1,
		"seed of the clusters and packets of TestReachLikeOVN, 0 for another each time",
	)
)

// packetsOfCluster is how many packets are tried in each cluster.
const packetsOfCluster = 50

// What package reach says of packets, honest and forged, is what the flows of this machine's OVN do: in random
// clusters, with the rows that the stand-in makes of policies and security groups, read as ovnguard reads them. A
// packet takes its whole way: out of its port, through ACLs, over the router where the other end is on another switch,
// and into a port. ACLs do what policies ask for, but where Kube-OVN differs by design.
func TestReachLikeOVN(t *testing.T) {
	seed := *reachSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	r := reachRandom{rand.New(rand.NewPCG(seed, 0))}
	n := newReachNetwork(t)
	seen := map[string]int{}
	for compared := 0; compared < *reachPackets; compared += packetsOfCluster {
		given := r.cluster(n.pods)
		n.write(given)
		c := n.read(given)
		for range packetsOfCluster {
			n.compare(given, c, r.packet(n, given, c), seen)
		}
		if t.Failed() {
			t.Fatalf("-reach.seed=%d", seed)
		}
	}
	t.Logf("%v, -reach.seed=%d", seen, seed)
	if seen["not said by OVN"] > *reachPackets/50 {
		t.Errorf("of %d packets %d meet rules of one priority that differ", *reachPackets, seen["not said by OVN"])
	}
	for _, what := range []string{
		"honest, delivered yes", "honest, delivered no", "forged, delivered yes", "forged, delivered no",
	} {
		if seen[what] < *reachPackets/20 {
			t.Errorf("of %d packets only %d are %s: the generator says too little", *reachPackets, seen[what], what)
		}
	}
}

// reachNetwork is a running OVN with the switches, the router and the ports of all clusters.
type reachNetwork struct {
	t      *testing.T
	box    *ovnbox.Box
	client *nb.Client
	pods   []reachPod
	routed map[string]portsec.MAC // the router's MAC on each subnet
}

func newReachNetwork(t *testing.T) *reachNetwork {
	t.Helper()
	subnets := reachSubnets()
	n := &reachNetwork{t: t, pods: reachPodsOn(subnets), routed: make(map[string]portsec.MAC)}
	var names []string
	for _, p := range n.pods {
		names = append(names, p.port)
	}
	box, err := ovnbox.StartNetwork(names, func(northbound string) error {
		var err error
		if n.client, err = nb.Dial(t.Context(), northbound, slog.New(slog.DiscardHandler)); err != nil {
			return err
		}
		t.Cleanup(n.client.Close)
		if err := n.client.EnsureRouter(t.Context(), reachRouter, nil); err != nil {
			return err
		}
		for i, s := range subnets {
			mac := portsec.MAC{0x0a, 0, 0, 0, 2, byte(i + 1)}
			n.routed[s.Name] = mac
			link := upstream.RouterLink(s, mac.String())
			if err := n.client.EnsureSwitch(t.Context(), s.Name, nil); err != nil {
				return err
			}
			if err := n.client.EnsureRouterPort(t.Context(), reachRouter, link.Router); err != nil {
				return err
			}
			if err := n.client.CreatePort(t.Context(), s.Name, link.Switch); err != nil {
				return err
			}
		}
		for _, p := range n.pods {
			err := n.client.CreatePort(t.Context(), p.subnet.Name, nb.LogicalSwitchPort{
				Name: p.port, Addresses: []string{p.mac + " " + strings.Join(p.ips, " ")}, ExternalIDs: p.externalIDs(),
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	check(t, err)
	t.Cleanup(func() { check(t, box.Close()) })
	n.box = box
	return n
}

// write writes the rows of a cluster by the stand-in's rules, and waits for the flows.
func (n *reachNetwork) write(given *reachCluster) {
	n.t.Helper()
	ctx := n.t.Context()
	c := &controller{nb: n.client, cfg: Config{Version: given.version}, log: slog.New(slog.DiscardHandler)}
	groups, err := n.client.PortGroups(ctx)
	check(n.t, err)
	for _, g := range groups {
		check(n.t, n.client.DeletePortGroup(ctx, g.Name))
	}
	sets, err := n.client.AddressSets(ctx, func(*nb.AddressSet) bool { return true })
	check(n.t, err)
	for _, s := range sets {
		check(n.t, n.client.DeleteAddressSets(ctx, s.UUID))
	}
	cluster := &upstream.PolicyCluster{Namespaces: given.namespaces}
	ports := make(map[string][]string) // of each node
	for _, p := range given.pods {
		row, _, err := n.client.Port(ctx, p.port)
		check(n.t, err)
		enabled := !p.disabled
		row.PortSecurity, row.ExternalIDs, row.Enabled = p.portSecurity, p.externalIDs(), &enabled
		check(n.t, n.client.UpdatePort(ctx, &row, &row.PortSecurity, &row.ExternalIDs, &row.Enabled))
		cluster.Pods = append(cluster.Pods, upstream.PolicyPod{Pod: p.Pod, NICs: []upstream.PolicyNIC{{
			Provider: kubeovn.DefaultProvider, Port: p.port, Subnet: p.subnet,
		}}})
		ports[p.Spec.NodeName] = append(ports[p.Spec.NodeName], row.UUID)
	}
	for _, node := range given.nodes {
		group := upstream.NodeGroup(node.Name)
		check(n.t, n.client.EnsurePortGroup(ctx, group, nil))
		check(n.t, n.client.SetPortGroup(ctx, group, ports[node.Name]))
		if len(given.policies) > 0 {
			acls, _ := upstream.NodeACLs(given.version, node)
			check(n.t, n.client.AddACLs(ctx, group, acls))
		}
	}
	for _, np := range given.policies {
		made, err := upstream.Policy(given.version, np, cluster)
		check(n.t, err)
		check(n.t, c.writePolicy(ctx, np, &made))
	}
	for _, g := range given.groups {
		check(n.t, n.client.EnsurePortGroup(ctx, upstream.SecurityGroup(g.Name), groupIDs(g.Name)))
		check(n.t, c.writeGroupACLs(ctx, g, upstream.ToPort))
		check(n.t, c.writeGroupACLs(ctx, g, upstream.FromPort))
		check(n.t, c.syncMembers(ctx, g.Name))
	}
	check(n.t, c.ensureDenyAll(ctx))
	check(n.t, n.box.Sync())
}

// read reads the database as ovnguard does, with the objects of the cluster.
func (n *reachNetwork) read(given *reachCluster) *reach.Cluster {
	n.t.Helper()
	mirror, err := ovn.Open(ovn.Config{Endpoints: n.box.Northbound(), Tables: rows.Northbound(), Log: logr.Discard()})
	check(n.t, err)
	ctx, cancel := context.WithCancel(n.t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); mirror.Run(ctx) }()
	defer func() { cancel(); <-ended }()
	check(n.t, mirror.WaitSynced(ctx))
	inv := inventory.New()
	inv.SetSetup(kubeovn.Setup{Router: reachRouter})
	for _, s := range reachSubnets() {
		subnet := inventory.Subnet{Name: s.Name, UID: s.Name, VPC: reachRouter}
		for _, cidr := range s.CIDRs() {
			subnet.CIDRs = append(subnet.CIDRs, netip.MustParsePrefix(cidr))
		}
		for _, gateway := range s.Gateways() {
			subnet.Gateways = append(subnet.Gateways, netip.MustParseAddr(gateway))
		}
		inv.SetSubnet(subnet)
	}
	for _, ns := range given.namespaces {
		inv.SetNamespace(policy.Namespace{Name: ns.Name, UID: ns.Name, Labels: ns.Labels})
	}
	for _, p := range given.pods {
		seen := &inventory.Pod{
			PodKey: inventory.PodKey{
				Namespace: p.Namespace,
				Name:      p.Name,
			},
			UID:         p.port,
			Owner:       p.Name,
			Labels:      p.Labels,
			Annotations: p.Annotations,
		}
		for _, named := range p.Spec.Containers[0].Ports {
			seen.Ports = append(seen.Ports, inventory.NamedPort{
				Name: named.Name, Protocol: string(named.Protocol), Number: uint16(named.ContainerPort),
			})
		}
		inv.SetPod(seen)
		inv.SetRecord(&inventory.Record{Name: p.port, MAC: p.mac, IPs: p.ips, Subnet: p.subnet.Name})
	}
	now := mirror.Snapshot()
	for p := range now.Ports().All() {
		inv.SetRow(rows.Of(p))
	}
	for p := range now.RouterPorts().All() {
		inv.SetRouterPort(rows.RouterPortOf(p))
	}
	inv.KnowGroups()
	for g := range now.PortGroups().All() {
		inv.SetPortGroup(rows.PortGroupOf(g))
	}
	for a := range now.AddressSets().All() {
		inv.SetAddressSet(rows.AddressSetOf(a))
	}
	inv.KnowACLs()
	for a := range now.ACLs().All() {
		inv.SetACL(rows.ACLOf(a))
	}
	for s := range now.Switches().All() {
		inv.SetSwitch(rows.SwitchOf(s))
	}
	return reach.New(reach.Input{
		State: inv.Snapshot(), Eras: []portsec.Era{n.box.Era}, Now: time.Now(),
		Policies: intent.Objects{NetworkPolicies: given.policies},
	})
}

// reachTried is a packet that is tried.
type reachTried struct {
	from, to *reachPod
	as       reach.Source
	packet   reach.Packet
}

// packet returns a packet between two pods, honest or with the source of somebody else.
func (r reachRandom) packet(n *reachNetwork, given *reachCluster, c *reach.Cluster) reachTried {
	for {
		p := reachTried{from: &given.pods[r.IntN(len(given.pods))], to: &given.pods[r.IntN(len(given.pods))]}
		if p.from.port == p.to.port {
			continue
		}
		p.packet.Protocol = oneOf(r, intent.TCP, intent.TCP, intent.UDP, intent.SCTP, intent.ICMP)
		if p.packet.Protocol != intent.ICMP {
			p.packet.Port = uint16(oneOf(r, reachPorts...))
		}
		source := netip.MustParseAddr(oneOf(r, p.from.ips...))
		from := c.Port(p.from.port)
		p.as = reach.Source{MAC: from.Own.MAC, IP: source}
		if !r.one(3) {
			of := given.pods[r.IntN(len(given.pods))]
			all := slices.Concat(of.ips, of.ips, reachStrangers, reachNodes[0], reachNodes[1], of.subnet.Gateways())
			p.as = from.Forged(netip.MustParseAddr(oneOf(r, all...)))
			if r.one(5) {
				p.as.MAC = c.Port(of.port).Own.MAC
			}
		}
		for _, ip := range p.to.ips { // the receiver must have an address of the family
			if netip.MustParseAddr(ip).Is4() == p.as.IP.Is4() {
				return p
			}
		}
	}
}

// compare compares what package reach says of a packet with its trace.
func (n *reachNetwork) compare(given *reachCluster, c *reach.Cluster, p reachTried, seen map[string]int) {
	n.t.Helper()
	w := c.Walk(c.Port(p.from.port), c.Port(p.to.port), p.as, p.packet)
	next := c.Port(p.to.port).Own.MAC
	if p.from.subnet.Name != p.to.subnet.Name {
		next = n.routed[p.from.subnet.Name]
	}
	var target netip.Addr
	for _, ip := range p.to.ips {
		if a := netip.MustParseAddr(ip); a.Is4() == p.as.IP.Is4() {
			target = a
		}
	}
	frame, err := wire.Packet{
		From:     wire.Host{MAC: net.HardwareAddr(p.as.MAC[:]), IP: p.as.IP},
		To:       wire.Host{MAC: net.HardwareAddr(next[:]), IP: target},
		Protocol: wire.Protocol(strings.ToLower(string(p.packet.Protocol))), SourcePort: 40000, Port: p.packet.Port,
	}.Frame()
	check(n.t, err)
	outputs, trace, err := n.box.Outputs(ovnbox.Packet{From: p.from.port, Frame: frame})
	check(n.t, err)
	delivered := reach.No
	if slices.Contains(outputs, p.to.port) {
		delivered = reach.Yes
	}
	kind := "forged"
	if w.Honest {
		kind = "honest"
	}
	seen[kind+", delivered "+string(delivered)]++
	if p.from.subnet.Name != p.to.subnet.Name {
		seen["routed, delivered "+string(delivered)]++
	}
	if w.Differs != "" {
		why := p.byDesign(given)
		if why == "" {
			n.t.Errorf(
				"%s: %s: %s; %s; on %s\n%v",
				p,
				w.Differs,
				w.Policies.Egress.Why,
				w.Policies.Ingress.Why,
				given.version,
				w.Stages,
			)
		}
		seen["differs by design: "+why]++
	}
	if w.Delivered == delivered && len(outputs) <= 1 {
		return
	}
	if w.Delivered == reach.Unknown && slices.ContainsFunc(w.Stages, func(s reach.Stage) bool {
		return strings.HasSuffix(s.Why, "of the same priority")
	}) {
		seen["not said by OVN"]++ // rules of two security groups that differ
		return
	}
	var text strings.Builder
	for _, s := range w.Stages {
		fmt.Fprintf(&text, "%s: %s, %s\n", s.Name, s.Passes, s.Why)
	}
	n.t.Errorf("%s, %s on %s: delivered %s, OVN %s (to %q)\n%s\n%s", p, kind, given.version, w.Delivered, delivered,
		outputs, &text, lastOf(trace))
}

// String names the packet in messages.
func (p reachTried) String() string {
	return fmt.Sprintf("%s from %s/%s to %s/%s, source %s %s", p.packet, p.from.Namespace, p.from.Name, p.to.Namespace,
		p.to.Name, p.as.MAC, p.as.IP)
}

// byDesign returns why Kube-OVN may do something else with a packet than policies ask for: "" where it may not.
func (p reachTried) byDesign(given *reachCluster) string {
	nodes := slices.Concat(reachNodes...)
	lax, numbers := false, map[int32]bool{}
	for _, np := range given.policies {
		lax = lax || np.Annotations[upstream.PolicyEnforcement] != ""
	}
	for _, pod := range given.pods {
		numbers[pod.Spec.Containers[0].Ports[0].ContainerPort] = true
	}
	gateway := slices.ContainsFunc(reachSubnets(), func(s *crd.Subnet) bool {
		return slices.Contains(s.Gateways(), p.as.IP.String())
	})
	switch icmp := p.packet.Protocol == intent.ICMP; {
	case len(p.from.groups)+len(p.to.groups) > 0:
		return "security groups come before policies"
	case icmp && !p.as.IP.Is4():
		return "ICMPv6"
	case icmp && lax:
		return "lax"
	case slices.Contains(nodes, p.as.IP.String()):
		return "nodes"
	case gateway && given.version == upstream.V1_14:
		return "gateways"
	case len(p.from.ips) == 1 && !p.as.IP.Is4():
		return "a policy admits only the families of its pods' subnets"
	case len(numbers) > 1 && numbers[int32(p.packet.Port)]:
		return "a port's name that pods have for different numbers"
	case given.version == upstream.V1_14 && slices.Contains(reachStrangers, p.as.IP.String()):
		return "what one block excepts, all blocks of the rule do"
	}
	return ""
}

// lastOf returns the end of a trace, which shows where a packet was dropped.
func lastOf(trace string) string {
	const limit = 2500
	return trace[max(0, len(trace)-limit):]
}
