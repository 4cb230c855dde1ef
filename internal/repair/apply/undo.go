package apply

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ovnguard/ovnguard/internal/journal"
	"github.com/ovnguard/ovnguard/internal/ovn"
)

// Undoer takes changes of the journal back.
type Undoer struct {
	Mirror  *ovn.Mirror
	Client  client.Client
	Journal *journal.Journal
}

// errMoved tells that what a change wrote is not there any more.
var errMoved = errors.New("it is not what the change wrote any more")

// Check says why a change cannot be taken back, or nil. change is one that Entry.Undoing gave.
func (u *Undoer) Check(ctx context.Context, change journal.Entry) error {
	if change.Before.Annotations != nil {
		return u.checkPod(ctx, change)
	}
	_, err := u.write(change)
	return err
}

func (u *Undoer) checkPod(ctx context.Context, change journal.Entry) error {
	var pod corev1.Pod
	if err := u.Client.Get(ctx, client.ObjectKey{Namespace: change.Namespace, Name: change.Pod}, &pod); err != nil {
		return fmt.Errorf("pod %s/%s: %w", change.Namespace, change.Pod, err)
	}
	if string(pod.UID) != change.PodUID {
		return fmt.Errorf("pod %s/%s is another one of that name", change.Namespace, change.Pod)
	}
	for _, key := range slices.Sorted(maps.Keys(change.Before.Annotations)) {
		if now := pod.Annotations[key]; now != change.Before.Annotations[key] {
			return fmt.Errorf("annotation %s of pod %s/%s is %q: %w", key, change.Namespace, change.Pod, now, errMoved)
		}
	}
	return nil
}

// write gives the write of a change, provided that the row holds what is expected.
func (u *Undoer) write(change journal.Entry) (ovn.Write, error) {
	row := u.Mirror.Snapshot().Port(change.Port)
	switch {
	case row == nil:
		return ovn.Write{}, fmt.Errorf("port %s is gone", change.Port)
	case row.UUID != change.Row:
		return ovn.Write{}, fmt.Errorf("port %s is another row of that name", change.Port)
	}
	for _, column := range []struct {
		name string
		want *[]string
		now  []string
	}{{"port_security", change.Before.PortSecurity, row.PortSecurity}, {"addresses", change.Before.Addresses, row.Addresses}} {
		if column.want != nil && !sameSet(*column.want, column.now) {
			return ovn.Write{}, fmt.Errorf("%s of port %s is %q: %w", column.name, change.Port, column.now, errMoved)
		}
	}
	return ovn.Write{Port: row, PortSecurity: change.After.PortSecurity, Addresses: change.After.Addresses, Guard: []string{"external_ids"}}, nil
}

// sameSet tells that two columns hold the same elements: the order in a set means nothing.
func sameSet(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// Undo takes one change back and writes that down, before and after.
func (u *Undoer) Undo(ctx context.Context, change journal.Entry) error {
	if err := u.Check(ctx, change); err != nil {
		return err
	}
	entries, err := u.Journal.Begin(ctx, []journal.Entry{change})
	if err != nil {
		return err
	}
	entries[0].Outcome, err = u.apply(ctx, change)
	if err != nil {
		entries[0].Error = err.Error()
	}
	u.Journal.End(entries)
	return errors.Join(err, u.Journal.Flush(ctx))
}

func (u *Undoer) apply(ctx context.Context, change journal.Entry) (outcome string, err error) {
	if change.Before.Annotations != nil {
		if err := Annotate(ctx, u.Client, change.Namespace, change.Pod, change.PodUID, change.After.Annotations); err != nil {
			return ovn.Failed.String(), err
		}
		return ovn.Written.String(), nil
	}
	w, err := u.write(change)
	if err != nil {
		return ovn.Conflict.String(), err
	}
	outcomes, err := u.Mirror.Write(ctx, w)
	if err != nil {
		return ovn.Failed.String(), err
	}
	return outcomes[0].Result.String(), outcomes[0].Err
}
