package feed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"

	"github.com/ovnguard/ovnguard/internal/retry"
)

// Times of asking whether the API server is there, and of dialling it again for a cache.
const (
	askEvery   = 3 * time.Second
	askTimeout = 3 * time.Second
	dialEvery  = 500 * time.Millisecond
)

// Watches knows how fresh what is known of the API server is: it sees each watch begin and end beneath the client,
// where also the library's own attempts to begin again are seen, and asks the server every few seconds, since a
// connection that went dead without a word keeps its watches open.
type Watches struct {
	log logr.Logger
	now func() time.Time

	mu sync.Mutex
	// wanted are the paths that must be watched.
	wanted map[string]wanted
	// streams are the watches by path.
	streams map[string]*stream
	// answered is when a question that the server answered was asked; asking says why the last one was not answered.
	answered time.Time
	asking   error
}

// wanted is a path that must be watched: the resource in words, and since when.
type wanted struct {
	what  string
	since time.Time
}

// stream is the watch of one path.
type stream struct {
	// open is how many watches there are now; since is when there were none the last time, or when the first was tried.
	open  int
	since time.Time
	// err is why the last attempt failed; nil where it did not.
	err error
	// status is what the server answered to the last attempt; 0 where it did not answer.
	status int
}

// NewWatches returns one that has seen no watch yet; now tells the time.
func NewWatches(log logr.Logger, now func() time.Time) *Watches {
	return &Watches{
		log:      log,
		now:      now,
		wanted:   make(map[string]wanted),
		streams:  make(map[string]*stream),
		answered: now(),
	}
}

// pathOf returns the path of all objects of a resource.
func pathOf(r schema.GroupVersionResource) string {
	if r.Group == "" {
		return "/api/" + r.Version + "/" + r.Resource
	}
	return "/apis/" + r.Group + "/" + r.Version + "/" + r.Resource
}

// want says that a resource must be watched from now on.
func (w *Watches) want(r schema.GroupVersionResource) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if path := pathOf(r); w.wanted[path].what == "" {
		w.wanted[path] = wanted{r.GroupResource().String(), w.now()}
	}
}

// isWanted returns the resource that a request's path is of, in words; empty where that need not be watched. Something
// may stand before the path, in the URL of the server.
func (w *Watches) isWanted(path string) string {
	for of, wanted := range w.wanted {
		if strings.HasSuffix(path, of) {
			return wanted.what
		}
	}
	return ""
}

// reads reports whether requests to read a path are those of who follows it.
func (w *Watches) reads(path string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.isWanted(path) != ""
}

// of returns the stream of a path that is wanted; nil where nobody has tried to read it yet.
func (w *Watches) of(path string) *stream {
	for at, s := range w.streams {
		if strings.HasSuffix(at, path) {
			return s
		}
	}
	return nil
}

// wrap returns a transport that tells of the watches that are made through it.
func (w *Watches) wrap(next http.RoundTripper) http.RoundTripper { return &listener{w, next} }

// listener is the transport that wrap gives.
type listener struct {
	watches *Watches
	next    http.RoundTripper
}

// RoundTrip implements http.RoundTripper. What asks to follow something while nobody listens at the API server's
// address waits here until somebody does: the library, told of the error, waits up to a minute before it asks again,
// and what is known is stale for as long although the server is back.
func (l *listener) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodGet {
		return l.next.RoundTrip(r)
	}
	text := r.URL.Query().Get("watch")
	watch := text == "true" || text == "1"
	for {
		res, err := l.next.RoundTrip(r)
		res, err = l.watches.seen(r.URL.Path, watch, res, err)
		if !isDial(err) || !l.watches.reads(r.URL.Path) {
			return res, err
		}
		select {
		case <-r.Context().Done():
			return nil, r.Context().Err()
		case <-time.After(wait.Jitter(dialEvery, 0.5)): // not all caches at once
		}
	}
}

// isDial reports whether an error means that there was no connection to a server.
func isDial(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// seen notes the answer to a request to read a path. Where it begins a watch, the answer's body tells when that ends.
func (w *Watches) seen(path string, watch bool, res *http.Response, err error) (*http.Response, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s, what := w.streams[path], w.isWanted(path)
	if s == nil && (watch || what != "") {
		s = &stream{since: w.now()}
		w.streams[path] = s
	}
	switch {
	case s == nil || errors.Is(err, context.Canceled):
	case err != nil:
		w.failed(s, what, 0, err)
	case res.StatusCode == http.StatusGone: // the version from which to watch is too old; all is read again
	case res.StatusCode != http.StatusOK:
		w.failed(s, what, res.StatusCode, fmt.Errorf("the API server answers %s", res.Status))
	case watch:
		s.open, s.err, s.status = s.open+1, nil, res.StatusCode
		res.Body = &watched{ReadCloser: res.Body, end: sync.OnceFunc(func() { w.ended(s) })}
	}
	return res, err
}

// failed notes why a path cannot be read, and logs it when it is new.
func (w *Watches) failed(s *stream, what string, status int, err error) {
	if what != "" && (s.err == nil || s.status != status) { // a server that is away is away in several words
		w.log.Info("a resource cannot be followed; it is tried again", "resource", what, "reason", err.Error())
	}
	s.err, s.status = err, status
}

func (w *Watches) ended(s *stream) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s.open--; s.open == 0 {
		s.since = w.now()
	}
}

