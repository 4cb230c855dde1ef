//go:build integration

package e2e

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/ovnguard/ovnguard/lab/internal/demo"
	"github.com/ovnguard/ovnguard/lab/internal/leftover"
	"github.com/ovnguard/ovnguard/lab/internal/up"
)

// The demo tells its story to the end in a lab of its own, every verdict is as expected, and nothing is left of the
// lab.
func TestDemo(t *testing.T) {
	dir, err := os.MkdirTemp("", "demo")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	var told bytes.Buffer
	err = demo.Run(t.Context(), demo.Options{Lab: up.Options{StateDir: dir}, Guard: binary, Out: &told})
	if err != nil {
		t.Errorf("%v\n%s", err, &told)
	}
	// There are five chapters of six frames for each sender, the verdicts of the audit, and a chapter of seven packets
	// and four answers of ovnguard.
	if n := strings.Count(told.String(), " ok\n"); n < 61 || strings.Contains(told.String(), "DIFFERS") {
		t.Errorf("%d verdicts as expected:\n%s", n, &told)
	}
	left, err := leftover.Of(dir)
	if err != nil {
		t.Error(err)
	}
	for _, what := range left {
		t.Errorf("left behind: %s", what)
	}
}
