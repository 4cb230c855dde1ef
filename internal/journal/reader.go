package journal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// fresh is how long what was read of the journal serves: whoever makes up requests has it read no more often than that.
const fresh = 100 * time.Millisecond

// Reader looks changes up. It reads the journal no more often than ten times a second, whoever asks. It is safe for use
// by several goroutines.
type Reader struct {
	// Client reads ConfigMaps, not from a cache.
	Client client.Reader
	// Namespace is the program's own.
	Namespace string
	// Now gives the time; time.Now outside tests.
	Now func() time.Time

	mu      sync.Mutex
	read    time.Time
	entries []Entry
}

// Standing returns the repair with that ID. The error says that there is none, that it was not made, or that it was
// taken back.
func (r *Reader) Standing(ctx context.Context, id string) (Entry, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if age := r.Now().Sub(r.read); age < 0 || age > fresh {
		entries, err := Read(ctx, r.Client, r.Namespace)
		if err != nil && !errors.Is(err, errUnreadable) {
			return Entry{}, err
		}
		r.entries, r.read = entries, r.Now()
	}
	i := slices.IndexFunc(r.entries, func(e Entry) bool { return e.ID == id })
	switch {
	case i < 0 || r.entries[i].Undoes != "":
		return Entry{}, fmt.Errorf("the journal has no change %q of repair", id)
	case !r.entries[i].made():
		return Entry{}, fmt.Errorf("change %s of repair was not made", id)
	case undone(r.entries, id):
		return Entry{}, fmt.Errorf("change %s of repair was taken back already", id)
	}
	return r.entries[i], nil
}
