package governance

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	guard "github.com/ovnguard/ovnguard/internal/admission"
)

// reviewTimeout bounds one review. It is shorter than the webhook's own timeout, so that the author is told what could
// not be asked instead of that a call failed.
const reviewTimeout = 2500 * time.Millisecond

// Handler answers the reviews of one webhook by a judge.
type Handler struct {
	Judge Judge
	// Observe is told the result and the duration of each review, as for pods.
	Observe func(result string, d time.Duration)
	// Now gives the time; time.Now outside tests.
	Now func() time.Time
}

// Advisory answers as another handler does and refuses nothing: why it would have is a warning.
type Advisory struct{ Handler admission.Handler }

// Handle answers one review.
func (a Advisory) Handle(ctx context.Context, req admission.Request) admission.Response {
	response := a.Handler.Handle(ctx, req)
	if response.Allowed {
		return response
	}
	advice := admission.Allowed("").WithWarnings(append(response.Warnings, response.Result.Message)...)
	advice.AuditAnnotations = response.AuditAnnotations
	return advice
}

// Handle answers one review. What cannot be judged is refused.
func (h *Handler) Handle(ctx context.Context, req admission.Request) admission.Response {
	start := h.Now()
	ctx, cancel := context.WithTimeout(ctx, reviewTimeout)
	defer cancel()
	response, result := h.answer(ctx, req)
	h.Observe(result, h.Now().Sub(start))
	return response
}

func (h *Handler) answer(ctx context.Context, req admission.Request) (admission.Response, string) {
	a, err := h.Judge(ctx, &req.AdmissionRequest)
	if err == nil && ctx.Err() != nil { // what was judged may not be all
		err = errors.New("there was no time left to judge this, and what is not judged is not let through; try again")
	}
	if err != nil {
		response := admission.Errored(http.StatusBadRequest, fmt.Errorf("ovnguard: %w", err))
		response.AuditAnnotations = guard.Unjudged(err)
		return response, guard.ResultInvalid
	}
	response, result := admission.Allowed(""), guard.ResultUnchanged
	switch {
	case len(a.Denials) > 0:
		response, result = admission.Denied("ovnguard: "+strings.Join(guard.Few(a.Denials), "; ")), guard.ResultDenied
		a.note(guard.NoteViolation, guard.ShortNote(a.violation()))
	case len(a.Patch) > 0:
		response, result = admission.Patched("", a.Patch...), guard.ResultPatched
	}
	response.AuditAnnotations = a.Audit
	return response.WithWarnings(guard.Few(a.Warnings)...), result
}
