package status

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
	"github.com/ovnguard/ovnguard/internal/kube"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/internal/publish"
)

// Times of the writer.
const (
	// every is how often statuses are compared with what they should be.
	every = time.Second
	// again is how long it waits where the cluster does not serve policies or exceptions.
	again = 15 * time.Second
	// lookTimeout bounds one look, which waits for caches that are being filled.
	lookTimeout = 10 * time.Second
	// settle is how long a status stays as it was written before its numbers alone are written again.
	settle = 3 * time.Second
	// shadowEvery is how often it is found again which policies decide, where none of them has changed: it takes all
	// namespaces.
	shadowEvery = 10 * time.Second
	// perLook is how many statuses it writes at a time.
	perLook = 25
)

// Writer keeps the statuses of policies and exceptions current.
type Writer struct {
	// Cache is read from, and Client written through.
	Cache  client.Reader
	Client client.Client
	Book   *Book
	// Namespace returns what policy reads of a namespace.
	Namespace func(name string) policy.Namespace
	// Namespaces returns what policy reads of all namespaces.
	Namespaces func() []policy.Namespace
	// Standing returns an exception with what it would grant of others without their consent.
	Standing func(policy.Exception) policy.Exception
	Log      logr.Logger
	// Wrote is told of each write, and what became of it.
	Wrote func(error)
	// Now tells the time.
	Now func() time.Time

	// last tells, by UID, what was written last.
	last map[types.UID]written
	// shadows says which policies keep others from deciding, as of shadowed and for the policies of versions.
	shadows  map[string]policy.Shadow
	versions []string
	shadowed time.Time
}

// written is when a status was written, and the version of the object that it was written over: while the cache still
// has that one, it is not compared.
type written struct {
	over string
	at   time.Time
}

// Run writes until ctx ends.
func (w *Writer) Run(ctx context.Context) {
	w.last = make(map[types.UID]written)
	loop := publish.Loop{
		Every: every, NotServed: again, Log: w.Log,
		Failing: "statuses of policies and exceptions could not be written; the write is tried again",
		Works:   "statuses of policies and exceptions are written again",
	}
	loop.Run(ctx, w.look)
}

// look compares every status with what it should be, and writes those that are not.
func (w *Writer) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	var policies v1alpha1.PortSecurityPolicyList
	if err := w.Cache.List(ctx, &policies, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("list policies: %w", err)
	}
	var exceptions v1alpha1.PortSecurityExceptionList
	if err := w.Cache.List(ctx, &exceptions, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("list exceptions: %w", err)
	}
	now, budget := w.Now(), perLook
	seen := make(map[types.UID]written, len(policies.Items)+len(exceptions.Items))
	var errs []error
	put := func(o client.Object, changed, urgent bool, with func() client.Object) {
		before, known := w.last[o.GetUID()]
		if known {
			seen[o.GetUID()] = before
		}
		if !changed || budget == 0 ||
			known && (before.over == o.GetResourceVersion() || !urgent && now.Sub(before.at) < settle) {
			return
		}
		budget--
		seen[o.GetUID()] = written{o.GetResourceVersion(), now}
		err := w.Client.Status().
			Patch(ctx, with(), client.MergeFromWithOptions(o, client.MergeFromWithOptimisticLock{}))
		if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
			return // the cache is behind, and tells when it no longer is
		}
		if w.Wrote(err); err != nil {
			delete(seen, o.GetUID())
			errs = append(errs, fmt.Errorf("%T %s: %w", o, client.ObjectKeyFromObject(o), err))
		}
	}
	compiled := make([]policy.Policy, len(policies.Items))
	versions := make([]string, len(policies.Items))
	for i := range policies.Items {
		o := &policies.Items[i]
		compiled[i] = kube.PolicyOf(o)
		versions[i] = fmt.Sprintf("%s %d", o.UID, o.Generation)
	}
	w.lookForShadows(compiled, versions, now)
	for i := range policies.Items {
		o := &policies.Items[i]
		var shadow *policy.Shadow
		if s, known := w.shadows[o.Name]; known {
			shadow = &s
		}
		status := OfPolicy(o, &compiled[i], w.Book.Policy(o.Name), shadow, now)
		put(
			o,
			!reflect.DeepEqual(status, o.Status),
			!sameConditions(status.Conditions, o.Status.Conditions),
			func() client.Object {
				with := o.DeepCopy()
				with.Status = status
				return with
			},
		)
	}
	policy.SortPolicies(compiled)
	for i := range exceptions.Items {
		o := &exceptions.Items[i]
		e := w.Standing(kube.ExceptionOf(o))
		standing := StandingOf(&e, compiled, w.Namespace(o.Namespace), now)
		status := OfException(o, standing, w.Book.Exception(Key{o.Namespace, o.Name}), now)
		put(
			o,
			!reflect.DeepEqual(status, o.Status),
			!sameConditions(status.Conditions, o.Status.Conditions),
			func() client.Object {
				with := o.DeepCopy()
				with.Status = status
				return with
			},
		)
	}
	w.last = seen
	return errors.Join(errs...)
}

// lookForShadows finds which policies keep others from deciding where policies have changed, and after a while because
// namespaces may have.
func (w *Writer) lookForShadows(policies []policy.Policy, versions []string, now time.Time) {
	if slices.Equal(versions, w.versions) && now.Sub(w.shadowed) < shadowEvery {
		return
	}
	sorted := slices.Clone(policies)
	policy.SortPolicies(sorted)
	w.shadows, w.versions, w.shadowed = policy.Shadows(sorted, w.Namespaces()), versions, now
}

// sameConditions reports whether nothing but numbers changed.
func sameConditions(a, b []metav1.Condition) bool { return reflect.DeepEqual(a, b) }
