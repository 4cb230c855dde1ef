package vector_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"

	"github.com/ovnguard/ovnguard/portsec/vector"
)

const frameStart = `{"direction":"in","frame":{"eth_src":"0a:00:00:00:00:01","eth_dst":"00:00:00:00:99:99",`

func read(t *testing.T, text string) []vector.Vector {
	t.Helper()
	vectors, err := vector.Read(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return vectors
}

// Another decoder finds in the frames what they claim, checksums included.
func TestFrameBytes(t *testing.T) {
	tests := map[string]struct {
		fields string
		layers []gopacket.LayerType
	}{
		"UDP": {
			`"eth_type":"0x0800","ipv4_src":"10.0.0.1","ipv4_dst":"10.0.0.9"`,
			[]gopacket.LayerType{layers.LayerTypeEthernet, layers.LayerTypeIPv4, layers.LayerTypeUDP},
		},
		"TCP, tagged": {
			`"eth_type":"0x0800","vlan":0,"ipv4_src":"10.0.0.1","ipv4_dst":"10.0.0.9","ip_proto":6`,
			[]gopacket.LayerType{
				layers.LayerTypeEthernet,
				layers.LayerTypeDot1Q,
				layers.LayerTypeIPv4,
				layers.LayerTypeTCP,
			},
		},
		"echo": {
			`"eth_type":"0x0800","ipv4_src":"10.0.0.1","ipv4_dst":"10.0.0.9","ip_proto":1`,
			[]gopacket.LayerType{layers.LayerTypeEthernet, layers.LayerTypeIPv4, layers.LayerTypeICMPv4},
		},
		"ARP": {
			`"eth_type":"0x0806","arp_op":2,"arp_sha":"0a:00:00:00:00:01","arp_spa":"10.0.0.1","arp_tpa":"10.0.0.9"`,
			[]gopacket.LayerType{layers.LayerTypeEthernet, layers.LayerTypeARP},
		},
		"UDP over 6": {
			`"eth_type":"0x86dd","ipv6_src":"fd00::1","ipv6_dst":"fd00::9"`,
			[]gopacket.LayerType{layers.LayerTypeEthernet, layers.LayerTypeIPv6, layers.LayerTypeUDP},
		},
		"solicitation": {
			`"eth_type":"0x86dd","ipv6_src":"fd00::1","ipv6_dst":"fd00::9","nd_type":135,"nd_target":"fd00::9","nd_lladdr":"0a:00:00:00:00:01"`,
			[]gopacket.LayerType{
				layers.LayerTypeEthernet,
				layers.LayerTypeIPv6,
				layers.LayerTypeICMPv6,
				layers.LayerTypeICMPv6NeighborSolicitation,
			},
		},
		"advertisement": {
			`"eth_type":"0x86dd","ipv6_src":"fd00::1","ipv6_dst":"fd00::9","nd_type":136,"nd_target":"fd00::1"`,
			[]gopacket.LayerType{
				layers.LayerTypeEthernet,
				layers.LayerTypeIPv6,
				layers.LayerTypeICMPv6,
				layers.LayerTypeICMPv6NeighborAdvertisement,
			},
		},
		"router alert": {
			`"eth_type":"0x86dd","ipv6_src":"::","ipv6_dst":"ff02::16","ip_proto":58,"l4":{"icmp_type":143,"ttl":1,"ext":"hbh"}`,
			[]gopacket.LayerType{
				layers.LayerTypeEthernet,
				layers.LayerTypeIPv6,
				layers.LayerTypeIPv6HopByHop,
				layers.LayerTypeICMPv6,
			},
		},
	}
	for name, tt := range tests {
		frame, err := read(t, frameStart+tt.fields+`}}`)[0].Frame.Bytes()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		packet := gopacket.NewPacket(frame, layers.LayerTypeEthernet, gopacket.Default)
		for i, want := range tt.layers {
			if all := packet.Layers(); i >= len(all) || all[i].LayerType() != want {
				t.Errorf("%s: layer %d is not %s: %v", name, i, want, packet)
			}
		}
		for _, l := range packet.Layers() {
			if l, ok := l.(interface {
				SetNetworkLayerForChecksum(gopacket.NetworkLayer) error
			}); ok && packet.NetworkLayer() != nil {
				if err := l.SetNetworkLayerForChecksum(packet.NetworkLayer()); err != nil {
					t.Fatal(err)
				}
			}
		}
		err, mismatches := packet.VerifyChecksums()
		if err != nil || len(mismatches) > 0 {
			t.Errorf("%s: wrong checksums: %v, %v", name, mismatches, err)
		}
	}
}

func TestFrameErrors(t *testing.T) {
	for fields, want := range map[string]string{
		`"eth_type":"ip"`:                 `eth_type "ip": want a number`,
		`"eth_type":"0x88cc","vlan":4096`: "vlan 4096: want 0 to 4095",
		`"eth_type":"0x0800"`: "ipv4_src: it is needed " +
			"here",
		`"eth_type":"0x0806","arp_op":1`:                                                  "arp_spa: it is needed here",
		`"eth_type":"0x0806","arp_sha":"xx"`:                                              `arp_sha "xx": want six octets`,
		`"eth_type":"0x0800","ipv4_src":"::1","ipv4_dst":"10.0.0.9"`:                      `ipv4_src "::1": want an IPv4 address`,
		`"eth_type":"0x86dd","ipv6_src":"fe80::1%a","ipv6_dst":"fd00::9"`:                 `ipv6_src "fe80::1%a": want an IPv6 address`,
		`"eth_type":"0x86dd","ipv6_src":"fd00::1","ipv6_dst":"fd00::9","l4":{"ext":"ah"}`: `l4.ext "ah": want frag, atomic or hbh`,
		`"eth_type":"0x86dd","ipv6_src":"fd00::1","ipv6_dst":"fd00::9","nd_type":135`: "nd_target: it is needed " +
			"here",
		`"eth_type":"0x86dd","ipv6_src":"fd00::1","ipv6_dst":"fd00::9","nd_type":135,"nd_target":"::1","nd_lladdr":"1"`: `nd_lladdr "1": want six octets`,
	} {
		_, err := read(t, frameStart+fields+`}}`)[0].Frame.Bytes()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got error %v, want %q", fields, err, want)
		}
	}
}

// An array and a file of lines lead to the same result.
func TestRead(t *testing.T) {
	one := frameStart + `"eth_type":"0x88cc"}}`
	for _, text := range []string{one + "\n" + one, " \n[" + one + "," + one + "]\n", one + one} {
		if got := len(read(t, text)); got != 2 {
			t.Errorf("%d vectors in %q, want 2", got, text)
		}
	}
	for _, text := range []string{"", "[]", "  \n"} {
		if got := len(read(t, text)); got != 0 {
			t.Errorf("%d vectors in %q, want none", got, text)
		}
	}
	for _, text := range []string{"[", "[" + one, "[" + one + ",", "{", "x", one + "x", `{"direction":1}`} {
		if _, err := vector.Read(strings.NewReader(text)); err == nil {
			t.Errorf("%q is read without an error", text)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(frameStart + `"eth_type":"0x0800","ipv4_src":"10.0.0.1","ipv4_dst":"10.0.0.9","l4":{"frag":8192}}}`)
	f.Add("[]")
	f.Fuzz(func(t *testing.T, text string) {
		vectors, err := vector.Read(strings.NewReader(text))
		if err != nil {
			return
		}
		for _, v := range vectors {
			if frame, err := v.Frame.Bytes(); err == nil && len(frame) < 14 {
				t.Errorf("a frame of %s", hex.EncodeToString(frame))
			}
		}
	})
}
