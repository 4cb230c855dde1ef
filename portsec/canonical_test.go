package portsec_test

import (
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ovnguard/ovnguard/portsec"
	"github.com/ovnguard/ovnguard/portsec/portsectest"
)

// checkCanonical parses the canonical column of a column: it must be fully accepted, be its own canonical column, and
// let the same frames pass both ways.
func checkCanonical(t testing.TB, era portsec.Era, column []string, r *rand.Rand) {
	t.Helper()
	set := portsec.Parse(era, column).Set()
	canonical := set.Canonical()
	read := portsec.Parse(era, canonical)
	for _, e := range read.Elements {
		if e.Outcome != portsec.Accepted {
			t.Fatalf("%s: %q of the canonical column of %q is %s: %s", era, e.Text, column, e.Outcome, e.Reason)
		}
	}
	again := read.Set()
	if diff := cmp.Diff(canonical, again.Canonical()); diff != "" {
		t.Fatalf("%s: the canonical column of %q changes when read again:\n%s", era, column, diff)
	}
	if set.Open() != again.Open() || !set.Unenforced() && !set.Equal(again) {
		t.Fatalf("%s: the canonical column %q of %q is another set", era, canonical, column)
	}
	if set.Unenforced() {
		return // the canonical column of an open set is empty
	}
	for _, direction := range []portsec.Direction{portsec.FromPort, portsec.ToPort} {
		for range 10 {
			frame := portsectest.Frame(r, direction, column)
			a, b := set.Verdict(portsec.Port{}, direction, frame), again.Verdict(portsec.Port{}, direction, frame)
			if a.Allow != b.Allow {
				t.Fatalf("%s: %q says %s (%s) and its canonical column %q says %s (%s) of the frame %s, of %s",
					era, column, a, a.Rule, canonical, b, b.Rule, direction, portsectest.Describe(frame))
			}
		}
	}
}

func TestCanonical(t *testing.T) {
	for seed := range uint64(400) {
		for _, era := range portsec.Eras() {
			r := rand.New(rand.NewPCG(seed, uint64(era)))
			checkCanonical(t, era, portsectest.Column(r), r)
		}
	}
}

// FuzzColumn parses arbitrary text as every era does: nothing panics, and the canonical column keeps the meaning.
func FuzzColumn(f *testing.F) {
	for _, text := range []string{
		"", "unknown", "0a:00:00:00:00:01", "00:00:00:00:00:01 10.0.0.1/33 fd00::1", "00:00:00:00:00:01 " +
			"::ffff:10.0.0.1/24",
		"VRRPv3", "VRRPv3 00:00:00:00:00:01 00:00:5e:00:01:04/ff:ff:ff:ff:ff:fc 10.0.0.1", "+0:-0:0x0:00000000:0:101 " +
			"10. 0.0.1/-0",
		"00:00:00:00:00:01 fd00::1/ffff::ffff 10.0.0.1/255.0.255.0",
	} {
		f.Add(text, "00:00:00:00:00:01 10.0.0.1", uint64(1))
	}
	f.Fuzz(func(t *testing.T, one, two string, seed uint64) {
		for _, era := range portsec.Eras() {
			column := []string{one, two}
			for _, e := range portsec.Parse(era, column).Elements {
				if e.Offset < 0 || e.Offset > len(e.Text) {
					t.Fatalf("%s: %q: offset %d is outside", era, e.Text, e.Offset)
				}
				if (e.Outcome == portsec.Accepted) != (e.Reason == "") {
					t.Fatalf("%s: %q is %s with the reason %q", era, e.Text, e.Outcome, e.Reason)
				}
			}
			checkCanonical(t, era, column, rand.New(rand.NewPCG(seed, 0)))
			c := portsec.Parse(era, column)
			_ = c.Warnings()
			_ = c.Set().Describe()
		}
	})
}

// FuzzFrame judges arbitrary bytes: nothing panics.
func FuzzFrame(f *testing.F) {
	for seed := range uint64(8) {
		f.Add(portsectest.Frame(rand.New(rand.NewPCG(seed, 0)), portsec.FromPort, nil), uint16(0))
	}
	set := portsec.Parse(portsec.E3, []string{"00:00:00:00:00:01 10.0.0.1 fd00::1", "VRRPv3 00:00:00:00:00:02 " +
		"10.0.0.2 fd00::2"}).
		Set()
	f.Fuzz(func(_ *testing.T, frame []byte, tag uint16) {
		for _, d := range []portsec.Direction{portsec.FromPort, portsec.ToPort} {
			set.Verdict(portsec.Port{VLANPassthrough: true, ChildTag: tag}, d, frame)
		}
	})
}
