// Command ovn measures how internal/ovn follows databases of up to 250,000 ports and reads files of them, compared with
// a bare libovsdb client with the same models, the minimum of any client, and OVN's own tools. Each client is a process
// of its own, so that memory and CPU are its own. It fails if a bar is missed.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"github.com/ovnguard/ovnguard/test/bench/table"
)

// The measured sizes, in pods' ports, and the size of the bars.
var sizes = []int{1_000, 10_000, 100_000, 250_000}

const barSize = 100_000

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	if len(os.Args) > 2 && os.Args[1] == subjectCommand {
		err = serve(ctx, os.Args[2:])
	} else {
		err = run(ctx, os.Args[1:])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench-ovn:", err)
		os.Exit(1)
	}
}

// run measures all sizes, or the given ones.
func run(ctx context.Context, only []string) (err error) {
	measured := sizes
	if len(only) > 0 {
		measured = nil
		for _, s := range only {
			n, err := strconv.Atoi(s)
			if err != nil || n < 1 {
				return fmt.Errorf("size %q: want a number of ports", s)
			}
			measured = append(measured, n)
		}
	}
	dir, err := os.MkdirTemp("", "bo") // sockets need short names
	if err != nil {
		return fmt.Errorf("make a directory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	var t table.Table
	for _, n := range measured {
		fmt.Fprintf(os.Stderr, "bench-ovn: %d ports\n", n)
		if err := measure(ctx, dir, n, &t); err != nil {
			return fmt.Errorf("%d ports: %w", n, err)
		}
	}
	if err := t.Write(os.Stdout); err != nil {
		return err
	}
	if missed := t.Missed(); len(missed) > 0 {
		return fmt.Errorf("a bar is missed: %s", strings.Join(missed, "; "))
	}
	return nil
}
