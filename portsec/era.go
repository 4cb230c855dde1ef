// Package portsec says what OVN enforces for a port: how it reads the elements of a port_security column, which depends on
// its release, and what they together allow. It needs no OVN to say so.
package portsec

import (
	"fmt"
	"strconv"
	"strings"
)

// Era is a span of OVN releases that read and enforce port_security alike.
type Era uint8

// Eras. A release belongs to the era of its patch level, since two of the changes came in stable releases.
const (
	// E0 is 20.03 to 22.03: ovn-northd writes logical flows.
	E0 Era = iota
	// E1 begins with 22.06: ovn-controller writes OpenFlow, with a wrong hop limit for neighbour advertisements.
	E1
	// E2 begins with 22.09.3, 22.12.2, 23.03.2, 23.06.2 and 23.09: the hop limit is right.
	E2
	// E3 begins with 24.03.8, 24.09.4, 25.03.3, 25.09.3 and 26.03: an element with one bad word is dropped whole.
	E3
)

// Eras gives all eras, for where the release is not known: what counts as protected then is protected by each.
func Eras() []Era { return []Era{E0, E1, E2, E3} }

// String gives "E0" to "E3".
func (e Era) String() string { return "E" + strconv.Itoa(int(e)) }

// release is year and month of an OVN release train.
type release struct{ year, month int }

// lastPatch tells, for the trains in which an era begins, the first patch level of the newer era.
var lastPatch = map[release]struct {
	from  int
	older Era
	newer Era
}{
	{22, 9}:  {3, E1, E2},
	{22, 12}: {2, E1, E2},
	{23, 3}:  {2, E1, E2},
	{23, 6}:  {2, E1, E2},
	{24, 3}:  {8, E2, E3},
	{24, 9}:  {4, E2, E3},
	{25, 3}:  {3, E2, E3},
	{25, 9}:  {3, E2, E3},
}

// EraOf gives the era of an OVN release such as "23.03.1" or "v24.03.2-7-gabc". known is false for a train that is newer
// than any this package was made for; it is taken for the newest era then.
func EraOf(version string) (era Era, known bool, err error) {
	text := strings.TrimPrefix(strings.TrimSpace(version), "v")
	text, _, _ = strings.Cut(text, "-")
	parts := strings.Split(text, ".")
	if len(parts) < 2 {
		return 0, false, fmt.Errorf("OVN version %q: want YEAR.MONTH.PATCH, such as 23.03.1", version)
	}
	var n [3]int
	for i, p := range parts[:min(len(parts), 3)] {
		if n[i], err = strconv.Atoi(p); err != nil || n[i] < 0 {
			return 0, false, fmt.Errorf("OVN version %q: want YEAR.MONTH.PATCH, such as 23.03.1", version)
		}
	}
	r := release{n[0], n[1]}
	if b, ok := lastPatch[r]; ok {
		if n[2] >= b.from {
			return b.newer, true, nil
		}
		return b.older, true, nil
	}
	switch at := r.year*100 + r.month; {
	case at < 2206:
		return E0, true, nil
	case at < 2309:
		return E1, true, nil
	case at < 2603:
		return E2, true, nil
	default:
		return E3, at == 2603, nil
	}
}
