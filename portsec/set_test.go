package portsec_test

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ovnguard/ovnguard/portsec"
)

const ownMAC = "0a:00:00:00:00:01"

func mustMAC(t testing.TB, text string) portsec.MAC {
	t.Helper()
	mac, err := portsec.ParseMAC(text)
	if err != nil {
		t.Fatal(err)
	}
	return mac
}

func identity(t testing.TB, ips ...string) portsec.Identity {
	t.Helper()
	id := portsec.Identity{MAC: mustMAC(t, ownMAC)}
	for _, ip := range ips {
		id.IPs = append(id.IPs, netip.MustParseAddr(ip))
	}
	return id
}

func texts(pairs []portsec.Pair) []string {
	var out []string
	for _, p := range pairs {
		out = append(out, p.String())
	}
	return out
}

// Excess and loss of columns compared with an identity, in the eras named (all if none is).
func TestExcessAndLoss(t *testing.T) {
	four, both := []string{"10.0.0.5"}, []string{"10.0.0.5", "fd00::5"}
	const lla = "fe80::800:ff:fe00:1"
	tests := map[string]struct {
		column       []string
		ips          []string
		eras         []portsec.Era
		excess, loss []string
	}{
		"exact":                   {column: []string{ownMAC + " 10.0.0.5"}, ips: four},
		"exact, both families":    {column: []string{ownMAC + " fd00::5 10.0.0.5"}, ips: both},
		"written as ranges":       {column: []string{ownMAC + " 10.0.0.5/24 fd00::5/128"}, ips: both},
		"any address, as it must": {column: []string{ownMAC}, ips: nil},
		"empty":                   {column: nil, ips: four, excess: []string{"any MAC with any address"}},
		"unusable": {
			column: []string{"unknown"},
			ips:    four,
			eras:   portsec.Eras()[1:],
			excess: []string{"any MAC with any address"},
		},
		"unusable in E0": {
			column: []string{"unknown"},
			ips:    four,
			eras:   []portsec.Era{portsec.E0},
			excess: []string{
				"any MAC with any address (not in ARP)",
			},
			loss: []string{ownMAC + " 10.0.0.5 (in ARP only)"},
		},
		"MAC only": {
			column: []string{ownMAC},
			ips:    four,
			eras:   []portsec.Era{portsec.E0, portsec.E1, portsec.E3},
			excess: []string{ownMAC + " with any address but 10.0.0.5"},
		},
		"all addresses": {
			column: []string{ownMAC + " 0.0.0.0/0"},
			ips:    four,
			excess: []string{ownMAC + " 0.0.0.0/0 but 10.0.0.5"},
		},
		"its network": {
			column: []string{ownMAC + " 10.0.0.0/24"},
			ips:    four,
			excess: []string{ownMAC + " 10.0.0.0/24 but 10.0.0.5"},
		},
		"another address": {
			column: []string{ownMAC + " 10.0.0.6"},
			ips:    four,
			excess: []string{ownMAC + " 10.0.0.6"},
			loss:   []string{ownMAC + " 10.0.0.5"},
		},
		"one more MAC": {
			column: []string{ownMAC + " 10.0.0.5", "0a:00:00:00:00:02 10.0.0.5"}, ips: four, eras: portsec.Eras()[1:],
			excess: []string{"0a:00:00:00:00:02 10.0.0.5"},
		},
		"one more MAC in E0": {
			column: []string{
				ownMAC + " 10.0.0.5",
				"0a:00:00:00:00:02 10.0.0.5",
			},
			ips:    four,
			eras:   []portsec.Era{portsec.E0},
			excess: []string{"0a:00:00:00:00:02 10.0.0.5", "0a:00:00:00:00:02 with protocols other than IP and ARP"},
		},
		"no IPv6": {
			column: []string{ownMAC + " 10.0.0.5"},
			ips:    both,
			eras:   []portsec.Era{portsec.E0, portsec.E1, portsec.E3},
			loss:   []string{ownMAC + " fd00::5"},
		},
		"no IPv4": {column: []string{ownMAC + " fd00::5"}, ips: both, loss: []string{ownMAC + " 10.0.0.5"}},
		"MAC only besides it": {
			column: []string{ownMAC, ownMAC + " 10.0.0.5"}, ips: four, eras: []portsec.Era{portsec.E1, portsec.E3},
			excess: []string{ownMAC + " with any address but 10.0.0.5"},
		},
		"MAC only besides it in E0": {
			column: []string{ownMAC, ownMAC + " 10.0.0.5"}, ips: four, eras: []portsec.Era{portsec.E0},
			excess: []string{ownMAC + " with any address but 10.0.0.5 (in ARP only)"},
		},
		"families apart": {
			column: []string{
				ownMAC + " 10.0.0.5",
				ownMAC + " fd00::5",
			},
			ips:    both,
			eras:   []portsec.Era{portsec.E0, portsec.E3},
			excess: []string{ownMAC + " with any address but fd00::5, " + lla + " (in neighbour advertisements only)"},
		},
		"MAC only cannot advertise": {
			column: []string{ownMAC},
			ips:    both,
			eras:   []portsec.Era{portsec.E1},
			excess: []string{ownMAC + " with any address but 10.0.0.5, fd00::5, " + lla},
			loss:   []string{ownMAC + " fd00::5 (in neighbour advertisements only)"},
		},
		"group MAC besides it": {
			column: []string{ownMAC + " 10.0.0.5", "01:00:5e:00:00:01"},
			ips:    four,
			eras:   []portsec.Era{portsec.E0, portsec.E1, portsec.E3},
		},
		"virtual router": {
			column: []string{
				ownMAC + " 10.0.0.5",
				"VRRPv3 " + ownMAC + " 00:00:5e:00:01:05 10.0.0.9",
			},
			ips:    four,
			eras:   []portsec.Era{portsec.E3},
			excess: []string{"00:00:5e:00:01:05 10.0.0.9 (not in ARP)", "00:00:5e:00:01:05 10.0.0.9 (in ARP only)"},
		},
	}
	for name, tt := range tests {
		if tt.eras == nil {
			tt.eras = portsec.Eras()
		}
		for _, era := range tt.eras {
			have, want := portsec.Parse(era, tt.column).Set(), portsec.IdentitySet(identity(t, tt.ips...))
			if diff := cmp.Diff(tt.excess, texts(portsec.Excess(have, want))); diff != "" {
				t.Errorf("%s, %s: excess:\n%s", name, era, diff)
			}
			if diff := cmp.Diff(tt.loss, texts(portsec.Loss(have, want))); diff != "" {
				t.Errorf("%s, %s: loss:\n%s", name, era, diff)
			}
		}
	}
}

