package selftest

import (
	"fmt"
	"regexp"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
)

// reason says how a self-test ended. It is a label of metrics.
type reason string

const (
	// passes: an ordinary pod becomes what was decided, and a forbidden one is refused.
	passes reason = "pass"
	// unchanged: a pod is made that is not what was decided.
	unchanged reason = "unchanged"
	// unguarded: a pod is made that must be refused.
	unguarded reason = "unguarded"
	// unanswered: the API server gets no answer of the webhook.
	unanswered reason = "unanswered"
	// unwarned: a pod is made without the warning that policy wants, where policy does not enforce.
	unwarned reason = "unwarned"
	// refused: a pod that is allowed is refused by this program, as where another webhook makes something else of it.
	refused reason = "refused"
	// unseen: policy wants nothing of the pods that anybody could see, so that it is not known whether the webhook is
	// asked.
	unseen reason = "unseen"
	// untried: the API server could not be asked, or the pod ended elsewhere: for lack of rights, or at somebody else's
	// webhook.
	untried reason = "untried"
)

// reasons returns all that a self-test can fail for.
func reasons() []reason {
	return []reason{unchanged, unguarded, unanswered, unwarned, refused, unseen, untried}
}

// proven reports whether admission is shown not to work as it must.
func (r reason) proven() bool {
	return r != "" && r != passes && r != unseen && r != untried
}

// outcome is how a self-test ended.
type outcome struct {
	reason reason
	// detail says why it does not pass, or what it could show where that is less than that pods are guarded.
	detail string
}

// fate is what becomes of a pod: its value of the annotation that decides and what is warned of, or why there is no
// pod.
type fate struct {
	annotation string
	warnings   []string
	err        error
}

// judgeOrdinary judges a pod that asked for the value and must be made, by what this program wants to become of it.
func judgeOrdinary(asked string, want, got fate) outcome {
	switch {
	case got.err != nil:
		return judgeError(got.err, refused)
	case got.annotation != want.annotation:
		return outcome{
			unchanged,
			fmt.Sprintf("a pod was created with %s %q, want %q", decides, got.annotation, want.annotation),
		}
	case want.annotation != asked:
		return outcome{reason: passes}
	}
	return judgeWarning(want, got)
}

// judgeForbidden judges a pod that takes an address without a grant for it.
func judgeForbidden(want, got fate) outcome {
	switch {
	case want.err == nil && got.err == nil:
		return judgeWarning(want, got)
	case want.err == nil:
		return judgeError(got.err, refused)
	case got.err == nil:
		return outcome{unguarded, "a pod was created with an address that nothing grants it"}
	}
	return judgeError(got.err, passes)
}

// warningKept is how many bytes of a warning are compared.
const warningKept = 200

// judgeWarning judges a pod that is made as it was asked for, so that only a warning can show that the webhook was
// asked.
func judgeWarning(want, got fate) outcome {
	for _, text := range want.warnings {
		for _, passed := range got.warnings {
			// The API server cuts warnings after 256 characters where there are many.
			if text != "" && passed[:min(len(passed), warningKept)] == text[:min(len(text), warningKept)] {
				return outcome{passes, "policy only warns in that namespace, and the API server passes the " +
					"warning on"}
			}
		}
	}
	if len(want.warnings) > 0 {
		return outcome{unwarned, "policy only warns in that namespace, but a pod was created without the " +
			"warning"}
	}
	return outcome{unseen, "policy neither enforces nor warns in that namespace, so the self-test cannot see " +
		"whether the API server calls the webhooks"}
}

// both returns how a self-test ended whose pods were judged so: the worse of them, or what of it says less.
func both(ordinary, forbidden outcome) outcome {
	for _, worse := range []func(outcome) bool{
		func(o outcome) bool { return o.reason.proven() },
		func(o outcome) bool { return o.reason == untried },
		func(o outcome) bool { return o.reason == unseen },
		func(o outcome) bool { return o.detail != "" },
	} {
		for _, o := range []outcome{ordinary, forbidden} {
			if worse(o) {
				return o
			}
		}
	}
	return ordinary
}

// What the API server says of webhooks (k8s.io/apiserver/pkg/admission/plugin/webhook) and policies
// (.../plugin/policy/validating), where they are this program's. A program's account may have its name, too, so the
// whole of the words is looked for.
var (
	callFailed = regexp.MustCompile(
		`failed calling webhook "[^"]*` + regexp.QuoteMeta("."+v1alpha1.GroupVersion.Group) + `"`,
	)
	hookDenied = regexp.MustCompile(
		`admission webhook "[^"]*` + regexp.QuoteMeta("."+v1alpha1.GroupVersion.Group) + `" denied the request`,
	)
	ruleDenied = regexp.MustCompile(
		`ValidatingAdmissionPolicy 'ovnguard-[^']*' with binding '[^']*' denied request`,
	)
)

// judgeError says what an error shows; denied is the reason where this program refused.
func judgeError(err error, denied reason) outcome {
	text := err.Error()
	switch {
	case callFailed.MatchString(text):
		return outcome{unanswered, text}
	case !hookDenied.MatchString(text) && !ruleDenied.MatchString(text):
		return outcome{untried, text}
	case denied == passes:
		return outcome{reason: passes}
	}
	return outcome{denied, text}
}
