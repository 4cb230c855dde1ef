// Package webhook implements the API server's admission protocol over HTTP: it passes well-formed reviews on to a
// handler. A fault in this package is an HTTP error and never an answer, so that the API server sees a failed call, and
// the failurePolicy of each webhook decides.
package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-logr/logr"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrladmission "sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// MaxBody is the largest review that is read, in bytes. The API server accepts objects of up to 3 MiB, and an update
// has two.
const MaxBody = 8 << 20

// Handler answers the reviews of one webhook over HTTP.
type Handler struct {
	// Answer decides about a review.
	Answer ctrladmission.Handler
	// Limit bounds the reviews that are answered at a time, Budget the memory that large ones take.
	Limit  *Limit
	Budget *Budget
	// Timeout bounds the time for a request to arrive, and for its answer to leave.
	Timeout time.Duration
	// Callers says who may call; nil for everybody.
	Callers *Callers
	// Log receives panics.
	Log logr.Logger
}

// bodies are used buffers. Decoding copies everything out of them.
var bodies = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// keptBody is the largest buffer that is kept.
const keptBody = 256 << 10

// ServeHTTP implements http.Handler. A request that is no review gets an HTTP error, which the API server treats as a
// failed call.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	now := time.Now()
	control := http.NewResponseController(w)
	if err := errors.Join(
		control.SetReadDeadline(now.Add(h.Timeout)),
		control.SetWriteDeadline(now.Add(2*h.Timeout)),
	); err != nil {
		http.Error(w, "the connection cannot be bounded in time: "+err.Error(), http.StatusInternalServerError)
		return
	}
	known := false
	if h.Callers != nil {
		err := h.Callers.check(r)
		if known = err == nil; !known && h.Callers.Enforced() {
			http.Error(w, "ovnguard: "+err.Error(), http.StatusForbidden)
			return
		}
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "want POST", http.StatusMethodNotAllowed)
		return
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		http.Error(w, "Content-Type: want application/json", http.StatusUnsupportedMediaType)
		return
	}
	memory := &hold{budget: h.Budget, source: hostOf(r.RemoteAddr)}
	defer memory.give() // it is held until the answer is on its way
	review, code, err := read(w, r, memory)
	if err != nil {
		http.Error(w, "ovnguard: "+err.Error(), code)
		return
	}
	defer busy(r.Context())()
	share, isStranger, ctx := shareOf(review.Request), false, r.Context()
	switch {
	case known:
		h.Callers.note(review.Request.Name)
	case h.Callers != nil:
		h.Callers.miss(r.RemoteAddr)
		if isStranger = h.Callers.proven.Load(); isStranger {
			share = "callers without a certificate" // whatever namespace they claim
			ctx = context.WithValue(ctx, strangerKey{}, true)
		}
	}
	response, code, err := h.answer(ctx, review.Request, share)
	if err != nil {
		http.Error(w, "ovnguard: "+err.Error(), code)
		return
	}
	if isStranger {
		response.AuditAnnotations = nil // they name what belongs to others, and are for the API server's log
	}
	h.write(w, response)
}

// strangerKey is the key of a context for the review of a stranger.
type strangerKey struct{}

// Stranger reports whether the review that ctx belongs to came from a caller without a certificate, although the API
// server was seen to have one. Such a caller may have made the review up.
func Stranger(ctx context.Context) bool { return ctx.Value(strangerKey{}) != nil }

// read reads a review; the code is that of the HTTP error.
func read(w http.ResponseWriter, r *http.Request, memory *hold) (*admissionv1.AdmissionReview, int, error) {
	buffer, ok := bodies.Get().(*bytes.Buffer)
	if !ok {
		buffer = new(bytes.Buffer)
	}
	defer func() {
		if buffer.Cap() <= keptBody {
			buffer.Reset()
			bodies.Put(buffer)
		}
	}()
	if r.ContentLength > MaxBody {
		return nil, http.StatusRequestEntityTooLarge, fmt.Errorf("the review is larger than %d bytes", MaxBody)
	}
	if err := memory.read(r.Context(), buffer, http.MaxBytesReader(w, r.Body, MaxBody)); err != nil {
		if errors.Is(err, errBusy) {
			return nil, http.StatusServiceUnavailable, err
		}
		if _, large := errors.AsType[*http.MaxBytesError](err); large {
			return nil, http.StatusRequestEntityTooLarge, fmt.Errorf("the review is larger than %d bytes", MaxBody)
		}
		return nil, http.StatusBadRequest, fmt.Errorf("read the review: %w", err)
	}
	review, err := Parse(buffer.Bytes())
	if err != nil {
		return nil, http.StatusBadRequest, err
	}
	return review, 0, nil
}

// Parse reads a review and checks that it can be answered. It accepts the form that the API server writes, names in
// their exact case and each once, in one pass: encoding/json looks at every byte of an object three times until it is
// decoded.
func Parse(body []byte) (*admissionv1.AdmissionReview, error) {
	var review admissionv1.AdmissionReview
	if err := jsonv2.Unmarshal(body, &review); err != nil {
		return nil, fmt.Errorf("not an AdmissionReview: %w", err)
	}
	if review.APIVersion != admissionv1.SchemeGroupVersion.String() || review.Kind != "AdmissionReview" {
		return nil, fmt.Errorf(
			"apiVersion %q, kind %q: want %s, AdmissionReview",
			review.APIVersion,
			review.Kind,
			admissionv1.SchemeGroupVersion,
		)
	}
	switch {
	case review.Request == nil:
		return nil, errors.New("request: missing")
	case review.Request.UID == "":
		return nil, errors.New("request.uid: missing, so no answer could be matched with it")
	}
	return &review, nil
}

// answer calls the handler. Too many reviews at a time and panics are errors; the code is that of the HTTP error.
func (h *Handler) answer(
	ctx context.Context,
	request *admissionv1.AdmissionRequest,
	share string,
) (response ctrladmission.Response, code int, err error) {
	defer func() {
		if p := recover(); p != nil {
			h.Log.Error(
				fmt.Errorf("panic: %v", p),
				"a review was not answered",
				"uid",
				request.UID,
				"resource",
				request.Resource.String(),
				"stack",
				string(debug.Stack()),
			)
			code, err = http.StatusInternalServerError, errors.New("internal error, see its log; nothing was changed")
		}
	}()
	if !h.Limit.take(ctx, share) {
		return response, http.StatusServiceUnavailable, errors.New("too many requests at a time; try again")
	}
	defer h.Limit.give(share)
	req := ctrladmission.Request{AdmissionRequest: *request}
	response = h.Answer.Handle(ctx, req)
	if err := response.Complete(req); err != nil {
		h.Log.Error(err, "an answer could not be put together")
		return response, http.StatusInternalServerError, fmt.Errorf("internal error: %w", err)
	}
	return response, http.StatusOK, nil
}

// write sends the answer.
func (h *Handler) write(w http.ResponseWriter, response ctrladmission.Response) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: admissionv1.SchemeGroupVersion.String(), Kind: "AdmissionReview"},
		Response: &response.AdmissionResponse,
	})
	if err != nil {
		h.Log.Error(err, "an answer could not be written")
		http.Error(w, "the answer could not be written: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if _, err := w.Write(out.Bytes()); err != nil && !strings.Contains(err.Error(), "closed") {
		h.Log.V(1).Info("an answer did not arrive", "error", err.Error())
	}
}
