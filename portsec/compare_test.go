package portsec_test

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ovnguard/ovnguard/portsec"
	"github.com/ovnguard/ovnguard/portsec/portsectest"
	"github.com/ovnguard/ovnguard/portsec/vector"
	_ "github.com/ovnguard/ovnguard/test/sameseed"
)

// drawSet draws a set of an era.
func drawSet(t *rapid.T, name string, era portsec.Era) ([]string, portsec.Set) {
	r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, name), 0))
	column := portsectest.Column(r)
	return column, portsec.Parse(era, column).Set()
}

func drawEra(t *rapid.T) portsec.Era { return rapid.SampledFrom(portsec.Eras()).Draw(t, "era") }

// Sets obey the laws of sets.
func TestSetLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		era := drawEra(t)
		columnA, a := drawSet(t, "a", era)
		columnB, b := drawSet(t, "b", era)
		columnC, c := drawSet(t, "c", era)
		t.Logf("%s\na %q\nb %q\nc %q", era, columnA, columnB, columnC)
		law := func(holds bool, name string) {
			if !holds {
				t.Errorf("%s does not hold", name)
			}
		}
		law(a.Covers(a) && a.Equal(a), "a covers a")
		law(a.Equal(b) == (a.Covers(b) && b.Covers(a)), "equal is covering each other")
		law(!a.Covers(b) || !b.Covers(c) || a.Covers(c), "covers is transitive")
		law(a.Covers(b) == (len(portsec.Excess(b, a)) == 0), "no excess is being covered")
		law(
			cmp.Equal(
				portsec.Excess(a, b),
				portsec.Loss(b, a),
				cmp.Comparer(func(p, q netip.Prefix) bool { return p == q }),
			),
			"loss is excess the other way round",
		)
		law((portsec.Set{}).Covers(a), "the open set covers all")
		u := a.Union(b)
		law(u.Covers(a) && u.Covers(b), "a union covers both")
		law(u.Equal(b.Union(a)), "union commutes")
		law(u.Union(c).Equal(a.Union(b.Union(c))), "union associates")
		law(a.Union(a).Equal(a), "a with a is a")
		law(u.Open() == (a.Open() || b.Open()), "a union is open where one is")
	})
}

// Covers agrees exactly with the verdicts: the covering set lets every frame of a covered set pass, and if a set is not
// covered there is a frame that shows it.
func checkCovers(t testing.TB, era portsec.Era, r *rand.Rand) {
	t.Helper()
	have, want := portsectest.Column(r), portsectest.Column(r)
	if r.IntN(3) == 0 && len(have) > 0 {
		want = append([]string{have[0]}, want...)
	}
	a, b := portsec.Parse(era, have).Set(), portsec.Parse(era, want).Set()
	covers := b.Covers(a)
	for range 20 {
		frame := portsectest.Frame(r, portsec.FromPort, have)
		va, vb := a.Verdict(portsec.Port{}, portsec.FromPort, frame), b.Verdict(portsec.Port{}, portsec.FromPort, frame)
		if covers && va.Allow && !vb.Allow {
			t.Fatalf("%s: %q covers %q, but of the frame of %s the latter says %s (%s) and the former %s (%s)",
				era, want, have, portsectest.Describe(frame), va, va.Rule, vb, vb.Rule)
		}
	}
	witnesses := portsec.Witnesses(a, b)
	for _, w := range witnesses {
		frame := witnessFrame(t, w)
		va, vb := a.Verdict(portsec.Port{}, portsec.FromPort, frame), b.Verdict(portsec.Port{}, portsec.FromPort, frame)
		if !va.Allow || vb.Allow {
			t.Fatalf(
				"%s: %+v should pass with %q and not with %q; got %s (%s) and %s (%s)",
				era,
				w,
				have,
				want,
				va,
				va.Rule,
				vb,
				vb.Rule,
			)
		}
	}
	if !covers && len(witnesses) == 0 {
		t.Fatalf("%s: %q does not cover %q, but no frame shows it; excess %v", era, want, have, portsec.Excess(a, b))
	}
}

func witnessFrame(t testing.TB, w portsec.Witness) []byte {
	t.Helper()
	ip6 := func(a [2]uint64) *string {
		var b [16]byte
		binary.BigEndian.PutUint64(b[:8], a[0])
		binary.BigEndian.PutUint64(b[8:], a[1])
		return new(netip.AddrFrom16(b).String())
	}
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], uint32(w.Address[0]>>32))
	ip4 := new(netip.AddrFrom4(b).String())
	f := vector.Frame{EthSrc: w.Source.String(), EthDst: portsectest.Peer}
	switch w.Kind {
	case "ip4":
		f.EthType, f.IPv4Src, f.IPv4Dst = "0x0800", ip4, new("10.9.9.9")
	case "ip6":
		f.EthType, f.IPv6Src, f.IPv6Dst = "0x86dd", ip6(w.Address), new("fd00::9")
	case "arp":
		f.EthType, f.ARPSHA, f.ARPSPA, f.ARPTPA = "0x0806", new(w.Claimed.String()), ip4, new("10.9.9.9")
	case "other":
		f.EthType = "0x88cc"
	case "solicitation", "advertisement":
		f.EthType, f.IPv6Src, f.IPv6Dst, f.NDLLAddr, f.NDTarget = "0x86dd", ip6(
			w.From,
		), new(
			"fd00::9",
		), new(
			w.Claimed.String(),
		), ip6(
			w.Address,
		)
		f.NDType = new(uint8(135))
		if w.Kind == "advertisement" {
			f.NDType = new(uint8(136))
		}
	}
	frame, err := f.Bytes()
	if err != nil {
		t.Fatalf("%+v: %v", w, err)
	}
	return frame
}

func TestCoversAgreesWithVerdicts(t *testing.T) {
	for seed := range uint64(300) {
		for _, era := range portsec.Eras() {
			checkCovers(t, era, rand.New(rand.NewPCG(seed, uint64(era))))
		}
	}
}

func FuzzCoversAgreesWithVerdicts(f *testing.F) {
	f.Add(uint64(1), uint64(2))
	f.Fuzz(func(t *testing.T, a, b uint64) {
		for _, era := range portsec.Eras() {
			checkCovers(t, era, rand.New(rand.NewPCG(a, b)))
		}
	})
}
