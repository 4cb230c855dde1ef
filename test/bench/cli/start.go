package main

import (
	"context"
	"time"

	"github.com/ovnguard/ovnguard/test/bench/table"
)

// Bars of what people wait for before anything was read.
const (
	startLimit      = 60 * time.Millisecond
	completionLimit = 150 * time.Millisecond
)

// starts is how often each is measured; the median counts.
const starts = 21

// start measures how long the program takes to begin, and to complete what somebody types.
func start(ctx context.Context, program, _ string, t *table.Table) error {
	for _, m := range []struct {
		what  string
		args  []string
		limit time.Duration
	}{
		{"start (ovnguard version)", []string{"version"}, startLimit},
		{"completion of a command", []string{"__complete", "au"}, completionLimit},
		{"completion of a rule", []string{"__complete", "rules", "OVG"}, completionLimit},
	} {
		u, err := called(ctx, starts, nil, program, m.args...)
		if err != nil {
			return err
		}
		t.Add(table.Row{
			What:     m.what,
			Measured: text(u.took),
			Ratio:    "CPU " + text(u.cpu),
			Bar:      "<= " + m.limit.String(),
			Missed:   u.took > m.limit,
		})
	}
	return nil
}
