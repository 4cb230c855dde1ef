package journal

import (
	"context"
	"errors"
	"fmt"
	"strings"
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
	// Now returns the time; time.Now outside tests.
	Now func() time.Time

	mu      sync.Mutex
	read    time.Time
	entries []Entry
}

// Standing returns the changes with these IDs, which somebody takes back in this order. They must be the newest of the
// annotations of one port and pod that were made and not taken back: what an older one found is not what there was
// before repair's last word. A change with an unknown outcome may be left out.
func (r *Reader) Standing(ctx context.Context, ids ...string) (Unit, error) {
	entries, err := r.changes(ctx)
	if err != nil {
		return Unit{}, err
	}
	return newest(entries, ids)
}

func (r *Reader) changes(ctx context.Context) ([]Entry, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if age := r.Now().Sub(r.read); age < 0 || age > fresh {
		entries, err := Read(ctx, r.Client, r.Namespace)
		if err != nil && !errors.Is(err, ErrUnreadable) {
			return nil, err
		}
		r.entries, r.read = entries, r.Now()
	}
	return r.entries, nil
}

// newest returns the changes with these IDs, where they are the newest of one port's annotations, the newest first.
func newest(entries []Entry, ids []string) (u Unit, err error) {
	for _, id := range ids {
		e, err := Standing(entries, id)
		switch {
		case err != nil:
			return Unit{}, err
		case e.After.Annotations == nil:
			return Unit{}, fmt.Errorf("change %s of repair is of a row, and no annotation can be taken back by it", id)
		case len(u.Changes) > 0 && (e.Port != u.Whose().Port || e.PodUID != u.Whose().PodUID):
			return Unit{}, fmt.Errorf("changes %s and %s of repair are not of one port", u.Whose().ID, id)
		}
		u.Changes = append(u.Changes, e)
	}
	if len(u.Changes) == 0 {
		return Unit{}, errors.New("no change of repair is named")
	}
	left := u.Changes
	for _, e := range (Choice{Port: u.Whose().Port}).Pick(entries) {
		switch {
		case e.PodUID != u.Whose().PodUID || e.After.Annotations == nil:
		case e.ID == left[0].ID:
			if left = left[1:]; len(left) == 0 {
				return u, nil
			}
		case e.Outcome == Written:
			return Unit{}, fmt.Errorf(
				"change %s of repair is not the newest of the annotations of port %s, which is %s: take that back first",
				left[0].ID,
				e.Port,
				e.ID,
			)
		}
	}
	return Unit{}, fmt.Errorf("the changes %s of repair are not named the newest first", strings.Join(ids, ", "))
}
