// Command admission measures what admission costs: reviews per second beside a bare handler that does no more than
// decode the pod, and pod creations per second through the real API server beside none and beside a bare webhook that
// writes the same patch. It fails where a bar is missed.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

// Bars, as shares of the peer's rate.
const (
	handlerBar = 0.70
	webhookBar = 0.90
	// policyBar is the share of what the cheapest mutating policy leaves.
	policyBar = 0.95
	// latencyBar is how much longer ordinary reviews may take than the bare handler's, as a multiple.
	latencyBar = 2
	// refusedBar is how much longer it may take to refuse a body than the bare handler takes to decode it, as a
	// multiple.
	refusedBar = 1.5
	// beyondBare is how long a review may have processors beyond the bare handler, whatever the pod.
	beyondBare = 5 * time.Millisecond
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(os.Args) > 1 {
		serve := map[string]func(context.Context) error{bareCommand: serveBare, makeCommand: serveMaker}[os.Args[1]]
		if serve == nil {
			fmt.Fprintf(os.Stderr, "bench-admission: no arguments are known, %q was given\n", os.Args[1])
			os.Exit(2)
		}
		if err := serve(ctx); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", os.Args[1], err)
			os.Exit(1)
		}
		return
	}
	ok, err := run(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench-admission:", err)
		os.Exit(1)
	}
	if !ok {
		fmt.Fprintln(os.Stderr, "bench-admission: a bar is missed")
		os.Exit(1)
	}
}

func run(ctx context.Context) (bool, error) {
	program := os.Getenv("OVNGUARD")
	if program == "" {
		return false, errors.New("OVNGUARD must name the program; `make bench-admission` does")
	}
	var table []row
	for _, measure := range []func(context.Context, string) ([]row, error){worst, handlers, creations} {
		rows, err := measure(ctx, program)
		if err != nil {
			return false, err
		}
		table = append(table, rows...)
	}
	return write(table)
}

func progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "bench-admission: "+format+"\n", args...)
}

// perSecond writes a rate.
func perSecond(rate float64) string { return strconv.FormatFloat(rate, 'f', 0, 64) + "/s" }
