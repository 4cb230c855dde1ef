package cli

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/ovnguard/ovnguard/portsec"
	"github.com/ovnguard/ovnguard/portsec/vector"
)

// frameFields are the flags by which one describes a frame.
type frameFields struct {
	flags *pflag.FlagSet

	srcMAC, dstMAC, ethType        string
	vlan                           uint16
	srcIP, dstIP                   string
	proto, ttl, icmpType, icmpCode uint8
	sport, dport                   uint16
	arpOp                          uint16
	arpSHA, arpSPA, arpTHA, arpTPA string
	nd, ndTarget, ndLLAddr         string
}

// frameStranger is the other end of a frame, where nothing is said about it.
const frameStranger = "02:00:00:00:00:99"

// frameFieldNames are the flags that describe a frame.
var frameFieldNames = []string{
	"src-mac",
	"dst-mac",
	"eth-type",
	"vlan",
	"src-ip",
	"dst-ip",
	"proto",
	"ttl",
	"icmp-type",
	"icmp-code",
	"sport",
	"dport",
	"arp-op",
	"arp-sha",
	"arp-spa",
	"arp-tha",
	"arp-tpa",
	"nd",
	"nd-target",
	"nd-lladdr",
}

func (f *frameFields) addFlags(flags *pflag.FlagSet) {
	f.flags = flags
	flags.StringVar(&f.srcMAC, "src-mac", frameStranger, "source MAC; needed with --direction in")
	flags.StringVar(&f.dstMAC, "dst-mac", frameStranger, "destination MAC; needed with --direction out")
	flags.StringVar(&f.ethType, "eth-type", "", "ethertype, such as 0x88cc, of a frame that is neither IP nor ARP")
	flags.Uint16Var(&f.vlan, "vlan", 0, "number of the VLAN tag, 0 included")
	flags.StringVar(&f.srcIP, "src-ip", "", "source address of an IPv4 or IPv6 packet")
	flags.StringVar(&f.dstIP, "dst-ip", "", "destination address; default: one of documentation")
	flags.Uint8Var(&f.proto, "proto", 17, "IP protocol: 1 ICMP, 6 TCP, 17 UDP, 58 ICMPv6, or another")
	flags.Uint8Var(&f.ttl, "ttl", 64, "hop limit; 255 for ICMPv6 unless given")
	flags.Uint8Var(&f.icmpType, "icmp-type", 128, "type of ICMPv6")
	flags.Uint8Var(&f.icmpCode, "icmp-code", 0, "code of ICMPv6")
	flags.Uint16Var(&f.sport, "sport", 1000, "UDP source port")
	flags.Uint16Var(&f.dport, "dport", 9999, "UDP destination port")
	flags.Uint16Var(&f.arpOp, "arp-op", 1, "ARP operation: 1 request, 2 reply")
	flags.StringVar(&f.arpSHA, "arp-sha", "", "ARP sender's MAC; default: the source MAC")
	flags.StringVar(&f.arpSPA, "arp-spa", "", "ARP sender's address; makes it an ARP message")
	flags.StringVar(&f.arpTHA, "arp-tha", "", "ARP target's MAC; default: zero")
	flags.StringVar(&f.arpTPA, "arp-tpa", "192.0.2.1", "ARP target's address")
	flags.StringVar(&f.nd, "nd", "", "neighbour discovery: ns (solicitation) or na (advertisement), from --src-ip")
	flags.StringVar(&f.ndTarget, "nd-target", "", "target of neighbour discovery")
	flags.StringVar(&f.ndLLAddr, "nd-lladdr", "", "link-layer address in neighbour discovery; default: none")
}

func (f *frameFields) changed(name string) bool { return f.flags.Changed(name) }

// given reports whether a frame is described.
func (f *frameFields) given() bool {
	return slices.ContainsFunc(frameFieldNames, f.changed)
}

// bytes returns the frame that is described. An error names the flag.
func (f *frameFields) bytes(direction portsec.Direction) ([]byte, error) {
	if err := f.check(direction); err != nil {
		return nil, err
	}
	v := vector.Frame{EthSrc: f.srcMAC, EthDst: f.dstMAC, EthType: f.ethType, L4: &vector.L4{}}
	if f.changed("vlan") {
		v.VLAN = &f.vlan
	}
	switch {
	case f.isARP():
		f.arp(&v)
	case f.srcIP != "" || f.dstIP != "":
		if err := f.packet(&v); err != nil {
			return nil, err
		}
	}
	b, err := v.Bytes()
	if err != nil {
		return nil, fmt.Errorf("the frame: %s", frameFlagNames.Replace(err.Error()))
	}
	return b, nil
}

