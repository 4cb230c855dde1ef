package explain

import (
	"strings"
	"testing"

	"github.com/ovnguard/ovnguard/internal/journal"
)

// Whoever writes into the journal gives no command to those who copy the one that takes a change back.
func TestUndoOfHostileChange(t *testing.T) {
	e := journal.Entry{ID: "x; touch /tmp/owned #", Port: "web-0.shop", Outcome: journal.Written}
	const want = "ovnguard undo --change='x; touch /tmp/owned #' --namespace=ovnguard-system"
	if c := Changed(e, []journal.Entry{e}, "ovnguard-system"); !strings.HasPrefix(c.Undo, want) {
		t.Errorf("%q, want %q", c.Undo, want)
	}
}
