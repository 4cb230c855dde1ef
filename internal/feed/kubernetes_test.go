package feed

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	toolscache "k8s.io/client-go/tools/cache"
	fcache "k8s.io/client-go/tools/cache/testing"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache/informertest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kube"
	"github.com/ovnguard/ovnguard/internal/monitor"
	"github.com/ovnguard/ovnguard/internal/retry"
)

// When following the database ends by itself, the service goes on, says that it is not ready, and follows it again.
func TestAuditBeginsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &Feed{watches: NewWatches(logr.Discard(), time.Now), log: logr.Discard()}
		f.started.Store(true)
		ctx, end := context.WithCancel(t.Context())
		tries := 0
		var following sync.WaitGroup
		following.Go(func() {
			f.persist(ctx, func(ctx context.Context) error {
				if tries++; tries <= 2 {
					return errors.New("the subscription is closed")
				}
				f.lost.Store(nil) // as after a complete reading
				<-ctx.Done()
				return ctx.Err()
			})
		})
		synctest.Wait()
		if err := f.Ready(nil); err == nil || !strings.Contains(err.Error(), "the subscription is closed") {
			t.Errorf("ready says %v after the audit was lost", err)
		}
		time.Sleep(2 * retry.Every)
		synctest.Wait()
		if err := f.Ready(nil); err != nil || tries != 3 {
			t.Errorf("ready says %v after %d tries, want it to be followed again", err, tries)
		}
		end()
		following.Wait()
		if f.lost.Load() != nil {
			t.Error("the end of the service counts as a loss")
		}
	})
}

// slowServer is an API server that for a while does not answer about the kinds that it serves.
type slowServer struct {
	meta.RESTMapper
	silent int
}

func (s *slowServer) RESTMapping(kind schema.GroupKind, versions ...string) (*meta.RESTMapping, error) {
	if kind.Kind == "Namespace" && s.silent > 0 {
		s.silent--
		return nil, errors.New("the server is overloaded")
	}
	return &meta.RESTMapping{
		Resource: schema.GroupVersionResource{
			Group:    kind.Group,
			Version:  versions[0],
			Resource: strings.ToLower(kind.Kind) + "s",
		},
	}, nil
}

// lockedInformers are informers that several goroutines may use, as those of a real cache.
type lockedInformers struct {
	informertest.FakeInformers
	mu sync.Mutex
}

func (l *lockedInformers) GetInformer(
	ctx context.Context,
	o client.Object,
	options ...cache.InformerGetOption,
) (cache.Informer, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.FakeInformers.GetInformer(ctx, o, options...)
}

// The program waits for a required kind: an API server that cannot say what it serves does not end the service. The
// other kinds are read meanwhile.
func TestRequiredKindsAreWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		scheme, err := kube.FactsScheme()
		if err != nil {
			t.Fatal(err)
		}
		m := monitor.New(monitor.SystemClock{}, monitor.Observers{})
		expect(m, kube.Sources()...)
		go func() {
			time.Sleep(2 * podsAfter)
			m.Read(func(inv *inventory.State) {
				if got := inv.Unread(
					"Namespace",
					inventory.Pods,
					inventory.Records,
				); !slices.Equal(
					got,
					[]inventory.Kind{"Namespace"},
				) {
					t.Errorf("%v have not been read, want Namespace alone", got)
				}
			})
		}()
		read := make(map[string]bool)
		begin := time.Now()
		many := fcache.NewFakeControllerSource()
		defer many.Shutdown()
		f := kubernetesFeed{
			kinds:   &slowServer{silent: 5},
			facts:   &lockedInformers{FakeInformers: informertest.FakeInformers{Scheme: scheme}},
			monitor: m, watches: NewWatches(logr.Discard(), time.Now), log: logr.Discard(),
			list: func(kube.Source, string) (toolscache.ListerWatcher, error) { return many, nil },
		}
		ctx, end := context.WithCancel(t.Context())
		defer end()
		err = f.follow(ctx, func(what string) { read[what] = true })
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begin); took < 5*retry.Every || len(read) != len(kube.Sources()) {
			t.Errorf("%d kinds were read after %s", len(read), took)
		}
	})
}

// The inventory is fed from every kind that it names as not known.
func TestKindsAreRead(t *testing.T) {
	fed := make(map[inventory.Kind]bool)
	for _, s := range kube.Sources() {
		fed[kindOf(s)] = true
	}
	for _, k := range append(inventory.Holding, inventory.Pods, inventory.Pools, inventory.Policies,
		inventory.Exceptions) {
		if !fed[k] {
			t.Errorf("the inventory is fed from no %s", k)
		}
	}
}
