package portsec

import (
	"fmt"
	"strconv"
	"strings"
)

// train is one release train of OVN and the eras of its patch levels.
type train struct {
	year, month int
	// first is the era of the train's patch level 0.
	first Era
	// changed is the patch level from which on the train is of the next era; 0 where it never changed.
	changed int
}

// last is the era of the train's newest patch level.
func (t train) last() Era {
	if t.changed > 0 {
		return t.first + 1
	}
	return t.first
}

// trains are the releases of OVN, the oldest first.
var trains = []train{
	{20, 3, E0, 0},
	{20, 6, E0, 0},
	{20, 9, E0, 0},
	{20, 12, E0, 0},
	{21, 3, E0, 0},
	{21, 6, E0, 0},
	{21, 9, E0, 0},
	{21, 12, E0, 0},
	{22, 3, E0, 0},
	{22, 6, E1, 0},
	{22, 9, E1, 3},
	{22, 12, E1, 2},
	{23, 3, E1, 2},
	{23, 6, E1, 2},
	{23, 9, E2, 0},
	{24, 3, E2, 8},
	{24, 9, E2, 4},
	{25, 3, E2, 3},
	{25, 9, E2, 3},
	{26, 3, E3, 0},
}

// development is the patch level from which on a version names a snapshot on the way to the next train: 22.03.90 comes
// after 22.03 branched off and is on its way to 22.06.
const development = 90

// reading is what a version says about the era.
type reading struct {
	// nearest is the era to take where there must be one, low and high bound the plausible ones.
	nearest, low, high Era
	exact              bool
}

// EraOf gives the era of an OVN version such as "23.03.1", "v24.03.8-3-gabcdef" or "main". exact is false where that is
// the nearest answer and not a known one: a release that is newer than this package (taken for the newest era), older than
// 20.03, no release train, a snapshot between two trains (taken for the later one), or a train without the patch level
// that decides (taken for the older era). An error means that the text is no OVN version.
func EraOf(version string) (era Era, exact bool, err error) {
	r, err := readVersion(version)
	return r.nearest, r.exact, err
}

// PlausibleEras gives the eras that an OVN of this version may be of, the oldest first: one where the version says so
// exactly, all of them for a text that is no version.
func PlausibleEras(version string) []Era {
	r, err := readVersion(version)
	if err != nil {
		return Eras()
	}
	var eras []Era
	for e := r.low; e <= r.high; e++ {
		eras = append(eras, e)
	}
	return eras
}

func readVersion(version string) (reading, error) {
	text := strings.TrimSpace(version)
	if text == "main" || text == "master" {
		return reading{E3, E3, E3, true}, nil
	}
	year, month, patch, err := parseVersion(text)
	if err != nil {
		return reading{}, fmt.Errorf("OVN version %q: want YEAR.MONTH.PATCH, such as 23.03.1: %w", version, err)
	}
	next := 0
	for next < len(trains) && !trains[next].after(year, month) {
		next++
	}
	if next == 0 {
		return reading{E0, E0, E0, false}, nil
	}
	t := trains[next-1]
	switch {
	case (t.year != year || t.month != month || patch >= development) && next == len(trains):
		return reading{E3, E3, E3, false}, nil
	case t.year != year || t.month != month || patch >= development:
		return reading{trains[next].first, t.first, trains[next].last(), false}, nil
	case t.changed == 0:
		return reading{t.first, t.first, t.first, true}, nil
	case patch < 0:
		return reading{t.first, t.first, t.last(), false}, nil
	case patch >= t.changed:
		return reading{t.last(), t.last(), t.last(), true}, nil
	}
	return reading{t.first, t.first, t.first, true}, nil
}

// after tells that the train is later than year and month.
func (t train) after(year, month int) bool {
	return t.year > year || t.year == year && t.month > month
}

// parseVersion reads YEAR.MONTH and an optional PATCH; what distributions and builds append is left out. patch is -1
// where there is none.
func parseVersion(text string) (year, month, patch int, err error) {
	text = strings.TrimPrefix(text, "v")
	if end := strings.IndexFunc(text, func(r rune) bool { return r != '.' && (r < '0' || r > '9') }); end >= 0 {
		text = strings.TrimSuffix(text[:end], ".")
	}
	numbers := [3]int{-1, -1, -1}
	for i, part := range strings.Split(text, ".") {
		if i == len(numbers) {
			break
		}
		if numbers[i], err = strconv.Atoi(part); err != nil {
			return 0, 0, 0, fmt.Errorf("%q is no number", part)
		}
	}
	year, month, patch = numbers[0], numbers[1], numbers[2]
	if year < 2 || year > 99 || month < 0 || month > 12 {
		return 0, 0, 0, fmt.Errorf("%d.%d is no release", year, month)
	}
	return year, month, patch, nil
}
