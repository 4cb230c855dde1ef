package admission

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

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
	// Observe receives the result and the duration of each review, and the reasons against the request.
	Observe func(result string, d time.Duration, against []Refusal)
	// Now returns the time; time.Now outside tests.
	Now func() time.Time
}

// Handle answers one review.
func (h *Handler) Handle(ctx context.Context, req admission.Request) admission.Response {
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
		response = admission.Allowed("").WithWarnings(append(response.Warnings, response.Result.Message)...)
		response.AuditAnnotations = notes
	}
	h.Observe(result, h.Now().Sub(start), a.Refusals)
	return response
}

var errOutOfTime = errors.New(
	"there was no time left to check the request, so it is refused; try again",
)

// respond returns the response to a review with its result.
func respond(a *Answer, err error) (admission.Response, string) {
	if err != nil {
		code := int32(http.StatusBadRequest)
		if errors.Is(err, errOutOfTime) {
			code = http.StatusGatewayTimeout
		}
		response := admission.Errored(code, fmt.Errorf("ovnguard: %w", err))
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
	response, result := admission.Allowed(""), ResultUnchanged
	first, more = a.told(policy.Enforce)
	switch {
	case len(first)+len(more) > 0:
		first = []string{shorten(strings.Join(first, "; "), maxMessage)}
		message := "ovnguard: " + strings.Join(append(first, more...), "; ")
		response, result = admission.Denied(message), ResultDenied
	case len(a.Patch) > 0:
		response, result = admission.Patched("", a.Patch...), ResultPatched
	}
	response.AuditAnnotations = a.Notes
	for _, w := range warnings {
		response.Warnings = append(response.Warnings, shorten(w, maxMessage))
	}
	return response, result
}
