package webhook

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// However many reviews of one namespace come, those of others are answered at once; and a namespace still gets its
// share.
func TestThreat33NamespacesShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const total = 256
		l := NewLimit(total)
		flood := shareOf(&admissionv1.AdmissionRequest{Namespace: "flood"})
		granted := make(chan bool, 4*total)
		for range 4 * total {
			go func() { granted <- l.take(t.Context(), flood) }()
		}
		synctest.Wait()
		if n := len(granted); n != total/4 {
			t.Fatalf("%d reviews of one namespace are answered at a time, want %d", n, total/4)
		}
		for i := range total / 2 {
			start := time.Now()
			if !l.take(t.Context(), fmt.Sprint("namespace ", i)) || time.Since(start) != 0 {
				t.Fatalf("another namespace waited %s for its turn", time.Since(start))
			}
		}
		// A returned turn goes to the review that has waited longest.
		l.give(flood)
		synctest.Wait()
		if n := len(granted); n != total/4+1 {
			t.Errorf("%d were answered when one had ended, want one more", n)
		}
		// The rest gives up in time, and no review is left waiting.
		time.Sleep(slotWait)
		synctest.Wait()
		if n := len(granted); n != 4*total || len(l.queue) != 0 {
			t.Errorf("%d of %d know whether they have a turn, %d wait", n, 4*total, len(l.queue))
		}
	})
}

// Reviews of resources without a namespace share by their resource.
func TestShareOf(t *testing.T) {
	vip := metav1.GroupVersionResource{Group: "kubeovn.io", Resource: "vips"}
	for want, r := range map[string]admissionv1.AdmissionRequest{
		"namespace shop":           {Namespace: "shop", Resource: metav1.GroupVersionResource{Resource: "pods"}},
		"resource vips.kubeovn.io": {Resource: vip},
		"resource namespaces.":     {Resource: metav1.GroupVersionResource{Resource: "namespaces"}},
	} {
		if got := shareOf(&r); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// A process is not healthy if reviews are under way and none ends any more; a process that answers is, however many
// reviews wait.
func TestStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimit(1)
		expect := func(when string, stuck bool) {
			t.Helper()
			if err := l.Stuck(); (err != nil) != stuck {
				t.Errorf("%s: %v", when, err)
			}
		}
		time.Sleep(time.Hour)
		expect("nothing to do for an hour", false)
		l.take(t.Context(), "a")
		time.Sleep(stuckAfter)
		expect("one under way for no longer than may be", false)
		time.Sleep(time.Second)
		expect("one that does not end", true)
		l.give("a")
		expect("it has ended", false)
		for range 60 { // busy all the time, and each review ends
			l.take(t.Context(), "a")
			go l.take(t.Context(), "b")
			time.Sleep(400 * time.Millisecond)
			l.give("a")
			synctest.Wait()
			l.give("b")
		}
		expect("one after another", false)
	})
}

// A budget is for all sources, and none gets more than a quarter; memory that is given back wakes a waiting review.
func TestBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(1000)
		of := func(source string) *hold { return &hold{budget: b, source: source} }
		first, second := of("a"), of("a")
		if !first.take(t.Context(), 200) || second.take(t.Context(), 51) {
			t.Error("a source has more than a quarter, or less")
		}
		holds := []*hold{of("b"), of("c"), of("d")}
		for _, h := range holds {
			if !h.take(t.Context(), 250) {
				t.Error("another source waits for the first")
			}
		}
		if of("e").take(t.Context(), 51) {
			t.Error("more than all of the budget was given out")
		}
		got := make(chan bool, 1)
		go func() { got <- of("e").take(t.Context(), 51) }()
		time.Sleep(slotWait / 2)
		holds[0].give()
		holds[0].give() // a second call must not count
		if !<-got {
			t.Error("who waited was not woken")
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if of("e").take(ended, 900) {
			t.Error("taken for a request that is over")
		}
		if first.give(); b.held != 551 {
			t.Errorf("%d are held, want 551", b.held)
		}
	})
}
