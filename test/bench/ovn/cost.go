package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// cost is the cost of one run.
type cost struct {
	Wall, CPU time.Duration
	// Peak is the most memory that the process has had, and Heap the growth of its objects during the run, both in bytes.
	// Heap is zero for programs that are not ours.
	Peak, Heap int64
}

// drainTime lets a client finish its remaining queues.
const drainTime = 500 * time.Millisecond

// costOf measures this process, which must not have done much before.
func costOf(do func() error) (*cost, error) {
	heap, used, begin := liveHeap(), cpu(), time.Now()
	if err := do(); err != nil {
		return nil, err
	}
	c := &cost{Wall: time.Since(begin), CPU: cpu() - used}
	peak, err := peak()
	time.Sleep(drainTime)
	c.Peak, c.Heap = peak, liveHeap()-heap
	return c, err
}

// liveHeap returns the number of bytes of reachable objects.
func liveHeap() int64 {
	var m runtime.MemStats
	for range 3 { // for finalizers, and caches that outlive one collection
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// cpu returns the processor time of this process.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // its only errors are those of its caller
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// peak returns the largest resident set of this process.
func peak() (int64, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, fmt.Errorf("read the peak of memory: %w", err)
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			return kib << 10, err
		}
	}
	return 0, errors.New("the kernel does not tell VmHWM")
}

// costOfTool runs a program to its end and discards its output.
func costOfTool(ctx context.Context, name string, args ...string) (*cost, error) {
	cmd := exec.CommandContext(ctx, name, args...) //nolint:gosec // the names are those in this program
	var stderr strings.Builder
	cmd.Stderr = &stderr
	begin := time.Now()
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf(
			"%s: %w: %s (is it installed? `make deps`)",
			name,
			err,
			strings.TrimSpace(stderr.String()),
		)
	}
	c := &cost{Wall: time.Since(begin), CPU: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}
	if u, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		c.Peak = u.Maxrss << 10
	}
	return c, nil
}
