package controller

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/time/rate"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ovnguard/ovnguard/internal/admission"
	"github.com/ovnguard/ovnguard/internal/events"
	"github.com/ovnguard/ovnguard/internal/publish"
)

// refusals leaves traces of refused requests: a line in the log, and an Event where the request was about a pod.
type refusals struct {
	// selfTest is the namespace of the self-test: its pods are refused on purpose.
	selfTest string
	book     *events.Refusals
	writer   *events.RefusalWriter
	lines    *lines
}

func newRefusals(o Options, live client.Client, kept books, log logr.Logger) *refusals {
	return &refusals{
		selfTest: o.SelfTestNamespace,
		book:     kept.refused,
		writer: &events.RefusalWriter{
			Client: live, Refusals: kept.refused, Instance: kept.identity, Log: log, Wrote: kept.wrote.of(writesEvent),
		},
		lines: newLines(log, time.Now),
	}
}

// Start implements manager.Runnable: it writes Events until ctx ends, on each replica.
func (r *refusals) Start(ctx context.Context) error {
	var all sync.WaitGroup
	defer all.Wait()
	all.Go(func() { r.writer.Run(ctx) })
	tick := time.NewTicker(leftOutEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			r.lines.tellLeftOut()
		}
	}
}

// onPurpose reports whether pods in the namespace are refused on purpose.
func (r *refusals) onPurpose(namespace string) bool { return namespace == r.selfTest }

// leave leaves the traces of a request that a webhook refused.
func (r *refusals) leave(webhook string, x *admission.Refused) {
	if x.IsPod() && r.onPurpose(x.Namespace) {
		return
	}
	r.lines.write(webhook, x)
	if x.IsPod() && !x.DryRun {
		r.book.Note(refusalOf(x))
	}
}

// refusalOf returns the refusal for an Event. It does not name the user: readers of the Events of a namespace need not
// know who else works there.
func refusalOf(x *admission.Refused) events.Refusal {
	// A name that is made up for each try would make each one a refusal of its own.
	why, known := x.Why, x.Known()
	if x.GenerateName != "" && x.Name != "" {
		why = strings.ReplaceAll(why, x.Name, known)
	}
	out := events.Refusal{
		Namespace: x.Namespace,
		Reason:    events.ReasonPodRefused,
		Checks:    x.Checks,
		Regarding: corev1.ObjectReference{
			APIVersion: "v1",
			Kind:       "Namespace",
			Namespace:  x.Namespace,
			Name:       x.Namespace,
		},
		Text: fmt.Sprintf("pod %s was refused: %s", short(known), why),
	}
	switch {
	case x.Maker != nil:
		out.Regarding = corev1.ObjectReference{
			APIVersion: x.Maker.APIVersion, Kind: x.Maker.Kind, Namespace: x.Namespace, Name: x.Maker.Name,
			UID: types.UID(x.Maker.UID),
		}
	case x.Operation == admissionv1.Update:
		out.Reason, out.Text = events.ReasonChangeRefused, "a change of the pod was refused: "+why
		out.Regarding = corev1.ObjectReference{
			APIVersion: "v1", Kind: "Pod", Namespace: x.Namespace, Name: x.Name, UID: types.UID(x.UID),
		}
	case x.Resource != "pods" || x.SubResource != "":
		out.Reason, out.Text = events.ReasonChangeRefused, fmt.Sprintf(
			"binding pod %s was refused: %s",
			short(known),
			why,
		)
	}
	return out
}

// short bounds a text that the author of a request may have chosen.
func short(text string) string { return publish.Shorten(text, 256) }

// Bounds of the log of refusals. Each namespace may have linesBurst lines at once and one more each linesRefill; all
// together may have allLinesBurst and one more each allLinesRefill.
const (
	linesBurst     = 20
	linesRefill    = 10 * time.Second
	allLinesBurst  = 400
	allLinesRefill = 100 * time.Millisecond
	// leftOutEvery is how often the log says how many refusals have no line of their own.
	leftOutEvery = 30 * time.Second
	// maxShares is how many namespaces there are before those are forgotten that may have all their lines again.
	maxShares = 4096
	// reasonLimit bounds the reason in a line, in bytes.
	reasonLimit = 1024
)

// lines writes refusals to the log, one a line, as long as there are not too many.
type lines struct {
	log logr.Logger
	now func() time.Time

	mu      sync.Mutex
	all     *rate.Limiter
	of      map[string]*rate.Limiter // by namespace
	leftOut int
}

func newLines(log logr.Logger, now func() time.Time) *lines {
	return &lines{
		log: log, now: now, all: rate.NewLimiter(rate.Every(allLinesRefill), allLinesBurst),
		of: make(map[string]*rate.Limiter),
	}
}

// write writes a line about a refusal, or counts it as left out.
func (l *lines) write(webhook string, x *admission.Refused) {
	if !l.mayWrite(x.Namespace) {
		return
	}
	name := "name"
	if x.GenerateName != "" {
		name = "generateName"
	}
	resource := x.Resource
	if x.SubResource != "" {
		resource += "/" + x.SubResource
	}
	value := x.Name
	if x.GenerateName != "" {
		value = x.GenerateName
	}
	l.log.Info(
		"a request was refused",
		"check", strings.Join(x.Checks, ","), "webhook", webhook, "operation", x.Operation, "resource", resource,
		"namespace", short(x.Namespace), "kind", short(x.Kind), name, short(value), "user", short(x.User),
		"reason", publish.Shorten(x.Why, reasonLimit), "dryRun", x.DryRun,
	)
}

func (l *lines) mayWrite(namespace string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	ok := l.all.TokensAt(now) >= 1 && l.share(namespace, now).AllowN(now, 1) && l.all.AllowN(now, 1)
	if !ok {
		l.leftOut++
	}
	return ok
}

// share returns the limiter of a namespace. Few are kept, since each line takes from all as well.
func (l *lines) share(namespace string, now time.Time) *rate.Limiter {
	share := l.of[namespace]
	if share != nil {
		return share
	}
	if len(l.of) >= maxShares {
		maps.DeleteFunc(l.of, func(_ string, s *rate.Limiter) bool { return s.TokensAt(now) >= linesBurst })
	}
	share = rate.NewLimiter(rate.Every(linesRefill), linesBurst)
	l.of[namespace] = share
	return share
}

// tellLeftOut says how many refusals have no line since it was called last.
func (l *lines) tellLeftOut() {
	l.mu.Lock()
	n := l.leftOut
	l.leftOut = 0
	l.mu.Unlock()
	if n > 0 {
		l.log.Info(
			"more requests were refused than are logged one by one; ovnguard_admission_refusals_total counts them by "+
				"check, and the API server's audit log has all of them",
			"leftOut", n,
		)
	}
}
