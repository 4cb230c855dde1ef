package portsec_test

import (
	"strings"
	"testing"

	"github.com/ovnguard/ovnguard/portsec"
	"github.com/ovnguard/ovnguard/portsec/vector"
)

func ip4Frame(t testing.TB, src, dst, ip string) []byte {
	t.Helper()
	frame, err := vector.Frame{
		EthSrc:  src,
		EthDst:  dst,
		EthType: "0x0800",
		IPv4Src: &ip,
		IPv4Dst: new("10.0.0.9"),
	}.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return frame
}

// tagged puts VLAN tags into a frame, the outer one first.
func tagged(frame []byte, tags ...uint16) []byte {
	out := append([]byte{}, frame[:12]...)
	for _, tag := range tags {
		out = append(out, 0x81, 0x00, byte(tag>>8), byte(tag))
	}
	return append(out, frame[12:]...)
}

// Conditions that decide before port security does, or where port security does not apply.
func TestVerdictConditions(t *testing.T) {
	own := ip4Frame(t, ownMAC, "00:00:00:00:99:99", "10.0.0.5")
	foreign := ip4Frame(t, ownMAC, "00:00:00:00:99:99", "9.9.9.9")
	group := ip4Frame(t, "01:00:5e:00:00:01", "00:00:00:00:99:99", "10.0.0.5")
	toOwn := ip4Frame(t, "00:00:00:00:99:99", ownMAC, "9.9.9.9")
	snap := append(append(append([]byte{}, foreign[:12]...), 0, 50, 0xaa, 0xaa, 3, 0, 0, 0), foreign[12:]...)
	column := []string{ownMAC + " 10.0.0.5", "01:00:5e:00:00:01"}
	bare := []string{ownMAC}
	tests := map[string]struct {
		era       portsec.Era
		column    []string
		port      portsec.Port
		direction portsec.Direction
		frame     []byte
		want      portsec.Verdict
	}{
		"own": {
			portsec.E1,
			column,
			portsec.Port{},
			portsec.FromPort,
			own,
			portsec.Verdict{Allow: true, Rule: portsec.IP4Source},
		},
		"foreign": {
			portsec.E1,
			column,
			portsec.Port{},
			portsec.FromPort,
			foreign,
			portsec.Verdict{Rule: portsec.UnlistedIP4},
		},
		"disabled": {
			portsec.E1,
			nil,
			portsec.Port{Disabled: true},
			portsec.FromPort,
			own,
			portsec.Verdict{Rule: portsec.PortDisabled},
		},
		"disabled, to it": {
			portsec.E1,
			nil,
			portsec.Port{Disabled: true},
			portsec.ToPort,
			toOwn,
			portsec.Verdict{Rule: portsec.PortDisabled},
		},
		"listed group MAC": {
			portsec.E1,
			column,
			portsec.Port{},
			portsec.FromPort,
			group,
			portsec.Verdict{Rule: portsec.GroupSource},
		},
		"group MAC, open port": {
			portsec.E3,
			nil,
			portsec.Port{},
			portsec.FromPort,
			group,
			portsec.Verdict{Rule: portsec.GroupSource},
		},
		"tag, open port": {
			portsec.E1,
			nil,
			portsec.Port{},
			portsec.FromPort,
			tagged(own, 0),
			portsec.Verdict{Rule: portsec.VLANTag},
		},
		"tag passed, own": {
			portsec.E1,
			column,
			portsec.Port{VLANPassthrough: true},
			portsec.FromPort,
			tagged(own, 5),
			portsec.Verdict{Allow: true, Rule: portsec.IP4Source},
		},
		"tag passed, foreign": {
			portsec.E1,
			column,
			portsec.Port{VLANPassthrough: true},
			portsec.FromPort,
			tagged(foreign, 5),
			portsec.Verdict{Rule: portsec.UnlistedIP4},
		},
		"two tags, foreign": {
			portsec.E1,
			column,
			portsec.Port{VLANPassthrough: true},
			portsec.FromPort,
			tagged(foreign, 5, 6),
			portsec.Verdict{Rule: portsec.UnlistedIP4},
		},
		"three tags, no addresses": {
			portsec.E1,
			bare,
			portsec.Port{VLANPassthrough: true},
			portsec.FromPort,
			tagged(foreign, 5, 6, 7),
			portsec.Verdict{Allow: true, Rule: portsec.AnyAddress},
		},
		"three tags hide addresses": {
			portsec.E1,
			column,
			portsec.Port{VLANPassthrough: true},
			portsec.FromPort,
			tagged(own, 5, 6, 7),
			portsec.Verdict{Rule: portsec.ProtocolDropped},
		},
		"child, own": {
			portsec.E1,
			column,
			portsec.Port{ChildTag: 42},
			portsec.FromPort,
			tagged(own, 42),
			portsec.Verdict{Allow: true, Rule: portsec.IP4Source},
		},
		"child, foreign": {
			portsec.E1,
			column,
			portsec.Port{ChildTag: 42},
			portsec.FromPort,
			tagged(foreign, 42),
			portsec.Verdict{Rule: portsec.UnlistedIP4},
		},
		"child, tag taken already": {
			portsec.E1,
			column,
			portsec.Port{ChildTag: 42},
			portsec.FromPort,
			own,
			portsec.Verdict{Allow: true, Rule: portsec.IP4Source},
		},
		"child, another's tag": {
			portsec.E1,
			column,
			portsec.Port{ChildTag: 42},
			portsec.FromPort,
			tagged(own, 43),
			portsec.Verdict{Rule: portsec.VLANTag},
		},
		"child, tag within": {
			portsec.E1,
			column,
			portsec.Port{ChildTag: 42},
			portsec.FromPort,
			tagged(own, 42, 42),
			portsec.Verdict{Rule: portsec.VLANTag},
		},
		"address in a SNAP frame": {
			portsec.E1,
			column,
			portsec.Port{},
			portsec.FromPort,
			snap,
			portsec.Verdict{Rule: portsec.UnlistedIP4},
		},
		"router in E0": {
			portsec.E0,
			column,
			portsec.Port{Type: "router"},
			portsec.FromPort,
			foreign,
			portsec.Verdict{Rule: portsec.UnlistedIP4},
		},
		"router in E1": {
			portsec.E1,
			column,
			portsec.Port{Type: "router"},
			portsec.FromPort,
			foreign,
			portsec.Verdict{Allow: true, Rule: portsec.NotChecked},
		},
		"localport in E3": {
			portsec.E3,
			column,
			portsec.Port{Type: "localport"},
			portsec.FromPort,
			foreign,
			portsec.Verdict{Allow: true, Rule: portsec.NotChecked},
		},
		"localnet, to it": {
			portsec.E2,
			column,
			portsec.Port{Type: "localnet"},
			portsec.ToPort,
			toOwn,
			portsec.Verdict{Allow: true, Rule: portsec.NotChecked},
		},
		"external in E0": {
			portsec.E0,
			column,
			portsec.Port{Type: "external"},
			portsec.FromPort,
			foreign,
			portsec.Verdict{Allow: true, Rule: portsec.NotChecked},
		},
		"to it, not its address": {
			portsec.E1,
			[]string{ownMAC + " 10.0.0.5"},
			portsec.Port{},
			portsec.ToPort,
			toOwn,
			portsec.Verdict{Rule: portsec.UnlistedDestinationIP},
		},
		"to it, any address": {
			portsec.E1,
			bare,
			portsec.Port{},
			portsec.ToPort,
			toOwn,
			portsec.Verdict{Allow: true, Rule: portsec.MACDestination},
		},
		"to it, open": {
			portsec.E1,
			nil,
			portsec.Port{},
			portsec.ToPort,
			own,
			portsec.Verdict{Allow: true, Rule: portsec.ColumnEmpty},
		},
		"to it, unusable": {
			portsec.E0,
			[]string{"unknown"},
			portsec.Port{},
			portsec.ToPort,
			own,
			portsec.Verdict{Allow: true, Rule: portsec.ColumnUnusable},
		},
		"no frame": {
			portsec.E1,
			nil,
			portsec.Port{},
			portsec.FromPort,
			own[:13],
			portsec.Verdict{Rule: portsec.NoFrame},
		},
	}
	for name, tt := range tests {
		if got := portsec.Parse(tt.era, tt.column).Set().Verdict(tt.port, tt.direction, tt.frame); got != tt.want {
			t.Errorf("%s: %s (%s), want %s (%s)", name, got, got.Rule, tt.want, tt.want.Rule)
		}
	}
}

