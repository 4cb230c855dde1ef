package portsectest

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strconv"

	"github.com/ovnguard/ovnguard/portsec"
	"github.com/ovnguard/ovnguard/portsec/vector"
)

// MACs that no element lists.
const (
	// Peer is a station that nobody knows, to which frames from the port go.
	Peer = "00:00:00:00:99:99"
	// Sender is the station from which frames to the port come. It is far from all MACs of columns, so that no slip of
	// the pen in one makes a frame to the port one to its own sender, which a switch never sends back.
	Sender = "0e:d7:59:a3:f6:01"
)

// Frame returns the bytes of a frame from or to a port. It mostly has what the column lists, so that rules are met that
// want several fields to fit.
func Frame(r *rand.Rand, direction portsec.Direction, column []string) []byte {
	d := draw{Rand: r, pools: poolsOf(column)}
	f := d.fields(direction)
	b, err := f.Bytes()
	if err != nil {
		panic(fmt.Sprintf("portsectest: %v in %+v", err, f)) // the pools hold addresses only
	}
	if often(r, 12) {
		b = distort(r, b)
	}
	return b
}

// pools are what a column lists, in any era's reading.
type pools struct{ macs, ip4, ip6 []string }

func poolsOf(column []string) pools {
	var p pools
	for _, era := range []portsec.Era{portsec.E1, portsec.E3} {
		for _, e := range portsec.Parse(era, column).Elements {
			if !e.Usable() {
				continue
			}
			p.macs = append(p.macs, e.MAC.String())
			p.ip6 = append(p.ip6, e.MAC.LinkLocal().String())
			for _, a := range e.Addresses {
				if a.Addr().Is4() {
					p.ip4 = append(p.ip4, a.Addr().String())
				} else {
					p.ip6 = append(p.ip6, a.Addr().String())
				}
			}
		}
	}
	return p
}

// draw draws the fields of a frame.
type draw struct {
	*rand.Rand
	pools
}

// of draws from what is listed, or from everything.
func (d draw) of(listed, all []string) *string {
	if len(listed) > 0 && often(d.Rand, 75) {
		return new(pick(d.Rand, listed))
	}
	return new(pick(d.Rand, all))
}

func (d draw) fields(direction portsec.Direction) vector.Frame {
	f := vector.Frame{
		EthSrc: *d.of(d.macs, MACs),
		EthDst: pick(d.Rand, []string{Peer, Peer, Peer, "ff:ff:ff:ff:ff:ff", "33:33:00:00:00:01"}),
	}
	if direction == portsec.ToPort {
		f.EthSrc, f.EthDst = Sender, *d.of(d.macs, append([]string{Peer, "ff:ff:ff:ff:ff:ff", "33:33:00:00:00:16"}, MACs...))
	}
	if often(d.Rand, 6) {
		f.VLAN = new(pick(d.Rand, []uint16{0, 5, 100}))
	}
	f.L4 = &vector.L4{}
	switch d.IntN(10) {
	case 0, 1:
		d.arp(&f)
	case 2, 3, 4:
		d.packet4(&f)
	case 5, 6:
		d.packet6(&f)
	case 7, 8:
		d.discovery(&f)
	case 9:
		f.EthType = pick(d.Rand, []string{"0x88cc", "0x8035", "0x8863", "0x9000", "0x8847", "0x8100", "0x0600"})
	}
	return f
}

func (d draw) arp(f *vector.Frame) {
	f.EthType = "0x0806"
	f.ARPOp = new(uint16(1 + d.IntN(3)))
	f.ARPSHA = new(f.EthSrc)
	if often(d.Rand, 30) {
		f.ARPSHA = new(pick(d.Rand, MACs))
	}
	f.ARPSPA, f.ARPTPA = d.of(d.ip4, IPv4), new(pick(d.Rand, IPv4))
	switch d.IntN(40) {
	case 0:
		f.L4.Hrd = new(uint16(6))
	case 1:
		f.L4.Pro = new(uint16(0x86dd))
	case 2:
		f.L4.Hln = new(uint8(5))
	case 3:
		f.L4.Pln = new(uint8(3))
	}
}

func (d draw) packet4(f *vector.Frame) {
	f.EthType = "0x0800"
	f.IPv4Src, f.IPv4Dst = d.of(d.ip4, IPv4), d.of(d.ip4, IPv4)
	f.IPProto = new(pick(d.Rand, []uint8{1, 6, 17, 17, 47}))
	if often(d.Rand, 15) {
		f.IPv4Src, f.IPv4Dst, f.IPProto = new("0.0.0.0"), new("255.255.255.255"), new(uint8(17))
	}
	if often(d.Rand, 40) {
		f.L4.SPort, f.L4.DPort = new(pick(d.Rand, []uint16{68, 68, 67})), new(pick(d.Rand, []uint16{67, 67, 68}))
	}
	if often(d.Rand, 10) {
		f.L4.Frag = pick(d.Rand, []uint16{0x2000, 0x2001, 0x0001, 0x4000, 0x8000})
	}
}

