package feed

import (
	"context"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/api/meta"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kube"
	"github.com/ovnguard/ovnguard/internal/monitor"
	"github.com/ovnguard/ovnguard/internal/retry"
)

// retryMissing is how long to wait before asking again for a kind that the cluster did not serve.
const retryMissing = 15 * time.Second

// kindOf returns the kind of a source, as the inventory has it.
func kindOf(s kube.Source) inventory.Kind { return inventory.Kind(s.Kind.GroupKind().String()) }

// expect tells the monitor what will be read: until it has been, what is not there is not taken for what is not.
func expect(m *monitor.Monitor, sources ...kube.Source) {
	m.Change(func(inv *inventory.Inventory) []string {
		for _, s := range sources {
			inv.Expect(kindOf(s))
		}
		return nil
	})
}

// heard tells the monitor that all of a kind has been entered, or that there is none.
func heard(m *monitor.Monitor, s kube.Source) {
	m.Change(func(inv *inventory.Inventory) []string {
		return inv.Heard(kindOf(s))
	})
}

// kubernetesFeed is what leads from the API server to the monitor.
type kubernetesFeed struct {
	// kinds says which resources are served, and facts holds what is read of them.
	kinds   meta.RESTMapper
	facts   cache.Informers
	monitor *monitor.Monitor
	watches *Watches
	log     logr.Logger
	// list gives what lists and watches the resource of a source that has many objects.
	list func(s kube.Source, resource string) (toolscache.ListerWatcher, error)
}

// follow feeds the monitor. It returns when everything that is there has been read once; reading is told what is waited
// for, since a kind that must not be read is waited for, without an error, until it may be. Pods, the last of the
// sources, are read when what they refer to has been, or that takes too long. The error is that the service ends.
func (f kubernetesFeed) follow(ctx context.Context, reading func(what string)) error {
	sources := kube.Sources()
	last := len(sources) - 1
	ended := make([]chan error, len(sources))
	what := make([]string, len(sources))
	begin := func(i int) {
		what[i], ended[i] = sources[i].Kind.GroupKind().String()+" from the API server", make(chan error, 1)
		go func() { ended[i] <- f.source(ctx, sources[i], what[i]) }()
	}
	for i := range last {
		begin(i)
	}
	// wait waits for a source, as long as the expired lasts; nil is for ever.
	wait := func(i int, expired <-chan time.Time) error {
		if ended[i] == nil {
			return nil
		}
		reading(what[i])
		select {
		case err := <-ended[i]:
			ended[i] = nil
			return err
		case <-expired:
			return nil
		}
	}
	expired := make(chan time.Time)
	timer := time.AfterFunc(podsAfter, func() { close(expired) })
	defer timer.Stop()
	for i := range last {
		if err := wait(i, expired); err != nil {
			return err
		}
	}
	begin(last)
	for i := range sources {
		if err := wait(i, nil); err != nil {
			return err
		}
	}
	return nil
}

// podsAfter is how long pods wait for what they refer to.
const podsAfter = 3 * time.Second

// source feeds the monitor from one kind, and returns when what is there has been read once, or there is none. The
// error is that the service ends.
func (f kubernetesFeed) source(ctx context.Context, s kube.Source, what string) error {
	begin := func() error { return f.begin(ctx, s) }
	if !s.Optional {
		return retry.Until(ctx, f.log, what, begin)
	}
	err := begin()
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return fmt.Errorf("follow %s: %w", s.Kind.GroupKind(), err)
	}
	// A broken aggregated API, say, must not keep the webhook and the rest of the audit from working.
	reason := "a kind cannot be followed; it is tried again"
	if meta.IsNoMatchError(err) {
		reason = "the cluster does not serve a kind; it is asked for again"
		heard(f.monitor, s)
	}
	f.log.Info(
		reason,
		"kind",
		s.Kind.GroupKind().String(),
		"reason",
		err.Error(),
		"notKnown",
		s.Lacks,
		"every",
		retryMissing.String(),
	)
	go f.later(ctx, s)
	return nil
}

// later waits for a kind to be served.
func (f kubernetesFeed) later(ctx context.Context, s kube.Source) {
	ticker := time.NewTicker(retryMissing)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		err := f.begin(ctx, s)
		switch {
		case err == nil:
			f.log.Info("the cluster serves a kind now", "kind", s.Kind.GroupKind().String())
			return
		case ctx.Err() != nil:
			return
		case !meta.IsNoMatchError(err):
			f.log.Error(err, "follow", "kind", s.Kind.GroupKind().String())
		}
	}
}

// begin feeds the monitor from one kind and returns when what is there has been read once.
func (f kubernetesFeed) begin(ctx context.Context, s kube.Source) error {
	mapping, err := f.kinds.RESTMapping(s.Kind.GroupKind(), s.Kind.Version)
	if err != nil {
		return err
	}
	expect(f.monitor, s) // it may be served only now
	f.watches.want(mapping.Resource)
	filled := f.inform
	if s.Many {
		filled = f.reflect
	}
	if err := filled(ctx, s, mapping.Resource.Resource); err != nil {
		return err
	}
	heard(f.monitor, s)
	return nil
}

// inform feeds the monitor from a cache that others read, too.
func (f kubernetesFeed) inform(ctx context.Context, s kube.Source, _ string) error {
	informer, err := f.facts.GetInformer(ctx, s.Object())
	if err != nil {
		return err
	}
	set := func(o any) { f.monitor.Change(func(inv *inventory.Inventory) []string { return s.Set(inv, o) }) }
	registration, err := informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc: set,
		UpdateFunc: func(before, o any) {
			if !s.SpecOnly || !sameSpec(before, o) {
				set(o)
			}
		},
		DeleteFunc: func(o any) {
			if gone, ok := o.(toolscache.DeletedFinalStateUnknown); ok {
				o = gone.Obj
			}
			f.monitor.Change(func(inv *inventory.Inventory) []string { return s.Delete(inv, o) })
		},
	})
	if err != nil {
		return err
	}
	if !toolscache.WaitForCacheSync(ctx.Done(), registration.HasSynced) {
		return ctx.Err()
	}
	return nil
}

// sameSpec reports whether two states of objects of one name are of one object and say the same in their specs.
func sameSpec(was, is any) bool {
	before, ok := was.(client.Object)
	after, also := is.(client.Object)
	return ok && also && before.GetUID() == after.GetUID() && before.GetGeneration() == after.GetGeneration()
}
