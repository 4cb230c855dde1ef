package feed

import (
	"context"
	"fmt"
	"sync"

	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kube"
	"github.com/ovnguard/ovnguard/internal/monitor"
)

// reflect feeds the monitor from a kind with many objects, without a cache between: each change would go through
// several goroutines there, which costs more than entering it.
func (f kubernetesFeed) reflect(ctx context.Context, s kube.Source, resource string) error {
	server, err := f.list(s, resource)
	if err != nil {
		return err
	}
	into := newReflection(s, f.monitor)
	r := toolscache.NewReflectorWithOptions(
		server,
		s.Object(),
		into,
		toolscache.ReflectorOptions{Name: s.Kind.GroupKind().String()},
	)
	go r.RunWithContext(klog.NewContext(ctx, f.log))
	select {
	case <-into.filled:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// reflection is what a reflector fills: what it puts there is entered into the inventory at once. A reflector calls it
// from one goroutine.
type reflection struct {
	source  kube.Source
	monitor *monitor.Monitor
	// held is what has been entered and not taken out.
	held map[types.NamespacedName]*kube.Entry
	// filled is closed when all that was there has been entered.
	filled chan struct{}
	fill   sync.Once
}

func newReflection(s kube.Source, m *monitor.Monitor) *reflection {
	return &reflection{
		source:  s,
		monitor: m,
		held:    make(map[types.NamespacedName]*kube.Entry),
		filled:  make(chan struct{}),
	}
}

// Transformer implements cache.TransformingStore.
func (r *reflection) Transformer() toolscache.TransformFunc { return kube.Strip }

// entry returns the entry of an object as it was read, or as a reflector has transformed it.
func (r *reflection) entry(object any) (*kube.Entry, error) {
	stripped, err := kube.Strip(object)
	if err != nil {
		return nil, err
	}
	entry, ok := stripped.(*kube.Entry)
	if !ok {
		return nil, fmt.Errorf("%s: a %T was read", r.source.Kind.GroupKind(), object)
	}
	return entry, nil
}

// with does something with the entry of an object.
func (r *reflection) with(object any, do func(*kube.Entry)) error {
	entry, err := r.entry(object)
	if err == nil {
		do(entry)
	}
	return err
}

// Add implements cache.ReflectorStore.
func (r *reflection) Add(object any) error { return r.with(object, r.set) }

func (r *reflection) set(entry *kube.Entry) {
	r.held[entry.NamespacedName] = entry
	r.monitor.Change(func(inv *inventory.Inventory) []string { return r.source.Set(inv, entry) })
}

// Update implements cache.ReflectorStore.
func (r *reflection) Update(object any) error { return r.Add(object) }

// Delete implements cache.ReflectorStore.
func (r *reflection) Delete(object any) error { return r.with(object, r.remove) }

func (r *reflection) remove(entry *kube.Entry) {
	delete(r.held, entry.NamespacedName)
	r.monitor.Change(func(inv *inventory.Inventory) []string { return r.source.Delete(inv, entry) })
}

// Replace implements cache.ReflectorStore. What is not in the list went while nobody looked, and what came may have got
// what it had. What is as it was is not judged again.
func (r *reflection) Replace(list []any, _ string) error {
	entries := make([]*kube.Entry, len(list))
	there := make(map[types.NamespacedName]bool, len(list))
	for i, object := range list {
		entry, err := r.entry(object)
		if err != nil {
			return err
		}
		entries[i], there[entry.NamespacedName] = entry, true
	}
	for name, entry := range r.held {
		if !there[name] {
			r.remove(entry)
		}
	}
	for _, entry := range entries {
		if had := r.held[entry.NamespacedName]; had == nil || had.Version != entry.Version {
			r.set(entry)
		}
	}
	r.fill.Do(func() { close(r.filled) })
	return nil
}

// Resync implements cache.ReflectorStore. Nothing is held back that could be told again.
func (r *reflection) Resync() error { return nil }
