package repair

import (
	"maps"
	"slices"
	"time"

	"github.com/ovnguard/ovnguard/internal/inventory"
)

// History is what was done about one port. The zero History is that of a port that was never touched. It is a value:
// what happens returns a new one.
type History struct {
	// PodUID and RowUUID name what it is about; Replaced is when the row took the place of another one.
	PodUID, RowUUID string
	Replaced        time.Time
	// Annotations are those that were written last, at Annotated. After a pause they are forgotten: who takes them away
	// then is met with Kube-OVN's own path again.
	Annotations map[string]string
	Annotated   time.Time
	// Found is what port_security was then, until which it is not known that Kube-OVN has followed.
	Found *[]string
	// PortSecurity and Addresses are what the last writes left in the row; nil where nothing was written, or where
	// Kube-OVN has been asked to write since.
	PortSecurity, Addresses *[]string
	// Streak is how often somebody else changed the row after a write and it was written again, without a pause;
	// Answered is when that was the last time.
	Streak   int
	Answered time.Time
	// AnnotateFailed and WriteFailed are the changes of each kind that failed since one was made.
	AnnotateFailed, WriteFailed Failures
	// Proof is the row that was proved to be the port's.
	Proof Proof
	// Began is when the pod was seen first, if that was while repair ran; zero where it was there before.
	Began time.Time
	// Settled is the last decision that the port agreed with; nil where it was not seen to be.
	Settled *Decided
}

// Failures are changes in a row that failed.
type Failures struct {
	Times int
	// Last is when the last of them did.
	Last time.Time
}

// firstRetry is how long after a failure the change is tried again. A conflict comes with a change of the row, and is
// looked at then anyway. It doubles with each further failure, up to longestWait: a change may fail for good, and each
// try is written down.
const firstRetry = 200 * time.Millisecond

// Until returns the time before which the change is not tried again; zero where none failed.
func (f Failures) Until() time.Time {
	switch {
	case f.Times == 0:
		return time.Time{}
	case f.Times > 12:
		return f.Last.Add(longestWait)
	}
	return f.Last.Add(min(firstRetry<<(f.Times-1), longestWait))
}

// and returns the failures with another one.
func (f Failures) and(now time.Time) Failures { return Failures{f.Times + 1, now} }

// How rows that somebody else keeps writing are given up for a while.
const (
	// patience is how often a row is written again without waiting: Kube-OVN itself writes it several times around a
	// pod's start.
	patience = 5
	// pause is how long a row must stay right for a streak to end.
	pause = 5 * time.Minute
	// firstWait doubles with each further write, up to longestWait.
	firstWait   = 2 * time.Second
	longestWait = 5 * time.Minute
)

// Saw returns the history after a look at the port. Another pod starts again, except what is known of the row; another
// row is noted.
func (h History) Saw(podUID, rowUUID string, now time.Time) History {
	if h.PodUID != podUID {
		return History{PodUID: podUID, RowUUID: rowUUID, Proof: h.Proof}
	}
	if h.RowUUID != rowUUID {
		h.RowUUID, h.Replaced = rowUUID, now
		h.PortSecurity, h.Addresses, h.Found = nil, nil, nil
	}
	return h
}

// Did returns the history after an action was carried out.
func (h History) Did(a Action, now time.Time) History {
	switch a.Kind { //nolint:exhaustive // the others change nothing
	case Annotate:
		h.AnnotateFailed = Failures{}
		h.Annotations, h.Annotated, h.Found = maps.Clone(a.Annotations), now, &a.Found
		h.PortSecurity = nil // what Kube-OVN writes now is the answer to this, and nobody's contest
	case Write:
		h.WriteFailed = Failures{}
		if a.Answers {
			if now.Sub(h.Answered) > pause {
				h.Streak = 0
			}
			h.Streak, h.Answered = h.Streak+1, now
		}
		if a.PortSecurity != nil {
			h.PortSecurity = &a.PortSecurity
		}
		if a.Addresses != nil {
			h.Addresses = &a.Addresses
		}
	}
	return h
}

// Failed returns the history after an action that failed, and when it may be tried again.
func (h History) Failed(a Action, now time.Time) (History, time.Time) {
	if a.Kind == Annotate {
		h.AnnotateFailed = h.AnnotateFailed.and(now)
		return h, h.AnnotateFailed.Until()
	}
	h.WriteFailed = h.WriteFailed.and(now)
	return h, h.WriteFailed.Until()
}

// Lost returns the history after a write with an unknown outcome: who finds the row changed need not have met somebody
// else.
func (h History) Lost() History {
	h.PortSecurity, h.Addresses = nil, nil
	return h
}

// followed reports whether port_security was changed after annotations were written last, so that Kube-OVN has done its
// part.
func (h History) followed(row *inventory.Row) bool {
	return h.RowUUID == row.UUID && h.Found != nil && !SameElements(*h.Found, row.PortSecurity)
}

// overwritten reports whether somebody else changed the row after it was written: a column is not what the last write
// left in it.
func (h History) overwritten(row *inventory.Row) bool {
	if h.RowUUID != row.UUID {
		return false
	}
	return h.PortSecurity != nil && !SameElements(*h.PortSecurity, row.PortSecurity) ||
		h.Addresses != nil && !SameElements(*h.Addresses, row.Addresses)
}

// repeats reports whether a write would write what the last ones wrote, so that it is the same contest.
func (h History) repeats(a Action) bool {
	return (a.PortSecurity == nil || h.PortSecurity != nil && SameElements(a.PortSecurity, *h.PortSecurity)) &&
		(a.Addresses == nil || h.Addresses != nil && SameElements(a.Addresses, *h.Addresses))
}

// SameElements reports whether two columns hold the same elements: the order in a set means nothing.
func SameElements(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// annotated returns when these annotations were written to the pod; zero where they were not.
func (h History) annotated(podUID string, annotations map[string]string, now time.Time) time.Time {
	if h.PodUID != podUID || !maps.Equal(h.Annotations, annotations) || now.Sub(h.Annotated) > pause {
		return time.Time{}
	}
	return h.Annotated
}

// told returns when annotations of the pod were written last; zero where none were.
func (h History) told(podUID string) time.Time {
	if h.PodUID != podUID {
		return time.Time{}
	}
	return h.Annotated
}

// replaced returns when the row took the place of another one of the same pod; zero where it did not.
func (h History) replaced(rowUUID, podUID string) time.Time {
	if h.PodUID != podUID || h.RowUUID != rowUUID {
		return time.Time{}
	}
	return h.Replaced
}

// ContestedUntil returns until when somebody else counts as writing the row again and again; zero where nobody does.
func (h History) ContestedUntil() time.Time {
	if h.Streak < patience {
		return time.Time{}
	}
	return h.Answered.Add(pause)
}

// backOff returns the time before which the row is not given the same once more.
func (h History) backOff(now time.Time) time.Time {
	if !now.Before(h.ContestedUntil()) {
		return time.Time{}
	}
	wait := longestWait
	if doublings := h.Streak - patience; doublings < 8 {
		wait = min(firstWait<<doublings, longestWait)
	}
	return h.Answered.Add(wait)
}
