package feed

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	toolscache "k8s.io/client-go/tools/cache"
	fcache "k8s.io/client-go/tools/cache/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kube"
	"github.com/ovnguard/ovnguard/internal/monitor"
)

// heardOf is a source of pods that records the pods that are entered and taken out, in order.
type heardOf struct {
	mu   sync.Mutex
	said []string
}

func (h *heardOf) take() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	said := h.said
	h.said = nil
	return said
}

func (h *heardOf) source(t *testing.T) kube.Source {
	note := func(what string) func(*inventory.Inventory, any) []string {
		return func(_ *inventory.Inventory, o any) []string {
			entry, ok := o.(*kube.Entry)
			if !ok {
				t.Errorf("%s %T, want an entry", what, o)
				return nil
			}
			h.mu.Lock()
			defer h.mu.Unlock()
			h.said = append(h.said, what+" "+entry.String())
			return nil
		}
	}
	return kube.Source{
		Kind: corev1.SchemeGroupVersion.WithKind(
			"Pod",
		),
		Many:   true,
		Object: func() client.Object { return &corev1.Pod{} },
		Set:    note("set"),
		Delete: note("delete"),
	}
}

func podAt(name, version string) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name, ResourceVersion: version}}
}

// Listed and changed objects are entered; objects that a list no longer has are taken out before new ones are entered.
func TestReflection(t *testing.T) {
	h := &heardOf{}
	s := h.source(t)
	r := newReflection(s, monitor.New(monitor.SystemClock{}, monitor.Observers{}))
	want := func(said ...string) {
		t.Helper()
		if got := h.take(); !slices.Equal(got, said) {
			t.Errorf("%q, want %q", got, said)
		}
	}
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	select {
	case <-r.filled:
		t.Error("filled before anything was read")
	default:
	}
	do(r.Replace([]any{podAt("a", "1")}, "1"))
	<-r.filled
	want("set ns/a")
	do(r.Add(podAt("b", "2")))
	do(r.Update(podAt("b", "3")))
	want("set ns/b", "set ns/b")
	do(r.Delete(podAt("b", "4")))
	want("delete ns/b")
	kept, err := kube.Strip(podAt("a", "5"))
	do(err)
	do(r.Replace([]any{kept, podAt("c", "6")}, "6"))
	want("set ns/a", "set ns/c")
	do(r.Replace([]any{podAt("d", "7"), podAt("c", "6")}, "7"))
	want("delete ns/a", "set ns/d")
	do(r.Replace(nil, "8"))
	if got := h.take(); len(got) != 2 {
		t.Errorf("%q, want both taken out", got)
	}
	if err := r.Add(&corev1.Service{}); err == nil {
		t.Error("a Service was taken for a pod")
	}
}

// A source of many objects is read once before it counts as read, followed after that, and left alone when the service
// ends.
func TestReflect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &heardOf{}
		server := fcache.NewFakeControllerSource()
		defer server.Shutdown()
		server.Add(podAt("a", ""))
		ctx, end := context.WithCancel(t.Context())
		f := kubernetesFeed{
			monitor: monitor.New(monitor.SystemClock{}, monitor.Observers{}), log: logr.Discard(),
			list: func(kube.Source, string) (toolscache.ListerWatcher, error) { return server, nil },
		}
		if err := f.reflect(ctx, h.source(t), "pods"); err != nil {
			t.Fatal(err)
		}
		if got := h.take(); !slices.Equal(got, []string{"set ns/a"}) {
			t.Errorf("%q after what was there was read", got)
		}
		server.Add(podAt("b", ""))
		server.Delete(podAt("a", ""))
		synctest.Wait()
		if got := h.take(); !slices.Equal(got, []string{"set ns/b", "delete ns/a"}) {
			t.Errorf("%q", got)
		}
		server.AddDropWatch(podAt("c", "")) // while nobody watches
		server.ResetWatch()
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := h.take(); !slices.Contains(got, "set ns/c") {
			t.Errorf("%q after the watch ended once", got)
		}
		end()
		synctest.Wait()
		ended, stop := context.WithCancel(t.Context())
		stop()
		f.list = func(kube.Source, string) (toolscache.ListerWatcher, error) {
			return &toolscache.ListWatch{}, nil
		}
		if err := f.reflect(ended, h.source(t), "pods"); err == nil {
			t.Error("the end of the service counts as read")
		}
	})
}
