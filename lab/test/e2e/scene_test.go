//go:build integration

package e2e

import (
	"strings"
	"testing"
	"time"
)

// The error for a program that ends instead of becoming ready comes at once, not when the wait is over.
func TestProgramThatEnds(t *testing.T) {
	begin := time.Now()
	_, err := world.StartGuard(t.Context(), "/bin/false")
	if err == nil || !strings.Contains(err.Error(), "before it was ready: exit status 1") {
		t.Errorf("error %v, want one that says how it ended", err)
	}
	if took := time.Since(begin); took > waitTime/2 {
		t.Errorf("it was said after %s", took)
	}
}
