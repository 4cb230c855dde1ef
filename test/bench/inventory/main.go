// Command inventory measures how fast all ports of a generated cluster are judged, and again after a change, and how
// much memory they take; it fails if a bar is missed.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"syscall"
	"time"

	"github.com/ovnguard/ovnguard/internal/audit"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/monitor"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/portsec"
	"github.com/ovnguard/ovnguard/test/bench/generated"
	"github.com/ovnguard/ovnguard/test/bench/table"
)

// Bars, for 100,000 ports.
const (
	evaluationLimit = 250 * time.Millisecond
	heapLimit       = 4.5 * 1024
	// effectLimit bounds the time to compute the warning about an edit of a namespace with 10,000 pods.
	effectLimit = 100 * time.Millisecond
	barSize     = 100_000
)

// rounds is the number of measurements; the median counts.
const rounds = 5

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench-inventory:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	var t table.Table
	for _, pods := range []int{10_000, barSize} {
		fmt.Fprintf(os.Stderr, "bench-inventory: %d ports\n", pods)
		if err := measure(&t, pods); err != nil {
			return err
		}
		if err := plans(&t, pods); err != nil {
			return err
		}
		if err := live(ctx, &t, pods); err != nil {
			return fmt.Errorf("with real servers: %w", err)
		}
	}
	t.Add(effect())
	if err := worst(&t); err != nil {
		return err
	}
	if err := t.Write(os.Stdout); err != nil {
		return err
	}
	if missed := t.Missed(); len(missed) > 0 {
		return fmt.Errorf("missed: %q", missed)
	}
	return nil
}

// ignoringObserver ignores the monitor's findings.
type ignoringObserver struct{}

func (ignoringObserver) Judged(_, _ monitor.Verdict) {}

// heap returns the bytes in use.
func heap() float64 {
	runtime.GC()
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return float64(s.HeapAlloc)
}

func measure(t *table.Table, pods int) error {
	m := monitor.New(monitor.SystemClock{}, ignoringObserver{})
	m.Change(func(inv *inventory.Inventory) []string { generated.Fill(inv, pods); return nil })
	m.SetEras(portsec.OVN{Version: "24.03.2"}.Eras())
	first := took(m.Start)

	drifted := 0
	for _, r := range m.Results() {
		if r.State == audit.Violation {
			drifted++
		} else if r.State != audit.Compliant {
			return fmt.Errorf("a port is %s: %s", r.State, r.Why)
		}
	}
	if want := pods / generated.DriftEvery; drifted != want {
		return fmt.Errorf("%d ports were found to be wrong, want the %d that are", drifted, want)
	}
	sweeps := repeat(func() {
		if missed := m.Sweep(); missed > 0 {
			panic(fmt.Sprintf("judging all ports again found %d that the first time had not", missed))
		}
	})
	evaluations := repeat(func() { m.Read(evaluateAll) })

	at := func(what string) string { return fmt.Sprintf("%s, %d ports", what, pods) }
	evaluation := table.Row{
		What:     at("full evaluation in memory"),
		Measured: text(evaluations),
		Ratio:    perPort(evaluations, pods),
	}
	if pods == barSize {
		evaluation.Bar, evaluation.Missed = "< "+evaluationLimit.String(), evaluations >= evaluationLimit
	}
	t.Add(
		evaluation,
		table.Row{What: at("first judgement of all, with books"), Measured: text(first), Ratio: perPort(first, pods)},
		table.Row{What: at("full sweep, with books"), Measured: text(sweeps), Ratio: perPort(sweeps, pods)},
		change(m, pods, at),
	)
	relabelled := relabel(m, 10_000/generated.PodsPerNamespace)
	t.Add(
		table.Row{
			What:     at("namespaces relabelled, 10000 ports judged again"),
			Measured: text(relabelled),
			Ratio:    perPort(relabelled, 10_000),
		},
	)
	runtime.KeepAlive(m)
	return nil
}

// change measures the cost of one row that drifts and is repaired.
func change(m *monitor.Monitor, pods int, at func(string) string) table.Row {
	var times []time.Duration
	for i := range 2000 {
		o := generated.Generate((i * 37) % pods)
		for _, column := range [][]string{nil, o.Row.Addresses} {
			row := *o.Row
			row.PortSecurity = column
			times = append(times, took(func() {
				m.Change(func(inv *inventory.Inventory) []string { return inv.SetRow(&row) })
			}))
		}
	}
	slices.Sort(times)
	return table.Row{
		What: at(
			"one row changes, to the finding",
		),
		Measured: fmt.Sprintf("p50 %s, p99 %s", text(times[len(times)/2]), text(times[len(times)*99/100])),
	}
}

// relabel returns the time until all ports of that many namespaces are judged after their labels changed.
func relabel(m *monitor.Monitor, namespaces int) time.Duration {
	stages := []string{"test", "production"}
	n := 0
	return repeat(func() {
		stage := stages[n%2]
		n++
		for i := range namespaces {
			m.Change(
				func(inv *inventory.Inventory) []string { return inv.SetNamespace(generated.NamespaceOf(i, stage)) },
			)
		}
	})
}

func evaluateAll(inv *inventory.State) {
	eras := portsec.OVN{Version: "24.03.2"}.Eras()
	workers := runtime.GOMAXPROCS(0)
	done := make(chan int)
	for _, share := range inv.Shares(workers, time.Now()) {
		go func() {
			wrong := 0
			for port := range share {
				if audit.Evaluate(port, eras).State != audit.Compliant {
					wrong++
				}
			}
			done <- wrong
		}()
	}
	for range workers {
		<-done
	}
}

// effect measures the wait of a user who edits a namespace: how many ports of its pods the edit would loosen, and
// which.
func effect() table.Row {
	const pods = 10_000
	inv := inventory.New()
	ns := policy.Namespace{Name: "crowded"}
	inv.SetNamespace(ns)
	for i := range pods {
		p := generated.Generate(i).Pod
		p.Namespace = ns.Name
		inv.SetPod(p)
	}
	ns.Labels = map[string]string{policy.LevelLabel: "open"}
	now := time.Now()
	times := repeat(func() {
		if e := inv.NamespaceEffect(ns, func(inventory.Port) bool { return false }, now); e.Looser != pods {
			panic(fmt.Sprintf("%d ports would be looser, want %d", e.Looser, pods))
		}
	})
	return table.Row{
		What:     "an edit of a namespace, what it would loosen, 10000 pods",
		Measured: text(times),
		Ratio:    perPort(times, pods),
		Bar:      "< " + effectLimit.String(),
		Missed:   times >= effectLimit,
	}
}

func took(f func()) time.Duration {
	begin := time.Now()
	f()
	return time.Since(begin)
}

// repeat returns the median of some rounds.
func repeat(f func()) time.Duration {
	times := make([]time.Duration, rounds)
	for i := range times {
		times[i] = took(f)
	}
	slices.Sort(times)
	return times[rounds/2]
}

func text(d time.Duration) string {
	if d < time.Millisecond {
		return d.Round(100 * time.Nanosecond).String()
	}
	return d.Round(100 * time.Microsecond).String()
}

func perPort(d time.Duration, ports int) string {
	return fmt.Sprintf("%.2f µs a port", float64(d.Nanoseconds())/1000/float64(ports))
}
