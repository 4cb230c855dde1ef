package controller

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
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache/informertest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kube"
	"github.com/ovnguard/ovnguard/internal/monitor"
)

// Where following the database ends by itself, the service goes on, says that it is not ready, and follows it anew.
func TestAuditBeginsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &auditor{watches: newWatches(logr.Discard(), time.Now), log: logr.Discard()}
		a.started.Store(true)
		ctx, end := context.WithCancel(t.Context())
		tries := 0
		var following sync.WaitGroup
		following.Go(func() {
			a.persist(ctx, func(ctx context.Context) error {
				if tries++; tries <= 2 {
					return errors.New("the subscription is closed")
				}
				a.lost.Store(nil) // as when everything has been read again
				<-ctx.Done()
				return ctx.Err()
			})
		})
		synctest.Wait()
		if err := a.ready(nil); err == nil || !strings.Contains(err.Error(), "the subscription is closed") {
			t.Errorf("ready says %v after the audit was lost", err)
		}
		time.Sleep(2 * retryStart)
		synctest.Wait()
		if err := a.ready(nil); err != nil || tries != 3 {
			t.Errorf("ready says %v after %d tries, want it to be followed again", err, tries)
		}
		end()
		following.Wait()
		if a.lost.Load() != nil {
			t.Error("the end of the service counts as a loss")
		}
	})
}

// slowServer is a manager whose API server says for a while nothing of the kinds that it serves.
type slowServer struct {
	ctrl.Manager
	meta.RESTMapper
	caches cache.Cache
	silent int
}

func (s *slowServer) GetRESTMapper() meta.RESTMapper { return s }
func (s *slowServer) GetCache() cache.Cache          { return s.caches }

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

// lockedInformers are informers for tests that several goroutines may ask for, as a real cache's.
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

// A kind that must be there is waited for: an API server that cannot say what it serves does not end the service. The
// other kinds are read meanwhile.
func TestRequiredKindsAreWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		scheme, err := kube.FactsScheme()
		if err != nil {
			t.Fatal(err)
		}
		server := &slowServer{
			caches: &lockedInformers{FakeInformers: informertest.FakeInformers{Scheme: scheme}},
			silent: 5,
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
		f := feed{
			manager: server, monitor: m, watches: newWatches(logr.Discard(), time.Now), log: logr.Discard(),
			list: func(kube.Source, string) (toolscache.ListerWatcher, error) { return many, nil },
		}
		ctx, end := context.WithCancel(t.Context())
		defer end()
		err = f.follow(ctx, func(what string) { read[what] = true })
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begin); took < 5*retryStart || len(read) != len(kube.Sources()) {
			t.Errorf("%d kinds were read after %s", len(read), took)
		}
	})
}
