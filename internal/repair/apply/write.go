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

// begin waits for the rate and writes the intents down; it gives nothing where that fails, and the ports are looked at again.
func (r *Repairer) begin(ctx context.Context, looks []look, entry func(look) journal.Entry) []journal.Entry {
	entries := make([]journal.Entry, len(looks))
	names := make([]string, len(looks))
	for i, l := range looks {
		entries[i], names[i] = entry(l), l.port.Name
		entries[i].Port, entries[i].Row, entries[i].Why = l.port.Name, l.row.UUID, l.action.Why
		entries[i].Namespace, entries[i].Pod, entries[i].PodUID = l.port.Pod.Namespace, l.port.Pod.Name, l.port.Pod.UID
	}
	err := r.Rate.WaitN(ctx, len(looks))
	if err == nil {
		entries, err = r.Journal.Begin(ctx, entries)
	}
	if err != nil {
		if ctx.Err() == nil {
			r.Log.Info("ports are not put right, since that could not be written down first; trying again", "ports", len(looks), "reason", err.Error())
			r.later(r.Now().Add(time.Second), names...)
		}
		return nil
	}
	return entries
}

// of gives the looks whose action is of the kind.
func of(looks []look, kind repair.Kind) []look {
	var out []look
	for _, l := range looks {
		if l.action.Kind == kind {
			out = append(out, l)
		}
	}
	return out
}

// write writes rows.
func (r *Repairer) write(ctx context.Context, looks []look) {
	if looks = of(looks, repair.Write); len(looks) == 0 {
		return
	}
	writes := make([]ovn.Write, len(looks))
	entries := r.begin(ctx, looks, func(l look) journal.Entry {
		var e journal.Entry
		if l.action.PortSecurity != nil {
			e.Before.PortSecurity, e.After.PortSecurity = &l.row.PortSecurity, &l.action.PortSecurity
		}
		if l.action.Addresses != nil {
			e.Before.Addresses, e.After.Addresses = &l.row.Addresses, &l.action.Addresses
		}
		return e
	})
	if entries == nil {
		return
	}
	for i, l := range looks {
		// The row must still be marked as this pod's, and have the addresses that were proved to be its own.
		writes[i] = ovn.Write{Port: l.row, PortSecurity: entries[i].After.PortSecurity, Addresses: entries[i].After.Addresses, Guard: []string{"external_ids", "addresses"}}
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

// annotate writes annotations, some pods at a time.
func (r *Repairer) annotate(ctx context.Context, looks []look) {
	if looks = of(looks, repair.Annotate); len(looks) == 0 {
		return
	}
	entries := r.begin(ctx, looks, func(l look) journal.Entry {
		before := make(map[string]string, len(l.action.Annotations))
		for key := range l.action.Annotations {
			before[key] = l.port.Pod.Annotations[key]
		}
		return journal.Entry{Before: journal.Values{Annotations: before}, After: journal.Values{Annotations: l.action.Annotations}}
	})
	if entries == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), changeTimeout)
	defer cancel()
	const atATime = 8
	errs := make([]error, len(looks))
	turns := make(chan struct{}, atATime)
	var wg sync.WaitGroup
	for i, l := range looks {
		turns <- struct{}{}
		wg.Go(func() {
			defer func() { <-turns }()
			errs[i] = Annotate(ctx, r.Pods, l.port.Pod.Namespace, l.port.Pod.Name, l.port.Pod.UID, l.action.Annotations)
		})
	}
	wg.Wait()
	for i, l := range looks {
		outcome := "written"
		if errs[i] != nil {
			outcome = "failed"
		}
		r.done(l, &entries[i], outcome, errs[i])
	}
	r.Journal.End(entries)
}

// Annotate writes annotations of a pod, provided that it still is the one with that UID. An empty value takes one away.
func Annotate(ctx context.Context, c client.Writer, namespace, name, uid string, annotations map[string]string) error {
	values := make(map[string]any, len(annotations))
	for key, value := range annotations {
		if values[key] = any(value); value == "" {
			values[key] = nil
		}
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"uid": uid, "annotations": values}})
	if err != nil {
		return fmt.Errorf("annotate pod %s/%s: %w", namespace, name, err)
	}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	return c.Patch(ctx, pod, client.RawPatch(types.MergePatchType, patch))
}

// done notes what became of a change.
func (r *Repairer) done(l look, e *journal.Entry, outcome string, err error) {
	now, name := r.Now(), l.port.Name
	e.Outcome = outcome
	if err != nil {
		e.Error = err.Error()
	}
	r.Metrics.done(l.action.Kind, outcome, now.Sub(l.since))
	if outcome == "written" {
		r.past[name] = r.past[name].Did(l.action, now)
		r.Log.Info("a port was put right", "port", name, "pod", l.port.Pod.String(), "action", l.action.Kind, "change", e.ID, "took", now.Sub(l.since).String())
		return
	}
	r.Log.Info("a port could not be put right; looking at it again", "port", name, "action", l.action.Kind, "change", e.ID, "outcome", outcome, "reason", e.Error)
	r.later(now.Add(again), name)
}

// again is when a port is looked at again whose change failed. A conflict comes with a change of the row, and is looked at then
// anyway.
const again = 200 * time.Millisecond
