package portsec_test

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/ovnguard/ovnguard/portsec"
	"github.com/ovnguard/ovnguard/portsec/vector"
)

// builds are the builds of OVN with verdicts that were recorded with real frames.
var builds = []string{"22.03.0", "23.03.1", "25.03.0", "main"}

func readVectors(t testing.TB, path string) []vector.Vector {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	var r io.Reader = f
	if strings.HasSuffix(path, ".gz") {
		if r, err = gzip.NewReader(f); err != nil {
			t.Fatal(err)
		}
	}
	vectors, err := vector.Read(r)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return vectors
}

func eraOf(t testing.TB, version string) portsec.Era {
	t.Helper()
	era, exact, err := portsec.EraOf(version)
	if err != nil || !exact {
		t.Fatalf("EraOf(%q) = %v, %v, %v; want an exact era", version, era, exact, err)
	}
	return era
}

func checkVector(t *testing.T, era portsec.Era, v vector.Vector, want string) {
	t.Helper()
	got, err := v.Judge(era)
	if err != nil {
		t.Errorf("%s: %v", v.ID, err)
		return
	}
	if got.String() != want {
		frame, err := json.Marshal(v.Frame)
		if err != nil {
			t.Fatal(err)
		}
		t.Errorf("%s (%s): %s: got %s (%s), OVN %s\n  port_security %q, direction %s, %s",
			v.ID, v.Note, era, got, got.Rule, want, v.PortSecurity, v.Direction, frame)
	}
}

// Every hand-made vector has the verdict that each build of OVN had.
func TestObservedVectors(t *testing.T) {
	vectors := readVectors(t, "testdata/vectors.json")
	for _, build := range builds {
		t.Run(build, func(t *testing.T) {
			era, compared := eraOf(t, build), 0
			for _, v := range vectors {
				want, ok := v.Expected(build)
				if !ok {
					continue
				}
				compared++
				checkVector(t, era, v, want)
			}
			if compared < 300 {
				t.Errorf("%d vectors have a verdict of %s, want at least 300", compared, build)
			}
		})
	}
	// Some were sent to one build only, or are derived from its flows.
	t.Run("own", func(t *testing.T) {
		for _, v := range vectors {
			checkVector(t, portsec.E1, v, v.Verdict)
		}
	})
}

// Every frame of the recorded random runs has the verdict that its build of OVN had.
func TestObservedCorpora(t *testing.T) {
	for _, build := range builds {
		t.Run(build, func(t *testing.T) {
			era := eraOf(t, build)
			vectors := readVectors(t, "testdata/corpus-"+build+".jsonl.gz")
			if len(vectors) < 700 {
				t.Errorf("the corpus has %d frames, want at least 700", len(vectors))
			}
			for _, v := range vectors {
				checkVector(t, era, v, v.Verdict)
			}
		})
	}
}
