package main

import (
	"fmt"
	"os"
	"slices"
	"text/tabwriter"
)

// row is one line of the table: a rate and the rate of its peer, with the ratios of single rounds from the lowest to
// the highest. A row without a bar is only information.
type row struct {
	what, measured, peer   string
	ratio, lowest, highest float64
	// bar is the least allowed ratio, and most the greatest.
	bar, most float64
}

// rates are the results of rounds, per second.
type rates []float64

func (r *rates) add(rate float64, err error) error {
	*r = append(*r, rate)
	return err
}

// median returns the middle rate.
func (r rates) median() float64 {
	sorted := slices.Sorted(slices.Values(r))
	return sorted[len(sorted)/2]
}

// compare compares rates with those of the peer in the same rounds. The ratio is the median of the ratios of the
// rounds, since the other load of the machine changes from round to round.
func compare(what, peer string, ours, theirs rates, bar float64) row {
	ratios := make(rates, len(ours))
	for i := range ours {
		ratios[i] = ours[i] / theirs[i]
	}
	progress("%s: %s; %s: %s", what, perSecond(ours.median()), peer, perSecond(theirs.median()))
	return row{
		what: what, measured: perSecond(ours.median()), peer: peer + ": " + perSecond(theirs.median()),
		ratio: ratios.median(), lowest: slices.Min(ratios), highest: slices.Max(ratios), bar: bar,
	}
}

// atMost compares seconds with those of the peer in the same rounds.
func atMost(what, peer string, ours, theirs rates, most float64) row {
	ratios := make(rates, len(ours))
	for i := range ours {
		ratios[i] = ours[i] / theirs[i]
	}
	inMilliseconds := func(seconds float64) string { return fmt.Sprintf("%.2f ms", seconds*1e3) }
	progress("%s: %s; %s: %s", what, inMilliseconds(ours.median()), peer, inMilliseconds(theirs.median()))
	return row{
		what: what, measured: inMilliseconds(ours.median()), peer: peer + ": " + inMilliseconds(theirs.median()),
		ratio: ratios.median(), lowest: slices.Min(ratios), highest: slices.Max(ratios), most: most,
	}
}

// write writes the table and reports whether every bar is met.
func write(table []row) (bool, error) {
	ok := true
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	if _, err := fmt.Fprintln(w, "WHAT\tMEASURED\tPEER\tRATIO\tROUNDS\tBAR\tRESULT"); err != nil {
		return false, err
	}
	for _, r := range table {
		bar, result := "", ""
		switch {
		case r.bar > 0 && r.ratio < r.bar:
			bar, result, ok = fmt.Sprintf(">= %.2f", r.bar), "MISSED", false
		case r.bar > 0:
			bar, result = fmt.Sprintf(">= %.2f", r.bar), "met"
		case r.most > 0 && r.ratio > r.most:
			bar, result, ok = fmt.Sprintf("<= %.2f", r.most), "MISSED", false
		case r.most > 0:
			bar, result = fmt.Sprintf("<= %.2f", r.most), "met"
		}
		if _, err := fmt.Fprintf(
			w,
			"%s\t%s\t%s\t%.2f\t%.2f to %.2f\t%s\t%s\n",
			r.what,
			r.measured,
			r.peer,
			r.ratio,
			r.lowest,
			r.highest,
			bar,
			result,
		); err != nil {
			return false, err
		}
	}
	return ok, w.Flush()
}
