package admission

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	ctrladmission "sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/ovnguard/ovnguard/internal/policy"
)

// reviewTimeout bounds one review. It is shorter than the webhook's own timeout, so that the author reads what could
// not be judged, and not only that a call failed.
const reviewTimeout = 2500 * time.Millisecond

// Results of a review, as the label of the duration metric.
const (
	ResultUnchanged = "unchanged"
	ResultPatched   = "patched"
	ResultDenied    = "denied"
	ResultInvalid   = "invalid"
)

// Judge answers one request. An error means that the request is not one that the judge is for, or could not be judged:
// it is refused then.
type Judge func(ctx context.Context, req *admissionv1.AdmissionRequest) (Answer, error)

// Handler answers the reviews of one webhook by a judge. Nothing is ever allowed because it was not understood.
type Handler struct {
	Judge Judge
	// Advises means that nothing is refused: why it would be is a warning.
	Advises bool
	// Observe receives what came of each review.
	Observe func(Reviewed)
	// Refused receives each request that is refused; nil where nobody is to be told. Accounts returns the accounts that
	// count now, and is called for Refused alone.
	Refused  func(context.Context, Refused)
	Accounts func() Accounts
	// Now returns the time; time.Now outside tests.
	Now func() time.Time
}

// Reviewed is what came of a review.
type Reviewed struct {
	// Namespace is that of the request; empty where its object is of none.
	Namespace string
	Result    string
	Took      time.Duration
	// Against is what spoke against the request.
	Against []Refusal
	// Brought are the keys that a new pod carried when it came; none for a dry run.
	Brought []Brought
}

// Handle answers one review.
func (h *Handler) Handle(ctx context.Context, req ctrladmission.Request) ctrladmission.Response {
	start := h.Now()
	ctx, cancel := context.WithTimeout(ctx, reviewTimeout)
	defer cancel()
	a, err := h.Judge(ctx, &req.AdmissionRequest)
	if ctx.Err() != nil { // what was judged may not be all
		err = errOutOfTime
	}
	response, result := respond(&a, err)
	if h.Advises && !response.Allowed {
		notes := response.AuditAnnotations
		response = ctrladmission.Allowed("").WithWarnings(append(response.Warnings, response.Result.Message)...)
		response.AuditAnnotations = notes
	}
	h.Observe(Reviewed{req.Namespace, result, h.Now().Sub(start), a.Refusals, a.Brought})
	if !response.Allowed && h.Refused != nil {
		h.Refused(ctx, refusedOf(&req.AdmissionRequest, a.Refusals, response.Result.Message, h.Accounts))
	}
	return response
}

var errOutOfTime = errors.New(
	"there was no time left to check the request, so it is refused; try again",
)

// respond returns the response to a review with its result.
func respond(a *Answer, err error) (ctrladmission.Response, string) {
	if err != nil {
		code := int32(http.StatusBadRequest)
		if errors.Is(err, errOutOfTime) {
			code = http.StatusGatewayTimeout
		}
		response := ctrladmission.Errored(code, fmt.Errorf("ovnguard: %w", err))
		response.AuditAnnotations = map[string]string{NoteDecision: notKnown, NoteViolation: ShortNote(err.Error())}
		return response, ResultInvalid
	}
	if len(a.Refusals) > 0 {
		a.Note(NoteViolation, ShortNote(a.against()))
	}
	warnings := few(a.Warnings)
	first, more := a.told(policy.Warn)
	for _, text := range append(first, more...) {
		warnings = append(warnings, "ovnguard: would be refused: "+text)
	}
	response, result := ctrladmission.Allowed(""), ResultUnchanged
	first, more = a.told(policy.Enforce)
	switch {
	case len(first)+len(more) > 0:
		first = []string{shorten(strings.Join(first, "; "), maxMessage)}
		message := "ovnguard: " + strings.Join(append(first, more...), "; ")
		response, result = ctrladmission.Denied(message), ResultDenied
	case len(a.Patch) > 0:
		response, result = ctrladmission.Patched("", a.Patch...), ResultPatched
	}
	response.AuditAnnotations = a.Notes
	for _, w := range warnings {
		response.Warnings = append(response.Warnings, shorten(w, maxMessage))
	}
	return response, result
}
