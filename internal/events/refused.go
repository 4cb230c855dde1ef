package events

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ovnguard/ovnguard/internal/publish"
)

// refusalsPerLook is how many Events about refusals are written at a time.
const refusalsPerLook = 10

// RefusalWriter writes the Events about refusals. It runs on each replica, and several replicas may write to one Event
// at the same time.
type RefusalWriter struct {
	// Client reads and writes without a cache.
	Client   client.Client
	Refusals *Refusals
	// Instance names this replica.
	Instance string
	Log      logr.Logger
	// Wrote receives the result of each write.
	Wrote func(error)
}

// Run writes until ctx ends.
func (w *RefusalWriter) Run(ctx context.Context) {
	loop := publish.Loop{
		Every: every, NotServed: every, Log: w.Log,
		Failing: "an Event about a refused request could not be written; the write is tried again",
		Works:   "Events about refused requests are written again",
	}
	loop.Run(ctx, w.look)
}

// look writes the Events that are due, until one cannot be written.
func (w *RefusalWriter) look(ctx context.Context) error {
	for _, d := range w.Refusals.take(refusalsPerLook) {
		err := w.write(ctx, d)
		w.Refusals.done(d, err)
		if err != nil {
			return err
		}
	}
	return nil
}

// attempts is how often an Event is tried that other replicas write to at the same time.
const attempts = 5

// write makes the Event, or counts it up where it is there.
func (w *RefusalWriter) write(ctx context.Context, d due) error {
	var err error
	for range attempts {
		err = w.Client.Create(ctx, eventOfRefusal(d, w.Instance))
		if apierrors.IsAlreadyExists(err) {
			err = w.count(ctx, d)
		}
		switch {
		case apierrors.IsConflict(err):
			continue // another replica was faster
		case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
			return nil // nobody reads it any more
		case apierrors.IsNotFound(err) && !isGone(err, d.name):
			return nil // nor where there is no such namespace
		case apierrors.IsNotFound(err):
			continue // it ended in between
		}
		break
	}
	w.Wrote(err)
	if err != nil {
		return fmt.Errorf("write Event %s/%s: %w", d.namespace, d.name, err)
	}
	return nil
}

// isGone reports whether an error says that the Event of that name is not there.
func isGone(err error, name string) bool {
	status, ok := errors.AsType[*apierrors.StatusError](err)
	return ok && status.ErrStatus.Details != nil && status.ErrStatus.Details.Name == name
}

// count adds to the series of an Event. No count of another replica is lost, since the patch holds the version that was
// read.
func (w *RefusalWriter) count(ctx context.Context, d due) error {
	var e eventsv1.Event
	if err := w.Client.Get(ctx, client.ObjectKey{Namespace: d.namespace, Name: d.name}, &e); err != nil {
		return err
	}
	before := e.DeepCopy()
	if e.Series == nil {
		e.Series = &eventsv1.EventSeries{Count: 1, LastObservedTime: e.EventTime}
	}
	e.Series.Count += int32(min(d.count, maxCount))
	if d.last.After(e.Series.LastObservedTime.Time) {
		e.Series.LastObservedTime = metav1.NewMicroTime(d.last)
	}
	return w.Client.Patch(ctx, &e, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
}

// maxCount is how many refusals are counted at a time.
const maxCount = 1 << 20

// eventOfRefusal returns a new Event about a refusal.
func eventOfRefusal(d due, instance string) *eventsv1.Event {
	e := eventAt(d.first, instance)
	e.Namespace, e.Name = d.namespace, d.name
	e.Reason, e.Type, e.Regarding = d.Reason, corev1.EventTypeWarning, d.Regarding
	e.Action = cmp.Or(publish.Shorten(strings.Join(d.Checks, ","), actionLimit), actionReview)
	e.Note = publish.Shorten(d.Text, noteLimit)
	if d.count > 1 {
		e.Series = &eventsv1.EventSeries{
			Count:            int32(min(d.count, maxCount)),
			LastObservedTime: metav1.NewMicroTime(d.last),
		}
	}
	return e
}

// refusalName returns the name of the Event about a refusal. It follows from the refusal, so that all replicas come to
// the same one, also after a restart.
func refusalName(r *Refusal) string {
	begin := "refused"
	if len(r.Checks) > 0 {
		begin = r.Checks[0]
	}
	return nameOf(
		begin, r.Reason, strings.Join(r.Checks, ","), r.Namespace, r.Regarding.Kind, r.Regarding.Name,
		string(r.Regarding.UID), r.Text,
	)
}

// namespaceRef returns the reference by which an Event is about its namespace.
func namespaceRef(name string) corev1.ObjectReference {
	return corev1.ObjectReference{APIVersion: "v1", Kind: "Namespace", Namespace: name, Name: name}
}