// frameFlagNames turns the names of a vector's fields into those of flags.
var frameFlagNames = strings.NewReplacer(
	"eth_src", "--src-mac", "eth_dst", "--dst-mac", "eth_type", "--eth-type", "vlan", "--vlan",
	"ipv4_src", "--src-ip", "ipv4_dst", "--dst-ip", "ipv6_src", "--src-ip", "ipv6_dst", "--dst-ip",
	"arp_sha", "--arp-sha", "arp_spa", "--arp-spa", "arp_tha", "--arp-tha", "arp_tpa", "--arp-tpa",
	"nd_target", "--nd-target", "nd_lladdr", "--nd-lladdr",
)

func (f *frameFields) isARP() bool {
	return f.changed("arp-op") || f.arpSHA != "" || f.arpSPA != "" || f.arpTHA != "" || f.changed("arp-tpa")
}

func (f *frameFields) check(direction portsec.Direction) error {
	ip := f.srcIP != "" || f.dstIP != "" || f.nd != ""
	switch {
	case !f.given():
		return errors.New(
			"no frame: describe it (--src-mac with --src-ip, --arp-spa, --nd or --eth-type), or give --hex, --pcap " +
				"or --vectors",
		)
	case direction == portsec.FromPort && !f.changed("src-mac"):
		return errors.New("--src-mac: is required for a frame from the port")
	case direction == portsec.ToPort && !f.changed("dst-mac"):
		return errors.New("--dst-mac: is required for a frame to the port")
	case f.isARP() && ip:
		return errors.New("--arp-* and --src-ip, --dst-ip or --nd: a frame is either ARP or IP")
	case f.isARP() && f.arpSPA == "":
		return errors.New("--arp-spa: is required for ARP")
	case !f.isARP() && !ip && f.ethType == "":
		return errors.New("--eth-type: is required for a frame that is neither IP (--src-ip) nor ARP (--arp-spa)")
	case (f.isARP() || ip) && f.ethType != "":
		return errors.New("--eth-type: follows from the other fields here; leave it out")
	case f.nd != "" && f.nd != "ns" && f.nd != "na":
		return fmt.Errorf("--nd: %q: want ns or na", f.nd)
	case f.nd != "" && (f.srcIP == "" || f.ndTarget == ""):
		return errors.New("--nd: needs --src-ip and --nd-target")
	case f.nd == "" && (f.ndTarget != "" || f.ndLLAddr != ""):
		return errors.New("--nd-target and --nd-lladdr: only with --nd")
	}
	return nil
}

func (f *frameFields) arp(v *vector.Frame) {
	v.EthType, v.ARPOp, v.ARPSPA, v.ARPTPA = "0x0806", &f.arpOp, &f.arpSPA, &f.arpTPA
	v.ARPSHA = &f.srcMAC
	if f.arpSHA != "" {
		v.ARPSHA = &f.arpSHA
	}
	if f.arpTHA != "" {
		v.ARPTHA = &f.arpTHA
	}
}

func (f *frameFields) packet(v *vector.Frame) error {
	six, err := f.isIPv6()
	if err != nil {
		return err
	}
	v.IPProto = &f.proto
	if f.changed("sport") {
		v.L4.SPort = &f.sport
	}
	if f.changed("dport") {
		v.L4.DPort = &f.dport
	}
	if f.changed("ttl") {
		v.L4.TTL = &f.ttl
	}
	v.L4.ICMPType, v.L4.ICMPCode = &f.icmpType, &f.icmpCode
	src, dst := f.srcIP, f.dstIP
	if !six {
		v.EthType, v.IPv4Src, v.IPv4Dst = "0x0800", frameOr(&src, "192.0.2.1"), frameOr(&dst, "192.0.2.1")
		return nil
	}
	v.EthType, v.IPv6Src, v.IPv6Dst = "0x86dd", frameOr(&src, "2001:db8::1"), frameOr(&dst, "2001:db8::1")
	if f.nd != "" {
		const solicitation, advertisement = 135, 136
		v.NDType, v.NDTarget = new(uint8(solicitation)), &f.ndTarget
		if f.nd == "na" {
			v.NDType = new(uint8(advertisement))
		}
		if f.ndLLAddr != "" {
			v.NDLLAddr = &f.ndLLAddr
		}
	}
	return nil
}

// isIPv6 tells the family of the addresses, which must agree.
func (f *frameFields) isIPv6() (bool, error) {
	var families []bool
	for _, a := range []struct{ name, text string }{{"--src-ip", f.srcIP}, {"--dst-ip", f.dstIP}} {
		if a.text == "" {
			continue
		}
		addr, err := netip.ParseAddr(a.text)
		if err != nil {
			return false, fmt.Errorf("%s: %q is not an address", a.name, a.text)
		}
		families = append(families, addr.Is6())
	}
	if len(families) == 2 && families[0] != families[1] {
		return false, errors.New("--src-ip and --dst-ip: one is IPv4 and the other IPv6")
	}
	if f.nd != "" && !families[0] {
		return false, errors.New("--nd: neighbour discovery is IPv6, and --src-ip is IPv4")
	}
	return families[0], nil
}

// frameOr returns the text, or a fallback where it is empty.
func frameOr(text *string, fallback string) *string {
	if *text == "" {
		return &fallback
	}
	return text
}
