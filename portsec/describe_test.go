package portsec_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ovnguard/ovnguard/portsec"
)

func TestDescribe(t *testing.T) {
	tests := []struct {
		era    portsec.Era
		column []string
		want   string
	}{
		{portsec.E1, nil, "Open: sends with any MAC and any address."},
		{
			portsec.E1,
			[]string{"unknown"},
			"Looks protected but is open: nothing of the column can be used. Sends with any MAC and any address.",
		},
		{
			portsec.E0,
			[]string{"unknown"},
			"Looks protected but is open: nothing of the column can be used. Sends IP with any MAC and any address; " +
				"ARP and neighbour discovery are dropped.",
		},
		{
			portsec.E1,
			[]string{ownMAC + " 10.0.0.5"},
			"Sends only as 0a:00:00:00:00:01 with 10.0.0.5; ARP checked, IPv6 blocked entirely.",
		},
		{
			portsec.E1,
			[]string{ownMAC + " fd00::5"},
			"Sends only as 0a:00:00:00:00:01 with fd00::5; neighbour discovery checked, IPv4 and ARP blocked entirely.",
		},
		{
			portsec.E3,
			[]string{ownMAC + " fd00::5 10.0.0.0/24"},
			"Sends only as 0a:00:00:00:00:01 with 10.0.0.0/24 and fd00::5; ARP and neighbour discovery checked.",
		},
		{
			portsec.E3,
			[]string{ownMAC, "0a:00:00:00:00:02 10.0.0.6"},
			"Sends only as 0a:00:00:00:00:01 with any address; ARP and neighbour discovery checked for the MAC only; " +
				"or as 0a:00:00:00:00:02 with 10.0.0.6; ARP checked, IPv6 blocked entirely.",
		},
		{
			portsec.E3,
			[]string{"VRRPv3 " + ownMAC + " 00:00:5e:00:01:05 10.0.0.9"},
			"Sends only as virtual router 00:00:5e:00:01:05 of 0a:00:00:00:00:01 with 10.0.0.9.",
		},
		{
			portsec.E1,
			[]string{ownMAC + " 10.0.0.1 10.0.0.3 10.0.0.5 10.0.0.7 10.0.0.9 10.0.0.11 10.0.0.13 10.0.0.15"},
			"Sends only as 0a:00:00:00:00:01 with 10.0.0.1, 10.0.0.3, 10.0.0.5, 10.0.0.7, 10.0.0.9, 10.0.0.11 and 2 " +
				"more; ARP checked, IPv6 blocked entirely.",
		},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, portsec.Parse(tt.era, tt.column).Set().Describe()); diff != "" {
			t.Errorf("%s, %q:\n%s", tt.era, tt.column, diff)
		}
	}
}

// Each surprise has a warning in the eras where it is one.
func TestWarnings(t *testing.T) {
	type topics = map[portsec.Era][]portsec.Topic
	const (
		other, probe, four, six = portsec.TopicOther, portsec.TopicARPProbe, portsec.TopicIP4Only, portsec.TopicIP6Only
		forged, noLLA           = portsec.TopicSolicitation, portsec.TopicNoLinkLocal
	)
	tests := map[string]struct {
		column []string
		want   topics
	}{
		"dual stack": {
			[]string{ownMAC + " 10.0.0.5 fd00::5"},
			topics{
				portsec.E0: {
					probe,
				},
				portsec.E1: {probe, other, noLLA, forged},
				portsec.E2: {probe, other, forged},
				portsec.E3: {probe, other},
			},
		},
		"IPv4 only": {
			[]string{ownMAC + " 10.0.0.5"},
			topics{
				portsec.E0: {
					four,
					probe,
				},
				portsec.E1: {four, probe, other},
				portsec.E2: {four, probe, other},
				portsec.E3: {four, probe, other},
			},
		},
		"IPv6 only": {
			[]string{ownMAC + " fd00::5"},
			topics{
				portsec.E0: {
					six,
				},
				portsec.E1: {six, other, noLLA, forged},
				portsec.E2: {six, other, forged},
				portsec.E3: {six, other},
			},
		},
		"MAC only": {[]string{ownMAC}, topics{
			portsec.E0: nil, portsec.E1: {portsec.TopicNoAdvert, forged}, portsec.E2: {forged}, portsec.E3: nil,
		}},
		"MAC only beside addresses": {
			[]string{ownMAC, ownMAC + " 10.0.0.5 fd00::5"},
			topics{
				portsec.E0: {portsec.TopicBareBeside},
				portsec.E1: {portsec.TopicBareBeside, noLLA, forged},
				portsec.E2: {
					portsec.TopicBareBeside,
					forged,
					portsec.TopicAdvertLeak,
				},
				portsec.E3: {portsec.TopicBareBeside},
			},
		},
		"leak": {
			[]string{ownMAC + " 0.0.0.0/0", "0a:00:00:00:00:02 ::/0"},
			topics{
				portsec.E0: {four, six},
				portsec.E1: {four, other, six, other, noLLA, forged},
				portsec.E2: {
					four,
					other,
					six,
					other,
					forged,
					portsec.TopicAdvertLeak,
				},
				portsec.E3: {four, other, six, other},
			},
		},
		"unknown": {
			[]string{"unknown"},
			topics{
				portsec.E0: {
					portsec.TopicUnusable,
					portsec.TopicElement,
				},
				portsec.E1: {portsec.TopicUnusable, portsec.TopicElement},
				portsec.E2: {
					portsec.TopicUnusable,
					portsec.TopicElement,
				},
				portsec.E3: {portsec.TopicUnusable, portsec.TopicElement},
			},
		},
		"written otherwise": {[]string{"0:0:0:0:0:1 0.0.0.300/32 ::/0"}, topics{
			portsec.E0: {portsec.TopicWritten, probe}, portsec.E3: {portsec.TopicWritten, probe, other},
		}},
		"host bits": {[]string{ownMAC + " 0.0.0.0/0 FD00::5/64 fd00::0/64"}, topics{
			portsec.E0: {portsec.TopicHostBits}, portsec.E3: {portsec.TopicHostBits, other},
		}},
		"group MAC": {
			[]string{"01:00:5e:00:00:01"},
			topics{portsec.E0: {portsec.TopicGroupMAC}, portsec.E3: {portsec.TopicGroupMAC}},
		},
		"router alone": {
			[]string{"VRRPv3 " + ownMAC + " 10.0.0.9"},
			topics{portsec.E3: {portsec.TopicVirtualRouter}},
		},
		"router with its MAC": {
			[]string{"VRRPv3 " + ownMAC + " 10.0.0.9", ownMAC + " 0.0.0.0/0 fd00::5"},
			topics{portsec.E3: {other}},
		},
		"empty": {nil, topics{portsec.E0: nil, portsec.E1: nil, portsec.E2: nil, portsec.E3: nil}},
	}
	for name, tt := range tests {
		for era, want := range tt.want {
			var got []portsec.Topic
			for _, w := range portsec.Parse(era, tt.column).Warnings() {
				if w.Text == "" {
					t.Errorf("%s, %s: warning %s says nothing", name, era, w.Topic)
				}
				got = append(got, w.Topic)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s, %s:\n%s", name, era, diff)
			}
		}
	}
}
