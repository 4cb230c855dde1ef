//go:build integration

package standin

import (
	"slices"
	"strconv"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ovnguard/ovnguard/lab/internal/standin/upstream"
)

// TestSpeed measures how long a pod waits for its port, and a changed annotation for its effect, one after the other.
// Upstream takes about 10 ms. The bound is far above the time on any machine, however busy, and below the time when a
// change is found by polling and not by an event.
func TestSpeed(t *testing.T) {
	const pods, bound = 50, 3 * time.Second
	w := newWorld(t, upstream.Master)
	t.Cleanup(w.stop)
	w.start()
	w.namespace("ns", nil)
	w.settle()
	until := func(begin time.Time, is func() bool) time.Duration {
		for !is() {
			if time.Since(begin) > settleTimeout {
				t.Fatal("nothing happens")
			}
			time.Sleep(200 * time.Microsecond)
		}
		return time.Since(begin)
	}
	var births, flips []time.Duration
	for i := range pods {
		name := "p" + strconv.Itoa(i)
		begin := time.Now()
		w.pod(
			&corev1.Pod{
				ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name},
				Spec:       corev1.PodSpec{NodeName: "node"},
			},
		)
		births = append(
			births,
			until(
				begin,
				func() bool { _, ok, err := w.reader.Port(t.Context(), name+".ns"); check(t, err); return ok },
			),
		)
		w.settle()
		begin = time.Now()
		w.annotatePod("ns", name, map[string]any{"ovn.kubernetes.io/port_security": "true"})
		flips = append(flips, until(begin, func() bool {
			row, _, err := w.reader.Port(t.Context(), name+".ns")
			check(t, err)
			return len(row.PortSecurity) == 1
		}))
	}
	for what, list := range map[string][]time.Duration{"pod to port": births, "annotation to port_security": flips} {
		slices.Sort(list)
		median, worst := list[len(list)/2], list[len(list)-1]
		t.Logf("%s, request included: median %v, slowest of %d %v", what, median, len(list), worst)
		if median > bound {
			t.Errorf("%s takes %v, want less than %v", what, median, bound)
		}
	}
}
