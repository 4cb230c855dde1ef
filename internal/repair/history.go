package repair

import (
	"maps"
	"time"
)

// History is what was done about one port. The zero History is that of a port that was never touched. It is a value: what happens
// gives a new one.
type History struct {
	// PodUID and RowUUID tell whom it is about; Replaced is when the row took the place of another one.
	PodUID, RowUUID string
	Replaced        time.Time
	// Annotations are those that were written last, at Annotated. After a pause they are forgotten: who takes them away then is met with
	// Kube-OVN's own path again.
	Annotations map[string]string
	Annotated   time.Time
	// Written is when the row was written last, and Streak how often it was without a pause.
	Written time.Time
	Streak  int
}

// How rows that somebody else keeps writing are given up for a while.
const (
	// patience is how often a row is written without waiting: Kube-OVN itself writes it several times around a pod's start.
	patience = 5
	// pause is how long a row must stay right for a streak to end.
	pause = 5 * time.Minute
	// firstWait doubles with each further write, up to longestWait.
	firstWait   = 2 * time.Second
	longestWait = 5 * time.Minute
)

// Saw gives the history after a look at the port. Another pod starts anew; another row is noted.
func (h History) Saw(podUID, rowUUID string, now time.Time) History {
	if h.PodUID != podUID {
		return History{PodUID: podUID, RowUUID: rowUUID}
	}
	if h.RowUUID != rowUUID {
		h.RowUUID, h.Replaced = rowUUID, now
	}
	return h
}

// Did gives the history after an action was carried out.
func (h History) Did(a Action, now time.Time) History {
	switch a.Kind { //nolint:exhaustive // the others change nothing
	case Annotate:
		h.Annotations, h.Annotated = maps.Clone(a.Annotations), now
	case Write:
		if now.Sub(h.Written) > pause {
			h.Streak = 0
		}
		h.Written, h.Streak = now, h.Streak+1
	}
	return h
}

// annotated gives when these annotations were written to the pod; zero where they were not.
func (h History) annotated(podUID string, annotations map[string]string, now time.Time) time.Time {
	if h.PodUID != podUID || !maps.Equal(h.Annotations, annotations) || now.Sub(h.Annotated) > pause {
		return time.Time{}
	}
	return h.Annotated
}

// told gives when annotations of the pod were written last; zero where none were.
func (h History) told(podUID string) time.Time {
	if h.PodUID != podUID {
		return time.Time{}
	}
	return h.Annotated
}

// replaced gives when the row took the place of another one of the same pod; zero where it did not.
func (h History) replaced(rowUUID, podUID string) time.Time {
	if h.PodUID != podUID || h.RowUUID != rowUUID {
		return time.Time{}
	}
	return h.Replaced
}

// ContestedUntil gives until when somebody else counts as writing the row again and again; zero where nobody does.
func (h History) ContestedUntil() time.Time {
	if h.Streak < patience {
		return time.Time{}
	}
	return h.Written.Add(pause)
}

// backOff gives the time before which the row is not written again.
func (h History) backOff(now time.Time) time.Time {
	if !now.Before(h.ContestedUntil()) {
		return time.Time{}
	}
	wait := longestWait
	if doublings := h.Streak - patience; doublings < 8 {
		wait = min(firstWait<<doublings, longestWait)
	}
	return h.Written.Add(wait)
}
