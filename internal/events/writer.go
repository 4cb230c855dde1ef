package events

import (
	"context"
	"fmt"
	"slices"
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

	waiting []letter
	// told tells when an Event of a name was written last.
	told map[string]time.Time
}

// letter is an Event that is to be written.
type letter struct {
	*eventsv1.Event

	// after are the names of Events that are about the same, and that this one must not be older than.
	after []string
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
		w.waiting = append(w.waiting, letter{eventOf(i, w.Instance), answered(i)})
	}
	for _, n := range w.Book.Notices() {
		w.waiting = append(w.waiting, letter{Event: eventOfNotice(n, w.Instance)})
	}
	for _, s := range sums {
		w.waiting = append(w.waiting, letter{Event: eventOfSum(s, w.Book.now(), w.Instance)})
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
func (w *Writer) write(ctx context.Context, e letter) error {
	at, key := e.EventTime.Time, e.Namespace+"/"+e.Name
	if last, known := w.told[key]; known && at.Sub(last) < same && !w.toldSince(e, last) {
		return nil
	}
	err := w.Client.Create(ctx, e.Event)
	switch {
	case apierrors.IsAlreadyExists(err):
		err = w.count(ctx, e, at)
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

// toldSince reports whether this replica has told something since then that the Event must follow.
func (w *Writer) toldSince(e letter, last time.Time) bool {
	return slices.ContainsFunc(e.after, func(name string) bool { return w.told[e.Namespace+"/"+name].After(last) })
}

// count notes on an Event that what it says was seen again.
func (w *Writer) count(ctx context.Context, l letter, at time.Time) error {
	var e eventsv1.Event
	if err := w.Client.Get(ctx, client.ObjectKeyFromObject(l.Event), &e); err != nil {
		return client.IgnoreNotFound(err) // it has just ended; it is old news
	}
	if last := lastSeen(&e); at.Sub(last) < same {
		if since, err := w.writtenSince(ctx, l, last); !since || err != nil {
			return err
		}
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

// writtenSince reports whether something was told since then, by whichever replica, that the Event must follow.
func (w *Writer) writtenSince(ctx context.Context, l letter, last time.Time) (bool, error) {
	for _, name := range l.after {
		var e eventsv1.Event
		err := w.Client.Get(ctx, client.ObjectKey{Namespace: l.Namespace, Name: name}, &e)
		if client.IgnoreNotFound(err) != nil {
			return false, err
		}
		if err == nil && lastSeen(&e).After(last) {
			return true, nil
		}
	}
	return false, nil
}
