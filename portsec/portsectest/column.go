// Package portsectest makes random columns and frames for tests of port security: mostly meaningful, often nearly so,
// and drawn from small pools, so that columns and frames meet. The same seed gives the same.
package portsectest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// MACs are those that elements list: plain ones, one with digits that need both cases, locally administered ones,
// virtual ones of VRRP, and one of a group.
var MACs = []string{
	"00:00:00:00:00:01", "00:00:00:00:00:02", "0a:1b:2c:3d:4e:5f", "02:00:00:00:00:ff",
	"00:00:5e:00:01:05", "00:00:5e:00:02:05", "00:00:00:00:00:00", "01:00:5e:00:00:01",
}

// IPv4 and IPv6 are the addresses that elements list and frames carry.
var (
	IPv4 = []string{
		"10.0.0.1", "10.0.0.2", "10.0.0.4", "10.0.0.255", "10.1.2.3", "192.168.1.1", "192.168.1.0", "0.0.0.0",
		"255.255.255.255", "224.0.0.5", "239.1.1.1", "127.0.0.1", "10.0.0.44", "9.9.9.9",
	}
	IPv6 = []string{
		"fd00::1",
		"fd00::5",
		"fd01::1",
		"2001:db8::1",
		"::",
		"::1",
		"fe80::1",
		"fe80::200:ff:fe00:1",
		"fe80::200:ff:fe00:2",
		"fe80::81b:2cff:fe3d:4e5f",
		"fe80::200:5eff:fe00:105",
		"fe80::200:5eff:fe00:205",
		"ff02::1",
		"ff02::16",
		"ff05::16",
		"::ffff:10.0.0.1",
		"1:2:3:4:5:6:7:8",
	}
)

// pick draws one of several.
func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

// often tells true in n of 100 cases.
func often(r *rand.Rand, n int) bool { return r.IntN(100) < n }

// Column returns a column of up to three elements, all different.
func Column(r *rand.Rand) []string {
	var out []string
	for range pick(r, []int{0, 1, 1, 1, 1, 2, 2, 3}) {
		e := Element(r)
		if !slices.Contains(out, e) {
			out = append(out, e)
		}
	}
	return out
}

// Element returns one element: from the grammar, often changed in a place or two.
func Element(r *rand.Rand) string {
	if often(r, 4) {
		return pick(r, words)
	}
	var b strings.Builder
	router := often(r, 10)
	if router {
		b.WriteString(pick(r, []string{"VRRPv3 ", "VRRPv3 ", "VRRPv3x", "vrrpv3 ", "VRRPv3"}))
	}
	b.WriteString(macToken(r))
	if router {
		for range r.IntN(3) {
			b.WriteString(" " + pick(r, virtual))
		}
	}
	for range pick(r, []int{0, 0, 1, 1, 1, 2, 2, 3, 4}) {
		b.WriteString(separator(r))
		b.WriteString(address(r))
	}
	text := b.String()
	for often(r, 20) {
		text = mutate(r, text)
	}
	return text
}

var words = []string{
	"unknown",
	"UNKNOWN",
	"dynamic",
	"router",
	"any",
	"",
	" ",
	"10.0.0.1",
	"fd00::1",
	"00-00-00-00-00-01",
	"0000.0000.0001",
	"fd00:1:2:3:4:5:6:7",
	"VRRPv3",
}

var virtual = []string{
	"00:00:5e:00:01:05",
	"00:00:5e:00:02:05",
	"00:00:5e:00:01:00/40",
	"00:00:5e:00:02:00/44",
	"00:00:5e:00:01:04/ff:ff:ff:ff:ff:fc",
	"00:00:5e:00:01:00",
	"00:00:00:00:00:07",
	"00:00:5e:00:02:05/45",
	"00:00:5e:00:01:05x",
}

func macToken(r *rand.Rand) string {
	mac := pick(r, MACs[:6])
	switch r.IntN(16) {
	case 0:
		return strings.ToUpper(mac)
	case 1:
		return strings.ReplaceAll(mac, ":0", ":")
	case 2:
		return " " + mac
	case 3:
		return "0x" + mac
	case 4:
		return "1" + mac
	case 5:
		return strings.Replace(mac, ":", ": ", 1)
	case 6:
		return pick(r, MACs)
	}
	return mac
}

func separator(r *rand.Rand) string {
	if often(r, 88) {
		return " "
	}
	return pick(r, []string{"  ", "\t", ",", ", ", "", "\n", " unknown "})
}

func address(r *rand.Rand) string {
	if often(r, 55) {
		a := pick(r, IPv4)
		switch r.IntN(14) {
		case 0:
			return a + pick(r, []string{"/33", "/-1", "/", "/x", "/ 24", "/255.0.255.0", "/4294967320", "/0x18"})
		case 1:
			return a + "/" + pick(r, []string{"255.255.255.0", "255.255.255.255", "0.0.0.0", "255.255.0.0"})
		case 2:
			return pick(
				r,
				[]string{
					"10.0.0.300",
					"10.0.0",
					"0x0a.0.0.1",
					"010.0.0.1",
					"-246.0.0.1",
					"10. 0.0.1",
					"10.0.0.0/24",
					"10.0.0.0/8",
					"0.0.0.0/0",
					"10.0.0.1.5",
				},
			)
		case 3, 4:
			return a + fmt.Sprintf("/%d", pick(r, []int{0, 8, 16, 24, 30, 31, 32}))
		}
		return a
	}
	a := pick(r, IPv6)
	switch r.IntN(14) {
	case 0:
		return a + pick(
			r,
			[]string{
				"/129",
				"/-1",
				"/",
				"/x",
				"/ 64",
				"/ab",
				"/ffff::ffff",
				"/fe80:",
				"/ffff:ffff::",
				"/ ffff::",
				"/+64",
			},
		)
	case 1:
		return a + "/" + pick(
			r,
			[]string{"ffff:ffff::", "ffff:ffff:ffff:ffff::", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
		)
	case 2:
		return pick(
			r,
			[]string{
				"fd00::/64",
				"fe80::/10",
				"::/0",
				"ff00::/8",
				"fd00:::1",
				"fd00::00001",
				"FD00::1",
				"fd00::1%eth0",
				"::ffff:10.0.0.0/24",
				"::10.0.0.01",
			},
		)
	case 3, 4:
		return a + fmt.Sprintf("/%d", pick(r, []int{0, 10, 32, 64, 96, 120, 127, 128}))
	}
	return a
}

const alphabet = "0123456789abcdefABCDEFxX:./,-+ \t\nunknow%"

// mutate changes one place of a text.
func mutate(r *rand.Rand, text string) string {
	if text == "" {
		return text
	}
	at := r.IntN(len(text))
	c := string(alphabet[r.IntN(len(alphabet))])
	switch r.IntN(5) {
	case 0:
		return text[:at] + text[at+1:]
	case 1:
		return text[:at] + c + text[at:]
	case 2:
		return text[:at] + c + text[at+1:]
	case 3:
		return text[:at]
	}
	return text + c
}
