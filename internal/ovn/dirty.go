package ovn

import (
	"strings"
	"sync"

	"github.com/go-logr/logr"
	"github.com/ovn-kubernetes/libovsdb/model"
)

// rowID names a row.
type rowID struct{ table, uuid string }

// dirty collects which rows changed. It takes any number of events without blocking the client that delivers them.
type dirty struct {
	signal chan struct{}

	mu   sync.Mutex
	rows map[rowID]bool
	lost bool
}

func newDirty() *dirty {
	return &dirty{signal: make(chan struct{}, 1), rows: make(map[rowID]bool)}
}

// OnAdd implements cache.EventHandler.
func (d *dirty) OnAdd(table string, row model.Model) { d.mark(table, row) }

// OnUpdate implements cache.EventHandler.
func (d *dirty) OnUpdate(table string, _, row model.Model) { d.mark(table, row) }

// OnDelete implements cache.EventHandler.
func (d *dirty) OnDelete(table string, row model.Model) { d.mark(table, row) }

func (d *dirty) mark(table string, row model.Model) {
	var uuid string
	switch r := row.(type) {
	case *portRow:
		uuid = r.UUID
	case *switchRow:
		uuid = r.UUID
	case *globalRow:
		uuid = r.UUID
	default:
		return
	}
	d.mu.Lock()
	d.rows[rowID{table, uuid}] = true
	d.mu.Unlock()
	d.wake()
}

// dropped says that the client lost events, nobody knows which.
func (d *dirty) dropped() {
	d.mu.Lock()
	d.lost = true
	d.mu.Unlock()
	d.wake()
}

func (d *dirty) wake() {
	select {
	case d.signal <- struct{}{}:
	default:
	}
}

// take gives the rows that changed since the last call, and whether events were lost.
func (d *dirty) take() (rows map[rowID]bool, lost bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	rows, lost = d.rows, d.lost
	d.rows, d.lost = make(map[rowID]bool), false
	return rows, lost
}

// lossSink is where the client logs. Its event buffer drops what does not fit, and the log line is all that it says of it.
type lossSink struct{ dirty *dirty }

const lossMessage = "dropping event"

// Init implements logr.LogSink.
func (lossSink) Init(logr.RuntimeInfo) {}

// Enabled implements logr.LogSink: only what the client always logs is of interest.
func (lossSink) Enabled(level int) bool { return level == 0 }

// Info implements logr.LogSink.
func (s lossSink) Info(_ int, message string, _ ...any) {
	if strings.HasPrefix(message, lossMessage) {
		s.dirty.dropped()
	}
}

// Error implements logr.LogSink. Errors come back from the calls that cause them.
func (lossSink) Error(error, string, ...any) {}

// WithValues implements logr.LogSink.
func (s lossSink) WithValues(...any) logr.LogSink { return s }

// WithName implements logr.LogSink.
func (s lossSink) WithName(string) logr.LogSink { return s }
