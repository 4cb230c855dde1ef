package portsec_test

import (
	"testing"

	"github.com/ovnguard/ovnguard/portsec"
	"github.com/ovnguard/ovnguard/portsec/vector"
)

// column is the column of a dual-stack pod.
var column = []string{"0a:58:0a:10:00:05 10.16.0.5 fd00:10:16::5"}

func frameOf(t testing.TB, f vector.Frame) []byte {
	t.Helper()
	f.EthSrc, f.EthDst = "0a:58:0a:10:00:05", "00:00:00:00:99:99"
	b, err := f.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func benchFrames(t testing.TB) map[string][]byte {
	t.Helper()
	return map[string][]byte{
		"IPv4": frameOf(t, vector.Frame{EthType: "0x0800", IPv4Src: new("10.16.0.5"), IPv4Dst: new("10.16.0.9")}),
		"IPv6": frameOf(
			t,
			vector.Frame{EthType: "0x86dd", IPv6Src: new("fd00:10:16::5"), IPv6Dst: new("fd00:10:16::9")},
		),
		"ARP": frameOf(
			t,
			vector.Frame{
				EthType: "0x0806",
				ARPSHA:  new("0a:58:0a:10:00:05"),
				ARPSPA:  new("10.16.0.5"),
				ARPTPA:  new("10.16.0.9"),
			},
		),
		"NA": frameOf(t, vector.Frame{
			EthType: "0x86dd", IPv6Src: new("fd00:10:16::5"), IPv6Dst: new("fd00:10:16::9"), NDType: new(uint8(136)),
			NDTarget: new("fd00:10:16::5"), NDLLAddr: new("0a:58:0a:10:00:05"),
		}),
	}
}

// A verdict allocates nothing, for any frame and era: a busy port may need one for each frame.
func TestVerdictAllocatesNothing(t *testing.T) {
	for _, era := range portsec.Eras() {
		set := portsec.Parse(era, append([]string{"VRRPv3 00:00:00:00:00:01 10.0.0.1"}, column...)).Set()
		for name, frame := range benchFrames(t) {
			for _, d := range []portsec.Direction{portsec.FromPort, portsec.ToPort} {
				if n := testing.AllocsPerRun(100, func() { set.Verdict(portsec.Port{}, d, frame) }); n != 0 {
					t.Errorf("%s, %s, %s: %v allocations", era, name, d, n)
				}
			}
		}
	}
}

func BenchmarkParse(b *testing.B) {
	for _, era := range []portsec.Era{portsec.E1, portsec.E3} {
		b.Run(era.String(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				portsec.Parse(era, column).Set()
			}
		})
	}
}

func BenchmarkVerdict(b *testing.B) {
	set := portsec.Parse(portsec.E3, column).Set()
	for name, frame := range benchFrames(b) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				set.Verdict(portsec.Port{}, portsec.FromPort, frame)
			}
		})
	}
}

func BenchmarkCovers(b *testing.B) {
	set := portsec.Parse(portsec.E3, column).Set()
	want := portsec.Parse(portsec.E3, []string{"0a:58:0a:10:00:05 10.16.0.0/16 fd00:10:16::/64"}).Set()
	b.ReportAllocs()
	for b.Loop() {
		want.Covers(set)
	}
}
