package portsec

import (
	_ "embed"
	"regexp"
	"strings"
	"sync"
	"time"
)

// OVN says of a running OVN what is known about its build. The zero OVN says that nothing is known.
type OVN struct {
	// Version is the release that it calls itself, such as "24.03.8" or "25.03.3+g04ab770ea9bf"; empty where it is not
	// known.
	Version string
	// From and Until bound when the source was taken from OVN's repository; zero where it is not known. They matter
	// where the version leaves open which era it is: the tip of a branch calls itself the next release from the day of
	// the last one on.
	From, Until time.Time
}

// Eras returns the eras that the build may be of, the oldest first: one where it is known exactly, all of them where
// nothing is known.
func (o OVN) Eras() []Era {
	r, err := readVersion(o.Version)
	if err != nil {
		return Eras()
	}
	out := between(r.low, r.high)
	if len(r.changes) == 0 {
		return out
	}
	var built []Era
	for _, e := range out {
		if o.built(e, r.changes) {
			built = append(built, e)
		}
	}
	if len(built) == 0 {
		return out // the dates cannot be true of this version, and say nothing
	}
	return built
}

// built reports whether a build of those days may be of the era, to which and from which these changes lead.
func (o OVN) built(e Era, changes []change) bool {
	for _, c := range changes {
		if c.to == e && !o.Until.IsZero() && o.Until.Before(c.on) {
			return false // it came later
		}
		if c.to == e+1 && !o.From.IsZero() && !o.From.Before(c.on.AddDate(0, 0, 1)) {
			return false // it was over
		}
	}
	return true
}

// commitsText lists commits by era.
//
//go:embed commits.txt
var commitsText string

// commitEras returns the eras of these commits, by their first 12 digits.
var commitEras = sync.OnceValue(func() map[string]Era {
	out := make(map[string]Era)
	for line := range strings.Lines(commitsText) {
		fields := strings.Fields(line)
		if len(fields) < 3 || strings.HasPrefix(line, "#") {
			continue
		}
		era, err := ParseEra(fields[1])
		if err != nil {
			panic("portsec: commits.txt: " + err.Error()) // the file is part of the package, and a test reads it
		}
		for _, hash := range fields[2:] {
			out[hash] = era
		}
	}
	return out
})

// commitDigits is how many digits of a commit Kube-OVN puts into the version.
const commitDigits = 12

var (
	// builtFrom is the mark of the commit that Kube-OVN's images carry behind the release
	// (dist/images/Dockerfile.base).
	builtFrom = regexp.MustCompile(`^\+g([0-9a-f]{12,40})\b`)
	// described is what git describe puts behind the tag of a release for a commit that comes after it.
	described = regexp.MustCompile(`^-[0-9]+-g[0-9a-f]+\b`)
)

// eraOfCommit returns the era of a build of the commit that the text behind the release names; ok is false where it
// names none that is known.
func eraOfCommit(behind string) (era Era, ok bool) {
	match := builtFrom.FindStringSubmatch(behind)
	if match == nil {
		return 0, false
	}
	era, ok = commitEras()[match[1][:commitDigits]]
	return era, ok
}
