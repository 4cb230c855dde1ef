package portsec_test

import (
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ovnguard/ovnguard/portsec"
)

func pair(t testing.TB, mac, prefix string) portsec.AddressPair {
	t.Helper()
	var p portsec.AddressPair
	if mac != "" {
		p.MAC = mustMAC(t, mac)
	}
	if prefix != "" {
		p.Prefix = netip.MustParsePrefix(prefix)
	}
	return p
}

func TestBuild(t *testing.T) {
	tests := map[string]struct {
		ips   []string
		pairs []portsec.AddressPair
		want  []string
	}{
		"no address":           {nil, nil, []string{ownMAC}},
		"one":                  {[]string{"10.0.0.5"}, nil, []string{ownMAC + " 10.0.0.5"}},
		"both families":        {[]string{"fd00::5", "10.0.0.5"}, nil, []string{ownMAC + " 10.0.0.5 fd00::5"}},
		"IPv4-mapped identity": {[]string{"::ffff:10.0.0.5"}, nil, []string{ownMAC + " 10.0.0.5"}},
		"own MAC, a range": {
			[]string{"10.0.0.5"},
			[]portsec.AddressPair{pair(t, "", "10.1.0.0/16")},
			[]string{ownMAC + " 10.0.0.5 10.1.0.0/16"},
		},
		"own MAC, its range": {
			[]string{"10.0.0.5"},
			[]portsec.AddressPair{pair(t, "", "10.0.0.0/24"), pair(t, ownMAC, "10.0.0.9/32")},
			[]string{ownMAC + " 10.0.0.0/24"},
		},
		"own MAC, any address": {[]string{"10.0.0.5"}, []portsec.AddressPair{pair(t, "", "")}, []string{ownMAC}},
		"own MAC, all IPv4": {
			[]string{"10.0.0.5"},
			[]portsec.AddressPair{pair(t, "", "0.0.0.0/0")},
			[]string{ownMAC + " 0.0.0.0/0"},
		},
		"another MAC": {
			[]string{"10.0.0.5"},
			[]portsec.AddressPair{pair(t, "00:00:5e:00:01:05", "10.0.0.9/32")},
			[]string{"00:00:5e:00:01:05 10.0.0.9", ownMAC + " 10.0.0.5"},
		},
		"another, any address": {
			[]string{"10.0.0.5"},
			[]portsec.AddressPair{pair(t, "02:00:00:00:00:01", "10.0.0.9/32"), pair(t, "02:00:00:00:00:01", "")},
			[]string{"02:00:00:00:00:01", ownMAC + " 10.0.0.5"},
		},
		"another in both": {
			[]string{"10.0.0.5"},
			[]portsec.AddressPair{
				pair(t, "02:00:00:00:00:01", "fd00::/64"),
				pair(t, "02:00:00:00:00:01", "10.0.0.9/32"),
			},
			[]string{"02:00:00:00:00:01 10.0.0.9 fd00::/64", ownMAC + " 10.0.0.5"},
		},
		"halves make one whole": {
			nil,
			[]portsec.AddressPair{
				pair(t, "02:00:00:00:00:01", "10.0.0.0/25"),
				pair(t, "02:00:00:00:00:01", "10.0.0.128/25"),
			},
			[]string{"02:00:00:00:00:01 10.0.0.0/24", ownMAC},
		},
	}
	for name, tt := range tests {
		got, err := portsec.Build(identity(t, tt.ips...), tt.pairs)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
}

func TestBuildRefuses(t *testing.T) {
	own := identity(t, "10.0.0.5")
	group := portsec.Identity{MAC: mustMAC(t, "01:00:5e:00:00:01")}
	tests := map[string]struct {
		identity portsec.Identity
		pairs    []portsec.AddressPair
		want     string
	}{
		"no MAC":     {portsec.Identity{}, nil, "the identity has no MAC"},
		"group MAC":  {group, nil, "MAC 01:00:5e:00:00:01: the MAC has the group bit"},
		"no address": {portsec.Identity{MAC: own.MAC, IPs: []netip.Addr{{}}}, nil, "the address is not set"},
		"zone": {
			portsec.Identity{MAC: own.MAC, IPs: []netip.Addr{netip.MustParseAddr("fe80::1%eth0")}},
			nil,
			"IP fe80::1%eth0: the address has a zone",
		},
		"group pair": {
			own,
			[]portsec.AddressPair{pair(t, "33:33:00:00:00:01", "10.0.0.9/32")},
			"address pair of 33:33:00:00:00:01 with 10.0.0.9: the MAC has the group bit",
		},
		"host bits": {
			own,
			[]portsec.AddressPair{pair(t, "", "10.0.0.9/24")},
			"with 10.0.0.9/24: the prefix has host bits set",
		},
		"mapped prefix": {
			own,
			[]portsec.AddressPair{pair(t, "", "::ffff:10.0.0.0/120")},
			"which eras before E3 take for IPv6 and E3 for IPv4",
		},
	}
	for name, tt := range tests {
		if got, err := portsec.Build(tt.identity, tt.pairs); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %q, %v; want an error with %q", name, got, err, tt.want)
		}
	}
}

// A built column means what was asked for, in every era, with no excess and no loss.
func TestBuildReadsAlike(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 2000 {
		id := portsec.Identity{MAC: portsec.MAC{0, 0, 0, 0, 0, byte(1 + r.IntN(3))}}
		for range r.IntN(3) {
			id.IPs = append(id.IPs, randomPrefix(r).Addr())
		}
		var pairs []portsec.AddressPair
		for range r.IntN(5) {
			p := portsec.AddressPair{Prefix: randomPrefix(r)}
			if r.IntN(2) == 0 {
				p.MAC = portsec.MAC{0, 0, 0, 0, 0, byte(1 + r.IntN(3))}
			}
			if r.IntN(8) == 0 {
				p.Prefix = netip.Prefix{}
			}
			pairs = append(pairs, p)
		}
		column, err := portsec.Build(id, pairs)
		if err != nil {
			t.Fatalf("%v with %v: %v", id, pairs, err)
		}
		want, err := portsec.GrantedSet(id, pairs)
		if err != nil {
			t.Fatal(err)
		}
		if a := portsec.Assess(portsec.Eras(), "", column, want); !a.Protected() {
			t.Fatalf("%v with %v gives %q, which is not protected everywhere: %+v", id, pairs, column, a)
		}
		own := portsec.IdentitySet(id)
		for _, era := range portsec.Eras() {
			if lost := portsec.Loss(portsec.Parse(era, column).Set(), own); era != portsec.E1 && len(lost) > 0 {
				t.Fatalf("%s: %q loses %v of %v", era, column, lost, id)
			}
		}
	}
}

func randomPrefix(r *rand.Rand) netip.Prefix {
	if r.IntN(2) == 0 {
		a := netip.AddrFrom4([4]byte{10, 0, byte(r.IntN(2)), byte(r.IntN(256))})
		return netip.PrefixFrom(a, 16+r.IntN(17)).Masked()
	}
	a := netip.AddrFrom16([16]byte{0: 0xfd, 15: byte(r.IntN(256))})
	return netip.PrefixFrom(a, 64+r.IntN(65)).Masked()
}
