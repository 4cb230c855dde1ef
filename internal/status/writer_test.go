package status

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr/funcr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/ovnguard/ovnguard/internal/kube"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// A reason that comes again, after it was gone, is logged again.
func TestWriterTellsAgain(t *testing.T) {
	scheme, err := kube.Scheme()
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		var down atomic.Bool
		c := fake.NewClientBuilder().WithScheme(scheme).WithInterceptorFuncs(interceptor.Funcs{
			List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
				if down.Load() {
					return errors.New("no way there")
				}
				return c.List(ctx, list, opts...)
			},
		}).Build()
		var told []string
		w := &Writer{
			Cache:      c,
			Client:     c,
			Book:       NewBook(),
			Log:        funcr.New(func(_, args string) { told = append(told, args) }, funcr.Options{}),
			Now:        time.Now,
			Namespaces: func() []policy.Namespace { return nil },
		}
		ctx, cancel := context.WithCancel(t.Context())
		go w.Run(ctx)
		time.Sleep(every / 2) // changes happen between two looks, and not during one
		for range 2 {
			down.Store(true)
			time.Sleep(5 * every)
			down.Store(false)
			time.Sleep(5 * every)
		}
		cancel()
		synctest.Wait()
		if len(told) != 4 {
			t.Errorf("told %q, want twice that it fails and that it works again", told)
		}
	})
}
