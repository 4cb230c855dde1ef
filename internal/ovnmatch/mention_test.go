package ovnmatch

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
)

func TestMentions(t *testing.T) {
	set, err := NewSet([]string{"10.0.0.1", "10.1.0.0/16"})
	if err != nil {
		t.Fatal(err)
	}
	names := Names{Sets: map[string]*Set{"s": set}, Groups: map[string]map[string]bool{"g": {"p": true}}}
	tests := []struct {
		text     string
		field    string
		mentions bool
		prefixes []string
	}{
		{
			"outport == @g && ip4.src == $s && ip4.src != 10.0.0.9",
			"ip4.src",
			true,
			[]string{"10.0.0.1/32", "10.1.0.0/16"},
		},
		{
			"ip4.src == {10.0.0.0/8, 192.0.2.1} && tcp.dst == 80",
			"ip4.src",
			true,
			[]string{"10.0.0.0/8", "192.0.2.1/32"},
		},
		{"ip6.src == 2001:db8::/32", "ip6.src", true, []string{"2001:db8::/32"}},
		{"ip6.src == 2001:db8::/32", "ip4.src", false, nil},
		{"ip4.src != 10.0.0.0/8", "ip4.src", true, nil},
		{"ip4.src == 10.0.0.1/255.0.0.1", "ip4.src", true, nil}, // no prefix
		{"inport == \"p\" || ip4.src == 10.0.0.0/8", "inport", true, nil},
		{"ip4", "inport", false, nil},
	}
	for _, test := range tests {
		m := Parse(test.text, names)
		if got := m.Mentions(test.field); got != test.mentions {
			t.Errorf("%s: mentions %s: %v", test.text, test.field, got)
		}
		if test.field == "inport" {
			continue
		}
		var got []string
		for _, p := range m.Prefixes(test.field) {
			got = append(got, p.String())
		}
		slices.Sort(got)
		if !slices.Equal(got, test.prefixes) {
			t.Errorf("%s: %s may equal %q, want %q", test.text, test.field, got, test.prefixes)
		}
	}
}

// TestPrefixesAreAdmitted holds what may be equal to what then matches.
func TestPrefixesAreAdmitted(t *testing.T) {
	for _, text := range []string{"ip4.src == 10.2.0.0/15", "ip4.src == {10.2.0.0/15, 10.9.9.9}"} {
		m := Parse(text, Names{})
		for _, p := range m.Prefixes("ip4.src") {
			if m.Evaluate(&Packet{EthType: TypeIP4, IPSrc: p.Addr()}) != True {
				t.Errorf("%s does not match %s", text, p)
			}
		}
		if m.Evaluate(&Packet{EthType: TypeIP4, IPSrc: netip.MustParseAddr("10.4.0.0")}) != False {
			t.Errorf("%s matches what it does not name", text)
		}
	}
}

func ExampleMatch_Number() {
	fmt.Println(Parse("9000 <= tcp.dst <= 9100", Names{}).Number("tcp.dst"))
	fmt.Println(Parse("udp", Names{}).Number("tcp.dst"))
	// Output:
	// 9000 true
	// 0 false
}
