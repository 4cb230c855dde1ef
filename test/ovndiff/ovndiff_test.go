//go:build integration

package ovndiff

import (
	"encoding/binary"
	"encoding/hex"
	"flag"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ovnguard/ovnguard/portsec"
	"github.com/ovnguard/ovnguard/portsec/portsectest"
	"github.com/ovnguard/ovnguard/test/ovnbox"
)

var (
	frames = flag.Int("ovndiff.frames", 12000, "frames to send through OVN")
	seed   = flag.Uint64("ovndiff.seed", 1, "seed of the random columns and frames; 0 takes one from the clock")
)

// batch is the number of frames for one column.
const batch = 24

// world is the OVN of this machine, with the frames that seemed dropped so far.
type world struct {
	*ovnbox.Box

	dropped []dropped
}

// newWorld starts an OVN that stops at the end of the test.
func newWorld(t *testing.T) *world {
	t.Helper()
	b, err := ovnbox.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("what the daemons said:\n%s", b.Output())
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return &world{Box: b}
}

// Random columns and frames get the same verdict from portsec and from the OVN on this machine.
func TestDifferential(t *testing.T) {
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	w := newWorld(t)
	t.Logf("OVN %s (%s), %d frames, -ovndiff.seed=%d", w.Version, w.Era, *frames, *seed)
	r := rand.New(rand.NewPCG(*seed, 1))
	begin, sent, allowed, columns := time.Now(), 0, 0, 0
	rules := make(map[portsec.Rule]int)
	wrong := make(map[portsec.Era]int) // frames that another era judges differently
	for sent < *frames && !t.Failed() {
		columns++
		column, passthrough := portsectest.Column(r), r.IntN(5) == 0
		shots := randomShots(r, column, batch)
		for _, s := range shots {
			v := judge(w.Era, column, passthrough, s)
			rules[v.Rule]++
			if v.Allow {
				allowed++
			}
			for _, era := range portsec.Eras() {
				if judge(era, column, passthrough, s).Allow != v.Allow {
					wrong[era]++
				}
			}
		}
		if bad := w.compare(t, column, passthrough, shots); len(bad) > 0 {
			w.report(t, column, passthrough, bad)
		}
		sent += len(shots)
	}
	w.checkLate(t)
	t.Logf(
		"%d frames against %d columns in %s: %d allowed, %d dropped; rules met: %v",
		sent,
		columns,
		time.Since(begin).Round(time.Millisecond),
		allowed,
		sent-allowed,
		rules,
	)
	// A test that cannot fail proves nothing: these very frames must have caught any other era.
	for _, era := range portsec.Eras() {
		t.Logf("%s would have been wrong about %d of them", era, wrong[era])
		if era != w.Era && wrong[era] == 0 {
			t.Errorf("the frames do not tell %s from %s; send more", w.Era, era)
		}
	}
}

// oddColumns are columns with a reading that has surprised somebody: parsers differ at each of them.
var oddColumns = [][]string{
	{"00:00:00:00:00:01 fd00::1/ab"},
	{"00:00:00:00:00:01 fd00::1/ab 10.0.0.1"},
	{"00:00:00:00:00:01 10.0.0.1 fd00::1/ab fd00::5"},
	{"00:00:00:00:00:01 fd00::1/ 64 10.0.0.1"},
	{"00:00:00:00:00:01 fd00::1/ ffff:: 10.0.0.1"},
	{"00:00:00:00:00:01 fd00::/+64 10.0.0.1"},
	{"00:00:00:00:00:01 fd00::1/ 10.0.0.1"},
	{"00:00:00:00:00:01 fd00::1/\t10.0.0.1"},
	{"00:00:00:00:00:01 10.0.0.1/33 fd00::1"},
	{"00:00:00:00:00:01 10.0.0.1/33 10.0.0.2"},
	{"00:00:00:00:00:01 10.0.0.1/255.0.255.0 fd00::1"},
	{"00:00:00:00:00:01 10.0.0.1/ 24"},
	{"00:00:00:00:00:01 10.0.0.1/-0"},
	{"00:00:00:00:00:01 10.0.0.0/4294967320"},
	{"00:00:00:00:00:01 10.0.0.1fd00::1"},
	{"00:00:00:00:00:01 fd00::110.0.0.1"},
	{"00:00:00:00:00:01 ::10.0.0.1"},
	{"00:00:00:00:00:01 ::ffff:10.0.0.1"},
	{"00:00:00:00:00:01 ::ffff:10.0.0.0/24"},
	{"00:00:00:00:00:01 10.0.0.1.5"},
	{"00:00:00:00:00:0110.0.0.1"},
	{"00:00:00:00:00:01\v10.0.0.1"},
	{"+0:-0:0x0:00000000:0:101 10.0.0.1"},
	{"00:00:00:00:00:01 10.0.0.1", "00:00:00:00:00:01"},
	{"00:00:00:00:00:01 10.0.0.1", "00:00:00:00:00:01 fd00::1"},
	{"00:00:00:00:00:01 10.0.0.1", "00:00:00:00:00:02 fd00::1"},
	{"00:00:00:00:00:01 10.0.0.1/0"},
	{"01:00:5e:00:00:01 10.0.0.1"},
	{"fd00:1:2:3:4:5:6:7"},
	{"VRRPv3 00:00:00:00:00:01 10.0.0.1"},
}

