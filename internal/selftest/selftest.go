// Package selftest asks the API server, as anybody who makes pods does, whether pods are guarded. What goes in is what
// this program itself would answer; what comes out is whether the API server comes to the same: as readiness, metrics,
// Events, and a wish that the registration is looked at.
package selftest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/ovnguard/ovnguard/internal/admission"
	"github.com/ovnguard/ovnguard/internal/events"
	"github.com/ovnguard/ovnguard/internal/webhook"
)

const (
	// timeout bounds one self-test: two creations, each with all webhooks that are asked.
	timeout = 10 * time.Second
	// againSoon is how soon a self-test is made again that showed that something is wrong, untriedAgain one that
	// could not be made.
	againSoon    = 500 * time.Millisecond
	untriedAgain = 5 * time.Second
	// servingAgain is how soon it is looked again whether the webhook serves, before which there is nothing to test.
	servingAgain = 50 * time.Millisecond
)

// Test asks the API server, as anybody who makes pods does, whether pods are guarded. That webhooks are registered
// and answer does not say so: the API server may not reach them, or another webhook may undo what they do.
type Test struct {
	probe func(context.Context) outcome
	every time.Duration
	// serving says why the webhook does not serve yet.
	serving func() error
	// unguarded is called when pods turn out not to be guarded, so that the registration is looked at again.
	unguarded func()
	// announce is told when pods turn out not to be guarded, for one more reason, and when they are again.
	announce func(outcome)
	log      logr.Logger
	// due holds at most one wish to be made at once.
	due chan struct{}
	// proved is the reason that was announced last; empty where nothing was since pods were guarded.
	proved reason
	// logged is what the log says: the detail of a failure may differ each time.
	logged outcome
	// begun means that a round was made: the API server needs a moment to follow what was registered, so that the first
	// one says little.
	begun bool

	mu     sync.Mutex
	last   outcome
	ended  time.Time
	passed time.Time
	failed *prometheus.CounterVec
}

// Config is what the self-test needs.
type Config struct {
	// REST reaches the API server. It is not the manager's: what is asked here says nothing of its caches.
	REST *rest.Config
	// Namespace is where the pods are made, which are never kept; Every is how often.
	Namespace string
	Every     time.Duration
	// User is the account as which this program runs; empty where that is not known.
	User string
	// World is what reviews look at.
	World admission.World
	// Callers is told the names of the pods, which nobody but the API server knows; nil where nobody asks who calls.
	Callers *webhook.Callers
	// Serving returns why the webhooks do not answer as they must yet: what has not been read makes them refuse more.
	Serving func() error
	// Unguarded is called when pods turn out not to be guarded.
	Unguarded func()
	// Announce is given what operators should see.
	Announce func(events.Notice)
	// Own is the program's own namespace, in which that is told.
	Own string
	Log logr.Logger
}

// New returns a self-test, which begins when the manager starts it.
func New(c Config) (*Test, error) {
	config := rest.CopyConfig(c.REST)
	config.Timeout = timeout
	warned := &warnings{}
	config.WarningHandler = warned
	clients, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("connect to the API server: %w", err)
	}
	probe := newProber(clients.CoreV1().Pods(c.Namespace), warned, c).run
	announce := func(got outcome) { c.Announce(noticeOf(c.Own, got)) }
	return newTest(probe, c.Every, c.Serving, c.Unguarded, announce, c.Log), nil
}

// newTest returns a self-test that is made at intervals, and soon again where it did not pass.
func newTest(
	probe func(context.Context) outcome,
	every time.Duration,
	serving func() error,
	unguarded func(),
	announce func(outcome),
	log logr.Logger,
) *Test {
	s := &Test{
		probe:     probe,
		every:     every,
		serving:   serving,
		unguarded: unguarded,
		announce:  announce,
		log:       log,
		due:       make(chan struct{}, 1),
		failed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ovnguard_selftest_failures_total",
			Help: "Self-tests that did not show that pods are guarded, by reason.",
		}, []string{"reason"}),
	}
	for _, r := range reasons() {
		s.failed.WithLabelValues(string(r))
	}
	return s
}

// Soon has the test made at once.
func (s *Test) Soon() {
	select {
	case s.due <- struct{}{}:
	default: // it is due already
	}
}

// Start implements manager.Runnable.
func (s *Test) Start(ctx context.Context) error {
	for ctx.Err() == nil {
		wait := servingAgain
		if s.serving() == nil {
			wait = min(s.every, s.once(ctx).again(s.every))
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-s.due:
		}
		timer.Stop()
	}
	return nil
}

