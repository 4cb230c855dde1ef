package apply

import (
	"time"

	"github.com/ovnguard/ovnguard/internal/journal"
	"github.com/ovnguard/ovnguard/internal/repair"
)

// What a port is granted beyond its identity is cut from when Kube-OVN follows the annotation to when the row is
// widened. So the row's change is written down with the annotation's, such ports are the last of a batch and few at a
// time, and all others wait for them then: between Kube-OVN's write and this program's nothing is asked of the API
// server.

// few is how many ports are annotated at a time when they are known to lose something until their row is widened.
const few = atATime

// How long Kube-OVN is expected to follow any moment, so that all else waits, and when it is looked again at what
// waits. Kube-OVN takes some ten milliseconds. Where it does not run, a few such ports are annotated in each moment,
// and lose nothing meanwhile.
const (
	moment = 100 * time.Millisecond
	turn   = 10 * time.Millisecond
)

// ahead is a change of a row that was written down before it can be made.
type ahead struct {
	entry journal.Entry
	since time.Time
}

// inTurn returns the ports in the order in which their pods are annotated, those that lose something by it last. Those
// of them that are more than a few have their turn with the next batch.
func (r *Repairer) inTurn(looks []look) []look {
	var out, last []look
	free := few - r.expected()
	for _, l := range looks {
		next, narrow, ok := repair.Follow(l.port, r.Eras(), r.past[l.port.Name], l.action, r.Now())
		switch {
		case !ok:
			out = append(out, l)
		case len(last) >= free:
			r.Queue.later(r.Now().Add(turn), l.port.Name)
		default:
			row := *l.row
			row.PortSecurity = narrow
			l.next = new(changeOf(&look{port: l.port, row: &row, action: next}))
			last = append(last, l)
		}
	}
	return append(out, last...)
}

// expected returns of how many ports Kube-OVN is expected to write the row any moment.
func (r *Repairer) expected() (n int) {
	for _, a := range r.ahead {
		if r.Now().Sub(a.since) < moment {
			n++
		}
	}
	return n
}

// prepared returns the change that was written down before for what is to be written now; nil where there is none. One
// of something else is noted as not made.
func (r *Repairer) prepared(l *look) *journal.Entry {
	a, there := r.ahead[l.port.Name]
	if !there {
		return nil
	}
	now := changeOf(l)
	if a.entry.Row != now.Row || a.entry.PodUID != now.PodUID || !a.entry.Before.Same(now.Before) ||
		!a.entry.After.Same(now.After) {
		r.drop(l.port.Name, "something else was to be written")
		return nil
	}
	delete(r.ahead, l.port.Name)
	return &a.entry
}

// drop notes that a change that was written down before was not made.
func (r *Repairer) drop(port, why string) {
	a, there := r.ahead[port]
	if !there {
		return
	}
	delete(r.ahead, port)
	a.entry.Outcome, a.entry.Error = journal.Conflict, why
	r.Journal.End([]journal.Entry{a.entry})
}

// expire drops the changes that are not made any more: Kube-OVN had its time.
func (r *Repairer) expire(after time.Duration) {
	for port, a := range r.ahead {
		if r.Now().Sub(a.since) >= after {
			r.drop(port, "Kube-OVN did not write what it was expected to")
		}
	}
}
