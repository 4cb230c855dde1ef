package webhook

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	admissionv1 "k8s.io/api/admission/v1"
	ctrladmission "sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// handlerFunc answers with a function.
type handlerFunc func(context.Context, ctrladmission.Request) ctrladmission.Response

func (f handlerFunc) Handle(ctx context.Context, req ctrladmission.Request) ctrladmission.Response {
	return f(ctx, req)
}

func allow(context.Context, ctrladmission.Request) ctrladmission.Response {
	return ctrladmission.Allowed("")
}

const good = `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"u1","operation":"CREATE","object":{"a":1}}}`

func serve(t *testing.T, limit *Limit, answer handlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(
		&Handler{Answer: answer, Limit: limit, Budget: NewBudget(MaxMemory), Timeout: time.Minute, Log: logr.Discard()},
	)
	t.Cleanup(s.Close)
	return s
}

func send(
	t *testing.T,
	s *httptest.Server,
	method, contentType string,
	body io.Reader,
) (int, *admissionv1.AdmissionResponse, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.URL, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	res, err := s.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil {
		t.Fatal(err)
	}
	var review admissionv1.AdmissionReview
	if res.StatusCode == http.StatusOK {
		if err := json.Unmarshal(
			text,
			&review,
		); err != nil || review.Response == nil || review.Kind != "AdmissionReview" ||
			review.APIVersion != "admission.k8s.io/v1" {
			t.Fatalf("%v: not a review: %s", err, text)
		}
	}
	return res.StatusCode, review.Response, string(text)
}

// Only well-formed reviews reach the handler.
func TestThreat34OnlyReviewsAreAnswered(t *testing.T) {
	asked := 0
	s := serve(t, NewLimit(1), func(context.Context, ctrladmission.Request) ctrladmission.Response {
		asked++
		return ctrladmission.Allowed("")
	})
	for name, c := range map[string]struct {
		method, contentType, body string
		code                      int
		says                      string
	}{
		"another method": {http.MethodPut, "application/json", good, http.StatusMethodNotAllowed, "POST"},
		"another type": {
			http.MethodPost, "application/yaml", good, http.StatusUnsupportedMediaType, "application/json",
		},
		"no type":  {http.MethodPost, "", good, http.StatusUnsupportedMediaType, "application/json"},
		"no body":  {http.MethodPost, "application/json", "", http.StatusBadRequest, "AdmissionReview"},
		"not JSON": {http.MethodPost, "application/json", "{]", http.StatusBadRequest, "AdmissionReview"},
		"two reviews": {
			http.MethodPost, "application/json", good + good, http.StatusBadRequest, "AdmissionReview",
		},
		"the older version": {
			http.MethodPost, "application/json", strings.Replace(good, "k8s.io/v1", "k8s.io/v1beta1", 1),
			http.StatusBadRequest, "v1beta1",
		},
		"another kind": {
			http.MethodPost, "application/json", strings.Replace(good, `"AdmissionReview"`, `"Pod"`, 1),
			http.StatusBadRequest, "Pod",
		},
		"no request": {
			http.MethodPost, "application/json", good[:strings.Index(good, `,"request"`)] + "}", http.StatusBadRequest,
			"request",
		},
		"no UID": {
			http.MethodPost, "application/json", strings.Replace(good, `"u1"`, `""`, 1), http.StatusBadRequest,
			"request.uid",
		},
		"a name twice": {
			http.MethodPost, "application/json", strings.Replace(good, `"uid"`, `"uid":"u0","uid"`, 1),
			http.StatusBadRequest, "duplicate",
		},
		"another case": {
			http.MethodPost, "application/json", strings.Replace(good, `"uid"`, `"UID"`, 1), http.StatusBadRequest,
			"request.uid",
		},
		"too large": {
			http.MethodPost, "application/json", good + strings.Repeat(" ", MaxBody), http.StatusRequestEntityTooLarge,
			"larger",
		},
	} {
		if code, _, text := send(
			t,
			s,
			c.method,
			c.contentType,
			strings.NewReader(c.body),
		); code != c.code ||
			!strings.Contains(text, c.says) {
			t.Errorf("%s: %d %q, want %d and %q", name, code, text, c.code, c.says)
		}
	}
	if asked != 0 {
		t.Errorf("asked %d times about what is no review", asked)
	}
	code, response, _ := send(t, s, http.MethodPost, "application/json; charset=utf-8", strings.NewReader(good))
	if code != http.StatusOK || !response.Allowed || response.UID != "u1" || asked != 1 {
		t.Errorf("a review: %d, %+v, asked %d times", code, response, asked)
	}
}

// A panic fails the call of that one request, for its webhook's failurePolicy to decide, and harms no other.
func TestPanicIsNoAnswer(t *testing.T) {
	s := serve(t, NewLimit(1), func(_ context.Context, req ctrladmission.Request) ctrladmission.Response {
		if req.Operation == admissionv1.Create {
			panic("on purpose")
		}
		return ctrladmission.Allowed("")
	})
	for range 3 { // more often than there are turns
		code, _, text := send(t, s, http.MethodPost, "application/json", strings.NewReader(good))
		if code != http.StatusInternalServerError || !strings.Contains(text, "internal error") ||
			strings.Contains(text, "on purpose") {
			t.Fatalf("got %d %q, want a call that fails and does not tell why", code, text)
		}
	}
	_, response, _ := send(
		t,
		s,
		http.MethodPost,
		"application/json",
		strings.NewReader(strings.Replace(good, "CREATE", "UPDATE", 1)),
	)
	if response == nil || !response.Allowed {
		t.Errorf("afterwards: %+v", response)
	}
}

// When too many reviews are being answered, the call of the next one fails in time, for its webhook's failurePolicy to
// decide.
func TestThreat33TooManyAtATime(t *testing.T) {
	limit := NewLimit(1)
	s := serve(t, limit, allow)
	if !limit.take(t.Context(), "somebody's") {
		t.Fatal("no turn")
	}
	code, _, text := send(t, s, http.MethodPost, "application/json", strings.NewReader(good))
	if code != http.StatusServiceUnavailable || !strings.Contains(text, "try again") {
		t.Errorf("got %d %q, want a call that fails and says to try again", code, text)
	}
	limit.give("somebody's")
	if _, response, _ := send(
		t,
		s,
		http.MethodPost,
		"application/json",
		strings.NewReader(good),
	); response == nil ||
		!response.Allowed {
		t.Errorf("afterwards: %+v", response)
	}
}

// Any input is either refused or a review that can be answered.
func FuzzParse(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte(`{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":null}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, body []byte) {
		review, err := Parse(body)
		if (err == nil) != (review != nil) || err == nil && (review.Request == nil || review.Request.UID == "") {
			t.Errorf("%q: %v, %+v", body, err, review)
		}
	})
}