// Columns that have surprised somebody get, frame by frame, the verdicts of the OVN on this machine.
func TestOddColumns(t *testing.T) {
	w := newWorld(t)
	r := rand.New(rand.NewPCG(1, 2))
	const perColumn = 120
	for _, column := range oddColumns {
		if bad := w.compare(t, column, false, randomShots(r, column, perColumn)); len(bad) > 0 {
			w.report(t, column, false, bad[:1])
		}
	}
	w.checkLate(t)
}

var counter uint32

// randomShots returns frames for a column. Padding makes each unlike all others; OVN does not look at it.
func randomShots(r *rand.Rand, column []string, n int) []ovnbox.Shot {
	shots := make([]ovnbox.Shot, n)
	for i := range shots {
		direction := portsec.FromPort
		if r.IntN(4) == 0 {
			direction = portsec.ToPort
		}
		shots[i] = unique(ovnbox.Shot{Direction: direction, Frame: portsectest.Frame(r, direction, column)})
	}
	return shots
}

func unique(s ovnbox.Shot) ovnbox.Shot {
	counter++
	s.Frame = binary.BigEndian.AppendUint32(append(slices.Clone(s.Frame), 0, 0, 0, 0), counter)
	return s
}

func judge(era portsec.Era, column []string, passthrough bool, s ovnbox.Shot) portsec.Verdict {
	return portsec.Parse(era, column).Set().Verdict(portsec.Port{VLANPassthrough: passthrough}, s.Direction, s.Frame)
}

// compare sends the frames and returns those that OVN judges differently.
func (w *world) compare(t *testing.T, column []string, passthrough bool, shots []ovnbox.Shot) []ovnbox.Shot {
	t.Helper()
	if err := w.Configure(column, passthrough); err != nil {
		t.Fatal(err)
	}
	came, err := w.Arrived(shots)
	if err != nil {
		t.Fatal(err)
	}
	var bad []ovnbox.Shot
	for i, arrived := range came {
		v := judge(w.Era, column, passthrough, shots[i])
		if !arrived && !v.Allow {
			w.dropped = append(w.dropped, dropped{Shot: shots[i], column: column, passthrough: passthrough})
		}
		if arrived != v.Allow {
			bad = append(bad, shots[i])
		}
	}
	return bad
}

// dropped is a frame that did not come through, as expected.
type dropped struct {
	ovnbox.Shot

	column      []string
	passthrough bool
}

// checkLate checks whether a frame that seemed dropped came later after all.
func (w *world) checkLate(t *testing.T) {
	t.Helper()
	if err := w.Settle(); err != nil {
		t.Fatal(err)
	}
	for _, d := range w.dropped {
		if w.Came(d.Shot) {
			w.report(t, d.column, d.passthrough, []ovnbox.Shot{d.Shot})
		}
	}
}

// report prints how to see a difference with as little as possible, after it was seen again.
func (w *world) report(t *testing.T, column []string, passthrough bool, bad []ovnbox.Shot) {
	t.Helper()
	// A busy switch may lose a frame; a difference stays.
	differs := func(column []string, s ovnbox.Shot) bool {
		for range 3 {
			if len(w.compare(t, column, passthrough, []ovnbox.Shot{unique(s)})) == 0 {
				return false
			}
		}
		return true
	}
	for _, s := range bad {
		if !differs(column, s) {
			t.Logf(
				"seen once, but not again: port_security %q, direction %s, %s",
				column,
				s.Direction,
				portsectest.Describe(s.Frame),
			)
			continue
		}
		small := shrink(column, func(c []string) bool { return differs(c, s) })
		v := judge(w.Era, small, passthrough, s)
		t.Errorf(`portsec and OVN %s (%s) differ
  port_security %q, direction %s, vlan-passthru %v
  portsec: %s (%s: %s)
  frame, %s
  to see it:
    ovn-nbctl lsp-set-port-security %s %s
    ovs-appctl netdev-dummy/receive %s %s
  what the switch says:
%s`, w.Version, w.Era, small, s.Direction, passthrough, v, v.Rule, v.Rule.Text(), portsectest.Describe(s.Frame),
			"dut", quoted(small), s.Entry(), hex.EncodeToString(s.Frame), indent(w.trace(t, small, passthrough, s)))
	}
}

func quoted(column []string) string {
	var out []string
	for _, e := range column {
		out = append(out, "'"+strings.ReplaceAll(e, "'", `'\''`)+"'")
	}
	return strings.Join(out, " ")
}

func indent(text string) string {
	return "    " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n    ")
}

func (w *world) trace(t *testing.T, column []string, passthrough bool, s ovnbox.Shot) string {
	t.Helper()
	if err := w.Configure(column, passthrough); err != nil {
		t.Fatal(err)
	}
	text, err := w.Trace(s)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// shrink returns the smallest column it finds for which such holds: it removes elements first, then words.
func shrink(column []string, such func([]string) bool) []string {
	for i := 0; i < len(column); {
		if less := slices.Delete(slices.Clone(column), i, i+1); such(less) {
			column = less
		} else {
			i++
		}
	}
	for i := range column {
		words := strings.SplitAfter(column[i], " ")
		for j := 0; j < len(words); {
			less := slices.Delete(slices.Clone(words), j, j+1)
			shorter := slices.Clone(column)
			shorter[i] = strings.Join(less, "")
			if shorter[i] != "" && such(shorter) {
				column, words = shorter, less
			} else {
				j++
			}
		}
	}
	return column
}
