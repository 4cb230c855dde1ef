package reach

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/ovnguard/ovnguard/internal/acl"
	"github.com/ovnguard/ovnguard/internal/intent"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/ovnmatch"
	"github.com/ovnguard/ovnguard/portsec"
	"github.com/ovnguard/ovnguard/portsec/vector"
)

// Passes says whether packets pass.
type Passes string

// The three answers.
const (
	Yes     Passes = "yes"
	No      Passes = "no"
	Unknown Passes = "unknown"
)

func passes(b bool) Passes {
	if b {
		return Yes
	}
	return No
}

// Source is what a packet says that it is from.
type Source struct {
	MAC portsec.MAC
	IP  netip.Addr
}

// Packet is the first packet of a connection.
type Packet struct {
	Protocol intent.Protocol
	// Port is that of the destination; of ICMP, the packet is an echo request.
	Port uint16
}

// String returns the packet as flags and tables have it, such as "tcp/5432".
func (p Packet) String() string {
	if p.Protocol == intent.ICMP {
		return "icmp"
	}
	return fmt.Sprintf("%s/%d", strings.ToLower(string(p.Protocol)), p.Port)
}

// Stage is one thing that decides about a packet on its way.
type Stage struct {
	Name   string
	Passes Passes
	// Why says what decided.
	Why string
}

// Names of stages, in their order.
const (
	StageSecurityOut = "port security of the sender"
	StageACLsOut     = "ACLs from the sender"
	StageWay         = "way"
	StageACLsRouter  = "ACLs at the router"
	StageACLsIn      = "ACLs to the receiver"
	StageSecurityIn  = "port security of the receiver"
)

// Walk is what becomes of a packet.
type Walk struct {
	From, To *Port
	Source   Source
	Packet   Packet
	// Honest means that the sender is who the packet says.
	Honest bool
	// Stages are those that the packet came to; the last one stopped it, unless it is delivered.
	Stages    []Stage
	Delivered Passes
	// Policies is what policies ask for: the egress rules of the sender's pod, and the ingress rules of the receiver's,
	// which see who has the source.
	Policies intent.Verdict
	// ACLs is what ACLs do, without port security and the way.
	ACLs Passes
	// Differs says why policies and ACLs differ: "" where they do not.
	Differs string
	// Takes means that the sender may claim the source by ARP or neighbour discovery, so that answers come to it.
	Takes bool

	// byOthers means that an ACL stops the packet that is of no policy: of a subnet, or of a security group, which stop
	// more than policies do.
	byOthers bool
}

// Walk follows a packet from a port to another one.
func (c *Cluster) Walk(from, to *Port, as Source, p Packet) Walk {
	w := Walk{From: from, To: to, Source: as, Packet: p, ACLs: Yes, Delivered: Yes}
	w.Honest = as.MAC == from.Own.MAC && slices.Contains(from.Own.IPs, as.IP)
	w.Takes = w.Honest || from.forges.takes(as.IP)
	destination := to.address(as.IP)
	if !destination.IsValid() {
		w.add(StageWay, No, "the receiver has no address of this family")
		return w
	}
	w.securityOut(destination, routerMAC(from, to))
	c.acl(&w, StageACLsOut, sent(from, to, as, destination, p), true)
	c.way(&w)
	if !to.outside {
		if from.Switch != to.Switch {
			c.acl(&w, StageACLsRouter, routed(to, as, destination, p), true)
		}
		c.acl(&w, StageACLsIn, received(from, to, as, destination, p), false)
		w.securityIn(destination)
	}
	w.Policies = c.asked(from.pod, to.pod, as.IP, destination, p)
	w.Differs = c.differs(&w)
	return w
}

// outsider stands for who is no pod where policies are asked.
const outsider = -1

// asked returns what policies ask for about a packet between pods, which are indexes in c.pods, or outsiders.
func (c *Cluster) asked(sender, receiver int, source, destination netip.Addr, p Packet) intent.Verdict {
	return c.intent.Judge(intent.Packet{
		Sender: sender, Receiver: receiver, Source: source, Destination: destination,
		Protocol: p.Protocol, Port: p.Port,
	})
}