func (d draw) packet6(f *vector.Frame) {
	f.EthType = "0x86dd"
	f.IPv6Src, f.IPv6Dst = d.of(d.ip6, IPv6), d.of(d.ip6, IPv6)
	f.IPProto = new(pick(d.Rand, []uint8{6, 17, 58, 58}))
	if often(d.Rand, 35) {
		f.IPv6Src, f.IPv6Dst, f.IPProto = new(
			"::",
		), new(
			pick(d.Rand, []string{"ff02::16", "ff02::1", "ff05::16", "fd00::1"}),
		), new(
			uint8(58),
		)
	}
	f.L4.ICMPType = new(pick(d.Rand, []uint8{128, 129, 130, 131, 131, 132, 133, 134, 137, 143, 143}))
	d.lessUsual(f.L4)
}

func (d draw) discovery(f *vector.Frame) {
	f.EthType = "0x86dd"
	f.IPv6Src, f.IPv6Dst = d.of(
		d.ip6,
		IPv6,
	), new(
		pick(d.Rand, []string{"ff02::1", "ff02::1:ff00:1", "fd00::9", "ff05::1"}),
	)
	f.NDType = new(pick(d.Rand, []uint8{135, 136, 136}))
	f.NDTarget = d.of(d.ip6, IPv6)
	if often(d.Rand, 70) {
		f.NDLLAddr = new(f.EthSrc)
		if often(d.Rand, 40) {
			f.NDLLAddr = d.of(d.macs, MACs)
		}
		if often(d.Rand, 10) {
			f.L4.Opt = new(pick(d.Rand, []uint8{1, 2, 14}))
		}
		if often(d.Rand, 8) {
			f.L4.OptLen = new(pick(d.Rand, []uint8{0, 2, 7}))
		}
	}
	d.lessUsual(f.L4)
}

func (d draw) lessUsual(l4 *vector.L4) {
	if often(d.Rand, 15) {
		l4.TTL = new(pick(d.Rand, []uint8{1, 64, 225, 255}))
	}
	if often(d.Rand, 10) {
		l4.ICMPCode = new(uint8(1))
	}
	if often(d.Rand, 12) {
		l4.Ext = pick(d.Rand, []string{"frag", "atomic", "hbh"})
	}
}

// distort changes a frame in ways that its fields do not describe.
func distort(r *rand.Rand, b []byte) []byte {
	const header = 14
	switch r.IntN(7) {
	case 0: // a tag, or one more
		tag := []byte{0x81, 0, 0, byte(r.IntN(8))}
		if often(r, 50) {
			tag[0], tag[1] = 0x88, 0xa8
		}
		return insert(b, 12, tag)
	case 1: // the ethertype in a SNAP header
		snap := []byte{0, byte(len(b) - header + 8), 0xaa, 0xaa, 3, 0, 0, 0}
		if often(r, 30) {
			snap[7] = 1
		}
		return insert(b, 12, snap)
	case 2: // a neighbour discovery option once more
		if len(b) >= header+40+24+8 && b[12] == 0x86 && b[20] == 58 {
			option := append([]byte{}, b[len(b)-8:]...)
			b = append(b, option...)
			binary.BigEndian.PutUint16(b[18:], binary.BigEndian.Uint16(b[18:])+8)
		}
		return b
	case 3: // IPv4 options
		if b[12] == 8 && b[13] == 0 && b[14] == 0x45 {
			b[14] = 0x46
			binary.BigEndian.PutUint16(b[16:], binary.BigEndian.Uint16(b[16:])+4)
			return insert(b, header+20, []byte{1, 1, 1, 0})
		}
		return b
	}
	// A byte of the headers, the MACs left alone: they are what tells where the frame goes.
	at := 12 + r.IntN(min(len(b), header+48)-12)
	b[at] = pick(r, []byte{0, 1, 0xff, b[at] ^ 1, b[at] ^ 0x80, byte(r.IntN(256))})
	return b
}

func insert(b []byte, at int, middle []byte) []byte {
	return append(append(append([]byte{}, b[:at]...), middle...), b[at:]...)
}

// Describe writes a frame for people: its length and its bytes.
func Describe(frame []byte) string {
	return strconv.Itoa(len(frame)) + " bytes: " + hex.EncodeToString(frame)
}
