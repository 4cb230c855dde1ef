package events

import (
	"context"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ovnguard/ovnguard/internal/publish"
)

// Times of the writer.
const (
	// every is how often it looks what there is to tell.
	every = 500 * time.Millisecond
	// same is how close to each other two findings of one kind are taken for one: as two replicas saw it, or as it
	// flaps.
	same = 30 * time.Second
	// perLook is how many Events it writes at a time.
	perLook = 50
	// maxTold is how many Events are remembered so that the API server need not be asked.
	maxTold = 4096
)

// Writer writes what the book has.
type Writer struct {
	// Client reads and writes without a cache.
	Client client.Client
	Book   *Book
	// Instance names this replica.
	Instance string
	Log      logr.Logger
	// Wrote is told of each write, and what became of it.
	Wrote func(error)

	waiting []*eventsv1.Event
	// told tells when an Event of a name was written last.
	told map[string]time.Time
}

// Run writes until ctx ends. Another replica at the same time would find that all is told.
func (w *Writer) Run(ctx context.Context) {
	w.told = make(map[string]time.Time)
	loop := publish.Loop{
		Every: every, NotServed: every, Log: w.Log,
		Failing: "an Event could not be written; the write is tried again for " + keep.String(),
		Works:   "Events are written again",
	}
	loop.Run(ctx, w.look)
}

// look writes what there is to tell, until one cannot be written.
func (w *Writer) look(ctx context.Context) error {
	items, sums := w.Book.Take()
	for _, i := range items {
		w.waiting = append(w.waiting, eventOf(i, w.Instance))
	}
	for _, n := range w.Book.Notices() {
		w.waiting = append(w.waiting, eventOfNotice(n, w.Instance))
	}
	for _, s := range sums {
		w.waiting = append(w.waiting, eventOfSum(s, w.Book.now(), w.Instance))
	}
	for range min(len(w.waiting), perLook) {
		e := w.waiting[0]
		w.waiting = w.waiting[1:]
		at := e.EventTime.Time
		if err := w.write(ctx, e); err != nil {
			if w.Book.now().Sub(at) <= keep {
				e.ResourceVersion = ""
				w.waiting = append(w.waiting, e) // behind the others, which may not be what is wrong
			}
			return err
		}
	}
	return nil
}

// write makes the Event, or counts it where it is there from an earlier time.
func (w *Writer) write(ctx context.Context, e *eventsv1.Event) error {
	at, key := e.EventTime.Time, e.Namespace+"/"+e.Name
	if last, known := w.told[key]; known && at.Sub(last) < same {
		return nil
	}
	err := w.Client.Create(ctx, e)
	switch {
	case apierrors.IsAlreadyExists(err):
		err = w.count(ctx, e.Namespace, e.Name, at)
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause), apierrors.IsNotFound(err):
		return nil // nobody reads it any more
	default:
		w.Wrote(err)
	}
	if err != nil {
		return fmt.Errorf("write Event %s: %w", key, err)
	}
	if len(w.told) >= maxTold {
		clear(w.told)
	}
	w.told[key] = at
	return nil
}

// count notes on an Event that what it says was seen again.
func (w *Writer) count(ctx context.Context, namespace, name string, at time.Time) error {
	var e eventsv1.Event
	if err := w.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &e); err != nil {
		return client.IgnoreNotFound(err) // it has just ended; it is old news
	}
	if at.Sub(lastSeen(&e)) < same {
		return nil
	}
	before := e.DeepCopy()
	if e.Series == nil {
		e.Series = &eventsv1.EventSeries{Count: 1}
	}
	e.Series.Count++
	e.Series.LastObservedTime.Time = at
	err := w.Client.Patch(ctx, &e, client.MergeFrom(before))
	w.Wrote(client.IgnoreNotFound(err))
	return client.IgnoreNotFound(err)
}
