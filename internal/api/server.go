package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/sync/semaphore"
	"golang.org/x/time/rate"
	"k8s.io/apimachinery/pkg/util/cache"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ovnguard/ovnguard/internal/monitor"
)

// Bounds of what callers get. The webhooks are served by the same process, and must not wait for answers.
const (
	// maxAnswers is how many requests are dealt with at a time, and answerWait how long another one waits.
	maxAnswers = 8
	answerWait = 500 * time.Millisecond
	// perUser is how many requests of one user are answered each second, and burst how many at once.
	perUser = 10
	burst   = 30
	// writeTimeout bounds the time in which the caller must have taken the answer.
	writeTimeout = 30 * time.Second
	// maxWaiting is how many bytes of answers may wait for their callers to take them, and maxOfUser how many of one user:
	// a caller that takes nothing holds an answer in memory until writeTimeout.
	maxWaiting = 256 << 20
	maxOfUser  = 64 << 20
	// maxQuery is the length of the longest query, in bytes. maxItems is how many findings, permissions and unknown ports
	// an answer has.
	maxQuery = 4 << 10
	maxItems = 10_000
	// usualPorts and maxPorts are how many ports one answer lists.
	usualPorts = 100
	maxPorts   = 500
	// tellEvery is how often the log says that the API server cannot be asked.
	tellEvery = 10 * time.Second
)

// Config says what the API is served from.
type Config struct {
	Monitor *monitor.Monitor
	// Judging returns why there is nothing to say yet; nil where there is.
	Judging func() error
	// Health returns what is known of what protection rests on; policies and nodes are entered here.
	Health func(context.Context) Health
	// Stale returns why what is known may be older than it seems; "" where both sides are followed.
	Stale func() string
	// Reviews is how the API server is asked who somebody is, and what they may do.
	Reviews client.Client
	Version string
	Now     func() time.Time
	Log     logr.Logger
}

// Server answers requests. It is safe for use by several goroutines.
type Server struct {
	Config
	identities *identities
	views      *views
	busy       chan struct{}
	// bounds has a *bounds for a user, and waiting has the bytes of answers that are being written.
	bounds  *cache.LRUExpireCache
	waiting *semaphore.Weighted
	mux     *http.ServeMux
	// tell bounds what callers make the log say.
	tell rate.Sometimes
}

// handler returns the body of the answer to a request.
type handler func(ctx context.Context, r *http.Request, s scope) ([]byte, error)

// New returns a server.
func New(c Config) *Server {
	s := &Server{
		Config: c, identities: newIdentities(c.Reviews, c.Now),
		views:   &views{monitor: c.Monitor, now: c.Now},
		busy:    make(chan struct{}, maxAnswers),
		bounds:  cache.NewLRUExpireCacheWithClock(most, clock(c.Now)),
		waiting: semaphore.NewWeighted(maxWaiting),
		mux:     http.NewServeMux(),
		tell:    rate.Sometimes{Interval: tellEvery},
	}
	for _, e := range []struct {
		path   string
		takes  []string
		answer handler
	}{
		{"status", []string{paramNamespace, paramAll}, s.status},
		{
			"findings",
			[]string{paramNamespace, paramProvider, paramClass, paramSeverity, paramRule},
			s.findings,
		},
		{"ports", []string{paramNamespace, paramLimit, paramContinue}, s.ports},
		{"ports/{port}", []string{paramNamespace}, s.port},
		{"pods/{namespace}/{pod}", nil, s.pod},
	} {
		s.mux.HandleFunc(
			Prefix+e.path,
			func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, e.takes, e.answer) },
		)
	}
	s.mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, fault(http.StatusNotFound, "there is no such path: docs/api.md lists those under "+Prefix))
	})
	return s
}

// Parameters of requests.
const (
	paramNamespace = "namespace"
	paramAll       = "all"
	paramProvider  = "provider"
	paramClass     = "class"
	paramSeverity  = "severity"
	paramRule      = "rule"
	paramLimit     = "limit"
	paramContinue  = "continue"
)

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	defer func() {
		if p := recover(); p != nil {
			s.Log.Error(fmt.Errorf("panic: %v", p), "a request was not answered", "stack", string(debug.Stack()))
			refuse(w, fault(http.StatusInternalServerError, "internal error; the controller's log says more"))
		}
	}()
	if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil &&
		!errors.Is(err, http.ErrNotSupported) {
		refuse(w, fault(http.StatusInternalServerError, "the connection cannot be bounded in time"))
		return
	}
	switch {
	case r.Method != http.MethodGet:
		h.Set("Allow", http.MethodGet)
		refuse(w, fault(http.StatusMethodNotAllowed, "the API is read-only: want GET"))
	case r.ContentLength != 0:
		refuse(w, fault(http.StatusRequestEntityTooLarge, "a request has no body"))
	case len(r.URL.RawQuery) > maxQuery || len(r.URL.Path) > maxQuery:
		refuse(w, fault(http.StatusRequestURITooLong, "path and query may have %d bytes each", maxQuery))
	default:
		s.mux.ServeHTTP(w, r)
	}
}

