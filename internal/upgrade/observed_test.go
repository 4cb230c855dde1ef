package upgrade_test

import (
	"compress/gzip"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/ovnguard/ovnguard/internal/upgrade"
	"github.com/ovnguard/ovnguard/portsec"
	"github.com/ovnguard/ovnguard/portsec/vector"
)

// builds are the builds of OVN with verdicts that were recorded with real frames.
var builds = []string{"22.03.0", "23.03.1", "25.03.0", "main"}

func readVectors(t *testing.T, name string) []vector.Vector {
	t.Helper()
	f, err := os.Open("../../portsec/testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	var r io.Reader = f
	if strings.HasSuffix(name, ".gz") {
		if r, err = gzip.NewReader(f); err != nil {
			t.Fatal(err)
		}
	}
	vectors, err := vector.Read(r)
	if err != nil {
		t.Fatal(err)
	}
	return vectors
}

func eraOf(t *testing.T, build string) portsec.Era {
	t.Helper()
	era, _, err := portsec.EraOf(build)
	if err != nil {
		t.Fatal(err)
	}
	return era
}

func portType(v vector.Vector) string {
	if v.Port == nil {
		return ""
	}
	return v.Port.Type
}

// explains reports whether what was said of a column explains that one frame passed before and is dropped now, or the
// other way round.
func explains(c upgrade.ColumnChange, said bool, before, now string) bool {
	switch {
	case before == now:
		return true
	case !said:
		return false
	case now == "allow":
		return len(c.Gains) > 0
	}
	return len(c.Losses) > 0
}

// everywhere reports whether the frame is of those that eras treat differently whatever the column says: neighbour
// discovery and multicast reports with an ICMPv6 code that is not 0. No column means something else by it.
func everywhere(v vector.Vector) bool {
	return v.Frame.L4 != nil && v.Frame.L4.ICMPCode != nil && *v.Frame.L4.ICMPCode != 0
}

// Where one real OVN let a frame pass and another one dropped it, upgrade-check says that the port may send more, or
// less, and in that direction.
func TestObservedVerdictsAreForetold(t *testing.T) {
	differ := 0
	for _, v := range readVectors(t, "vectors.json") {
		if v.Direction != "in" {
			continue
		}
		for _, from := range builds {
			for _, to := range builds {
				before, known := v.Expected(from)
				now, alsoKnown := v.Expected(to)
				if !known || !alsoKnown || from == to {
					continue
				}
				c, said := upgrade.OfColumn(portType(v), v.PortSecurity, eraOf(t, from), eraOf(t, to))
				if before != now {
					differ++
				}
				if !explains(c, said, before, now) && !everywhere(v) {
					t.Errorf("%s (%s), %q: %s under %s, %s under %s, and the check says %v %+v",
						v.ID, v.Note, v.PortSecurity, before, from, now, to, said, c)
				}
			}
		}
	}
	if differ < 100 {
		t.Errorf("%d pairs of builds differ about a frame; want at least 100", differ)
	}
}

// The same holds for the recorded random columns: what a real OVN did with the frame, against what each other era does.
func TestRecordedColumnsAreForetold(t *testing.T) {
	differ := 0
	for _, build := range builds {
		from := eraOf(t, build)
		for _, v := range readVectors(t, "corpus-"+build+".jsonl.gz") {
			if v.Direction != "in" {
				continue
			}
			for _, to := range portsec.Eras() {
				now, err := v.Judge(to)
				if err != nil {
					t.Fatal(err)
				}
				c, said := upgrade.OfColumn(portType(v), v.PortSecurity, from, to)
				if v.Verdict != now.String() {
					differ++
				}
				if !explains(c, said, v.Verdict, now.String()) && !everywhere(v) {
					t.Errorf("%q: %s under %s, %s under %s, and the check says %v %+v\n%+v",
						v.PortSecurity, v.Verdict, build, now, to, said, c, v.Frame)
				}
			}
		}
	}
	if differ < 500 {
		t.Errorf("%d columns differ; want at least 500", differ)
	}
}

// Of every recorded column the check says something exactly where the effective sets differ, and its direction is that
// of what one covers and the other does not.
func TestChangesAreTheDifferenceOfTheSets(t *testing.T) {
	columns := make(map[string][]string)
	for _, name := range []string{
		"vectors.json", "corpus-22.03.0.jsonl.gz", "corpus-23.03.1.jsonl.gz", "corpus-25.03.0.jsonl.gz",
		"corpus-main.jsonl.gz",
	} {
		for _, v := range readVectors(t, name) {
			columns[strings.Join(v.PortSecurity, "\x00")] = v.PortSecurity
		}
	}
	if len(columns) < 400 {
		t.Fatalf("%d columns", len(columns))
	}
	for _, column := range columns {
		for _, from := range portsec.Eras() {
			for _, to := range portsec.Eras() {
				before, now := portsec.Parse(from, column).Set(), portsec.Parse(to, column).Set()
				c, said := upgrade.OfColumn("", column, from, to)
				gains, losses := !before.Covers(now), !now.Covers(before)
				if said != (gains || losses) || (len(c.Gains) > 0) != gains || (len(c.Losses) > 0) != losses {
					t.Fatalf("%q from %s to %s: gains %v, losses %v; the check says %v %+v",
						column, from, to, gains, losses, said, c)
				}
				if opens := now.Open() && !before.Open(); said && opens != (c.Effect == upgrade.Opens) {
					t.Fatalf("%q from %s to %s: opens %v; the check says %s", column, from, to, opens, c.Effect)
				}
			}
		}
	}
}
