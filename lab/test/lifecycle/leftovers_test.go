//go:build integration

package lifecycle

import (
	"testing"

	"github.com/ovnguard/ovnguard/lab/internal/leftover"
)

// leftovers lists the parts of the lab of a state directory on the machine.
func leftovers(t *testing.T, path string) []string {
	t.Helper()
	found, err := leftover.Of(path)
	if err != nil {
		t.Fatal(err)
	}
	return found
}
