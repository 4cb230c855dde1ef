package apply

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/ovnguard/ovnguard/internal/audit"
	"github.com/ovnguard/ovnguard/internal/monitor"
)

// taken returns the names that are taken, in order.
func taken(q *Queue, wait bool, urgent ...string) (names []string, waiting bool) {
	ports, waiting := q.take(slices.Values(urgent), wait)
	return slices.Sorted(maps.Keys(ports)), waiting
}

func TestQueue(t *testing.T) {
	q := NewQueue(time.Now)
	q.add("early")
	if names, _ := taken(q, false); len(names) > 0 {
		t.Errorf("before it is open: %q", names)
	}
	q.begin()
	q.add("a", "b", "c")
	if names, waiting := taken(q, false, "b", "none"); !slices.Equal(names, []string{"b"}) || !waiting {
		t.Errorf("urgent: %q, others wait: %v", names, waiting)
	}
	if names, waiting := taken(q, true); len(names) > 0 || !waiting {
		t.Errorf("while urgent ones are expected: %q, others wait: %v", names, waiting)
	}
	if names, waiting := taken(q, false); !slices.Equal(names, []string{"a", "c"}) || waiting {
		t.Errorf("the others: %q, more wait: %v", names, waiting)
	}
	q.end()
	q.add("late")
	q.begin()
	if names, _ := taken(q, false); len(names) > 0 {
		t.Errorf("from before it was open again: %q", names)
	}
}

// A judged port is looked at, and so is a port without its pod, so that nothing is kept of it.
func TestQueueIsToldByTheMonitor(t *testing.T) {
	verdict := func(uid string, state audit.State) monitor.Verdict {
		return monitor.Verdict{Port: "p", PodUID: uid, Result: audit.Result{State: state}}
	}
	for name, c := range map[string]struct {
		before, after monitor.Verdict
		want          bool
	}{
		"a new pod":              {verdict("", ""), verdict("u", audit.Violation), true},
		"a pod as before":        {verdict("u", audit.Compliant), verdict("u", audit.Compliant), true},
		"a pod that is gone":     {verdict("u", audit.Compliant), verdict("", ""), true},
		"a row of no pod":        {verdict("", ""), verdict("", audit.Violation), false},
		"a pod that is finished": {verdict("u", audit.Compliant), verdict("u", audit.OutOfScope), false},
	} {
		q := NewQueue(time.Now)
		q.begin()
		q.Judged(c.before, c.after)
		if names, _ := taken(q, false); (len(names) == 1) != c.want {
			t.Errorf("%s: %q", name, names)
		}
	}
}
