package feed

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

var podResource = schema.GroupVersionResource{Version: "v1", Resource: "pods"}

// apiServer serves watches that end when the test says so, and answers with a status of the test's choice.
type apiServer struct {
	*httptest.Server
	status atomic.Int64
	end    chan struct{}
}

func newAPIServer(t *testing.T) *apiServer {
	t.Helper()
	s := &apiServer{end: make(chan struct{})}
	s.status.Store(http.StatusOK)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(int(s.status.Load()))
		if s.status.Load() != http.StatusOK || r.URL.Query().Get("watch") == "" {
			return
		}
		if f, ok := w.(http.Flusher); ok {
			f.Flush()
		}
		select {
		case <-s.end:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// watch begins a watch and returns a channel that is closed when it ends.
func watch(t *testing.T, w *Watches, url string) (ended chan struct{}) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := &http.Client{Transport: w.wrap(http.DefaultTransport)}
	res, err := c.Do(req) //nolint:bodyclose // it is closed below, when it has been read
	ended = make(chan struct{})
	if err != nil {
		close(ended)
		return ended
	}
	go func() {
		defer close(ended)
		for buffer := make([]byte, 64); ; {
			if _, err := res.Body.Read(buffer); err != nil {
				break
			}
		}
		if err := res.Body.Close(); err != nil {
			t.Error(err)
		}
	}()
	return ended
}

// A cache is behind from the end of its watch until the next one begins, and the error says what prevents it.
func TestWatchesAreFollowed(t *testing.T) {
	server := newAPIServer(t)
	var now atomic.Int64
	now.Store(1000)
	var logged []string
	w := NewWatches(
		funcr.New(func(_, args string) { logged = append(logged, args) }, funcr.Options{}),
		func() time.Time { return time.Unix(now.Load(), 0) },
	)
	w.want(podResource)
	// Behind a proxy the path has a prefix.
	path := server.URL + "/k8s/cluster/api/v1/pods?watch=true"
	expect := func(grace time.Duration, says ...string) {
		t.Helper()
		err := w.current(grace)
		if len(says) == 0 && err != nil {
			t.Errorf("after %s: %v", grace, err)
		}
		for _, part := range says {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("after %s: %v, want %q", grace, err, part)
			}
		}
	}
	now.Add(10)
	expect(staleAfter)
	expect(time.Second, "pods: not followed since 1970-01-01T00:16:40Z")

	ended := watch(t, w, path)
	expect(0)
	second := watch(t, w, path) // one more does not end the first
	now.Add(100)
	expect(0)
	close(server.end)
	<-ended
	<-second
	now.Add(10)
	expect(staleAfter)
	now.Add(10)
	expect(staleAfter, "pods: not followed since 1970-01-01T00:18:30Z")

	server.status.Store(http.StatusForbidden)
	for range 3 {
		<-watch(t, w, path)
	}
	expect(staleAfter, "the API server answers 403 Forbidden")
	if err := w.Failing(); err == nil || !strings.Contains(err.Error(), "pods: the API server answers 403") {
		t.Errorf("failing: %v", err)
	}
	if len(logged) != 1 || !strings.Contains(logged[0], "403 Forbidden") {
		t.Errorf("logged %q, want the reason once", logged)
	}
	metrics := `
# HELP ovnguard_kubernetes_stale_seconds For how long something that is read of the API server has not been followed; 0 while all is.
# TYPE ovnguard_kubernetes_stale_seconds gauge
ovnguard_kubernetes_stale_seconds 20
# HELP ovnguard_kubernetes_synced 1 while everything that is read of the API server is followed, else 0.
# TYPE ovnguard_kubernetes_synced gauge
ovnguard_kubernetes_synced 0
`
	if err := testutil.CollectAndCompare(w, strings.NewReader(metrics)); err != nil {
		t.Error(err)
	}

	server.status.Store(http.StatusNotFound) // the kind is no longer served: it has no objects
	<-watch(t, w, path)
	expect(0)
	server.status.Store(http.StatusOK)
	server.end = make(chan struct{})
	watch(t, w, path)
	expect(0)
	close(server.end)
}

// A kind that nobody waits for may be watched or not, and a watch counts also if it began before somebody waited.
func TestOtherWatches(t *testing.T) {
	server := newAPIServer(t)
	now := time.Unix(1000, 0)
	w := NewWatches(logr.Discard(), func() time.Time { return now })
	watch(t, w, server.URL+"/api/v1/pods?watch=1")
	<-watch(t, w, server.URL+"/api/v1/secrets")
	w.want(podResource)
	now = now.Add(time.Hour)
	if err := w.current(0); err != nil {
		t.Error(err)
	}
	close(server.end)
}

// A cache's request while nobody listens is answered when somebody does, and not before; other requests fail at once.
func TestServerThatIsAway(t *testing.T) {
	address, listen := nobodyListens(t)
	w := NewWatches(logr.Discard(), time.Now)
	w.want(podResource)
	client := http.Client{Transport: w.wrap(&http.Transport{})}
	defer client.CloseIdleConnections()
	get := func(ctx context.Context, path string) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+path, nil)
		if err != nil {
			return err
		}
		res, err := client.Do(req)
		if err != nil {
			return err
		}
		return res.Body.Close()
	}
	if err := get(t.Context(), "/version"); !isDial(err) {
		t.Errorf("a request that is no cache's: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := get(ctx, "/api/v1/pods"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a cache that gives up: %v", err)
	}

	answered := make(chan error, 1)
	go func() { answered <- get(t.Context(), "/api/v1/pods") }()
	for w.Failing() == nil {
		time.Sleep(time.Millisecond)
	}
	l := listen()
	server := http.Server{ReadHeaderTimeout: time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	if err := <-answered; err != nil {
		t.Errorf("a cache's request: %v", err)
	}
	if err := server.Close(); err != nil {
		t.Error(err)
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		t.Error(err)
	}
}

// A server that stops answering leaves its watches open.
func TestServerThatIsMute(t *testing.T) {
	address, _ := nobodyListens(t)
	clients, err := kubernetes.NewForConfig(&rest.Config{Host: "http://" + address})
	if err != nil {
		t.Fatal(err)
	}
	var now atomic.Int64
	w := NewWatches(logr.Discard(), func() time.Time { return time.Unix(now.Load(), 0) })
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.ask(ctx, clients.Discovery().RESTClient())
	}()
	for w.current(-1) == nil {
		time.Sleep(time.Millisecond)
	}
	now.Store(20)
	if err := w.current(
		staleAfter,
	); err == nil ||
		!strings.Contains(err.Error(), "does not answer since 1970-01-01T00:00:00Z") {
		t.Errorf("%v", err)
	}
	cancel()
	<-done
}

func TestPaths(t *testing.T) {
	for want, r := range map[string]schema.GroupVersionResource{
		"/api/v1/pods":            podResource,
		"/apis/kubeovn.io/v1/ips": {Group: "kubeovn.io", Version: "v1", Resource: "ips"},
	} {
		if got := pathOf(r); got != want {
			t.Errorf("path %s, want %s", got, want)
		}
	}
}

func TestNoServer(t *testing.T) {
	address, _ := nobodyListens(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var logged []string
	log := funcr.New(func(_, args string) {
		logged = append(logged, args)
		cancel() // the message is all that the test waits for
	}, funcr.Options{})
	if err := AwaitServer(ctx, &rest.Config{Host: "http://" + address}, log); err == nil {
		t.Error("there is a server where nobody listens")
	}
	if len(logged) != 1 || !strings.Contains(logged[0], "refused") {
		t.Errorf("logged %q", logged)
	}
}
