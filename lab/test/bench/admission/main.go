// Command admission measures the cost of admission: reviews per second compared with a bare handler that only decodes
// the pod, and pod creations per second through the real API server compared with no webhook and with a bare webhook
// that writes the same patch. It fails if a bar is missed.
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
	// policyBar is the least share of the rate with the cheapest mutating policy.
	policyBar = 0.95
	// latencyBar is the greatest multiple of the bare handler's latency for ordinary reviews.
	latencyBar = 2
	// refusedBar is the greatest multiple of the bare handler's time to decode a body for the refusal of that body.
	refusedBar = 1.5
	// beyondBare is the greatest processor time of a review beyond the bare handler's, for any pod.
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
