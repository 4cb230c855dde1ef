package admission

import (
	"slices"
	"strings"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// Keys of the audit annotations. The API server writes the webhook's name before them.
const (
	// NotePolicy is the policy that what is asked for falls under, or one for each NIC where they differ.
	NotePolicy = "policy"
	// NoteDecision is what was decided by it, for each NIC where that differs.
	NoteDecision = "decision"
	// NoteViolation is what speaks against the request, whether or not that refused it; it is left out where nothing
	// does.
	NoteViolation = "violation"
	// NoteUndo is the change of repair that is taken back by the request; it is left out where none is.
	NoteUndo = "undo"
	// NoteBrought is the keys that a new pod carried when it came, with other values than ovnguard would write; it is
	// left out where there are none.
	NoteBrought = "brought"
)

// notKnown is the decision of a review that could not be judged.
const notKnown = "unknown"

// noteLimit bounds a note, in bytes: what speaks against a request quotes it, and authors of requests can write long
// values.
const noteLimit = 2048

// Verdict is what was decided for the NICs of a pod, for the audit log.
type Verdict struct {
	nics             []kubeovn.Provider
	policies, levels []string
}

func (v *Verdict) add(nic kubeovn.Provider, d policy.Decision) {
	v.nics = append(v.nics, nic)
	v.policies = append(v.policies, PolicyTitle(d.Policy))
	v.levels = append(v.levels, d.Level.String())
}

// verdict returns what was decided for the NICs of the pod: for the default one, where its networks cannot be told.
func (r *review) verdict() Verdict {
	var out Verdict
	for _, nic := range r.NICs {
		out.add(nic.Provider, r.decision(nic.Provider))
	}
	return out
}

// notes returns what the API server's audit log keeps of the verdict: the policy and the decision.
func (v *Verdict) notes() map[string]string {
	return map[string]string{NotePolicy: v.each(v.policies), NoteDecision: v.each(v.levels)}
}

// each returns what all NICs have once, and else what each has, as in "ovn=strict, blue.nics.ovn=open".
func (v *Verdict) each(values []string) string {
	if distinct := slices.Compact(slices.Clone(values)); len(distinct) == 1 {
		return distinct[0]
	}
	parts := make([]string, len(values))
	for i, value := range values {
		parts[i] = string(v.nics[i]) + "=" + value
	}
	return ShortNote(strings.Join(parts, ", "))
}

// ShortNote cuts a note that is too long, at the end of a letter.
func ShortNote(text string) string { return shorten(text, noteLimit) }

func shorten(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit], "") + "..."
}
