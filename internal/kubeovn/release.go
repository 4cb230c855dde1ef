package kubeovn

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"time"
)

// released has, by minor release of Kube-OVN, when patch releases came: the first, those around the changes of OVN that
// Kube-OVN's images have without saying so, and the last that is known. The days are those of the tagged commits.
var released = map[string][]release{
	"1.12": {{0, "2023-08-08"}, {1, "2023-09-25"}, {35, "2025-08-20"}},
	"1.13": {{0, "2024-11-18"}, {15, "2025-08-21"}},
	"1.14": {
		{0, "2025-06-25"},
		{15, "2025-11-17"},
		{16, "2025-12-02"},
		{25, "2025-12-29"},
		{26, "2026-01-16"},
		{27, "2026-01-23"},
		{28, "2026-01-28"},
		{29, "2026-02-02"},
		{30, "2026-02-06"},
		{31, "2026-02-27"},
		{36, "2026-05-13"},
		{41, "2026-06-22"},
	},
	"1.15": {
		{0, "2026-01-01"},
		{1, "2026-01-25"},
		{2, "2026-01-29"},
		{3, "2026-02-09"},
		{4, "2026-02-12"},
		{5, "2026-03-12"},
		{10, "2026-04-10"},
		{11, "2026-05-13"},
		{16, "2026-06-26"},
		{17, "2026-07-01"},
		{24, "2026-08-22"},
	},
	"1.16": {{0, "2026-04-09"}, {1, "2026-04-24"}, {2, "2026-06-04"}},
}

type release struct {
	patch int
	day   string
}

// at returns when the day of the release began, in UTC.
func (r release) at() time.Time {
	day, err := time.Parse(time.DateOnly, r.day)
	if err != nil {
		panic("kubeovn: " + err.Error()) // the table is part of the program, and a test reads all of it
	}
	return day
}

// imageTag is the tag of an image of Kube-OVN, such as v1.14.28, v1.15.0-x86 or v1.13.15-debug: what may follow the
// release are the variants that upstream builds besides it.
var imageTag = regexp.MustCompile(`^v?(1\.[0-9]{1,3})\.([0-9]{1,4})((?:-(?:x86|amd64|arm|arm64|legacy|debug|dpdk))*)$`)

// Release is a release of Kube-OVN: 1.14.28 has the minor 14 and the patch 28.
type Release struct{ Minor, Patch int }

// String returns the release as its tag has it, such as "v1.14.28".
func (r Release) String() string { return fmt.Sprintf("v1.%d.%d", r.Minor, r.Patch) }

// ParseRelease reads the tag of an image of Kube-OVN, such as v1.14.28. The error says what is no such tag.
func ParseRelease(tag string) (Release, error) {
	match := imageTag.FindStringSubmatch(tag)
	if match == nil {
		return Release{}, fmt.Errorf("%q: want the tag of one of Kube-OVN's own images, such as v1.14.28", tag)
	}
	minor, err := strconv.Atoi(match[1][len("1."):])
	if err != nil {
		return Release{}, fmt.Errorf("%q: %w", tag, err)
	}
	patch, err := strconv.Atoi(match[2])
	if err != nil {
		return Release{}, fmt.Errorf("%q: %w", tag, err)
	}
	return Release{minor, patch}, nil
}

// branches has, by minor release of Kube-OVN, the branch of OVN that its base image is built from
// (dist/images/Dockerfile.base).
var branches = map[int]string{
	10: "22.03", 11: "22.03", 12: "22.12", 13: "24.03", 14: "24.03", 15: "25.03", 16: "25.03",
}

// OVNBranch returns the branch of OVN that is in the images of the release, such as "24.03". ok is false where
// that is not known.
func (r Release) OVNBranch() (branch string, ok bool) {
	branch, ok = branches[r.Minor]
	return branch, ok
}

// BuiltBetween returns when OVN was built into the image of a release of Kube-OVN, given as the image's tag: the base
// image clones the tip of an OVN branch every night (dist/images/Dockerfile.base), and a release takes the last one. A
// release between two that are known is taken to be between their days; until is zero for one that is newer than all of
// them. The error says what is no such tag.
func BuiltBetween(tag string) (from, until time.Time, err error) {
	r, err := ParseRelease(tag)
	if err != nil {
		return time.Time{}, time.Time{}, err
	}
	known := released["1."+strconv.Itoa(r.Minor)]
	i, exact := slices.BinarySearchFunc(known, r.Patch, func(r release, patch int) int { return r.patch - patch })
	switch {
	case len(known) == 0:
		return time.Time{}, time.Time{}, nil // a minor release of which no day is known
	case exact:
		return known[i].at().AddDate(0, 0, -1), known[i].at(), nil
	case i == len(known):
		return known[i-1].at().AddDate(0, 0, -1), time.Time{}, nil
	}
	return known[i-1].at().AddDate(0, 0, -1), known[i].at(), nil
}