func TestOpenAndUnenforced(t *testing.T) {
	for name, tt := range map[string]struct {
		era              portsec.Era
		column           []string
		open, unenforced bool
	}{
		"empty":            {portsec.E1, nil, true, false},
		"unusable":         {portsec.E1, []string{"unknown", "x"}, true, true},
		"one is usable":    {portsec.E1, []string{"unknown", ownMAC}, false, false},
		"cut off":          {portsec.E2, []string{ownMAC + " x"}, false, false},
		"dropped":          {portsec.E3, []string{ownMAC + " x"}, true, true},
		"router too early": {portsec.E2, []string{"VRRPv3 " + ownMAC}, true, true},
		"router":           {portsec.E3, []string{"VRRPv3 " + ownMAC}, false, false},
	} {
		c := portsec.Parse(tt.era, tt.column)
		if s := c.Set(); s.Open() != tt.open || s.Unenforced() != tt.unenforced {
			t.Errorf("%s: open %v, unenforced %v; want %v, %v", name, s.Open(), s.Unenforced(), tt.open, tt.unenforced)
		}
	}
}

func TestAssess(t *testing.T) {
	want := portsec.IdentitySet(identity(t, "10.0.0.5"))
	assess := func(portType string, column ...string) portsec.Assessment {
		return portsec.Assess(portsec.Eras(), portType, column, want)
	}
	if a := assess("", ownMAC+" 10.0.0.5"); !a.Protected() {
		t.Error("the identity itself is not protected")
	}
	a := assess("", ownMAC+" 10.0.0.5 x")
	if a.Protected() {
		t.Error("a column that E3 drops counts as protected")
	}
	if diff := cmp.Diff([]portsec.Era{portsec.E3}, a.Where(portsec.Reading.Unenforced)); diff != "" {
		t.Errorf("unenforced:\n%s", diff)
	}
	a = assess("localnet", ownMAC+" 10.0.0.5")
	if diff := cmp.Diff(portsec.Eras()[1:], a.Where(portsec.Reading.Open)); diff != "" {
		t.Errorf("open as a localnet port:\n%s", diff)
	}
	if a.Readings[1].Excess == nil || !a.Readings[1].Unenforced() {
		t.Error("a port that is not checked has no excess, or counts as enforced")
	}
	if (portsec.Assessment{}).Protected() {
		t.Error("without any era a port counts as protected")
	}
}

func TestParseMAC(t *testing.T) {
	if got := mustMAC(t, "0A:1b:2C:3d:4E:5f").String(); got != "0a:1b:2c:3d:4e:5f" {
		t.Errorf("got %s", got)
	}
	for _, text := range []string{
		"", "0a-1b-2c-3d-4e-5f", "0a1b.2c3d.4e5f", "a:1b:2c:3d:4e:5f", "0a:1b:2c:3d:4e:5f:60:71", "0a:1b:2c:3d:4e:5g",
	} {
		if _, err := portsec.ParseMAC(text); err == nil {
			t.Errorf("ParseMAC takes %q", text)
		}
	}
	if got := mustMAC(t, "00:00:00:00:00:01").LinkLocal(); got != netip.MustParseAddr("fe80::200:ff:fe00:1") {
		t.Errorf("link-local address %s", got)
	}
}