// add adds a stage, unless the packet did not come so far.
func (w *Walk) add(name string, passes Passes, why string) {
	if w.Delivered == No {
		return
	}
	w.Stages = append(w.Stages, Stage{name, passes, why})
	if passes != Yes {
		w.Delivered = passes
	}
}

// address returns the port's address of the family of another one.
func (p *Port) address(like netip.Addr) netip.Addr {
	for _, a := range p.Own.IPs {
		if a.Is4() == like.Is4() {
			return a
		}
	}
	return netip.Addr{}
}

// Honest returns the port's own source of the family of a destination; ok is false where it has no such address.
func (p *Port) Honest(destination netip.Addr) (s Source, ok bool) {
	a := p.address(destination)
	return Source{p.Own.MAC, a}, a.IsValid()
}

// Forged returns the source by which the port would pose as an address.
func (p *Port) Forged(a netip.Addr) Source { return Source{p.forges.mac(p.Own.MAC, a), a} }

// frame returns the packet as it is on the wire.
func (w *Walk) frame(destination netip.Addr, to portsec.MAC) ([]byte, error) {
	f := vector.Frame{EthSrc: w.Source.MAC.String(), EthDst: to.String(), L4: &vector.L4{DPort: &w.Packet.Port}}
	source, target := w.Source.IP.String(), destination.String()
	number := protocolNumber(w.Packet.Protocol, w.Source.IP.Is4())
	f.IPProto = &number
	if w.Source.IP.Is4() {
		f.EthType, f.IPv4Src, f.IPv4Dst = "0x0800", &source, &target
	} else {
		f.EthType, f.IPv6Src, f.IPv6Dst = "0x86dd", &source, &target
	}
	return f.Bytes()
}

func (w *Walk) securityOut(destination netip.Addr, next portsec.MAC) {
	w.security(StageSecurityOut, w.From, portsec.FromPort, destination, next)
}

func (w *Walk) securityIn(destination netip.Addr) {
	w.security(StageSecurityIn, w.To, portsec.ToPort, destination, w.To.Own.MAC)
}

func (w *Walk) security(stage string, at *Port, d portsec.Direction, destination netip.Addr, to portsec.MAC) {
	data, err := w.frame(destination, to)
	if err != nil {
		w.add(stage, Unknown, err.Error())
		return
	}
	v := portsec.ParseAll(at.eras, at.column).Verdict(at.kind, d, data)
	w.add(stage, passes(v.Allow), v.Rule.Text())
}

// acl asks the ACLs of one stage.
func (c *Cluster) acl(w *Walk, stage string, p *ovnmatch.Packet, leaves bool) {
	if c.acls == nil {
		w.ACLs = Unknown
		w.add(stage, Unknown, "the ACLs of the Northbound database are not known")
		return
	}
	d := c.judge(p, leaves)
	is := decided(&d)
	if w.ACLs == Yes || w.ACLs == Unknown && is == No {
		w.ACLs = is
	}
	if is == No && d.ACL != nil {
		owner, ok := c.acls.Owner(d.ACL)
		w.byOthers = w.byOthers || !ok || owner.Kind == KindSecurityGroup
	}
	w.add(stage, is, aclText(&d))
}

func (c *Cluster) judge(p *ovnmatch.Packet, leaves bool) acl.Decision {
	if leaves {
		return c.acls.Leave(p)
	}
	return c.acls.Arrive(p)
}

func decided(d *acl.Decision) Passes {
	if len(d.Unclear) > 0 {
		return Unknown
	}
	return passes(d.Passes())
}

// aclText says which ACL decided.
func aclText(d *acl.Decision) string {
	if len(d.Unclear) > 0 {
		u := d.Unclear[0]
		return fmt.Sprintf("%s is not understood: %s", u.ACL, strings.Join(u.What, ", "))
	}
	if d.ACL == nil {
		return "no ACL matches"
	}
	return d.ACL.String()
}

// way says how the packet comes from one switch to the other.
func (c *Cluster) way(w *Walk) {
	switch from, to := w.From, w.To; {
	case to.outside:
		w.add(StageWay, Yes, "no port has the address: what is beyond the router of the VPC is not looked at")
	case from.Switch == to.Switch:
		w.add(StageWay, Yes, "both are on switch "+from.Switch)
	case from.VPC == "" || to.VPC == "":
		w.add(StageWay, Unknown, "the VPC of a switch is not known")
	case from.VPC != to.VPC:
		w.add(StageWay, No, fmt.Sprintf("they are in different VPCs, %s and %s", from.VPC, to.VPC))
	case c.routerRefuses(from, to, w.Source.IP):
		w.add(StageWay, No, fmt.Sprintf("router %s drops what says that it comes from %s", from.VPC, w.Source.IP))
	default:
		w.add(StageWay, Yes, fmt.Sprintf("router %s joins switches %s and %s", from.VPC, from.Switch, to.Switch))
	}
}