// watched is the body of a watch.
type watched struct {
	io.ReadCloser
	end func()
}

// Read implements io.Reader.
func (b *watched) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.end()
	}
	return n, err
}

// Close implements io.Closer.
func (b *watched) Close() error {
	b.end()
	return b.ReadCloser.Close()
}

// ask asks the API server again and again whether it is there, until ctx ends.
func (w *Watches) ask(ctx context.Context, client rest.Interface) {
	ticker := time.NewTicker(askEvery)
	defer ticker.Stop()
	for {
		begin := w.now()
		asking, cancel := context.WithTimeout(ctx, askTimeout)
		err := client.Get().AbsPath("/version").Do(asking).Error()
		cancel()
		w.mu.Lock()
		if w.asking = err; err == nil {
			w.answered = begin
		}
		w.mu.Unlock()
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// stale returns for how long some cache has been behind, and why; nothing where all are current. A resource that the
// server does not serve any more is current: it has no objects.
func (w *Watches) stale() (time.Duration, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.now()
	var longest time.Duration
	var why error
	note := func(since time.Time, err error) {
		if d := now.Sub(since); why == nil || d > longest {
			longest, why = d, err
		}
	}
	for path, wanted := range w.wanted {
		s := w.of(path)
		if s == nil {
			s = &stream{since: wanted.since}
		}
		if s.open > 0 || s.status == http.StatusNotFound {
			continue
		}
		err := fmt.Errorf("%s: not followed since %s", wanted.what, s.since.UTC().Format(time.RFC3339))
		if s.err != nil {
			err = fmt.Errorf("%w: %w", err, s.err)
		}
		note(s.since, err)
	}
	if w.asking != nil {
		note(
			w.answered,
			fmt.Errorf("the API server does not answer since %s: %w", w.answered.UTC().Format(time.RFC3339), w.asking),
		)
	}
	return longest, why
}

// current returns nil while the caches are current, or were until a moment ago that is no longer than the grace.
func (w *Watches) current(grace time.Duration) error {
	if d, why := w.stale(); why != nil && d > grace {
		return why
	}
	return nil
}

// Failing returns why resources cannot be read, each with its reason; nil where nothing is known to be wrong.
func (w *Watches) Failing() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	var errs []error
	for _, path := range slices.Sorted(maps.Keys(w.wanted)) {
		if s := w.of(path); s != nil && s.open == 0 && s.err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", w.wanted[path].what, s.err))
		}
	}
	return errors.Join(errs...)
}

var (
	kubernetesSyncedMetric = prometheus.NewDesc("ovnguard_kubernetes_synced",
		"1 while everything that is read of the API server is followed, else 0.", nil, nil)
	kubernetesStaleMetric = prometheus.NewDesc("ovnguard_kubernetes_stale_seconds",
		"For how long something that is read of the API server has not been followed; 0 while all is.", nil, nil)
)

// Describe implements prometheus.Collector.
func (w *Watches) Describe(out chan<- *prometheus.Desc) {
	out <- kubernetesSyncedMetric
	out <- kubernetesStaleMetric
}

// Collect implements prometheus.Collector.
func (w *Watches) Collect(out chan<- prometheus.Metric) {
	d, why := w.stale()
	synced := 1.0
	if why != nil {
		synced = 0
	}
	out <- prometheus.MustNewConstMetric(kubernetesSyncedMetric, prometheus.GaugeValue, synced)
	out <- prometheus.MustNewConstMetric(kubernetesStaleMetric, prometheus.GaugeValue, d.Seconds())
}

// Config returns a copy of a configuration for clients with observed watches. They keep a connection for each watch:
// where all share one (HTTP/2), each change takes both sides a hop through what shares it and an answer about the room
// left for more. A connection that went dead without a word is given up after half a minute.
func (w *Watches) Config(config *rest.Config) *rest.Config {
	config = rest.CopyConfig(config)
	config.Wrap(w.wrap)
	config.DisableCompression = true // both sides have the network sooner than the time
	config.NextProtos = []string{"http/1.1"}
	config.Dial = (&net.Dialer{
		Timeout:         30 * time.Second,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3},
	}).DialContext
	return config
}

// AwaitServer waits until the API server says what it serves. The error is that ctx ends first.
func AwaitServer(ctx context.Context, config *rest.Config, log logr.Logger) error {
	client, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return fmt.Errorf("connect to the API server: %w", err)
	}
	return retry.Until(ctx, log, "the API server", func() error {
		asking, cancel := context.WithTimeout(ctx, askTimeout)
		defer cancel()
		return client.RESTClient().Get().AbsPath("/apis").Do(asking).Error()
	})
}
