//go:build integration

package e2e

import (
	"context"
	"strconv"
	"strings"
	"testing"

	"github.com/ovnguard/ovnguard/lab/internal/scene"
)

// metrics returns ovnguard's own metrics; the keys contain the labels as they are written.
func metrics(t *testing.T) map[string]float64 {
	t.Helper()
	values, err := readMetrics(cleanup(t))
	if err != nil {
		t.Fatal(err)
	}
	return values
}

func readMetrics(ctx context.Context) (map[string]float64, error) {
	page, err := scene.Get(ctx, guard.Metrics)
	if err != nil {
		return nil, err
	}
	values := make(map[string]float64)
	for line := range strings.Lines(page) {
		name, text, found := strings.Cut(strings.TrimSpace(line), " ")
		if !found || !strings.HasPrefix(name, "ovnguard_") {
			continue
		}
		if values[name], err = strconv.ParseFloat(text, 64); err != nil {
			return nil, err
		}
	}
	return values, nil
}

// cleanup returns a context for work at the end of a test.
func cleanup(t *testing.T) context.Context {
	t.Helper()
	return context.WithoutCancel(t.Context())
}
