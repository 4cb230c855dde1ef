// Command repair measures how long a port is wrong after another client changed its row, with a real Northbound server,
// and fails if the bar is missed. The API server is one in memory: a real one's write of the journal takes additional
// time.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/go-logr/logr"

	"github.com/ovnguard/ovnguard/internal/ovn"
	"github.com/ovnguard/ovnguard/test/bench/table"
)

const (
	ports  = 1000
	rounds = 500
	// limit bounds repair's time at p99 beyond the server's time for one write.
	limit = 20 * time.Millisecond
)

func main() {
	ok, err := run(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench-repair:", err)
		os.Exit(1)
	}
	if !ok {
		fmt.Fprintln(os.Stderr, "bench-repair: a bar is missed")
		os.Exit(1)
	}
}

func run(ctx context.Context) (ok bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp("", "ovn")
	if err != nil {
		return false, fmt.Errorf("make a directory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	server, err := serve(ctx, dir)
	if err != nil {
		return false, err
	}
	defer server.Kill()
	if err := lead(ctx, server.Endpoint()); err != nil {
		return false, err
	}
	replies, repairs, err := measure(ctx, server.Endpoint())
	if err != nil {
		return false, err
	}
	var t table.Table
	slices.Sort(replies)
	slices.Sort(repairs)
	for _, share := range []float64{0.5, 0.99, 1} {
		at := min(int(share*rounds), rounds-1)
		row := table.Row{
			What: fmt.Sprintf(
				"%d ports: row changed to row right again, p%g",
				ports,
				share*100,
			),
			Measured: round(repairs[at]),
			Peer:     "the server's answer to one write " + round(replies[at]),
			Ratio:    "+" + round(repairs[at]-replies[at]),
		}
		if share == 0.99 {
			row.Bar, row.Missed = "< +"+limit.String(), repairs[at]-replies[at] >= limit
		}
		t.Add(row)
	}
	return len(t.Missed()) == 0, t.Write(os.Stdout)
}

func round(d time.Duration) string { return d.Round(10 * time.Microsecond).String() }

// measure makes another client change one row after the other. It returns how long the server took to answer that
// client, and how long the row was wrong from then on, as that client sees it.
func measure(ctx context.Context, endpoint string) (replies, repairs []time.Duration, err error) {
	other, err := follow(ctx, endpoint)
	if err != nil {
		return nil, nil, err
	}
	changes := other.Subscribe(ovn.TablePort)
	defer changes.Close()
	for i := range rounds {
		row := other.Snapshot().Port(nameOf(i))
		begin := time.Now()
		outcomes, err := other.Write(ctx, ovn.Write{Port: row, PortSecurity: &[]string{}})
		if err != nil {
			return nil, nil, err
		}
		if outcomes[0].Result != ovn.Written {
			return nil, nil, fmt.Errorf("change port %s: %w", row.Name, outcomes[0].Err)
		}
		wrong := time.Now()
		replies = append(replies, wrong.Sub(begin))
		for !slices.Equal(other.Snapshot().Port(row.Name).PortSecurity, row.PortSecurity) {
			if _, _, err := changes.Next(ctx); err != nil {
				return nil, nil, fmt.Errorf("port %s is not put right: %w", row.Name, err)
			}
		}
		repairs = append(repairs, time.Since(wrong))
	}
	return replies, repairs, nil
}

// follow returns a synced mirror.
func follow(ctx context.Context, endpoint string) (*ovn.Mirror, error) {
	mirror, err := ovn.Open(ovn.Config{Endpoints: endpoint, Log: logr.Discard()})
	if err != nil {
		return nil, err
	}
	go mirror.Run(ctx)
	return mirror, mirror.WaitSynced(ctx)
}