// Every rule has an identifier of its own and a sentence.
func TestRules(t *testing.T) {
	seen := make(map[string]bool)
	for r := portsec.NoFrame; r <= portsec.UnlistedDestinationMAC; r++ {
		if r.String() == "" || r.Text() == "" || seen[r.String()] {
			t.Errorf("rule %d is %q: %q", r, r, r.Text())
		}
		seen[r.String()] = true
	}
	if portsec.Rule(255).String() != "unknown" || portsec.Rule(255).Text() == "" {
		t.Error("a rule that does not exist is taken for one")
	}
}

// The commits of January and February 2026 came one by one, and each build between them judges by its features: the
// same frames of neighbour discovery before, between and after them (OVN's controller/lflow.c,
// build_in_port_sec_default_flows and build_in_port_sec_nd_flows).
func TestDiscoveryByEra(t *testing.T) {
	const a, b, ofA, ofB = "0a:00:00:00:00:01", "0a:00:00:00:00:02", "fd00::1", "fd00::2"
	column := []string{a + " " + ofA, b + " " + ofB}
	message := func(kind, code uint8, link, target string) []byte {
		f := vector.Frame{
			EthSrc:   a,
			EthDst:   "33:33:00:00:00:01",
			EthType:  "0x86dd",
			IPv6Src:  new(ofA),
			IPv6Dst:  new("ff02::1"),
			NDType:   &kind,
			NDTarget: &target,
		}
		if link != "" {
			f.NDLLAddr = &link
		}
		if code != 0 {
			f.L4 = &vector.L4{ICMPCode: &code}
		}
		frame, err := f.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		return frame
	}
	lla := portsec.MAC{0x0a, 0, 0, 0, 0, 2}.LinkLocal().String()
	for name, c := range map[string]struct {
		frame []byte
		allow string // by era
	}{
		"solicitation, own address":               {message(135, 0, a, ofB), "E0 E1 E2 E2a E2b E3"},
		"solicitation, no address":                {message(135, 0, "", ofB), "E0 E1 E2 E2a E2b E3"},
		"solicitation, another element's":         {message(135, 0, b, ofB), "E1 E2 E2a"},
		"solicitation, nobody's":                  {message(135, 0, "0a:00:00:00:00:03", ofB), "E1 E2"},
		"solicitation, a code":                    {message(135, 1, a, ofB), "E0 E1 E2"}, // E0 does not treat it as discovery
		"advertisement, own":                      {message(136, 0, a, ofA), "E0 E1 E2 E2a E2b E3"},
		"advertisement, another's link-local":     {message(136, 0, b, lla), "E2 E2a"},
		"advertisement, another's":                {message(136, 0, b, ofB), ""},
		"advertisement, link-local without a MAC": {message(136, 0, "", lla), "E2 E2a"},
	} {
		var allow []string
		for _, era := range portsec.Eras() {
			if portsec.Parse(era, column).Set().Verdict(portsec.Port{}, portsec.FromPort, c.frame).Allow {
				allow = append(allow, era.String())
			}
		}
		if got := strings.Join(allow, " "); got != c.allow {
			t.Errorf("%s: allowed by %q, want %q", name, got, c.allow)
		}
	}
}

// The parser is a feature of its own: E2b checks as E3 does and reads as E2 does.
func TestParserByEra(t *testing.T) {
	column := []string{ownMAC + " 10.0.0.5 junk"}
	for _, era := range portsec.Eras() {
		if open := portsec.Parse(era, column).Set().Open(); open != (era == portsec.E3) {
			t.Errorf("%s: open is %t", era, open)
		}
		if set := portsec.Parse(era, []string{"VRRPv3 " + ownMAC}).Set(); set.Unenforced() != (era != portsec.E3) {
			t.Errorf("%s reads VRRPv3 as %s", era, set)
		}
	}
}
