package ovn

import "time"

// Phase says what a mirror knows.
type Phase string

// The phases of a mirror.
const (
	// Disconnected: nothing was read yet, and there is no connection.
	Disconnected Phase = "disconnected"
	// Syncing: nothing was read yet, and the first reading is on its way.
	Syncing Phase = "syncing"
	// Synced: the snapshot follows the database.
	Synced Phase = "synced"
	// Stale: the snapshot is what the database was when the connection was lost. It may be on its way back.
	Stale Phase = "stale"
)

// State says what a mirror knows, and since when.
type State struct {
	Phase Phase
	// Since is when the phase began. Where it is Stale, the snapshot was true until then, less the time that it takes
	// to notice a dead connection: see Config.Probe.
	Since time.Time
	// Err says why the mirror does not follow the database; nil while it does or before the first attempt.
	Err error
	// Endpoint is the one that is connected; empty where none is.
	Endpoint string
	// Revision is that of the newest snapshot.
	Revision Revision
}

// Synced reports whether the snapshot follows the database now.
func (s State) Synced() bool { return s.Phase == Synced }

// connecting, connected and lost are how a state changes; now is the present time.
func (s State) connecting(now time.Time) State {
	if s.Phase == Disconnected {
		s.Phase, s.Since = Syncing, now
	}
	return s
}

func (s State) connected(now time.Time, endpoint string) State {
	return State{Phase: Synced, Since: now, Endpoint: endpoint}
}

func (s State) lost(now time.Time, err error) State {
	switch s.Phase {
	case Synced:
		s.Phase, s.Since = Stale, now
	case Syncing:
		s.Phase, s.Since = Disconnected, now
	case Disconnected, Stale:
	}
	s.Err, s.Endpoint = err, ""
	return s
}