// again says how soon a self-test that ended so is made again.
func (r reason) again(every time.Duration) time.Duration {
	switch {
	case r.proven():
		return againSoon
	case r == untried:
		return untriedAgain
	}
	return every
}

// once makes the test and tells how it ended.
func (s *Test) once(ctx context.Context) reason {
	asking, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	got := s.probe(asking)
	if ctx.Err() != nil {
		return untried // the service is ending, which says nothing
	}
	s.mu.Lock()
	s.last, s.ended = got, time.Now()
	if got.reason == passes {
		s.passed = s.ended
	}
	s.mu.Unlock()
	if got.reason != passes {
		s.failed.WithLabelValues(string(got.reason)).Inc()
	}
	first := !s.begun
	s.begun = true
	if first && got.reason != passes {
		s.log.Info(
			"the self-test does not pass yet; it is repeated at once",
			"reason",
			got.reason,
			"detail",
			got.detail,
		)
		return s.end(got)
	}
	now := got
	if got.reason != passes {
		now.detail = ""
	}
	if now != s.logged {
		s.tell(got)
		s.logged = now
	}
	if got.reason.proven() && got.reason != s.proved || got.reason == passes && s.proved != "" {
		s.announce(got)
		if s.proved = got.reason; got.reason == passes {
			s.proved = ""
		}
	}
	return s.end(got)
}

// end has the registration looked at where pods turned out not to be guarded.
func (s *Test) end(got outcome) reason {
	if got.reason.proven() {
		s.unguarded()
	}
	return got.reason
}

// tell logs how the self-test ends now.
func (s *Test) tell(got outcome) {
	switch {
	case got.reason == passes && got.detail == "":
		s.log.Info("the self-test passes: pods are guarded")
		return
	case got.reason == passes, got.reason == unseen:
		s.log.Info("the self-test could not show that pods are guarded", "reason", got.reason, "detail", got.detail)
		return
	}
	again := min(s.every, got.reason.again(s.every))
	s.log.Error(errors.New(got.detail), "the self-test does not pass", "reason", got.reason, "again", again.String())
}

// Last is how the self-test ended last.
type Last struct {
	// Reason is "pass" or why it does not pass; empty until it has run. Detail says more of it.
	Reason, Detail string
	// Faulty means that admission was shown not to work as it must.
	Faulty bool
	// Ended is when it ran last, and Passed when it passed last; zero where it never did.
	Ended, Passed time.Time
}

// Last returns how the self-test ended last.
func (s *Test) Last() Last {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Last{string(s.last.reason), s.last.detail, s.last.reason.proven(), s.ended, s.passed}
}

// Note returns what the last self-test showed where that is less than that pods are guarded; "" otherwise.
func (s *Test) Note() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last.detail == "" || s.last.reason != passes && s.last.reason != unseen {
		return ""
	}
	return "selftest: " + s.last.detail
}

// Ready implements healthz.Checker. What could not be tried says nothing of the webhook, and is told by metrics and log
// alone. The Service of the webhook must not follow this check: a replica that gets no calls could never pass again.
func (s *Test) Ready(*http.Request) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.last.reason == "":
		return errors.New("the self-test has not run yet")
	case s.last.reason.proven():
		return fmt.Errorf("the self-test does not pass: %s: %s", s.last.reason, s.last.detail)
	}
	return nil
}

var (
	okMetric = prometheus.NewDesc("ovnguard_selftest_ok",
		"1 while the last self-test showed that the API server calls the webhooks and applies policy, else 0. "+
			"Absent where policy asks for nothing that the self-test could see.", nil, nil)
	passedMetric = prometheus.NewDesc("ovnguard_selftest_timestamp_seconds",
		"When a self-test last passed, in seconds since 1970. Absent until one did.", nil, nil)
)

// Describe implements prometheus.Collector.
func (s *Test) Describe(out chan<- *prometheus.Desc) {
	out <- okMetric
	out <- passedMetric
	s.failed.Describe(out)
}

// Collect implements prometheus.Collector.
func (s *Test) Collect(out chan<- prometheus.Metric) {
	s.failed.Collect(out)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last.reason != unseen {
		ok := 0.0
		if s.last.reason == passes {
			ok = 1
		}
		out <- prometheus.MustNewConstMetric(okMetric, prometheus.GaugeValue, ok)
	}
	if !s.passed.IsZero() {
		out <- prometheus.MustNewConstMetric(passedMetric, prometheus.GaugeValue, float64(s.passed.UnixMilli())/1000)
	}
}
