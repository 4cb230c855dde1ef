package events

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

// counter is some replicas that tell of refusals in one cluster, at a time that is moved by hand.
type counter struct {
	now      time.Time
	client   client.Client
	replicas []*RefusalWriter
	broken   error
	// patched is called before each patch.
	patched func()

	mu     sync.Mutex
	writes int
}

func newCounter(t *testing.T, replicas int) *counter {
	t.Helper()
	c := &counter{now: time.Unix(1_900_000_000, 0), patched: func() {}}
	c.client = fake.NewClientBuilder().WithScheme(scheme.Scheme).WithInterceptorFuncs(interceptor.Funcs{
		Create: func(ctx context.Context, w client.WithWatch, o client.Object, opts ...client.CreateOption) error {
			if c.broken != nil {
				return c.broken
			}
			return w.Create(ctx, o, opts...)
		},
		Patch: func(
			ctx context.Context, w client.WithWatch, o client.Object, p client.Patch, opts ...client.PatchOption,
		) error {
			c.patched()
			return w.Patch(ctx, o, p, opts...)
		},
	}).Build()
	for i := range replicas {
		c.replicas = append(c.replicas, &RefusalWriter{
			Client: c.client, Refusals: NewRefusals(func() time.Time { return c.now }), Instance: strconv.Itoa(i),
			Log: logr.Discard(), Wrote: func(error) {
				c.mu.Lock()
				defer c.mu.Unlock()
				c.writes++
			},
		})
	}
	return c
}

// pass has time go by in the steps in which replicas look.
func (c *counter) pass(t *testing.T, by time.Duration) {
	t.Helper()
	for end := c.now.Add(by); ; c.now = c.now.Add(every) {
		for _, w := range c.replicas {
			if err := w.look(t.Context()); err != nil && !errors.Is(err, c.broken) {
				t.Error(err)
			}
		}
		if !c.now.Before(end) {
			return
		}
	}
}

// events returns the counts of the Events in a namespace, by reason, object and note.
func (c *counter) events(t *testing.T, namespace string) map[string]int32 {
	t.Helper()
	var list eventsv1.EventList
	if err := c.client.List(t.Context(), &list, client.InNamespace(namespace)); err != nil {
		t.Fatal(err)
	}
	out := make(map[string]int32)
	for i := range list.Items {
		e, count := &list.Items[i], int32(1)
		if e.Series != nil {
			if count = e.Series.Count; count < 2 || e.Series.LastObservedTime.Before(&e.EventTime) {
				t.Errorf("the API server takes no such series: %+v, since %v", e.Series, e.EventTime)
			}
		}
		if e.Type != corev1.EventTypeWarning || e.Action == "" || e.ReportingController == "" ||
			e.ReportingInstance == "" || e.Regarding.Namespace != e.Namespace {
			t.Errorf("%+v", e)
		}
		out[e.Reason+" "+e.Regarding.Kind+" "+e.Regarding.Name+": "+e.Note] += count
	}
	return out
}

func refusal(namespace, text string) Refusal {
	return Refusal{
		Namespace: namespace, Reason: ReasonPodRefused, Checks: []string{"OVGA12"}, Text: text,
		Regarding: corev1.ObjectReference{
			APIVersion: "apps/v1", Kind: "ReplicaSet", Namespace: namespace, Name: "web", UID: "u",
		},
	}
}

// The same refusal is one Event, which is counted up, whichever replica answers. A replica that starts again goes on.
func TestRefusalsAreCounted(t *testing.T) {
	c := newCounter(t, 2)
	const key = "PodRefused ReplicaSet web: taken"
	expect := func(want map[string]int32) {
		t.Helper()
		if got := c.events(t, "ns"); !maps.Equal(got, want) {
			t.Errorf("Events %v, want %v", got, want)
		}
	}
	c.replicas[0].Refusals.Note(refusal("ns", "taken"))
	c.pass(t, 0)
	expect(map[string]int32{key: 1})
	for i := range 10 {
		c.replicas[i%2].Refusals.Note(refusal("ns", "taken"))
	}
	c.pass(t, countEvery)
	expect(map[string]int32{key: 11})
	for _, w := range c.replicas {
		w.Refusals = NewRefusals(func() time.Time { return c.now })
		w.Refusals.Note(refusal("ns", "taken"))
	}
	c.pass(t, countEvery)
	expect(map[string]int32{key: 13})
	c.replicas[0].Refusals.Note(refusal("ns", "of another subnet"))
	c.pass(t, countEvery)
	expect(map[string]int32{key: 13, "PodRefused ReplicaSet web: of another subnet": 1})

	// When the API server has dropped the Event after its time, it is created again, with the count since then.
	if err := c.client.DeleteAllOf(t.Context(), &eventsv1.Event{}, client.InNamespace("ns")); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		c.replicas[0].Refusals.Note(refusal("ns", "taken"))
	}
	c.pass(t, countEvery)
	expect(map[string]int32{key: 3})
	if c.writes != 1+2+2+1+1 {
		t.Errorf("%d writes", c.writes)
	}
}

