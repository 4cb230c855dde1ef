package leader

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// lease is a Lease for several replicas; each sees it through a seat of its own.
type lease struct {
	mu      sync.Mutex
	record  *resourcelock.LeaderElectionRecord
	version int
}

// seat is one replica's view of the lease.
type seat struct {
	*lease
	name string
	// seen is the version at the last read.
	seen int
	// cut is why the lease cannot be reached; nil while it can.
	cut error
}

func (s *seat) Get(context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cut != nil {
		return nil, nil, s.cut
	}
	if s.record == nil {
		return nil, nil, apierrors.NewNotFound(schema.GroupResource{Resource: "leases"}, LeaseName)
	}
	s.seen = s.version
	raw, err := json.Marshal(s.record)
	copied := *s.record
	return &copied, raw, err
}

func (s *seat) Create(_ context.Context, r resourcelock.LeaderElectionRecord) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.record != nil {
		return errors.New("there already")
	}
	s.record, s.version = &r, 1
	return nil
}

func (s *seat) Update(_ context.Context, r resourcelock.LeaderElectionRecord) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.cut != nil:
		return s.cut
	case s.seen != s.version:
		return apierrors.NewConflict(
			schema.GroupResource{Resource: "leases"},
			LeaseName,
			errors.New("changed meanwhile"),
		)
	}
	s.version++
	s.record, s.seen = &r, s.version
	return nil
}

func (s *seat) RecordEvent(string) {}
func (s *seat) Identity() string   { return s.name }
func (s *seat) Describe() string   { return "lease" }

// workLog records who works, and fails the test when two do.
type workLog struct {
	mu      sync.Mutex
	working []string
	wrong   []string
}

// task returns a task that takes that long to end.
func (b *workLog) task(name string, ending time.Duration) func(context.Context) {
	return func(ctx context.Context) {
		b.mu.Lock()
		if len(b.working) > 0 {
			b.wrong = append(b.wrong, fmt.Sprintf("%s begins while %v work", name, b.working))
		}
		b.working = append(b.working, name)
		b.mu.Unlock()
		<-ctx.Done()
		time.Sleep(ending)
		b.mu.Lock()
		b.working = slices.DeleteFunc(b.working, func(w string) bool { return w == name })
		b.mu.Unlock()
	}
}

func (b *workLog) now() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return fmt.Sprint(b.working)
}

// start makes a replica stand for election until stop is called; stop waits for its end.
func (b *workLog) start(t *testing.T, s *seat, ending time.Duration) (c *Candidate, stop func()) {
	t.Helper()
	c = &Candidate{lock: s, log: logr.Discard(), tasks: []func(context.Context){b.task(s.name, ending)}}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := c.Start(ctx); err != nil {
			t.Error(err)
		}
	})
	return c, func() { cancel(); running.Wait() }
}

func (b *workLog) check(t *testing.T, want string) {
	t.Helper()
	if got := b.now(); got != want {
		t.Errorf("%s work, want %s", got, want)
	}
	if len(b.wrong) > 0 {
		t.Error(b.wrong)
	}
}

// One replica works at a time. A replica that ends gives the lead up after its work has ended, and another takes it
// soon.
func TestLeadIsHandedOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b workLog
		shared := &lease{}
		first, stopFirst := b.start(t, &seat{lease: shared, name: "a"}, time.Second)
		time.Sleep(retryPeriod)
		second, stopSecond := b.start(t, &seat{lease: shared, name: "b"}, time.Second)
		time.Sleep(time.Minute)
		b.check(t, "[a]")
		if !first.leading.Load() || second.leading.Load() {
			t.Error("a works and does not lead, or b leads")
		}
		stopFirst()
		b.check(t, "[]")
		time.Sleep(4 * retryPeriod)
		b.check(t, "[b]")
		stopSecond()
		b.check(t, "[]")
	})
}

// A leader that cannot reach the Lease ends its work before another one begins, and stands again.
func TestLeadIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b workLog
		shared := &lease{}
		mine := &seat{lease: shared, name: "a"}
		first, stopFirst := b.start(t, mine, time.Second)
		time.Sleep(retryPeriod)
		_, stopSecond := b.start(t, &seat{lease: shared, name: "b"}, time.Second)
		time.Sleep(time.Minute)
		b.check(t, "[a]")

		shared.mu.Lock()
		mine.cut = errors.New("no way there")
		shared.mu.Unlock()
		time.Sleep(leaseDuration + 5*retryPeriod)
		b.check(t, "[b]")
		if first.leading.Load() {
			t.Error("a does not work but says that it leads")
		}

		shared.mu.Lock()
		mine.cut = nil
		shared.mu.Unlock()
		time.Sleep(time.Minute)
		b.check(t, "[b]")
		stopSecond()
		time.Sleep(4 * retryPeriod)
		b.check(t, "[a]")
		stopFirst()
	})
}
