package apply

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ovnguard/ovnguard/internal/journal"
	"github.com/ovnguard/ovnguard/internal/ovn"
	"github.com/ovnguard/ovnguard/internal/repair"
)

// changeTimeout bounds one batch of changes. It outlives ctx, so that what was begun has an outcome.
const changeTimeout = 5 * time.Second

// begin waits for the rate and writes the intents down, with those of what comes after them; it gives nothing where
// that fails, and the ports are looked at again.
func (r *Repairer) begin(ctx context.Context, looks []look) []journal.Entry {
	var entries []journal.Entry
	var names, next []string
	for i := range looks {
		entries, names = append(entries, changeOf(&looks[i])), append(names, looks[i].port.Name)
	}
	for i := range looks {
		if looks[i].next != nil {
			entries, next = append(entries, *looks[i].next), append(next, names[i])
		}
	}
	err := r.Rate.WaitN(ctx, len(entries))
	if err == nil {
		entries, err = r.Journal.Begin(ctx, entries)
	}
	if err != nil {
		if ctx.Err() == nil {
			r.Log.Info(
				"ports are not put right, since that could not be written down first; trying again",
				"ports",
				len(looks),
				"reason",
				err.Error(),
			)
			r.Queue.later(r.Now().Add(time.Second), names...)
		}
		return nil
	}
	for i, name := range next {
		r.drop(name, "it was begun again")
		r.ahead[name] = ahead{entries[len(looks)+i], r.Now()}
	}
	return entries[:len(looks)]
}

// changeOf returns the change that an action makes, as it is written down.
func changeOf(l *look) journal.Entry {
	pod := l.port.Pod
	e := journal.Entry{
		Port:      l.port.Name,
		Row:       l.row.UUID,
		Why:       l.action.Why,
		Namespace: pod.Namespace,
		Pod:       pod.Name,
		PodUID:    pod.UID,
	}
	if l.action.Kind == repair.Annotate {
		e.Before.Annotations, e.After.Annotations = make(
			map[string]string,
			len(l.action.Annotations),
		), l.action.Annotations
		for key := range l.action.Annotations {
			e.Before.Annotations[key] = pod.Annotations[key]
		}
		return e
	}
	if l.action.PortSecurity != nil {
		e.Before.PortSecurity, e.After.PortSecurity = &l.row.PortSecurity, &l.action.PortSecurity
	}
	if l.action.Addresses != nil {
		e.Before.Addresses, e.After.Addresses = &l.row.Addresses, &l.action.Addresses
	}
	if l.action.ExternalIDs != nil {
		e.Before.ExternalIDs, e.After.ExternalIDs = &l.row.ExternalIDs, &l.action.ExternalIDs
	}
	return e
}

// of returns the looks with an action of the kind.
func of(looks []look, kind repair.Kind) []look {
	var out []look
	for _, l := range looks {
		if l.action.Kind == kind {
			out = append(out, l)
		}
	}
	return out
}

// write writes rows, those first that are written down already.
func (r *Repairer) write(ctx context.Context, looks []look) {
	var ready, others []look
	var entries []journal.Entry
	for _, l := range of(looks, repair.Write) {
		if e := r.prepared(&l); e != nil {
			ready, entries = append(ready, l), append(entries, *e)
		} else {
			others = append(others, l)
		}
	}
	if len(ready) > 0 {
		r.writeRows(ctx, ready, entries)
	}
	if len(others) == 0 {
		return
	}
	if entries := r.begin(ctx, others); entries != nil {
		r.writeRows(ctx, others, entries)
	}
}

func (r *Repairer) writeRows(ctx context.Context, looks []look, entries []journal.Entry) {
	writes := make([]ovn.Write, len(looks))
	for i, l := range looks {
		// The row must still be marked and have the addresses as it was when it was judged.
		writes[i] = writeOf(l.row, entries[i].After)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), changeTimeout)
	defer cancel()
	outcomes, err := r.Mirror.Write(ctx, writes...)
	for i, l := range looks {
		outcome := ovn.Outcome{Result: ovn.Failed, Err: err}
		if err == nil {
			outcome = outcomes[i]
		}
		r.done(l, &entries[i], outcome.Result.String(), outcome.Err)
	}
	r.Journal.End(entries)
}

