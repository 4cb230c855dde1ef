// Command cli measures the program as its users start it: audits of files, how long it takes to begin, and completion;
// it fails if a bar is missed. The program is the file that $OVNGUARD names.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/ovnguard/ovnguard/test/bench/table"
)

// sections are the parts of the measurement by name, in the order in which they run.
var sections = []struct {
	name    string
	measure func(ctx context.Context, program, dir string, t *table.Table) error
}{
	{"start", start},
	{"files", files},
	{"served", served},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	if len(os.Args) > 1 && os.Args[1] == writing {
		err = write(ctx, os.Args[2:])
	} else {
		err = run(ctx, os.Args[1:])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench-cli:", err)
		os.Exit(1)
	}
}

// run measures the sections that are named, all without any.
func run(ctx context.Context, only []string) error {
	program := os.Getenv("OVNGUARD")
	if program == "" {
		return errors.New("$OVNGUARD: is required: the program to measure (`make bench-cli` builds it)")
	}
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	var t table.Table
	for _, s := range sections {
		if len(only) > 0 && !slices.Contains(only, s.name) {
			continue
		}
		fmt.Fprintln(os.Stderr, "bench-cli:", s.name)
		if err := s.measure(ctx, program, dir, &t); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	if err := t.Write(os.Stdout); err != nil {
		return err
	}
	if missed := t.Missed(); len(missed) > 0 {
		return fmt.Errorf("missed: %s", strings.Join(missed, ", "))
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
