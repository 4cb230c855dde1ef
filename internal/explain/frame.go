package explain

import (
	"fmt"
	"net/netip"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/portsec"
	"github.com/ovnguard/ovnguard/portsec/vector"
)

// frame is an example of a frame from the port, with what becomes of it. Where the parsers that may enforce differ, the
// frame counts as allowed if one of them allows it.
type frame struct {
	What    string `json:"what"`
	Verdict string `json:"verdict"`
	Rule    string `json:"rule"`
	Why     string `json:"why"`
}

// stranger is the destination of the examples.
const stranger = "02:00:00:00:00:99"

// examples returns what becomes of frames from the port: of its own, and of some that pretend to be another's.
func examples(own portsec.Identity, r *inventory.Row, eras []portsec.Era) (out []frame) {
	judge := newJudge(r, eras)
	other := own.MAC
	other[len(other)-1] ^= 1
	add := func(what string, f vector.Frame) {
		data, err := f.Bytes()
		if err != nil {
			return // an address that no frame can have
		}
		v := judge.verdict(data)
		out = append(out, frame{what, v.String(), v.Rule.String(), v.Rule.Text()})
	}
	for _, ip := range own.IPs {
		next := ip.Next()
		if !next.IsValid() {
			continue
		}
		mine := own.MAC.String()
		add(fmt.Sprintf("IP from %s and %s, its own", own.MAC, ip), packet(own.MAC, ip))
		add(fmt.Sprintf("IP from %s, another MAC", other), packet(other, ip))
		add(fmt.Sprintf("IP from %s, another address", next), packet(own.MAC, next))
		text := next.String()
		if ip.Is4() {
			add(fmt.Sprintf("ARP that says it has %s", next), vector.Frame{
				EthSrc: mine, EthDst: "ff:ff:ff:ff:ff:ff", EthType: "0x0806", L4: &vector.L4{}, ARPOp: new(uint16(2)),
				ARPSHA: &mine, ARPSPA: &text, ARPTHA: new(stranger), ARPTPA: &text,
			})
			continue
		}
		from := ip.String()
		add(fmt.Sprintf("neighbour advertisement that says it has %s", next), vector.Frame{
			EthSrc:   mine,
			EthDst:   stranger,
			EthType:  "0x86dd",
			L4:       &vector.L4{},
			IPv6Src:  &from,
			IPv6Dst:  new("ff02::1"),
			NDType:   new(uint8(136)),
			NDTarget: &text,
			NDLLAddr: &mine,
		})
	}
	return out
}

// packet returns an IP packet.
func packet(mac portsec.MAC, from netip.Addr) vector.Frame {
	f := vector.Frame{EthSrc: mac.String(), EthDst: stranger, L4: &vector.L4{}}
	text := from.String()
	if from.Is4() {
		f.EthType, f.IPv4Src, f.IPv4Dst = "0x0800", &text, new("192.0.2.1")
	} else {
		f.EthType, f.IPv6Src, f.IPv6Dst = "0x86dd", &text, new("2001:db8::1")
	}
	return f
}

// judge says what becomes of frames from a port, as the parsers that may enforce read its column.
type judge struct {
	port portsec.Port
	sets portsec.Sets
}

func newJudge(r *inventory.Row, eras []portsec.Era) judge {
	return judge{portsec.Port{Type: r.Type, Disabled: r.Disabled}, portsec.ParseAll(eras, r.PortSecurity)}
}

// verdict returns the verdict of the first parser that allows the frame, or else of the first one.
func (j judge) verdict(frame []byte) portsec.Verdict {
	return j.sets.Verdict(j.port, portsec.FromPort, frame)
}

// open reports whether some parser lets the port send from any MAC and address.
func (j judge) open() bool { return !j.port.Disabled && j.sets.Open() }
