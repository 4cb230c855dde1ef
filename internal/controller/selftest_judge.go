package controller

import (
	"fmt"
	"regexp"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
)

// selfTestReason says how a self-test ended. It is a label of metrics.
type selfTestReason string

const (
	// passes: an ordinary pod becomes what was decided, and a forbidden one is refused.
	passes selfTestReason = "pass"
	// unchanged: a pod is made that is not what was decided.
	unchanged selfTestReason = "unchanged"
	// unguarded: a pod is made that must be refused.
	unguarded selfTestReason = "unguarded"
	// unanswered: the API server gets no answer of the webhook.
	unanswered selfTestReason = "unanswered"
	// refused: a pod that is allowed is refused by this program, as where another webhook makes something else of it.
	refused selfTestReason = "refused"
	// untried: the API server could not be asked, or the pod ended elsewhere: for lack of rights, or at somebody else's webhook.
	untried selfTestReason = "untried"
)

// reasons gives all that a self-test can fail for.
func reasons() []selfTestReason {
	return []selfTestReason{unchanged, unguarded, unanswered, refused, untried}
}

// proven tells that admission is shown not to work as it must.
func (r selfTestReason) proven() bool { return r != "" && r != passes && r != untried }

// outcome is how a self-test ended.
type outcome struct {
	reason selfTestReason
	detail string
}

// fate is what became of a pod: its value of the annotation that decides, or why there is no pod.
type fate struct {
	annotation string
	err        error
}

// judgeOrdinary judges a pod that must be made, with the annotation wanted.
func judgeOrdinary(wanted string, got fate) outcome {
	switch {
	case got.err != nil:
		return judgeError(got.err, refused)
	case got.annotation != wanted:
		return outcome{unchanged, fmt.Sprintf("a pod was made with %s %q, want %q", decides, got.annotation, wanted)}
	}
	return outcome{reason: passes}
}

// judgeForbidden judges a pod that must be refused by this program.
func judgeForbidden(got fate) outcome {
	if got.err == nil {
		return outcome{unguarded, "a pod was made that takes an address of which nothing says that it may have it"}
	}
	return judgeError(got.err, passes)
}

// What the API server says of webhooks (k8s.io/apiserver/pkg/admission/plugin/webhook) and policies (.../plugin/policy/validating), where
// they are this program's. A program's account may have its name, too, so the whole of the words is looked for.
var (
	callFailed = regexp.MustCompile(`failed calling webhook "[^"]*` + regexp.QuoteMeta("."+v1alpha1.GroupVersion.Group) + `"`)
	hookDenied = regexp.MustCompile(`admission webhook "[^"]*` + regexp.QuoteMeta("."+v1alpha1.GroupVersion.Group) + `" denied the request`)
	ruleDenied = regexp.MustCompile(`ValidatingAdmissionPolicy '` + configurationName + `-[^']*' with binding '[^']*' denied request`)
)

// judgeError says what an error shows; denied is the reason where this program refused.
func judgeError(err error, denied selfTestReason) outcome {
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