// writeOf is the write of some columns of a row, provided that all of them, and what the row was known by, are as they
// were read.
func writeOf(row *ovn.Port, columns journal.Values) ovn.Write {
	return ovn.Write{
		Port: row, PortSecurity: columns.PortSecurity, Addresses: columns.Addresses, ExternalIDs: columns.ExternalIDs,
		Guard: []string{"external_ids", "addresses"},
	}
}

// atATime is how many pods are annotated at a time.
const atATime = 8

// annotate writes annotations, some pods at a time.
func (r *Repairer) annotate(ctx context.Context, looks []look) {
	if len(looks) == 0 {
		return
	}
	entries := r.begin(ctx, looks)
	if entries == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), changeTimeout)
	defer cancel()
	errs := make([]error, len(looks))
	turns := make(chan struct{}, atATime)
	var wg sync.WaitGroup
	for i, l := range looks {
		if l.next != nil && (i == 0 || looks[i-1].next == nil) {
			wg.Wait() // those that lose something by it are kept waiting by no other
		}
		turns <- struct{}{}
		wg.Go(func() {
			defer func() { <-turns }()
			errs[i] = Annotate(ctx, r.Pods, l.port.Pod.Namespace, l.port.Pod.Name, l.port.Pod.UID, l.action.Annotations)
		})
	}
	wg.Wait()
	for i, l := range looks {
		outcome := journal.Written
		if errs[i] != nil {
			outcome = journal.Failed
			r.drop(l.port.Name, "the annotation was not written")
		}
		r.done(l, &entries[i], outcome, errs[i])
	}
	r.Journal.End(entries)
}

// Annotate writes annotations of a pod, provided that it still is the one with that UID. An empty value takes one away.
// It goes by the pod's status: the API server takes metadata there and nothing of the spec (podStatusStrategy of
// k8s.io/kubernetes/pkg/registry/core/pod), so that the account that does so needs no right to change pods.
func Annotate(
	ctx context.Context,
	c client.StatusClient,
	namespace, name, uid string,
	annotations map[string]string,
) error {
	_, err := annotate(ctx, c, namespace, name, map[string]any{"uid": uid}, annotations)
	return err
}

// annotate is Annotate for a pod that must have the given metadata. It returns the version that the pod has then.
func annotate(
	ctx context.Context,
	c client.StatusClient,
	namespace, name string,
	metadata map[string]any,
	annotations map[string]string,
	options ...client.SubResourcePatchOption,
) (version string, err error) {
	values := make(map[string]any, len(annotations))
	for key, value := range annotations {
		if values[key] = any(value); value == "" {
			values[key] = nil
		}
	}
	metadata["annotations"] = values
	patch, err := json.Marshal(map[string]any{"metadata": metadata})
	if err != nil {
		return "", fmt.Errorf("annotate pod %s/%s: %w", namespace, name, err)
	}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	err = c.Status().Patch(ctx, pod, client.RawPatch(types.MergePatchType, patch), options...)
	return pod.ResourceVersion, err
}

// done notes what became of a change.
func (r *Repairer) done(l look, e *journal.Entry, outcome string, err error) {
	now, name := r.Now(), l.port.Name
	e.Outcome = outcome
	if err != nil {
		e.Error = err.Error()
	}
	r.Metrics.done(l.action.Kind, outcome, now.Sub(l.since))
	if outcome == journal.Written {
		r.past[name] = r.past[name].Did(l.action, now)
		r.Log.Info(
			"a port was put right",
			"port",
			name,
			"pod",
			l.port.Pod.String(),
			"action",
			l.action.Kind,
			"change",
			e.ID,
			"took",
			now.Sub(l.since).String(),
		)
		if r.Wrote != nil {
			r.Wrote(&l.port, e)
		}
		return
	}
	at := now.Add(again)
	switch outcome {
	case journal.Unknown:
		r.past[name] = r.past[name].Lost()
	case journal.Failed:
		if r.past[name], at = r.past[name].Failed(l.action, now); l.action.Kind == repair.Annotate {
			r.Queue.later(now, name) // the row is narrowed without it
		}
	}
	r.Log.Info(
		"a port could not be put right; looking at it again",
		"port",
		name,
		"action",
		l.action.Kind,
		"change",
		e.ID,
		"outcome",
		outcome,
		"reason",
		e.Error,
	)
	r.Queue.later(at, name)
}

// again is the time of the next look at a port when its change failed, or may have failed. A conflict comes with a
// change of the row, and is looked at then anyway.
const again = 200 * time.Millisecond
