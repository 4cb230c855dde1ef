// Command portsec measures how fast port_security is parsed and frames are judged, compared with the real switch on the
// same frame, and fails if a bar is missed.
package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ovnguard/ovnguard/portsec"
	"github.com/ovnguard/ovnguard/portsec/vector"
	"github.com/ovnguard/ovnguard/test/bench/table"
	"github.com/ovnguard/ovnguard/test/ovnbox"
)

// Bars.
const (
	verdictLimit = 150 * time.Nanosecond
	traceRatio   = 10_000
)

const mac = "0a:58:0a:10:00:05"

// column is the column of a dual-stack pod.
var column = []string{mac + " 10.16.0.5 fd00:10:16::5"}

func main() {
	ok, err := run()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench-portsec:", err)
		os.Exit(1)
	}
	if !ok {
		fmt.Fprintln(os.Stderr, "bench-portsec: a bar is missed")
		os.Exit(1)
	}
}

func run() (ok bool, err error) {
	box, err := ovnbox.Start()
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, box.Close()) }()
	if err := box.Configure(column, false); err != nil {
		return false, err
	}
	frame, err := vector.Frame{
		EthSrc:  mac,
		EthDst:  "00:00:00:00:99:99",
		EthType: "0x0800",
		IPv4Src: new("10.16.0.5"),
		IPv4Dst: new("10.16.0.9"),
	}.Bytes()
	if err != nil {
		return false, err
	}
	byCommand, bySocket, err := traces(box, ovnbox.Shot{Direction: portsec.FromPort, Frame: frame})
	if err != nil {
		return false, err
	}
	rows := measure(box.Era, frame)
	verdict := rows.verdict
	ratio := float64(byCommand) / verdict.nanoseconds
	command := byCommand.Round(time.Microsecond).String()
	var t table.Table
	t.Add(
		verdict.row(fmt.Sprintf("verdict on an IPv4 frame from its bytes (%s)", box.Era), verdictLimit),
		table.Row{
			What:     "allocations of a verdict",
			Measured: strconv.FormatInt(verdict.allocations, 10),
			Bar:      "0",
			Missed:   verdict.allocations != 0,
		},
		table.Row{
			What:     "verdict beside the real switch (OVN " + box.Version + ")",
			Measured: fmt.Sprintf("%.1f ns", verdict.nanoseconds),
			Peer:     "ovs-appctl ofproto/trace " + command,
			Ratio:    fmt.Sprintf("1/%.0f", ratio),
			Bar:      fmt.Sprintf("<= 1/%d", traceRatio),
			Missed:   ratio < traceRatio,
		},
		table.Row{
			What:     "",
			Measured: fmt.Sprintf("%.1f ns", verdict.nanoseconds),
			Peer:     "the same without starting a program " + bySocket.Round(time.Microsecond).String(),
		},
		rows.parse.row("reading a column of one element into a set", 0),
		rows.covers.row("comparing two sets (Covers)", 0),
		rows.excess.row("what a port may send beyond its identity (Excess)", 0),
	)
	return len(t.Missed()) == 0, t.Write(os.Stdout)
}

// cost is the cost of one operation.
type cost struct {
	nanoseconds float64
	allocations int64
}

func costOf(operation func()) cost {
	r := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			operation()
		}
	})
	return cost{nanoseconds: float64(r.T.Nanoseconds()) / float64(r.N), allocations: r.AllocsPerOp()}
}

// row returns a line of the table; a limit of 0 is none.
func (c cost) row(what string, limit time.Duration) table.Row {
	out := table.Row{What: what, Measured: fmt.Sprintf("%.1f ns, %d allocations", c.nanoseconds, c.allocations)}
	if limit > 0 {
		out.Bar, out.Missed = "< "+limit.String(), c.nanoseconds >= float64(limit.Nanoseconds())
	}
	return out
}

type costs struct{ verdict, parse, covers, excess cost }

func measure(era portsec.Era, frame []byte) costs {
	set := portsec.Parse(era, column).Set()
	wide := portsec.Parse(era, []string{mac + " 10.16.0.0/16 fd00:10:16::/64"}).Set()
	return costs{
		verdict: costOf(func() {
			if !set.Verdict(portsec.Port{}, portsec.FromPort, frame).Allow {
				panic("the frame is the port's own")
			}
		}),
		parse:  costOf(func() { portsec.Parse(era, column).Set() }),
		covers: costOf(func() { wide.Covers(set) }),
		excess: costOf(func() { portsec.Excess(wide, set) }),
	}
}

// traces returns the median time of tracing the frame through the real switch, by command and by its socket.
func traces(box *ovnbox.Box, s ovnbox.Shot) (byCommand, bySocket time.Duration, err error) {
	const times = 15
	if byCommand, err = median(times, func() (string, error) { return box.TraceByCommand(s) }); err != nil {
		return 0, 0, err
	}
	bySocket, err = median(times, func() (string, error) { return box.Trace(s) })
	return byCommand, bySocket, err
}

func median(times int, do func() (string, error)) (time.Duration, error) {
	all := make([]time.Duration, times)
	for i := range all {
		begin := time.Now()
		text, err := do()
		if err != nil {
			return 0, err
		}
		all[i] = time.Since(begin)
		if strings.Contains(text, "Datapath actions: drop") || !strings.Contains(text, "Datapath actions:") {
			return 0, fmt.Errorf("the switch does not let the frame pass:\n%s", text)
		}
	}
	slices.Sort(all)
	return all[times/2], nil
}
