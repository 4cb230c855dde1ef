package events

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/ovnguard/ovnguard/internal/publish"
)

// Bounds of the Events about refusals. A user who may create pods can have any number refused, each for another reason,
// and no quota counts them. So there is less room for new Events of a namespace than for findings, and a bound for all
// namespaces together.
const (
	refusalRefill = 10 * time.Second
	// allBurst and allRefill are for the new Events of all namespaces.
	allBurst  = 1024
	allRefill = time.Second
	// countEvery is how often one Event is counted up, at most.
	countEvery = 10 * time.Second
	// forgetAfter is how long a refusal is remembered that does not come again.
	forgetAfter = 10 * time.Minute
	// maxSums is for how many namespaces it is told that there are more.
	maxSums = 4096
)

// Refusal is a request about a pod that was refused.
type Refusal struct {
	Namespace string
	// Regarding is the object of the Event; its namespace is that of the refusal.
	Regarding corev1.ObjectReference
	// Reason is that of the Event, Checks are the IDs of the checks that refused the request, and Text is the note.
	// Refusals that are equal in all fields are counted on one Event.
	Reason string
	Checks []string
	Text   string
}

// Refusals keeps the refusals that are to be told. Each replica tells of its own, since the API server asks any of
// them. It is safe for use by several goroutines.
type Refusals struct {
	now func() time.Time

	mu sync.Mutex
	// known are refusals by the namespace and name of their Events, and sums those of namespaces that have more than
	// are told one by one.
	known, sums map[eventKey]*untold
	// told is how many refusals of each namespace are known.
	told map[string]int
	// room is for new Events, all for those of all namespaces under one name, and counting for counting them up.
	room, all, counting rooms
}

type eventKey struct{ namespace, name string }

// untold is a refusal with the number of times that it came and is not told yet.
type untold struct {
	Refusal

	count int
	// first and last are the times of the first and the last of these.
	first, last time.Time
	// told is when it was told last; zero where it never was.
	told time.Time
	// tried is when it could not be told.
	tried time.Time
}

// NewRefusals returns an empty Refusals; now tells the time.
func NewRefusals(now func() time.Time) *Refusals {
	return &Refusals{
		now: now, known: make(map[eventKey]*untold), sums: make(map[eventKey]*untold), told: make(map[string]int),
		room: newRooms(burst, refusalRefill), all: newRooms(allBurst, allRefill), counting: newRooms(burst, refill),
	}
}

// Note has a refusal told, or counted.
func (r *Refusals) Note(x Refusal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now, key := r.now(), eventKey{x.Namespace, refusalName(&x)}
	u := r.known[key]
	switch {
	case u != nil:
	case r.isFirst(x.Namespace) || r.all.left("", now) > 0 && r.room.left(x.Namespace, now) > 0:
		r.room.spend(x.Namespace, 1, now)
		r.all.spend("", 1, now)
		x.Text = publish.Shorten(x.Text, noteLimit)
		u = &untold{Refusal: x}
		r.known[key] = u
		r.told[x.Namespace]++
	default:
		u = r.sum(x.Namespace)
	}
	if u == nil {
		return
	}
	if u.count == 0 {
		u.first = now
	}
	u.count++
	u.last = now
}

// isFirst reports whether there is no other refusal of a namespace lately. That one has an Event whatever others have
// used up: the sum would be one as well.
func (r *Refusals) isFirst(namespace string) bool {
	return r.told[namespace] == 0 && len(r.told) < maxSums
}

// sum returns the refusal that counts the others of a namespace; nil where too many namespaces have one already.
func (r *Refusals) sum(namespace string) *untold {
	x := Refusal{
		Namespace: namespace, Regarding: namespaceRef(namespace), Reason: ReasonManyRefused,
		Text: "besides the refusals with their own Events, requests about pods were refused, as often as this Event " +
			"is counted; the answer to each request says why, and the API server's audit log has all of them",
	}
	key := eventKey{namespace, refusalName(&x)}
	u := r.sums[key]
	if u == nil && len(r.sums) < maxSums {
		u = &untold{Refusal: x}
		r.sums[key] = u
	}
	return u
}

// due is a refusal that is to be told now.
type due struct {
	eventKey
	untold
}

// take returns at most n refusals that are to be told now: those first that wait longest, and the second one of a
// namespace behind the first ones of all others. Each of them is given back to done.
func (r *Refusals) take(n int) []due {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	for _, all := range []map[eventKey]*untold{r.known, r.sums} {
		maps.DeleteFunc(all, func(_ eventKey, u *untold) bool { return now.Sub(u.last) > forgetAfter })
	}
	clear(r.told)
	for key := range r.known {
		r.told[key.namespace]++
	}
	for _, room := range []rooms{r.room, r.all, r.counting} {
		room.tidy(now)
	}
	var out []due
	add := func(all map[eventKey]*untold, every time.Duration) {
		for key, u := range all {
			if u.count > 0 && (u.told.IsZero() || now.Sub(u.told) >= every) {
				out = append(out, due{key, *u})
			}
		}
	}
	add(r.known, countEvery)
	add(r.sums, sumEvery)
	slices.SortFunc(out, func(a, b due) int {
		return cmp.Or(a.since().Compare(b.since()), cmp.Compare(a.name, b.name), cmp.Compare(a.namespace, b.namespace))
	})
	turn, before := make(map[eventKey]int, len(out)), make(map[string]int)
	for i := range out {
		turn[out[i].eventKey] = before[out[i].namespace]
		before[out[i].namespace]++
	}
	slices.SortStableFunc(out, func(a, b due) int { return cmp.Compare(turn[a.eventKey], turn[b.eventKey]) })
	taken := 0
	return slices.DeleteFunc(out, func(d due) bool {
		ok := taken < n &&
			(d.told.IsZero() || r.counting.spend(d.namespace, 1, now)) // a new one has its room already
		if ok {
			taken++
		}
		return !ok
	})
}

// since returns the time from which on it waits to be told.
func (u *untold) since() time.Time {
	if u.tried.After(u.first) {
		return u.tried // behind the others, since these may work
	}
	return u.first
}

// done notes that a refusal was told, or why it could not be.
func (r *Refusals) done(d due, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	u := r.known[d.eventKey]
	if u == nil {
		u = r.sums[d.eventKey]
	}
	if u == nil {
		return
	}
	if err != nil {
		u.tried = r.now()
		return
	}
	u.count -= d.count
	u.first, u.told = u.last, r.now()
}
