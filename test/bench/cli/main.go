// Command cli measures what people wait for at the command line; it fails if a bar is missed.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/ovnguard/ovnguard/test/bench/table"
)

// section is a group of measurements, which adds its lines to the table.
type section struct {
	name    string
	measure func(context.Context, *table.Table) error
}

// sections are measured in this order.
var sections = []section{
	{"status through the controller's API", served},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench-cli:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	var t table.Table
	for _, s := range sections {
		fmt.Fprintf(os.Stderr, "bench-cli: %s\n", s.name)
		if err := s.measure(ctx, &t); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	if err := t.Write(os.Stdout); err != nil {
		return err
	}
	if missed := t.Missed(); len(missed) > 0 {
		return fmt.Errorf("missed: %q", missed)
	}
	return nil
}

// rounds is the number of measurements of each kind; the median counts.
const rounds = 5

// median returns the median time of some rounds; before runs ahead of each and is not measured.
func median(before func(), do func() error) (time.Duration, error) {
	times := make([]time.Duration, rounds)
	for i := range times {
		before()
		begin := time.Now()
		if err := do(); err != nil {
			return 0, err
		}
		times[i] = time.Since(begin)
	}
	slices.Sort(times)
	return times[rounds/2], nil
}

// row returns a line with a bar for a time.
func row(what string, measured, bar time.Duration) table.Row {
	return table.Row{
		What: what, Measured: measured.Round(100 * time.Microsecond).String(), Bar: "≤ " + bar.String(),
		Missed: measured > bar,
	}
}
