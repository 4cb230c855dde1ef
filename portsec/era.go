// Package portsec says what OVN enforces for a logical switch port: how it reads the elements of a port_security column,
// which depends on its release, what they together allow, and what becomes of one frame. It needs no OVN to say so.
//
// Parse reads a column as one Era does, Column.Set gives its effective set, and Set.Verdict judges a frame. Sets are
// values: they are compared by what they let a port send (Covers, Equal, Excess, Loss), never as text. Build writes the
// column that every era reads alike. docs/port-security.md is the specification that this package implements.
package portsec

import (
	"fmt"
	"strconv"
	"strings"
)

// Era is a span of OVN releases that read and enforce port_security alike.
type Era uint8

// Eras. A release belongs to an era by its patch level, because two of the changes came in stable releases.
const (
	// E0 is 20.03 to 22.03: ovn-northd writes logical flows.
	E0 Era = iota
	// E1 begins with 22.06: ovn-controller writes OpenFlow, with a wrong hop limit for neighbour advertisements.
	E1
	// E2 begins with 22.09.3, 22.12.2, 23.03.2, 23.06.2 and 23.09: the hop limit is right.
	E2
	// E3 begins with 24.03.8, 24.09.4, 25.03.3, 25.09.3 and 26.03: one bad token costs the whole element, VRRPv3 elements
	// exist, and neighbour solicitations are checked.
	E3
)

// Eras gives all eras, the oldest first: for where the release is not known. What counts as protected then must be
// protected by each.
func Eras() []Era { return []Era{E0, E1, E2, E3} }

// String gives "E0" to "E3".
func (e Era) String() string { return "E" + strconv.Itoa(int(e)) }

// Releases says in words which releases the era spans.
func (e Era) Releases() string {
	switch e {
	case E0:
		return "OVN 20.03 to 22.03"
	case E1:
		return "OVN 22.06 to 22.09.2, 22.12.1, 23.03.1 and 23.06.1"
	case E2:
		return "OVN 22.09.3, 22.12.2, 23.03.2 and 23.06.2 to 24.03.7, 24.09.3, 25.03.2 and 25.09.2"
	case E3:
		return "OVN 24.03.8, 24.09.4, 25.03.3, 25.09.3 and 26.03 and later"
	}
	return "no OVN"
}

// ParseEra reads "E0" to "E3", in either case.
func ParseEra(text string) (Era, error) {
	for _, e := range Eras() {
		if strings.EqualFold(text, e.String()) {
			return e, nil
		}
	}
	return 0, fmt.Errorf("era %q: want E0, E1, E2 or E3", text)
}