// serve answers a request of somebody who may know it.
func (s *Server) serve(w http.ResponseWriter, r *http.Request, takes []string, answer handler) {
	ctx, cancel := context.WithTimeout(r.Context(), writeTimeout)
	defer cancel()
	body, taken, err := s.answer(ctx, r, takes, answer)
	defer taken()
	if err != nil {
		wrong, known := errors.AsType[*httpError](err)
		if !known {
			s.Log.Error(err, "a request was not answered", "path", r.URL.Path)
			wrong = fault(http.StatusInternalServerError, "internal error; the controller's log says more")
		} else if wrong.code == http.StatusServiceUnavailable && wrong != err { //nolint:errorlint // is there a cause
			s.tell.Do(func() { s.Log.Info("the API server could not be asked about callers", "reason", err.Error()) })
		}
		refuse(w, wrong)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body) //nolint:gosec // it is JSON and is said to be nothing else; whoever asked has gone then
}

// answer returns the body of the answer, and what is called when the caller has taken it.
func (s *Server) answer(
	ctx context.Context, r *http.Request, takes []string, answer handler,
) (body []byte, taken func(), err error) {
	taken = func() {}
	token, wrong := bearer(r)
	if wrong != nil {
		return nil, taken, wrong
	}
	if err := s.enter(ctx); err != nil {
		return nil, taken, err
	}
	defer func() { <-s.busy }()
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	u, err := s.identities.who(ctx, token, host)
	if err != nil {
		return nil, taken, err
	}
	limits := s.limits(u)
	if !limits.rate.AllowN(s.Now(), 1) {
		return nil, taken, &httpError{
			http.StatusTooManyRequests,
			fmt.Sprintf("user %q may ask %d times each second; try again", u.Username, perUser), time.Second,
		}
	}
	namespace, err := asked(r, takes)
	if err != nil {
		return nil, taken, err
	}
	may, err := s.identities.allowed(ctx, u, namespace)
	if err != nil {
		return nil, taken, err
	}
	if err := s.Judging(); err != nil {
		return nil, taken, &httpError{http.StatusServiceUnavailable, err.Error(), time.Second}
	}
	if body, err = answer(ctx, r, may); err != nil {
		return nil, taken, err
	}
	taken, err = s.keep(limits, int64(len(body)))
	return body, taken, err
}

// keep takes room for an answer that is being written. The function gives it back.
func (s *Server) keep(limits *bounds, size int64) (func(), error) {
	size = min(size, maxOfUser) // one alone is always written
	none := &httpError{
		http.StatusServiceUnavailable, "too many answers are waiting for callers to take them; try again",
		time.Second,
	}
	if !limits.waiting.TryAcquire(size) {
		return func() {}, none
	}
	if !s.waiting.TryAcquire(size) {
		limits.waiting.Release(size)
		return func() {}, none
	}
	return func() {
		limits.waiting.Release(size)
		s.waiting.Release(size)
	}, nil
}

// enter waits for a place among those that are dealt with; the caller gives it back.
func (s *Server) enter(ctx context.Context) error {
	timer := time.NewTimer(answerWait)
	defer timer.Stop()
	select {
	case s.busy <- struct{}{}:
		return nil
	case <-ctx.Done():
	case <-timer.C:
	}
	return &httpError{http.StatusServiceUnavailable, "too many requests at a time; try again", time.Second}
}

// bounds are those of one user.
type bounds struct {
	rate    *rate.Limiter
	waiting *semaphore.Weighted
}

// limits returns the bounds of a user.
func (s *Server) limits(u *user) *bounds {
	if b, ok := s.bounds.Get(u.key); ok {
		return b.(*bounds) //nolint:forcetypeassert // nothing else is put there
	}
	b := &bounds{rate.NewLimiter(perUser, burst), semaphore.NewWeighted(maxOfUser)}
	s.bounds.Add(u.key, b, remembered)
	return b
}

// asked returns the namespace that is asked about, of the path or of the query, which may have no other parameters than
// those.
func asked(r *http.Request, takes []string) (string, error) {
	query, err := parse(r)
	if err != nil {
		return "", err
	}
	for name, values := range query {
		switch {
		case !slices.Contains(takes, name):
			return "", fault(http.StatusBadRequest, "?%s: there is no such parameter here; want %s", name, words(takes))
		case len(values) > 1 && name != paramRule:
			return "", fault(http.StatusBadRequest, "?%s: give it once", name)
		}
	}
	namespace := r.PathValue(paramNamespace)
	if namespace == "" {
		if namespace = query.Get(paramNamespace); namespace == "" && query.Has(paramNamespace) {
			return "", fault(http.StatusBadRequest, "?namespace: want a name, or leave it out to ask about all")
		}
	}
	if namespace != "" {
		if wrong := validation.IsDNS1123Label(namespace); len(wrong) > 0 {
			return "", fault(http.StatusBadRequest, "namespace %q: %s", namespace, wrong[0])
		}
	}
	return namespace, nil
}

// words returns the names of parameters in a sentence.
func words(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// errorBody is the JSON of everything that is not 200.
type errorBody struct {
	Error string `json:"error"`
}

// refuse answers with an error.
func refuse(w http.ResponseWriter, e *httpError) {
	switch {
	case e.code == http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Bearer realm="ovnguard"`)
	case e.retry > 0:
		w.Header().Set("Retry-After", strconv.Itoa(int(e.retry.Seconds())))
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(e.code)
	_ = json.NewEncoder(w).Encode(errorBody{e.text}) // whoever asked has gone then
}

// indented returns a value as the commands print it with -o json.
func indented(value any) ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(value); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