// Replicas that write at the same moment lose no count.
func TestRefusalsRace(t *testing.T) {
	c := newCounter(t, 2)
	c.replicas[0].Refusals.Note(refusal("ns", "taken"))
	c.pass(t, 0)
	for _, w := range c.replicas {
		w.Refusals.Note(refusal("ns", "taken"))
	}
	c.now = c.now.Add(countEvery)
	c.patched = func() { // between the first one's read and its write, the second one writes
		c.patched = func() {}
		if err := c.replicas[1].look(t.Context()); err != nil {
			t.Error(err)
		}
	}
	c.pass(t, 0)
	if got := c.events(t, "ns"); got["PodRefused ReplicaSet web: taken"] != 3 {
		t.Errorf("%v, want it counted 3 times", got)
	}
}

// A namespace with refusals without end has few Events, and one that counts the others. It keeps no other namespace
// from being told. Counting takes no room of new Events.
func TestRefusalsAreNoStorm(t *testing.T) {
	c := newCounter(t, 1)
	book := c.replicas[0].Refusals
	const minutes = 4
	noted := 0
	for range minutes * 60 {
		for range 50 {
			book.Note(refusal("loud", fmt.Sprint("reason ", noted)))
			noted++
		}
		book.Note(refusal("loud", "reason 0"))
		c.pass(t, time.Second)
	}
	for i := range burst {
		book.Note(refusal("loud too", fmt.Sprint("reason ", i)))
	}
	book.Note(refusal("quiet", "taken"))
	c.pass(t, 0)
	if got := c.events(t, "quiet"); len(got) != 1 {
		t.Errorf("a namespace keeps quiet because another one is loud: %v", got)
	}
	c.pass(t, 2*sumEvery)
	events := c.events(t, "loud")
	if most := burst + minutes*int(time.Minute/refusalRefill) + 2; len(events) > most || len(events) < burst {
		t.Errorf("%d Events, want at most %d", len(events), most)
	}
	var told, besides int32
	for key, count := range events {
		if told += count; strings.HasPrefix(key, ReasonManyRefused+" Namespace loud") {
			besides = count
		}
	}
	if int(told) != noted+minutes*60 {
		t.Errorf("%d refusals are told, %d of them together; want %d", told, besides, noted+minutes*60)
	}
	if again := events["PodRefused ReplicaSet web: reason 0"]; again != minutes*60+1 {
		t.Errorf("one that comes again and again is counted %d times, want %d", again, minutes*60+1)
	}
	c.pass(t, forgetAfter+time.Minute)
	if n := len(book.known) + len(book.sums) + len(book.room.of) + len(book.all.of) + len(book.counting.of); n > 0 {
		t.Errorf("%d things are kept of namespaces that are quiet", n)
	}
}

// Many namespaces have no more Events together than the bound for all of them, and one Event each for the rest.
func TestRefusalsOfManyNamespaces(t *testing.T) {
	c := newCounter(t, 1)
	book := c.replicas[0].Refusals
	const namespaces = 100
	for i := range namespaces * burst {
		book.Note(refusal(fmt.Sprint("ns", i%namespaces), fmt.Sprint("reason ", i)))
	}
	if len(book.known) > allBurst || len(book.sums) > namespaces {
		t.Errorf("%d Events, and %d that there are more", len(book.known), len(book.sums))
	}
	for i := range 2 * maxSums {
		book.Note(refusal(fmt.Sprint("made-up-", i), "taken"))
	}
	if len(book.sums) > maxSums {
		t.Errorf("told of %d namespaces that there are more", len(book.sums))
	}
}

// Who has many namespaces does not use up the Events of a namespace where nothing else was refused.
func TestThreatT50ManyNamespaces(t *testing.T) {
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	book := NewRefusals(func() time.Time { return now })
	for i := range 60 * 60 {
		now = now.Add(time.Second)
		for n := range 20 {
			book.Note(refusal(fmt.Sprint("loud-", n), fmt.Sprint("reason ", i)))
		}
		for _, d := range book.take(10) {
			book.done(d, nil)
		}
	}
	x := refusal("quiet", "taken")
	book.Note(x)
	if book.known[eventKey{"quiet", refusalName(&x)}] == nil {
		t.Error("a namespace's only refusal has no Event of its own")
	}
	if most := allBurst + int(time.Hour/allRefill); len(book.known) > most {
		t.Errorf("%d are known", len(book.known))
	}
}

// An Event that cannot be written is tried again, and keeps no other from being told.
func TestRefusalIsTriedAgain(t *testing.T) {
	c := newCounter(t, 1)
	c.broken = errors.New("no way there")
	c.replicas[0].Refusals.Note(refusal("ns", "taken"))
	c.replicas[0].Refusals.Note(refusal("ns", "of another subnet"))
	c.pass(t, 5*time.Second)
	c.broken = nil
	c.pass(t, time.Second)
	if got := slices.Sorted(maps.Values(c.events(t, "ns"))); !slices.Equal(got, []int32{1, 1}) {
		t.Errorf("counted %v", got)
	}
}
