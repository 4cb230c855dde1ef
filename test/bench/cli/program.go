package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"
)

// usage is what one run of a program took.
type usage struct {
	took, cpu time.Duration
	// peak is the most memory that it had, in bytes.
	peak int64
}

// called runs a program several times and returns the median of each. Exit codes that are allowed are no errors.
func called(ctx context.Context, times int, allowed []int, program string, args ...string) (usage, error) {
	var all []usage
	for range times {
		u, err := once(ctx, allowed, program, args...)
		if err != nil {
			return usage{}, err
		}
		all = append(all, u)
	}
	of := func(what func(usage) int64) int64 {
		values := make([]int64, len(all))
		for i, u := range all {
			values[i] = what(u)
		}
		slices.Sort(values)
		return values[len(values)/2]
	}
	return usage{
		time.Duration(of(func(u usage) int64 { return int64(u.took) })),
		time.Duration(of(func(u usage) int64 { return int64(u.cpu) })),
		of(func(u usage) int64 { return u.peak }),
	}, nil
}

func once(ctx context.Context, allowed []int, program string, args ...string) (usage, error) {
	cmd := exec.CommandContext(ctx, program, args...) //nolint:gosec // who measures names the program
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = io.Discard, &said
	begin := time.Now()
	err := cmd.Run()
	took := time.Since(begin)
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && slices.Contains(allowed, exit.ExitCode()) {
		err = nil
	}
	if err != nil {
		return usage{}, fmt.Errorf("%s %s: %w: %s", program, strings.Join(args, " "), err, said.String())
	}
	u := usage{took: took, cpu: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}
	if r, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		u.peak = r.Maxrss << 10
	}
	return u, nil
}

// text returns a time as it is printed.
func text(d time.Duration) string { return d.Round(time.Millisecond).String() }

func megabytes(bytes int64) string { return fmt.Sprintf("%d MB", bytes>>20) }
