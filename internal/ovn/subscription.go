package ovn

import (
	"context"
	"errors"
	"slices"
	"sync"
)

// ErrClosed means that a subscription was closed.
var ErrClosed = errors.New("the subscription is closed")

// backlogLimit is how many events are kept for a reader. One that falls behind further gets, instead of them, what is
// different between the state that it knows and the newest one.
const backlogLimit = 1 << 16

// Subscription returns one reader the changes of a mirror, in the order of their revisions. The reader may take as long
// as it likes: nobody waits for it, and nothing is lost silently.
type Subscription struct {
	mirror *Mirror
	tables []Table
	limit  int
	signal chan struct{}
	closed chan struct{}
	once   sync.Once

	mu sync.Mutex
	// known is the state that the events given so far lead to; latest is the newest one.
	known, latest *Snapshot
	// queue leads from known to latest, unless heal is set.
	queue []Event
	heal  bool
}

// Subscribe begins a subscription to the changes of some tables, or of all that are followed where none is named. Its
// first events build the present state from nothing; Resynchronised follows them.
func (m *Mirror) Subscribe(tables ...Table) *Subscription {
	s := &Subscription{
		mirror: m,
		tables: slices.Clone(tables),
		limit:  backlogLimit,
		signal: make(chan struct{}, 1),
		closed: make(chan struct{}),
		known:  &Snapshot{Database: m.config.Database},
		heal:   true,
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	s.latest = m.Snapshot()
	m.subscriptions[s] = struct{}{}
	s.wake()
	return s
}

// Close ends the subscription; Next gives ErrClosed then.
func (s *Subscription) Close() {
	s.once.Do(func() {
		s.mirror.mu.Lock()
		delete(s.mirror.subscriptions, s)
		s.mirror.mu.Unlock()
		close(s.closed)
	})
}

// Next waits for changes and returns all that have come since the last call, with the state that they lead to. The
// error is that of ctx, or ErrClosed. One goroutine at a time may call it.
func (s *Subscription) Next(ctx context.Context) ([]Event, *Snapshot, error) {
	for {
		if events, state := s.Take(); len(events) > 0 {
			return events, state, nil
		}
		select {
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		case <-s.closed:
			return nil, nil, ErrClosed
		case <-s.signal:
		}
	}
}

// Take returns the changes that have come since the last call, without waiting for any, and the state that they lead
// to.
func (s *Subscription) Take() ([]Event, *Snapshot) {
	s.mu.Lock()
	events, heal, from, to := s.queue, s.heal, s.known, s.latest
	if to.Revision == 0 { // nothing was read yet
		s.mu.Unlock()
		return nil, to
	}
	s.queue, s.heal, s.known = nil, false, to
	s.mu.Unlock()
	if heal { // worked out without the lock, since it takes as long as there are differences
		events = eventsBetween(from, to, s.tables)
		events = append(events, Event{Kind: Resynchronised, Revision: to.Revision})
	}
	return events, to
}

// add is given every change by the mirror. resynchronised says that the events may not be the way that the database
// went.
func (s *Subscription) add(events []Event, state *Snapshot, resynchronised bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.latest = state
	if !s.heal {
		for _, e := range events {
			if len(s.tables) == 0 || slices.Contains(s.tables, e.Table) {
				s.queue = append(s.queue, e)
			}
		}
		if resynchronised {
			s.queue = append(s.queue, Event{Kind: Resynchronised, Revision: state.Revision})
		}
		if len(s.queue) > s.limit {
			s.queue, s.heal = nil, true
		}
	}
	if len(s.queue) > 0 || s.heal {
		s.wake()
	}
}

func (s *Subscription) wake() {
	select {
	case s.signal <- struct{}{}:
	default: // the reader has a signal waiting and will take this with it
	}
}

// eventsBetween returns the events that lead from one snapshot to another, for some tables or all.
func eventsBetween(from, to *Snapshot, tables []Table) (events []Event) {
	for _, t := range databaseTables[to.Database] {
		if len(tables) == 0 || slices.Contains(tables, t.name()) {
			events = append(events, t.difference(from, to)...)
		}
	}
	return events
}
