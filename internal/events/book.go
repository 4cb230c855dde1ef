// Package events tells on pods, as Events, what the audit finds about their ports and when it is over: each finding
// once, and many findings of a namespace together, so that a thousand ports that drift at once are no thousand Events.
package events

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/ovnguard/ovnguard/internal/audit"
	"github.com/ovnguard/ovnguard/internal/monitor"
)

// Bounds of what is told.
const (
	// burst is how many Events of a namespace are told one by one, and refill how soon there is room for one more.
	burst  = 64
	refill = time.Second
	// keep is how long an Event waits for a leader who tells it. What is older a former leader told.
	keep = time.Minute
	// maxWaiting is how many wait at most; of more only the number is known.
	maxWaiting = 4096
	// sumEvery is how often it is told of a namespace what was not told one by one.
	sumEvery = time.Minute
)

// Item is a finding that came or went, or a change that repair made.
type Item struct {
	audit.Finding
	PodUID string
	// Gone means that it went.
	Gone bool
	// Repair is the change; nil where the item is a finding.
	Repair *Repair
	At     time.Time
}

// Repair is a change that repair made to a port.
type Repair struct {
	// Rules are the IDs of the findings that the port had, in order; none where the pod only lacked its annotation.
	Rules []string
	// Wrote says where something was written, as in "row" or "annotation", and Text has the values before and after.
	Wrote, Text string
}

// uid returns the UID of what the item is about: a pod, or a workload.
func (i *Item) uid() string { return cmp.Or(i.PodUID, i.Workload.UID) }

// Sum is what came and went in a namespace besides what is told one by one.
type Sum struct {
	Namespace string
	// Came and Went count findings by rule.
	Came, Went map[string]int
	// Repaired counts the changes that repair made.
	Repaired int
}

// Notice is something about the program itself that its operators should see.
type Notice struct {
	// Namespace is the program's own, on which it is told.
	Namespace string
	// Action is the part of the program that tells it: that of the Event.
	Action string
	// Reason is that of the Event, and Case a word for what is told: what is told again of the same case is counted.
	Reason, Case string
	// Text says it in a sentence. Good means that nothing need be done about it.
	Text string
	Good bool
	At   time.Time
}

// Book keeps what is to be told. It is a monitor.Observer and safe for use by several goroutines.
type Book struct {
	now func() time.Time

	mu      sync.Mutex
	waiting []Item
	notices []Notice
	// sums are what there was no room for, by namespace.
	sums map[string]*Sum
	// room is for Events that are told one by one.
	room rooms
	// told are findings that were told and have not ended, by the names of their Events. The room for the Events about
	// their end is taken already.
	told map[string]bool
	// summed is when a Sum of a namespace was told last.
	summed map[string]time.Time
}

// NewBook returns an empty Book; now tells the time.
func NewBook(now func() time.Time) *Book {
	return &Book{
		now: now, sums: make(map[string]*Sum), room: newRooms(burst, refill), told: make(map[string]bool),
		summed: make(map[string]time.Time),
	}
}

// Judged implements monitor.Observer.
func (b *Book) Judged(before, after monitor.Verdict) {
	for _, f := range before.Beyond(after) {
		b.note(Item{Finding: f, PodUID: before.PodUID, Gone: true})
	}
	for _, f := range after.Beyond(before) {
		b.note(Item{Finding: f, PodUID: after.PodUID})
	}
}

// Repaired has a change of repair told. The finding only names the port.
func (b *Book) Repaired(port audit.Finding, podUID string, r Repair) {
	b.note(Item{Finding: port, PodUID: podUID, Repair: &r})
}

// note has an item wait. Where no pod claims the port, and the item is of no workload, there is nothing that an Event
// could be about; what is only worth knowing is none.
func (b *Book) note(i Item) {
	if i.PodUID == "" && i.Workload.UID == "" || i.Rule.Severity == audit.Info {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	i.At = b.now()
	if len(b.waiting) >= maxWaiting {
		b.forget(i.At)
	}
	if len(b.waiting) >= maxWaiting {
		b.sum(i)
		return
	}
	b.waiting = append(b.waiting, i)
}

// Tell has a notice wait for a leader who tells it. Its time is set here.
func (b *Book) Tell(n Notice) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n.At = b.now()
	b.notices = slices.DeleteFunc(b.notices, func(o Notice) bool { // the last word about a case is enough
		return n.At.Sub(o.At) > keep || o.Reason == n.Reason && o.Case == n.Case
	})
	b.notices = append(b.notices, n)
}

// Notices returns the notices that are to be told now, in the order in which they came.
func (b *Book) Notices() []Notice {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	out := slices.DeleteFunc(
		b.notices,
		func(n Notice) bool { return now.Sub(n.At) > keep || !b.room.spend(n.Namespace, 1, now) },
	)
	b.notices = nil
	return out
}

// forget drops what nobody told in time.
func (b *Book) forget(now time.Time) {
	b.waiting = slices.DeleteFunc(b.waiting, func(i Item) bool { return now.Sub(i.At) > keep })
}

func (b *Book) sum(i Item) {
	s := b.sums[i.Namespace]
	if s == nil {
		s = &Sum{Namespace: i.Namespace, Came: make(map[string]int), Went: make(map[string]int)}
		b.sums[i.Namespace] = s
	}
	switch {
	case i.Repair != nil:
		s.Repaired++
	case i.Gone:
		s.Went[i.Rule.ID]++
	default:
		s.Came[i.Rule.ID]++
	}
}

// mayTell takes the room that an item needs, and reports whether there was enough. A finding takes the room for its end
// as well: otherwise the last Event of a port could be about a finding that is gone.
func (b *Book) mayTell(i Item, now time.Time) bool {
	if i.Repair != nil {
		return b.room.spend(i.Namespace, 1, now)
	}
	name := foundName(i)
	if i.Gone {
		reserved := b.told[name]
		delete(b.told, name)
		return reserved || b.room.spend(i.Namespace, 1, now)
	}
	if !b.room.spend(i.Namespace, 2, now) {
		return false
	}
	if len(b.told) >= maxTold {
		clear(b.told)
	}
	b.told[name] = true
	return true
}

// Take returns what is to be told now, one by one and together.
func (b *Book) Take() ([]Item, []Sum) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	b.forget(now)
	var single []Item
	for _, i := range b.waiting {
		if b.mayTell(i, now) {
			single = append(single, i)
		} else {
			b.sum(i)
		}
	}
	b.waiting = nil
	var sums []Sum
	for namespace, s := range b.sums {
		if last, told := b.summed[namespace]; told && now.Sub(last) < sumEvery {
			continue
		}
		b.summed[namespace] = now
		sums = append(sums, *s)
		delete(b.sums, namespace)
	}
	slices.SortFunc(sums, func(a, b Sum) int { return cmp.Compare(a.Namespace, b.Namespace) })
	// Namespaces come and go: what is as if it had never been is not kept.
	maps.DeleteFunc(b.summed, func(_ string, at time.Time) bool { return now.Sub(at) >= sumEvery })
	b.room.tidy(now)
	return single, sums
}
