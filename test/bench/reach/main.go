// Command reach measures how long it takes to say what pods may send to each other, honestly and with forged sources,
// and to find what is wrong of policies; it fails if a bar is missed.
package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/ovnguard/ovnguard/internal/kube"
	"github.com/ovnguard/ovnguard/internal/reach"
	"github.com/ovnguard/ovnguard/portsec"
	"github.com/ovnguard/ovnguard/test/bench/table"
)

// Bars, for 10,000 pods and 500 policies.
const (
	pods, policies = 10_000, 500

	oneLimit  = 200 * time.Millisecond
	findLimit = 5 * time.Second
	heapLimit = 1024 // MB
)

// rounds is the number of measurements; the median counts.
const rounds = 5

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench-reach:", err)
		os.Exit(1)
	}
}

func run() error {
	var t table.Table
	for _, worst := range []bool{false, true} {
		if err := measure(&t, worst); err != nil {
			return err
		}
	}
	look(&t)
	if err := t.Write(os.Stdout); err != nil {
		return err
	}
	if missed := t.Missed(); len(missed) > 0 {
		return fmt.Errorf("missed: %q", missed)
	}
	return nil
}

// input returns what a cluster is made of, as the controller and the audit have it.
func (w *world) input() reach.Input {
	state := w.inv.Snapshot()
	return reach.Input{
		State:    state,
		Eras:     portsec.OVN{Version: "24.03.2"}.Eras(),
		Policies: kube.NetworkPoliciesOf(state),
		Now:      time.Now(),
	}
}

func measure(t *table.Table, worst bool) error {
	name := "usual"
	if worst {
		name = "worst"
	}
	fmt.Fprintln(os.Stderr, "bench-reach:", name)
	w := newWorld(pods, policies, worst)
	in := w.input()
	at := func(what string) string {
		return fmt.Sprintf("%s: %s, %d pods, %d policies", name, what, pods, len(w.policies))
	}
	before := heap()
	var c *reach.Cluster
	made := repeat(func() { c = reach.New(in) })
	if problems := c.Problems(); len(problems) > 0 {
		return fmt.Errorf("not understood: %q", problems[0])
	}
	var one time.Duration
	var forged int
	for _, i := range []int{7, 57} { // an open port, and one with a range
		took := repeat(func() { forged = max(forged, w.against(c, i)) })
		one = max(one, took)
	}
	if !worst && forged == 0 {
		return errors.New("nothing that is forged arrives: the cluster tries nothing")
	}
	var found reach.Found
	most := peak(func() { found = c.Find() }) // how much memory it takes is looked at while it works
	finding := repeat(func() { found = c.Find() })
	if len(found.Unrealised) > 0 {
		return fmt.Errorf("a policy is said to be unrealised: %+v", found.Unrealised[0])
	}
	if void := len(found.Voids) > 0; void == worst {
		return fmt.Errorf("%d policies are void", len(found.Voids))
	}
	taken := (most - before) / (1 << 20)
	t.Add(
		table.Row{What: at("joining all that is known"), Measured: text(made)},
		bar(at("one pod against all others, honest and forged"), one, oneLimit),
		bar(at(fmt.Sprintf("all findings (%d void)", len(found.Voids))), finding, findLimit),
		table.Row{
			What: at("heap of all this"), Measured: fmt.Sprintf("%.0f MB", taken),
			Bar: fmt.Sprintf("< %d MB", heapLimit), Missed: taken >= heapLimit,
		},
	)
	return nil
}

// lookPods is the size of the cluster of which it is measured how long the controller takes for one look.
const lookPods = 100_000

// look measures one look of the controller, which comes after changes, and what an audit adds for it.
func look(t *table.Table) {
	fmt.Fprintln(os.Stderr, "bench-reach: look")
	w := newWorld(lookPods, 0, false)
	in := w.input()
	begin := time.Now()
	c := reach.New(in)
	joined := time.Since(begin)
	all := c.Find()
	all.Facts()
	found := time.Since(begin) - joined
	t.Add(table.Row{
		What:     fmt.Sprintf("one look of the controller, %d pods without policies", lookPods),
		Measured: text(joined + found), Ratio: "joining " + text(joined) + ", finding " + text(found),
	})
}

// against asks what a pod may send to all others, and returns to how many of them only with a forged source.
func (w *world) against(c *reach.Cluster, from int) (forged int) {
	rules := c.Rules()
	sender := c.Port(w.port(from))
	for to := range w.pods {
		if to == from {
			continue
		}
		if cell := rules.Cell(sender, c.Port(w.port(to)), nil); cell.Forged.Any() {
			forged++
		}
	}
	return forged
}

func heap() float64 {
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return float64(s.HeapAlloc)
}

// peak returns the most bytes in use while f works, with what the garbage collector has not come round to.
func peak(f func()) float64 {
	runtime.GC()
	done, most := make(chan struct{}), make(chan float64)
	go func() {
		highest := 0.0
		for {
			var s runtime.MemStats
			runtime.ReadMemStats(&s)
			highest = max(highest, float64(s.HeapAlloc))
			select {
			case <-done:
				most <- highest
				return
			case <-time.After(10 * time.Millisecond):
			}
		}
	}()
	f()
	close(done)
	return <-most
}

// repeat returns the median of some rounds.
func repeat(f func()) time.Duration {
	times := make([]time.Duration, rounds)
	for i := range times {
		begin := time.Now()
		f()
		times[i] = time.Since(begin)
	}
	slices.Sort(times)
	return times[rounds/2]
}

func text(d time.Duration) string { return d.Round(100 * time.Microsecond).String() }

func bar(what string, measured, limit time.Duration) table.Row {
	return table.Row{What: what, Measured: text(measured), Bar: "≤ " + limit.String(), Missed: measured > limit}
}
