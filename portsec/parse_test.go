package portsec_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ovnguard/ovnguard/portsec"
)

// read is an era's reading of an element: the result, the place where the fault begins, and its meaning.
type read struct {
	Outcome portsec.Outcome
	Offset  int
	Means   string
}

func readElement(era portsec.Era, text string) read {
	e := portsec.ParseElement(era, text)
	return read{Outcome: e.Outcome, Offset: e.Offset, Means: portsec.Parse(era, []string{text}).Set().String()}
}

const open = "open, because nothing of it can be used"

// Each element is read as E0 to E2 do (prefix) and as E3 does (tokens).
func TestParseElement(t *testing.T) {
	const accepted, truncated, rejected = portsec.Accepted, portsec.Truncated, portsec.Rejected
	tests := map[string]struct{ prefix, tokens read }{
		// Forms that people mean to write.
		"00:00:00:00:00:01": {
			read{accepted, 0, "00:00:00:00:00:01"},
			read{accepted, 0, "00:00:00:00:00:01"},
		},
		"00:00:00:00:00:01 10.0.0.1": {
			read{accepted, 0, "00:00:00:00:00:01 10.0.0.1"},
			read{accepted, 0, "00:00:00:00:00:01 10.0.0.1"},
		},
		"0A:1B:2C:3D:4E:5F fd00::1 10.0.0.1": {
			read{accepted, 0, "0a:1b:2c:3d:4e:5f 10.0.0.1 fd00::1"},
			read{accepted, 0, "0a:1b:2c:3d:4e:5f 10.0.0.1 fd00::1"},
		},
		"00:00:00:00:00:01 10.0.0.0/24 fd00::/64": {
			read{accepted, 0, "00:00:00:00:00:01 10.0.0.0/24 fd00::/64"},
			read{accepted, 0, "00:00:00:00:00:01 10.0.0.0/24 fd00::/64"},
		},
		"00:00:00:00:00:01 10.0.0.4/24": {
			read{accepted, 0, "00:00:00:00:00:01 10.0.0.4 10.0.0.4/24"},
			read{accepted, 0, "00:00:00:00:00:01 10.0.0.4 10.0.0.4/24"},
		},
		"00:00:00:00:00:01 fd00::4/64": {
			read{accepted, 0, "00:00:00:00:00:01 fd00::4"},
			read{accepted, 0, "00:00:00:00:00:01 fd00::4"},
		},
		"00:00:00:00:00:01 0.0.0.0/0 ::/0": {
			read{accepted, 0, "00:00:00:00:00:01 0.0.0.0/0 ::/0"},
			read{accepted, 0, "00:00:00:00:00:01 0.0.0.0/0 ::/0"},
		},
		"00:00:00:00:00:01 10.0.0.0/25 10.0.0.128/25": {
			read{accepted, 0, "00:00:00:00:00:01 10.0.0.0/24"},
			read{accepted, 0, "00:00:00:00:00:01 10.0.0.0/24"},
		},
		"00:00:00:00:00:01 10.0.0.0/255.255.255.0": {
			read{accepted, 0, "00:00:00:00:00:01 10.0.0.0/24"},
			read{accepted, 0, "00:00:00:00:00:01 10.0.0.0/24"},
		},
		"00:00:00:00:00:01 fd00::/ffff:ffff::": {
			read{accepted, 0, "00:00:00:00:00:01 fd00::/32"},
			read{accepted, 0, "00:00:00:00:00:01 fd00::/32"},
		},
		"00:00:00:00:00:01  10.0.0.1  10.0.0.2 ": {
			read{accepted, 0, "00:00:00:00:00:01 10.0.0.1 10.0.0.2"},
			read{accepted, 0, "00:00:00:00:00:01 10.0.0.1 10.0.0.2"},
		},
		"00:00:00:00:00:01 10.0.0.1/31": {
			read{accepted, 0, "00:00:00:00:00:01 10.0.0.1"},
			read{accepted, 0, "00:00:00:00:00:01 10.0.0.1"},
		},
		"00:00:00:00:00:01 255.255.255.255 224.0.0.0/4": {
			read{accepted, 0, "00:00:00:00:00:01 224.0.0.0/4 255.255.255.255"},
			read{accepted, 0, "00:00:00:00:00:01 224.0.0.0/4 255.255.255.255"},
		},
		"00:00:00:00:00:01 10.0.0.2 10.0.0.2 10.0.0.2/0": {
			read{accepted, 0, "00:00:00:00:00:01 10.0.0.2"},
			read{accepted, 0, "00:00:00:00:00:01 10.0.0.2"},
		},

		// Numbers as the scanner accepts them.
		"+0:-0:0x0:00000000:0:101 10. 0.0.1": {
			read{accepted, 0, "00:00:00:00:00:01 10.0.0.1"},
			read{rejected, 25, open},
		},
		"-1:0:0:0:0:1 10.0.0.300": {
			read{accepted, 0, "ff:00:00:00:00:01 10.0.0.44"},
			read{accepted, 0, "ff:00:00:00:00:01 10.0.0.44"},
		},
		"0x0:0:0:0:0:0x 10.0.0.1": {read{rejected, 0, open}, read{rejected, 0, open}},
		" 0: 0:\t0:0:0:1 10.0.0.1": {
			read{accepted, 0, "00:00:00:00:00:01 10.0.0.1"},
			read{accepted, 0, "00:00:00:00:00:01 10.0.0.1"},
		},
		"0 :0:0:0:0:1 10.0.0.1": {read{rejected, 0, open}, read{rejected, 0, open}},
		"0:0:0:0:0:1 10.0.0.0/4294967320": {
			read{accepted, 0, "00:00:00:00:00:01 10.0.0.0/24"},
			read{accepted, 0, "00:00:00:00:00:01 10.0.0.0/24"},
		},
		"0:0:0:0:0:1 10.0.0.0/+24": {
			read{accepted, 0, "00:00:00:00:00:01 10.0.0.0/24"},
			read{accepted, 0, "00:00:00:00:00:01 10.0.0.0/24"},
		},
		"00:00:00:00:00:01 010.0.0.1": {
			read{accepted, 0, "00:00:00:00:00:01 10.0.0.1"},
			read{accepted, 0, "00:00:00:00:00:01 10.0.0.1"},
		},
		"0:0:0:0:0:1 18446744073709551617.0.0": {read{truncated, 12, "00:00:00:00:00:01"}, read{rejected, 12, open}},

		// Separators.
		"00:00:00:00:00:01 10.0.0.1\t10.0.0.2": {
			read{accepted, 0, "00:00:00:00:00:01 10.0.0.1 10.0.0.2"},
			read{rejected, 18, open},
		},
		"00:00:00:00:00:01 \t10.0.0.1": {
			read{accepted, 0, "00:00:00:00:00:01 10.0.0.1"},
			read{accepted, 0, "00:00:00:00:00:01 10.0.0.1"},
		},
		"00:00:00:00:00:01 10.0.0.1fd00::1": {
			read{accepted, 0, "00:00:00:00:00:01 10.0.0.1 fd00::1"},
			read{rejected, 18, open},
		},
		"00:00:00:00:00:01 10.0.0.1,10.0.0.2": {
			read{truncated, 26, "00:00:00:00:00:01 10.0.0.1"},
			read{rejected, 18, open},
		},
		"00:00:00:00:00:01,10.0.0.1":    {read{truncated, 17, "00:00:00:00:00:01"}, read{rejected, 17, open}},
		"00:00:00:00:00:01/48 10.0.0.1": {read{truncated, 17, "00:00:00:00:00:01"}, read{rejected, 17, open}},
		"00:00:00:00:00:0110.0.0.1":     {read{truncated, 19, "00:00:00:00:00:10"}, read{rejected, 19, open}},

		// Words that are not addresses.
		"unknown":                            {read{rejected, 0, open}, read{rejected, 0, open}},
		"":                                   {read{rejected, 0, open}, read{rejected, 0, open}},
		"00:00:00:00:00:01 unknown 10.0.0.1": {read{truncated, 18, "00:00:00:00:00:01"}, read{rejected, 18, open}},
		"00:00:00:00:00:01 10.0.0.1 unknown": {
			read{truncated, 27, "00:00:00:00:00:01 10.0.0.1"},
			read{rejected, 27, open},
		},
		"10.0.0.1 00:00:00:00:00:01": {read{rejected, 0, open}, read{rejected, 0, open}},
		"fd00:1:2:3:4:5:6:7":         {read{truncated, 14, "00:01:02:03:04:05"}, read{rejected, 14, open}},
		"00:00:00:00:00:01 10.0.0":   {read{truncated, 18, "00:00:00:00:00:01"}, read{rejected, 18, open}},
		"00:00:00:00:00:01 10.0.0.1.5": {
			read{truncated, 26, "00:00:00:00:00:01 10.0.0.1"},
			read{rejected, 18, open},
		},
		"00:00:00:00:00:01 fd00::1%eth0": {
			read{truncated, 25, "00:00:00:00:00:01 fd00::1"},
			read{rejected, 18, open},
		},
		"00:00:00:00:00:01 fd00:::1 fd00::2":    {read{truncated, 18, "00:00:00:00:00:01"}, read{rejected, 18, open}},
		"00:00:00:00:00:01 fd00::00001":         {read{truncated, 18, "00:00:00:00:00:01"}, read{rejected, 18, open}},
		"00:00:00:00:00:01 ::10.0.0.01 fd00::1": {read{truncated, 18, "00:00:00:00:00:01"}, read{rejected, 18, open}},

		// Masks and lengths.
		"00:00:00:00:00:01 10.0.0.1/33": {
			read{truncated, 18, "00:00:00:00:00:01"},
			read{rejected, 18, open},
		},
		"00:00:00:00:00:01 10.0.0.1/33 10.0.0.2": {
			read{truncated, 18, "00:00:00:00:00:01"},
			read{rejected, 18, open},
		},
		"00:00:00:00:00:01 10.0.0.1/33 fd00::1": {
			read{truncated, 18, "00:00:00:00:00:01 fd00::1"},
			read{rejected, 18, open},
		},
		"00:00:00:00:00:01 10.0.0.1/255.0.255.0": {
			read{truncated, 18, "00:00:00:00:00:01"},
			read{rejected, 18, open},
		},
		"00:00:00:00:00:01 10.0.0.1/-1": {
			read{truncated, 18, "00:00:00:00:00:01"},
			read{rejected, 18, open},
		},
		"00:00:00:00:00:01 10.0.0.1/ fd00::1": {
			read{truncated, 26, "00:00:00:00:00:01 10.0.0.1"},
			read{rejected, 18, open},
		},
		"00:00:00:00:00:01 10.0.0.0/ 24": {
			read{accepted, 0, "00:00:00:00:00:01 10.0.0.0/24"},
			read{rejected, 18, open},
		},
		"00:00:00:00:00:01 fd00::1/129 10.0.0.1": {
			read{truncated, 18, "00:00:00:00:00:01"},
			read{rejected, 18, open},
		},
		"00:00:00:00:00:01 fd00::/ 64": {
			read{accepted, 0, "00:00:00:00:00:01 fd00::/64"},
			read{rejected, 18, open},
		},
		"00:00:00:00:00:01 fd00::1/ 10.0.0.1": {
			read{truncated, 29, "00:00:00:00:00:01 fd00::1"},
			read{rejected, 18, open},
		},
		"00:00:00:00:00:01 fd00::1/ab 10.0.0.1": {
			read{truncated, 18, "00:00:00:00:00:01"},
			read{rejected, 18, open},
		},
		"00:00:00:00:00:01 fd00::1/ffff::ffff": {
			read{truncated, 18, "00:00:00:00:00:01"},
			read{rejected, 18, open},
		},
		"00:00:00:00:00:01 10.0.0.2 fd00::1/ffff::": {
			read{accepted, 0, "00:00:00:00:00:01 10.0.0.2 fd00::1"},
			read{accepted, 0, "00:00:00:00:00:01 10.0.0.2 fd00::1"},
		},

		// IPv4-mapped addresses.
		"00:00:00:00:00:01 ::ffff:10.0.0.1": {
			read{accepted, 0, "00:00:00:00:00:01 ::ffff:10.0.0.1"},
			read{rejected, 18, open},
		},
		"00:00:00:00:00:01 ::ffff:10.0.0.1/32": {
			read{accepted, 0, "00:00:00:00:00:01 ::ffff:10.0.0.1"},
			read{accepted, 0, "00:00:00:00:00:01 10.0.0.1"},
		},
		"00:00:00:00:00:01 ::ffff:10.0.0.0/24": {
			read{accepted, 0, "00:00:00:00:00:01 ::ffff:10.0.0.0"},
			read{accepted, 0, "00:00:00:00:00:01 10.0.0.0/24"},
		},
		"00:00:00:00:00:01 ::ffff:10.0.0.0/120": {
			read{accepted, 0, "00:00:00:00:00:01 ::ffff:10.0.0.0/120"},
			read{rejected, 18, open},
		},
		"00:00:00:00:00:01 ::ffff:10.0.0.0/ffff:ff00::": {
			read{accepted, 0, "00:00:00:00:00:01 ::ffff:10.0.0.0"},
			read{accepted, 0, "00:00:00:00:00:01 10.0.0.0/24"},
		},

		// Virtual routers.
		"VRRPv3 00:00:00:00:00:01 10.0.0.1": {
			read{rejected, 0, open},
			read{accepted, 0, "VRRPv3 00:00:00:00:00:01 00:00:5e:00:01:00/40 00:00:5e:00:02:00/40 10.0.0.1"},
		},
		"VRRPv3x00:00:00:00:00:01": {
			read{rejected, 0, open},
			read{accepted, 0, "VRRPv3 00:00:00:00:00:01 00:00:5e:00:01:00/40 00:00:5e:00:02:00/40"},
		},
		"VRRPv3 00:00:00:00:00:01 00:00:5e:00:01:05 00:00:5e:00:02:05/48 ::": {
			read{rejected, 0, open},
			read{accepted, 0, "VRRPv3 00:00:00:00:00:01 00:00:5e:00:01:05 00:00:5e:00:02:05 ::"},
		},
		"VRRPv3 00:00:00:00:00:01 00:00:5e:00:01:04/ff:ff:ff:ff:ff:fc": {
			read{rejected, 0, open},
			read{accepted, 0, "VRRPv3 00:00:00:00:00:01 00:00:5e:00:01:04/46"},
		},
		"VRRPv3 00:00:00:00:00:01 00:00:5e:00:01:05x 10.0.0.1": {
			read{rejected, 0, open},
			read{accepted, 0, "VRRPv3 00:00:00:00:00:01 00:00:5e:00:01:05 10.0.0.1"},
		},
		"VRRPv3 00:00:00:00:00:01 00:00:5e:00:01:05/45": {
			read{rejected, 0, open},
			read{rejected, 25, open},
		},
		"VRRPv3 00:00:00:00:00:01 00:00:5e:00:01:00/39": {
			read{rejected, 0, open},
			read{rejected, 25, open},
		},
		"VRRPv3 00:00:00:00:00:01 00:00:5e:00:01:00": {
			read{rejected, 0, open},
			read{rejected, 25, open},
		},
		"VRRPv3 00:00:00:00:00:01 00:00:5e:00:03:01": {
			read{rejected, 0, open},
			read{rejected, 25, open},
		},
		"VRRPv3 00:00:00:00:00:01 00:00:5e:00:01:04/ff:ff:ff:ff:00:ff": {
			read{rejected, 0, open},
			read{rejected, 25, open},
		},
		"VRRPv3 00:00:00:00:00:01 10.0.0.1 unknown": {
			read{rejected, 0, open},
			read{rejected, 34, open},
		},
		"VRRPv3 00:00:00:00:00:01 fd00:1:2:3:4:5:6:7": {
			read{rejected, 0, open},
			read{rejected, 25, open},
		},
		"VRRPv3 unknown":           {read{rejected, 0, open}, read{rejected, 7, open}},
		"VRRPv3":                   {read{rejected, 0, open}, read{rejected, 6, open}},
		"vrrpv3 00:00:00:00:00:01": {read{rejected, 0, open}, read{rejected, 0, open}},
	}
	for text, tt := range tests {
		for _, era := range portsec.Eras() {
			want := tt.prefix
			if era == portsec.E3 {
				want = tt.tokens
			}
			if diff := cmp.Diff(want, readElement(era, text)); diff != "" {
				t.Errorf("%s reads %q otherwise:\n%s", era, text, diff)
			}
		}
	}
}

