package apply

import (
	"testing"

	"github.com/ovnguard/ovnguard/internal/journal"
	"github.com/ovnguard/ovnguard/internal/ovn"
)

// The journal has the result of a write as its text.
func TestResultsAreOutcomes(t *testing.T) {
	for result, want := range map[ovn.Result]string{
		ovn.Written: journal.Written, ovn.Conflict: journal.Conflict, ovn.Failed: journal.Failed,
		ovn.Unknown: journal.Unknown,
	} {
		if got := result.String(); got != want {
			t.Errorf("result %q, the journal calls it %q", got, want)
		}
	}
}
