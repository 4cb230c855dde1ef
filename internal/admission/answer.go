package admission

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"gomodules.xyz/jsonpatch/v2"

	"github.com/ovnguard/ovnguard/internal/policy"
)

// Answer is the answer to a request. The zero value allows it as it is.
type Answer struct {
	// Refusals are the reasons against the request. In mode enforce they refuse it, in mode warn they are warnings, and
	// all are in the audit log.
	Refusals []Refusal
	// Warnings are sentences for the author.
	Warnings []string
	// Patch changes the object, where the request is not refused.
	Patch []jsonpatch.Operation
	// Notes are annotations for the API server's audit log: short keys, without the webhook's name.
	Notes map[string]string
	// Brought are the keys that a new pod carried when it came.
	Brought []Brought
}

// Deny adds a reason to refuse, once. Arguments of type Private go only to the audit log.
func (a *Answer) Deny(format string, args ...any) { a.Against(policy.Enforce, format, args...) }

// Against adds a reason against the request under a policy of this mode, once. Reasons with the same public text are
// one refusal, and the audit log has all of them.
func (a *Answer) Against(mode policy.Mode, format string, args ...any) {
	said := Say(format, args...)
	same := func(r Refusal) bool { return r.Check == nil && r.Mode == mode && r.Why == said.Public }
	i := slices.IndexFunc(a.Refusals, same)
	switch {
	case i < 0:
		r := Refusal{Why: said.Public, Mode: mode}
		if said.Whole != said.Public {
			r.Whole = said.Whole
		}
		a.Refusals = append(a.Refusals, r)
	case said.Whole != said.Public && a.Refusals[i].Whole != "":
		a.Refusals[i].Whole += ", and " + said.Whole
	}
}

// Denials returns the reasons for refusing the request, in the words for the user: the first ones, and how many more
// there are; none where it is not refused.
func (a *Answer) Denials() []string {
	first, more := a.told(policy.Enforce)
	return append(first, more...)
}

// told returns the first refusals of a mode, and a sentence that says how many more there are, if any.
func (a *Answer) told(mode policy.Mode) (first, more []string) {
	count := 0
	for _, r := range a.Refusals {
		switch {
		case r.Mode != mode:
		case r.More > 0:
			count += r.More
		case len(first) == maxReasons:
			count++
		default:
			first = append(first, r.String())
		}
	}
	if count > 0 {
		more = []string{fmt.Sprintf("and %d more", count)}
	}
	return first, more
}

// Warn adds a sentence for the author, once. Arguments of type Private are left out as by Deny.
func (a *Answer) Warn(format string, args ...any) {
	if text := "ovnguard: " + Say(format, args...).Public; !slices.Contains(a.Warnings, text) {
		a.Warnings = append(a.Warnings, text)
	}
}

// Note adds an annotation for the audit log.
func (a *Answer) Note(key, value string) {
	if a.Notes == nil {
		a.Notes = make(map[string]string)
	}
	a.Notes[key] = value
}

// against returns all reasons against the request, as the audit log has them.
func (a *Answer) against() string {
	all := make([]string, len(a.Refusals))
	for i, r := range a.Refusals {
		all[i] = r.Note()
	}
	return strings.Join(all, "; ")
}

// Decided notes what was decided for the NICs of a pod.
func (a *Answer) Decided(v *Verdict) {
	if a.Notes == nil {
		a.Notes = make(map[string]string)
	}
	maps.Copy(a.Notes, v.notes())
}