// The reason says what is wrong and where.
func TestParseReasons(t *testing.T) {
	tests := []struct {
		era        portsec.Era
		text, want string
	}{
		{portsec.E1, "unknown", "it does not begin with a MAC of six octets joined by colons"},
		{
			portsec.E1,
			"0:0:0:0:0:1 x 10.0.0.1",
			`"x 10.0.0.1" is not an address, so it and everything after it is ignored, and the MAC may use any address`,
		},
		{portsec.E1, "0:0:0:0:0:1 10.0.0.1,x", `",x" is not an address, so it and everything after it is ignored`},
		{
			portsec.E1,
			"0:0:0:0:0:1 10.0.0.1/33 fd00::1",
			`the address at "10.0.0.1/33 fd00::1" has a bad mask and is ignored`,
		},
		{portsec.E3, "0:0:0:0:0:1 10.0.0.1 x", `"x" is not an address, and one bad word costs the whole element`},
		{
			portsec.E3,
			"VRRPv3 0:0:0:0:0:1 x",
			`"x" is neither a virtual MAC nor an address, and one bad word costs the whole element`,
		},
		{
			portsec.E3,
			"VRRPv3 0:0:0:0:0:1 0:0:5e:0:1:5/39",
			`"0:0:5e:0:1:5/39" is no virtual MAC of VRRPv3: its length must be from 40 to 48, and one bad word costs the whole element`,
		},
		{portsec.E3, "VRRPv3 x", "no MAC follows the keyword VRRPv3"},
	}
	for _, tt := range tests {
		if got := portsec.ParseElement(tt.era, tt.text).Reason; got != tt.want {
			t.Errorf("%s, %q: reason\n  %s\nwant\n  %s", tt.era, tt.text, got, tt.want)
		}
	}
}
