package events

import (
	"maps"
	"time"
)

// rooms say for how many Events of each namespace there is room.
type rooms struct {
	// burst is how many are told at once, and refill how soon there is room for one more.
	burst  int
	refill time.Duration
	of     map[string]room
}

// room is the room that was left at a time.
type room struct {
	left int
	at   time.Time
}

func newRooms(burst int, refill time.Duration) rooms {
	return rooms{burst: burst, refill: refill, of: make(map[string]room)}
}

// left returns the room that there is for a namespace.
func (r rooms) left(namespace string, now time.Time) int {
	was, known := r.of[namespace]
	if !known {
		return r.burst
	}
	return r.grown(was, now)
}

// grown returns a room as it has become since.
func (r rooms) grown(was room, now time.Time) int {
	return min(r.burst, was.left+int(now.Sub(was.at)/r.refill))
}

// spend takes room for n Events of the namespace; it is false where there is not as much.
func (r rooms) spend(namespace string, n int, now time.Time) bool {
	left := r.left(namespace, now)
	if left < n {
		return false
	}
	at := now
	if was, known := r.of[namespace]; known && left == was.left {
		at = was.at // the rest of a refill counts on
	}
	r.of[namespace] = room{left - n, at}
	return true
}

// tidy forgets namespaces for which there is as much room as if there had never been an Event.
func (r rooms) tidy(now time.Time) {
	maps.DeleteFunc(r.of, func(_ string, was room) bool { return r.grown(was, now) >= r.burst })
}
