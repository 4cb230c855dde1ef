package admission

import "strings"

// Keys of the audit annotations. The API server writes the webhook's name before them.
const (
	// NotePolicy is the policy that what is asked for falls under.
	NotePolicy = "policy"
	// NoteDecision is what was decided by it.
	NoteDecision = "decision"
	// NoteViolation is what speaks against the request, whether or not that refused it; it is left out where nothing does.
	NoteViolation = "violation"
)

// notKnown is the decision of a review that could not be judged.
const notKnown = "unknown"

// noteLimit bounds a note, in bytes: what speaks against a request quotes it, and authors of requests can write long values.
const noteLimit = 2048

// AuditAnnotations are what the API server's audit log keeps of a review: the policy, the decision and what is against them. Without a
// decision there are none.
func AuditAnnotations(policyName, decision string, violations []string) map[string]string {
	if decision == "" {
		return nil
	}
	out := map[string]string{NotePolicy: PolicyTitle(policyName), NoteDecision: decision}
	if len(violations) > 0 {
		out[NoteViolation] = ShortNote(strings.Join(violations, "; "))
	}
	return out
}

// Unjudged are the notes of a review that was refused because it could not be judged.
func Unjudged(err error) map[string]string {
	return map[string]string{NoteDecision: notKnown, NoteViolation: ShortNote(err.Error())}
}

// ShortNote cuts a note that is too long, at the end of a letter.
func ShortNote(text string) string {
	if len(text) <= noteLimit {
		return text
	}
	return strings.ToValidUTF8(text[:noteLimit], "") + "..."
}
