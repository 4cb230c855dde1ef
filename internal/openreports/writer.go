package openreports

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-logr/logr"
	reportsv1alpha1 "github.com/openreports/reports-api/apis/openreports.io/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ovnguard/ovnguard/internal/publish"
)

// Times of the writer.
const (
	// every is how often it looks for changes. What changes meanwhile is written once.
	every = time.Second
	// again is how long it waits where the cluster does not serve reports, or does not let them be written.
	again = 3 * time.Second
	// compare is how often it looks whether somebody else changed or deleted a report.
	compare = 5 * time.Minute
	// perLook is how many reports it writes at a time.
	perLook = 25
)

// Writer keeps the reports in the cluster as the book has them.
type Writer struct {
	// Client reads and writes without a cache.
	Client client.Client
	Book   *Book
	Log    logr.Logger
	// Wrote is told of each write, and what became of it.
	Wrote func(error)

	// have is what the cluster has, by namespace, as it was read or written last; nil where that is not known.
	have map[string]client.Object
	// foreign are the namespaces where somebody else's report has the name.
	foreign map[string]bool
	// due are the namespaces whose reports are to be written.
	due map[string]bool
	// until is when it is compared again with what the cluster has.
	until time.Time
}

// Run writes until ctx ends.
func (w *Writer) Run(ctx context.Context) {
	loop := publish.Loop{
		Every: every, NotServed: again, Log: w.Log,
		Failing: "findings cannot be told as Reports of OpenReports (openreports.io/v1alpha1); it is tried again",
		Works:   "reports are written now",
	}
	loop.Run(ctx, w.look)
}

// look writes what has changed. Where nothing is known of what the cluster has, and after a while, that is read first.
func (w *Writer) look(ctx context.Context) error {
	if w.have == nil || time.Now().After(w.until) {
		if err := w.read(ctx); err != nil {
			w.have = nil
			return err
		}
		w.until = time.Now().Add(compare)
	}
	for _, namespace := range w.Book.Changed() {
		w.due[namespace] = true
	}
	var errs []error
	budget := perLook
	for namespace := range w.due {
		if budget--; budget < 0 || ctx.Err() != nil {
			break
		}
		delete(w.due, namespace)
		err := w.put(ctx, namespace)
		switch {
		case err == nil:
		case publish.Unserved(err):
			w.have = nil
			return err
		default:
			w.due[namespace] = true
			errs = append(errs, fmt.Errorf("namespace %q: %w", namespace, err))
		}
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) }) // said once
	return errors.Join(errs...)
}

// read reads the reports that are there. All are due then, and those that should be there.
func (w *Writer) read(ctx context.Context) error {
	w.have, w.foreign, w.due = make(map[string]client.Object), make(map[string]bool), make(map[string]bool)
	ours := client.MatchingLabels{Label: LabelValue}
	var reports reportsv1alpha1.ReportList
	if err := w.Client.List(ctx, &reports, ours); err != nil {
		return fmt.Errorf("list reports: %w", err)
	}
	var cluster reportsv1alpha1.ClusterReportList
	if err := w.Client.List(ctx, &cluster, ours); err != nil {
		return fmt.Errorf("list cluster reports: %w", err)
	}
	note := func(o client.Object) {
		if Ours(o) {
			w.have[o.GetNamespace()], w.due[o.GetNamespace()] = o, true
		}
	}
	for i := range reports.Items {
		note(&reports.Items[i])
	}
	for i := range cluster.Items {
		note(&cluster.Items[i])
	}
	for _, namespace := range w.Book.Namespaces() {
		w.due[namespace] = true
	}
	return nil
}

// put makes the report of a namespace what it should be.
func (w *Writer) put(ctx context.Context, namespace string) error {
	failures, have := w.Book.Failures(namespace), w.have[namespace]
	switch {
	case len(failures) == 0 && have == nil:
		delete(w.foreign, namespace)
		return nil
	case len(failures) == 0:
		uid := have.GetUID()
		err := w.done(client.IgnoreNotFound(w.Client.Delete(ctx, have, client.Preconditions{UID: &uid})))
		if err == nil || apierrors.IsConflict(err) {
			delete(w.have, namespace) // another one has its name now: it is somebody else's
			return nil
		}
		return err
	case w.foreign[namespace]:
		return nil
	}
	report, changed := Object(namespace, failures, have, time.Now())
	if !changed {
		return nil
	}
	if have == nil {
		return w.create(ctx, namespace, report)
	}
	err := w.done(w.Client.Update(ctx, report))
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		delete(w.have, namespace)
		return w.adopt(ctx, namespace, err)
	}
	if err == nil {
		w.have[namespace] = report
	}
	return err
}

func (w *Writer) create(ctx context.Context, namespace string, report client.Object) error {
	err := w.done(w.Client.Create(ctx, report))
	switch {
	case err == nil:
		w.have[namespace] = report
	case apierrors.IsAlreadyExists(err):
		return w.adopt(ctx, namespace, err)
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause), missingNamespace(err):
		return nil // its findings end with it
	}
	return err
}

// adopt looks at the report that is there after all, and has it written at the next look if it is this program's.
func (w *Writer) adopt(ctx context.Context, namespace string, because error) error {
	var there client.Object = &reportsv1alpha1.Report{}
	if namespace == Cluster {
		there = &reportsv1alpha1.ClusterReport{}
	}
	err := w.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: Name}, there)
	switch {
	case apierrors.IsNotFound(err):
		if apierrors.IsNotFound(because) && publish.Unserved(because) {
			return because
		}
		w.due[namespace] = true // it was deleted; it is made at the next look
		return nil
	case err != nil:
		return err
	case !Ours(there):
		w.foreign[namespace] = true
		w.Log.Info(
			"a report of somebody else has this program's name and is left alone; the findings of the namespace are "+
				"told nowhere else as a report",
			"namespace",
			namespace,
			"name",
			Name,
		)
		return nil
	}
	w.have[namespace], w.due[namespace] = there, true
	return nil
}

func (w *Writer) done(err error) error {
	if w.Wrote != nil {
		w.Wrote(err)
	}
	return err
}

// missingNamespace reports whether something was not made because its namespace is not there.
func missingNamespace(err error) bool {
	status, ok := errors.AsType[*apierrors.StatusError](err)
	return ok && apierrors.IsNotFound(err) && status.ErrStatus.Details != nil &&
		status.ErrStatus.Details.Kind == "namespaces"
}