// routerRefuses reports whether a router is between two ports that drops packets of a source: one that is an address of
// the router itself, or that no host may have (priority 100 of the stage lr_in_ip_input in ovn-northd; only IPv4).
func (c *Cluster) routerRefuses(from, to *Port, source netip.Addr) bool {
	if from.Switch == to.Switch || !source.Is4() {
		return false
	}
	if source.IsLoopback() || source.IsMulticast() || source.As4()[0] == 0 || source == broadcast {
		return true
	}
	return slices.ContainsFunc(c.State.Holders(source, everywhere), func(h inventory.Holder) bool {
		_, routed := c.State.RouterPort(from.VPC + "-" + h.Name)
		return h.Kind == inventory.HeldByGateway && routed
	})
}

var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// differs says how what policies ask for and what ACLs do differ.
func (c *Cluster) differs(w *Walk) string {
	v := w.Policies
	if w.ACLs == Unknown || v.Egress.Unknown || v.Ingress.Unknown || v.Allowed == (w.ACLs == Yes) {
		return ""
	}
	if v.Allowed && w.byOthers {
		return ""
	}
	if v.Allowed {
		return "policies allow it, and OVN's ACLs do not"
	}
	return "policies do not allow it, and OVN's ACLs do"
}

// routerMAC returns the MAC that the sender sends to.
func routerMAC(from, to *Port) portsec.MAC {
	if from.Switch == to.Switch && !to.outside {
		return to.Own.MAC
	}
	return from.router.mac
}

// sent returns the packet as it leaves the sender.
func sent(from, to *Port, as Source, destination netip.Addr, p Packet) *ovnmatch.Packet {
	q := packet(as.IP, destination, p)
	q.InPort, q.EthSrc, q.EthDst = from.Name, as.MAC, routerMAC(from, to)
	return q
}

// routed returns the packet as it comes from the router to the switch of the receiver.
func routed(to *Port, as Source, destination netip.Addr, p Packet) *ovnmatch.Packet {
	q := packet(as.IP, destination, p)
	q.InPort, q.EthSrc, q.EthDst = to.router.name, to.router.mac, to.Own.MAC
	q.TTL--
	return q
}

// received returns the packet as it comes to the receiver.
func received(from, to *Port, as Source, destination netip.Addr, p Packet) *ovnmatch.Packet {
	q := sent(from, to, as, destination, p)
	if from.Switch != to.Switch {
		q = routed(to, as, destination, p)
	}
	q.OutPort = to.Name
	return q
}

// Numbers of IP protocols, and the types of echo requests.
const (
	numberICMP, numberTCP, numberUDP, numberICMPv6, numberSCTP = 1, 6, 17, 58, 132

	echo4, echo6 = 8, 128
)

func protocolNumber(p intent.Protocol, v4 bool) uint8 {
	switch p {
	case intent.TCP:
		return numberTCP
	case intent.UDP:
		return numberUDP
	case intent.SCTP:
		return numberSCTP
	case intent.ICMP:
	}
	if v4 {
		return numberICMP
	}
	return numberICMPv6
}

// sourcePort is one that no policy names.
const sourcePort = 40000

func packet(source, destination netip.Addr, p Packet) *ovnmatch.Packet {
	q := &ovnmatch.Packet{
		EthType: ovnmatch.TypeIP4, IPSrc: source, IPDst: destination, TTL: 64,
		Proto: protocolNumber(p.Protocol, source.Is4()),
	}
	if !source.Is4() {
		q.EthType = ovnmatch.TypeIP6
	}
	if p.Protocol == intent.ICMP {
		q.ICMPType = echo4
		if !source.Is4() {
			q.ICMPType = echo6
		}
	} else {
		q.SrcPort, q.DstPort = sourcePort, p.Port
	}
	return q
}
