package registration

import (
	"context"
	"errors"
	"reflect"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
)

const (
	// contestBurst is how many times in a row an object is put back at once, contestEvery how often then. A replica of
	// another version, or with other flags, puts its own back just as fast, and each write has the API server compile
	// all conditions again.
	contestBurst = 3
	contestEvery = 10 * time.Second
)

// contests writes objects as they must be, and paces what others keep changing. What this program itself wants
// otherwise than before is written at once. It is not safe for use by several goroutines at once.
type contests struct {
	// count counts each time that an object is not put back at once, by kind and name; nil where nobody counts.
	count *prometheus.CounterVec
	// registered says of each object whether it is as this program wants it, by kind and name; nil where nobody asks.
	registered *prometheus.GaugeVec
	// objects are those that were written or found as they must be, by kind and name.
	objects map[[2]string]*contest
}

// contest is what is known of one object.
type contest struct {
	// want is what it was to be when it was looked at last.
	want any
	// free is when all of the burst is there again.
	free time.Time
	// told means that it is known to be contested.
	told bool
}

// newContestCount returns the counter of what is not put back at once.
func newContestCount() *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "ovnguard_contested_total",
		Help: "Times that a webhook configuration or an admission policy of this program was changed again and again " +
			"by somebody else, so that it is put back only after a while.",
	}, []string{"kind", "name"})
}

// newRegistered returns the gauge of what stands in the API server as this program wants it. The webhooks'
// registrations are there from the beginning.
func newRegistered() *prometheus.GaugeVec {
	g := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "ovnguard_registered",
		Help: "1 while a webhook configuration or an admission policy of this program is in the API server as it " +
			"must be, else 0.",
	}, []string{"kind", "name"})
	for _, o := range []client.Object{
		&admissionregistrationv1.MutatingWebhookConfiguration{},
		&admissionregistrationv1.ValidatingWebhookConfiguration{},
	} {
		g.WithLabelValues(typeName(o), configurationName)
	}
	return g
}

// errContested means that an object is not put back yet.
var errContested = errors.New("somebody else keeps changing it")

// put writes an object, which has at least its name, so that it is what fill makes of it; want is what fill writes of
// it. It says whether anything was written, or after which time it may be, where somebody else has changed it too
// often.
func (s *contests) put(
	ctx context.Context,
	c client.Client,
	object client.Object,
	want any,
	fill func(),
) (written bool, after time.Duration, err error) {
	if s.registered != nil {
		defer func() {
			stands := 0.0
			if err == nil && after == 0 {
				stands = 1
			}
			s.registered.WithLabelValues(typeName(object), object.GetName()).Set(stands)
		}()
	}
	key := [2]string{typeName(object), object.GetName()}
	known := s.objects[key]
	if known == nil {
		known = &contest{}
	}
	ours := !equality.Semantic.DeepEqual(known.want, want)
	now := time.Now()
	result, err := controllerutil.CreateOrUpdate(ctx, c, object, func() error {
		before := object.DeepCopyObject()
		fill()
		changes := object.GetResourceVersion() == "" || !equality.Semantic.DeepEqual(before, object)
		if after = known.free.Add(-(contestBurst - 1) * contestEvery).Sub(now); changes && !ours && after > 0 {
			return errContested
		}
		return nil
	})
	if errors.Is(err, errContested) {
		if !known.told {
			known.told = true
			ctrl.LoggerFrom(ctx).
				Info("contested: somebody else keeps changing what this program keeps, as a replica of another "+
					"version or with other flags does; it is put back after a while",
					"kind", key[0], "name", key[1], "after", after.Round(time.Second).String())
			if s.count != nil {
				s.count.WithLabelValues(key[0], key[1]).Inc()
			}
		}
		return false, after, nil
	}
	if err != nil {
		return false, 0, err
	}
	if written = result != controllerutil.OperationResultNone; written && !ours {
		if known.free.Before(now) {
			known.free = now
		}
		known.free = known.free.Add(contestEvery)
	}
	known.want, known.told = want, false
	if s.objects == nil {
		s.objects = make(map[[2]string]*contest)
	}
	s.objects[key] = known
	return written, 0, nil
}

// withdrawn notes that none of the objects is there any more.
func (s *contests) withdrawn() {
	if s.registered != nil {
		for key := range s.objects {
			s.registered.WithLabelValues(key[0], key[1]).Set(0)
		}
	}
	s.objects = nil
}

// typeName returns the kind of an object, which is the name of its type.
func typeName(o client.Object) string { return reflect.TypeOf(o).Elem().Name() }

// sooner returns the shorter of two waits, where 0 is none.
func sooner(a, b time.Duration) time.Duration {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}
