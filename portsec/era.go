// Package portsec says what OVN enforces for a logical switch port: how it reads the elements of a port_security
// column, which depends on its release, what they together allow, and what becomes of one frame. It needs no OVN to say
// so.
//
// Parse reads a column as one Era does, Column.Set gives its effective set, and Set.Verdict judges a frame. Sets are
// values: they are compared by what they let a port send (Covers, Equal, Excess, Loss), never as text. Build writes the
// column that every era reads alike. docs/port-security.md is the specification that this package implements.
package portsec

import (
	"fmt"
	"strings"
)

// Era is a span of OVN builds that read and enforce port_security alike: a combination of features. Eras are ordered by
// age.
type Era uint8

// Eras. A release belongs to an era by its patch level, because the changes came in stable releases as well. E2a and
// E2b were never released: they are builds of the tips of branches between the commits that together made E3.
const (
	// E0 is 20.03 to 22.03: ovn-northd writes logical flows.
	E0 Era = iota
	// E1 begins with 22.06: ovn-controller writes OpenFlow, with a wrong hop limit for neighbour advertisements.
	E1
	// E2 begins with 22.09.3, 22.12.2, 23.03.2, 23.06.2 and 23.09: the hop limit is right.
	E2
	// E2a is a build of January or February 2026 whose solicitations must give a listed link-layer address.
	E2a
	// E2b is a build of February 2026 whose neighbour discovery is checked as in E3, with the parser of E2.
	E2b
	// E3 begins with 24.03.8, 24.09.4, 25.03.3, 25.09.3 and 26.03: one bad token costs the whole element, VRRPv3
	// elements exist, and neighbour solicitations are checked.
	E3

	eras
)

// Feature is one way in which builds of OVN differ about port security. An era is a combination of features.
type Feature uint8

// Features, in the order in which they came.
const (
	// ByController is that ovn-controller writes the checks as OpenFlow; before, ovn-northd writes them as logical
	// flows.
	ByController Feature = iota
	// AdvertisementLimit is that the rules for neighbour advertisements ask for the hop limit that these have, 255.
	AdvertisementLimit
	// SolicitationDrop is that neighbour solicitations which no rule lets pass are dropped.
	SolicitationDrop
	// DiscoverySource is that all rules for neighbour discovery look at the source MAC of the frame.
	DiscoverySource
	// WholeElements is the parser that drops an element for one bad token, and knows VRRPv3.
	WholeElements

	features
)

// has is, by era, which features it has.
var has = [eras][features]bool{
	E0:  {AdvertisementLimit: true, SolicitationDrop: true, DiscoverySource: true},
	E1:  {ByController: true},
	E2:  {ByController: true, AdvertisementLimit: true},
	E2a: {ByController: true, AdvertisementLimit: true, SolicitationDrop: true},
	E2b: {ByController: true, AdvertisementLimit: true, SolicitationDrop: true, DiscoverySource: true},
	E3: {
		ByController:       true,
		AdvertisementLimit: true,
		SolicitationDrop:   true,
		DiscoverySource:    true,
		WholeElements:      true,
	},
}

// Has reports whether builds of the era have the feature.
func (e Era) Has(f Feature) bool { return e < eras && f < features && has[e][f] }

// names are those of the eras.
var names = [eras]string{E0: "E0", E1: "E1", E2: "E2", E2a: "E2a", E2b: "E2b", E3: "E3"}

// Eras returns all eras, the oldest first: for where the release is not known. What counts as protected then must be
// protected by each.
func Eras() []Era { return between(E0, E3) }

// between returns the eras from one to another, the oldest first.
func between(from, to Era) []Era {
	var out []Era
	for e := from; e <= to; e++ {
		out = append(out, e)
	}
	return out
}

// String returns "E0" to "E3".
func (e Era) String() string {
	if e < eras {
		return names[e]
	}
	return "no era"
}

// Releases says in words which releases and builds the era spans.
func (e Era) Releases() string {
	switch e { //nolint:exhaustive // eras is how many there are
	case E0:
		return "OVN 20.03 to 22.03"
	case E1:
		return "OVN 22.06 to 22.09.2, 22.12.1, 23.03.1 and 23.06.1"
	case E2:
		return "OVN 22.09.3, 22.12.2, 23.03.2 and 23.06.2 to 24.03.7, 24.09.3, 25.03.2 and 25.09.2"
	case E2a:
		return "builds of OVN's branches from 23 January to 5 February 2026"
	case E2b:
		return "builds of OVN's branches from 5 to 18 February 2026"
	case E3:
		return "OVN 24.03.8, 24.09.4, 25.03.3, 25.09.3 and 26.03 and later"
	}
	return "no OVN"
}

// ParseEra reads the name of an era, in either case.
func ParseEra(text string) (Era, error) {
	for _, e := range Eras() {
		if strings.EqualFold(text, e.String()) {
			return e, nil
		}
	}
	return 0, fmt.Errorf("era %q: want %s or %s", text, strings.Join(names[:E3], ", "), E3)
}
