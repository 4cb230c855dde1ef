package portsec

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// change is a commit of OVN's branches by which a build belongs to another era.
type change struct {
	to Era
	// on is the day of the commit, in UTC. It is the same for all branches, except for main.
	on time.Time
}

func day(year int, month time.Month, of int) time.Time {
	return time.Date(year, month, of, 0, 0, 0, 0, time.UTC)
}

var (
	// limits is "Use correct nw_ttl=255 to match against legit NAs".
	limits = []change{{E2, day(2023, time.September, 6)}}
	// discoveries are "Enable default drop for ND NS", "Add missing match on eth.src for ND port security", and "Add
	// option to make port security compliant with RFC 9568", which brought the new parser.
	discoveries = []change{
		{E2a, day(2026, time.January, 23)},
		{E2b, day(2026, time.February, 5)},
		{E3, day(2026, time.February, 18)},
	}
)

// train is one release train of OVN and the eras of its patch levels.
type train struct {
	year, month int
	// first is the era of the train's patch level 0.
	first Era
	// changed is the patch level whose tip, which bears its number before it is released, changed to other eras; 0
	// where none did.
	changed int
	// changes are those that came with it.
	changes []change
}

// last is the era of the train's newest patch level.
func (t train) last() Era {
	if len(t.changes) == 0 {
		return t.first
	}
	return t.changes[len(t.changes)-1].to
}

// trains are the releases of OVN, the oldest first.
var trains = []train{
	{20, 3, E0, 0, nil},
	{20, 6, E0, 0, nil},
	{20, 9, E0, 0, nil},
	{20, 12, E0, 0, nil},
	{21, 3, E0, 0, nil},
	{21, 6, E0, 0, nil},
	{21, 9, E0, 0, nil},
	{21, 12, E0, 0, nil},
	{22, 3, E0, 0, nil},
	{22, 6, E1, 0, nil},
	{22, 9, E1, 3, limits},
	{22, 12, E1, 2, limits},
	{23, 3, E1, 2, limits},
	{23, 6, E1, 2, limits},
	{23, 9, E2, 0, nil},
	{24, 3, E2, 8, discoveries},
	{24, 9, E2, 4, discoveries},
	{25, 3, E2, 3, discoveries},
	{25, 9, E2, 3, discoveries},
	{26, 3, E3, 0, nil},
}

// development is the patch level from which on a version names a snapshot on the way to the next train: 22.03.90 comes
// after 22.03 branched off and is on its way to 22.06.
const development = 90

// reading is what a version says about the era.
type reading struct {
	// nearest is the era to take where there must be one, low and high bound the plausible ones.
	nearest, low, high Era
	exact              bool
	// changes are those among which the day of the build decides; none where it does not.
	changes []change
}

// EraOf returns the era of an OVN version such as "23.03.1", "v24.03.8-3-gabcdef" or "main". exact is false where that
// is the nearest answer and not a known one: a release in which the era changed (taken for what was released, while
// builds of the branch bore its number before), unless the version names the commit, as "25.03.3+g04ab770ea9bf" does; a
// release that is newer than this package (taken for the newest era), older than 20.03, no release train, a snapshot
// between two trains (taken for the later one), or a train without the patch level that decides (taken for the older
// era). An error means that the text is no OVN version.
func EraOf(version string) (era Era, exact bool, err error) {
	r, err := readVersion(version)
	return r.nearest, r.exact, err
}

func readVersion(version string) (reading, error) {
	text := strings.TrimSpace(version)
	if text == "main" || text == "master" {
		return exactly(E3), nil
	}
	year, month, patch, behind, err := parseVersion(text)
	if err != nil {
		return reading{}, fmt.Errorf("OVN version %q: want YEAR.MONTH.PATCH, such as 23.03.1: %w", version, err)
	}
	next := 0
	for next < len(trains) && !trains[next].after(year, month) {
		next++
	}
	if next == 0 {
		return reading{nearest: E0, low: E0, high: E0}, nil
	}
	t := trains[next-1]
	switch {
	case (t.year != year || t.month != month || patch >= development) && next == len(trains):
		return reading{nearest: E3, low: E3, high: E3}, nil
	case t.year != year || t.month != month || patch >= development:
		return reading{nearest: trains[next].first, low: t.first, high: trains[next].last()}, nil
	case t.changed == 0:
		return exactly(t.first), nil
	case patch < 0:
		return reading{nearest: t.first, low: t.first, high: t.last(), changes: t.changes}, nil
	case patch > t.changed:
		return exactly(t.last()), nil
	case patch < t.changed:
		return exactly(t.first), nil
	}
	if era, ok := eraOfCommit(behind); ok {
		return exactly(era), nil
	}
	if described.MatchString(behind) { // it comes after the release
		return exactly(t.last()), nil
	}
	return reading{nearest: t.last(), low: t.first, high: t.last(), changes: t.changes}, nil
}

func exactly(e Era) reading { return reading{nearest: e, low: e, high: e, exact: true} }

// after reports whether the train is later than year and month.
func (t train) after(year, month int) bool {
	return t.year > year || t.year == year && t.month > month
}

// parseVersion reads YEAR.MONTH and an optional PATCH, and returns what distributions and builds append. patch is -1
// where there is none.
func parseVersion(text string) (year, month, patch int, behind string, err error) {
	text = strings.TrimPrefix(text, "v")
	if end := strings.IndexFunc(text, func(r rune) bool { return r != '.' && (r < '0' || r > '9') }); end >= 0 {
		text, behind = strings.TrimSuffix(text[:end], "."), text[end:]
	}
	numbers := [3]int{-1, -1, -1}
	for i, part := range strings.Split(text, ".") {
		if i == len(numbers) {
			break
		}
		if numbers[i], err = strconv.Atoi(part); err != nil {
			return 0, 0, 0, "", fmt.Errorf("%q is no number", part)
		}
	}
	year, month, patch = numbers[0], numbers[1], numbers[2]
	if year < 2 || year > 99 || month < 0 || month > 12 {
		return 0, 0, 0, "", fmt.Errorf("%d.%d is no release", year, month)
	}
	return year, month, patch, behind, nil
}
