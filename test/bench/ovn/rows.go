package main

import (
	"fmt"
	"time"

	"github.com/ovnguard/ovnguard/test/bench/table"
)

// Bars, at their size.
const (
	syncRatio   = 1.1
	heapPerPort = 400
	eventBehind = 2 * time.Millisecond
	walkLimit   = 10 * time.Millisecond
)

// clientRows adds the lines about clients of a server.
func clientRows(t *table.Table, ports int, all map[string]*result, replies []time.Duration, dump, list *cost) {
	ours, bare, floor := all[kindMirror], all[kindBare], all[kindFloor]
	n := size(ports)
	bars := ports == barSize

	sync := atMost(n+": connect to synced", ours.Wall, kindBare, bare.Wall, syncRatio)
	sync.Bar, sync.Missed = onlyIf(bars, sync.Bar), bars && sync.Missed
	t.Add(sync)
	t.Add(compared("", ours.Wall, "floor: read and throw away", floor.Wall))
	t.Add(compared("", ours.Wall, "ovsdb-client dump of the ports", dump.Wall))
	t.Add(compared("", ours.Wall, "ovn-nbctl list of the ports", list.Wall))
	t.Add(compared(n+": CPU until synced", ours.cost.CPU, kindBare, bare.cost.CPU))
	t.Add(compared("", ours.cost.CPU, "floor", floor.cost.CPU))
	t.Add(compared("", ours.cost.CPU, "ovsdb-client dump", dump.CPU))
	t.Add(compared("", ours.cost.CPU, "ovn-nbctl list", list.CPU))
	memory := func(what, peer string, theirs int64) {
		t.Add(
			table.Row{
				What:     what,
				Measured: megabytes(ours.Peak),
				Peer:     peer + " " + megabytes(theirs),
				Ratio:    ratio(float64(ours.Peak), float64(theirs)),
			},
		)
	}
	memory(n+": peak memory until synced", kindBare, bare.Peak)
	memory("", "ovn-nbctl list", list.Peak)

	each, theirs := float64(ours.Heap)/float64(ports), float64(bare.Heap)/float64(ports)
	t.Add(table.Row{
		What:     n + ": live heap for each port",
		Measured: fmt.Sprintf("%.0f B", each),
		Peer:     fmt.Sprintf("%s %.0f B", kindBare, theirs),
		Ratio:    fmt.Sprintf("%+.0f B", each-theirs),
		Bar:      onlyIf(bars, fmt.Sprintf("<= %+d B", heapPerPort)),
		Missed:   bars && each-theirs > heapPerPort,
	})

	t.Add(compared(n+": commit to event, p50", ours.percentile(0.5), kindBare, bare.percentile(0.5)))
	late := compared(n+": commit to event, p99", ours.percentile(0.99), kindBare, bare.percentile(0.99))
	behind := ours.percentile(0.99) - bare.percentile(0.99)
	late.Ratio = fmt.Sprintf("%+.2f ms", behind.Seconds()*1e3)
	late.Bar, late.Missed = onlyIf(bars, "<= +"+eventBehind.String()), bars && behind > eventBehind
	t.Add(late)
	t.Add(compared("", ours.percentile(0.99), "floor", floor.percentile(0.99)))
	t.Add(
		compared(
			"",
			ours.percentile(0.99),
			"server's reply to the writer",
			watched{Latencies: replies}.percentile(0.99),
		),
	)
	perChange := func(r *result) time.Duration { return r.watched.CPU / time.Duration(len(r.Latencies)) }
	t.Add(compared(n+": CPU for each change", perChange(ours), kindBare, perChange(bare)))

	for i, name := range lookupNames {
		row := compared(n+": "+name, ours.lookups[i], kindBare, bare.lookups[i])
		if name == walkAll && bars {
			row.Bar, row.Missed = "< "+walkLimit.String(), ours.lookups[i] >= walkLimit
		}
		t.Add(row)
	}
}

// compared returns a line about times without a bar.
func compared(what string, ours time.Duration, peer string, theirs time.Duration) table.Row {
	return table.Row{
		What:     what,
		Measured: short(ours),
		Peer:     peer + " " + short(theirs),
		Ratio:    ratio(float64(ours), float64(theirs)),
	}
}

// atMost returns a line with a time that may be limit times the peer's.
func atMost(what string, ours time.Duration, peer string, theirs time.Duration, limit float64) table.Row {
	row := compared(what, ours, peer, theirs)
	row.Bar, row.Missed = fmt.Sprintf("<= %.2f", limit), float64(ours) > limit*float64(theirs)
	return row
}

func onlyIf(wanted bool, bar string) string {
	if !wanted {
		return ""
	}
	return bar
}

func ratio(ours, theirs float64) string {
	if theirs == 0 {
		return ""
	}
	switch r := ours / theirs; {
	case r >= 10:
		return fmt.Sprintf("%.0f", r)
	case r < 0.01:
		return fmt.Sprintf("1/%.0f", 1/r)
	default:
		return fmt.Sprintf("%.2f", r)
	}
}

// size returns a number of ports in thousands.
func size(ports int) string {
	if ports%1000 != 0 {
		return fmt.Sprintf("%d ports", ports)
	}
	return fmt.Sprintf("%dk", ports/1000)
}

// short returns a time with three digits.
func short(d time.Duration) string {
	unit := time.Duration(1)
	for 1000*unit <= d {
		unit *= 10
	}
	return d.Round(unit).String()
}

func megabytes(n int64) string { return fmt.Sprintf("%d MB", n>>20) }
