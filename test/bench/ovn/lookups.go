package main

import (
	"fmt"
	"time"
)

// The lookups that are measured.
const (
	walkAll  = "walk all ports"
	walkList = "walk all ports, where the peer lists copies"
	byName   = "port by name"
	bySwitch = "ports of a switch"
)

var lookupNames = []string{walkAll, walkList, byName, bySwitch}

// lookupTime bounds how long one kind of lookup is repeated.
const lookupTime = 200 * time.Millisecond

// timings returns the best time of each lookup over rounds that are long enough to measure. A lookup reports whether it
// found what it must.
func timings(lookups map[string]func() bool) ([]time.Duration, error) {
	out := make([]time.Duration, len(lookupNames))
	for i, name := range lookupNames {
		do := lookups[name]
		if do == nil {
			continue
		}
		best, times := time.Duration(0), 1
		for begin := time.Now(); time.Since(begin) < lookupTime; {
			round := time.Now()
			for range times {
				if !do() {
					return nil, fmt.Errorf("%s: it is not there", name)
				}
			}
			each := time.Since(round) / time.Duration(times)
			if best == 0 || each < best {
				best = each
			}
			if time.Since(round) < time.Millisecond {
				times *= 2
			}
		}
		out[i] = best
	}
	return out, nil
}
