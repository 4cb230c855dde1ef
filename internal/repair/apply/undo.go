package apply

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/journal"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/ovn"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/internal/repair"
)

// Undoer takes what repair did to a port back: annotation and row together, or neither.
type Undoer struct {
	Mirror *ovn.Mirror
	// Client reads and changes pods as whoever undoes.
	Client  client.Client
	Journal *journal.Journal
	// May says why whoever undoes may not take back what was done to a pod's port; nil where they may.
	May func(ctx context.Context, namespace, pod string) error
}

// errMoved means that what a change wrote is not there any more.
var errMoved = errors.New("it is not what the change wrote any more")

// Restore is what is to be written for a unit to be taken back.
type Restore struct {
	Unit journal.Unit
	// expected is what the port must still have, and values what it is given.
	expected, values journal.Values
	// now are the annotations as they are, and annotations those that are written; none where the unit is of the row
	// alone.
	now, annotations map[string]string
	version          string
}

// tightens reports whether the annotation comes to say that the port is protected. Then it is written last, and
// otherwise first: whatever fails in between, no port is open under an annotation that says "true".
func (r *Restore) tightens() bool {
	for key, value := range r.annotations {
		if kubeovn.BaseSuffix(key) == kubeovn.PortSecurity && value != kubeovn.True {
			return false
		}
	}
	return true
}

// Check returns what is to be written for a unit to be taken back, or says why it must be left alone: whoever asks may
// not, the pod or the row is another one, something was changed since, the entries say what repair cannot have written
// or found, or the API server does not take the annotations. It writes nothing.
func (u *Undoer) Check(ctx context.Context, unit journal.Unit) (*Restore, error) {
	whose := unit.Whose()
	if err := u.May(ctx, whose.Namespace, whose.Pod); err != nil {
		return nil, err
	}
	var err error
	for range attempts {
		var r *Restore
		if r, err = u.check(ctx, unit); err != nil {
			return nil, err
		}
		if err = u.annotate(ctx, r, r.annotations, client.DryRunAll); err == nil {
			return r, nil
		}
		if !apierrors.IsConflict(err) {
			break
		}
	}
	return nil, err
}

// attempts is how often something is tried that others may change meanwhile, such as the status of a pod.
const attempts = 5

func (u *Undoer) check(ctx context.Context, unit journal.Unit) (*Restore, error) {
	whose := unit.Whose()
	var pod corev1.Pod
	if err := u.Client.Get(ctx, client.ObjectKey{Namespace: whose.Namespace, Name: whose.Pod}, &pod); err != nil {
		if apierrors.IsNotFound(err) {
			return nil, fmt.Errorf("pod %s/%s is gone", whose.Namespace, whose.Pod)
		}
		return nil, fmt.Errorf("pod %s/%s: %w", whose.Namespace, whose.Pod, err)
	}
	switch {
	case string(pod.UID) != whose.PodUID:
		return nil, fmt.Errorf("pod %s/%s is another one of that name", whose.Namespace, whose.Pod)
	case pod.DeletionTimestamp != nil:
		return nil, fmt.Errorf("pod %s/%s is being deleted", whose.Namespace, whose.Pod)
	}
	row := u.Mirror.Snapshot().Port(whose.Port)
	if row == nil {
		return nil, fmt.Errorf("port %s is gone", whose.Port)
	}
	for len(unit.Changes) > 1 && notMade(unit.Whose(), &pod, row) {
		unit = unit.Without()
	}
	for _, e := range unit.Changes {
		if e.Row != row.UUID {
			return nil, fmt.Errorf("port %s is another row of that name", whose.Port)
		}
	}
	r := &Restore{Unit: unit, version: pod.ResourceVersion}
	r.expected, r.values = unit.Values()
	if err := differs(row, r.expected); err != nil {
		return nil, err
	}
	if err := r.takeAnnotations(&pod); err != nil {
		return nil, err
	}
	var record *inventory.Record
	if r.ofRow() {
		var err error
		if record, err = u.record(ctx, whose.Port); err != nil {
			return nil, err
		}
	}
	p, err := known(&pod, row, record)
	if err != nil {
		return nil, fmt.Errorf("entry %s of the journal: %w; %w", whose.ID, err, errSeeWho)
	}
	if err := r.believe(p); err != nil {
		return nil, err
	}
	return r, nil
}

// notMade reports whether nobody lived to note what became of a change, and it was not made: what it would have written
// is not there, and what it had found is.
func notMade(e journal.Entry, pod *corev1.Pod, row *ovn.Port) bool {
	if e.Outcome == journal.Written {
		return false
	}
	if e.After.Annotations != nil {
		return subset(e.Before.Annotations, pod.Annotations) && !subset(e.After.Annotations, pod.Annotations)
	}
	return differs(row, e.Before) == nil && differs(row, e.After) != nil
}

// subset reports whether annotations are those of a pod, which may have more. One that is empty is not there.
func subset(some, all map[string]string) bool {
	for key, value := range some {
		if all[key] != value {
			return false
		}
	}
	return true
}

// differs says which column of a row does not hold what is expected; nil where all do.
func differs(row *ovn.Port, expected journal.Values) error {
	for _, column := range []struct {
		name string
		want *[]string
		now  []string
	}{{"port_security", expected.PortSecurity, row.PortSecurity}, {"addresses", expected.Addresses, row.Addresses}} {
		if column.want != nil && !repair.SameElements(*column.want, column.now) {
			return fmt.Errorf("%s of port %s is %q: %w", column.name, row.Name, column.now, errMoved)
		}
	}
	if ids := expected.ExternalIDs; ids != nil && !maps.Equal(*ids, row.ExternalIDs) {
		return fmt.Errorf("external_ids of port %s is %v: %w", row.Name, row.ExternalIDs, errMoved)
	}
	return nil
}

// takeAnnotations finds which annotations are to be written. The record of what was decided is shared by all NICs of a
// pod, so that only the entry of this one is taken back.
func (r *Restore) takeAnnotations(pod *corev1.Pod) error {
	ids := r.Unit.Annotated()
	if len(ids) == 0 {
		return nil
	}
	now, write := make(map[string]string), make(map[string]string)
	var of []kubeovn.Provider
	for _, key := range slices.Sorted(maps.Keys(r.expected.Annotations)) {
		now[key] = pod.Annotations[key]
		if key == policy.RecordAnnotation {
			continue
		}
		if now[key] != r.expected.Annotations[key] {
			return fmt.Errorf("annotation %s of pod %s/%s is %q: %w", key, pod.Namespace, pod.Name, now[key], errMoved)
		}
		write[key] = r.values.Annotations[key]
		of = append(of, kubeovn.ProviderOf(key))
	}
	if expected, ok := r.expected.Annotations[policy.RecordAnnotation]; ok {
		write[policy.RecordAnnotation] = recordBefore(
			pod.Annotations[policy.RecordAnnotation],
			expected,
			r.values.Annotations[policy.RecordAnnotation],
			of,
		)
	}
	now[policy.UndoAnnotation] = pod.Annotations[policy.UndoAnnotation]
	write[policy.UndoAnnotation] = strings.Join(append(policy.Undone(pod.Annotations), ids...), ",")
	r.now, r.annotations = now, write
	return nil
}

// recordBefore returns the record with what it said of some NICs before; now is the record as it is. Nobody trusts it,
// so that it keeps nothing from being taken back.
func recordBefore(now, after, before string, of []kubeovn.Provider) string {
	if now == after {
		return before
	}
	is := policy.ReadRecord(map[string]string{policy.RecordAnnotation: now})
	was := policy.ReadRecord(map[string]string{policy.RecordAnnotation: before})
	for _, p := range of {
		if r, had := was[p]; had {
			is[p] = r
		} else {
			delete(is, p)
		}
	}
	if len(is) == 0 {
		return ""
	}
	return policy.Record(is)
}

// annotate writes annotations of the unit's pod, provided that it is as it was read.
func (u *Undoer) annotate(
	ctx context.Context,
	r *Restore,
	annotations map[string]string,
	options ...client.SubResourcePatchOption,
) error {
	if len(annotations) == 0 {
		return nil
	}
	whose := r.Unit.Whose()
	version, err := annotate(
		ctx,
		u.Client,
		whose.Namespace,
		whose.Pod,
		map[string]any{"uid": whose.PodUID, "resourceVersion": r.version},
		annotations,
		options...)
	if err == nil && len(options) == 0 { // a dry run leaves the pod as it is
		r.version = version
	}
	return err
}

// undoTimeout bounds the writing of one unit. It outlives ctx, so that what was begun has an outcome.
const undoTimeout = 15 * time.Second

// Undo takes a unit back and writes that down, before and after. Where a part of it cannot be taken back, no part is.
func (u *Undoer) Undo(ctx context.Context, unit journal.Unit) (*Restore, error) {
	r, err := u.Check(ctx, unit)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
	defer cancel()
	entries, err := u.Journal.Begin(ctx, r.Unit.Undoing("taken back by hand"))
	if err != nil {
		return nil, err
	}
	outcome, err := u.write(ctx, r)
	for i := range entries {
		if entries[i].Outcome = outcome; err != nil {
			entries[i].Error = err.Error()
		}
	}
	u.Journal.End(entries)
	return r, errors.Join(err, u.Journal.Flush(ctx))
}

// write writes both parts, in the order in which the port is never open under an annotation that says "true".
func (u *Undoer) write(ctx context.Context, r *Restore) (outcome string, err error) {
	last := func() (string, error) { return journal.Failed, u.again(ctx, r, r.annotations) }
	if r.tightens() {
		undo, outcome, err := u.writeRow(ctx, r)
		if err != nil {
			return outcome, err
		}
		if outcome, err = last(); err == nil {
			return journal.Written, nil
		}
		if back := undo(); back != nil {
			return journal.Written, fmt.Errorf(
				"the row was taken back, and the annotation was not: %w; and the row could not be given back: %w",
				err,
				back,
			)
		}
		return outcome, fmt.Errorf("the row was given back, since the annotation could not be taken back: %w", err)
	}
	if outcome, err = last(); err != nil {
		return outcome, err
	}
	if _, outcome, err = u.writeRow(ctx, r); err == nil {
		return journal.Written, nil
	}
	if back := u.again(ctx, r, r.now); back != nil {
		return journal.Written, fmt.Errorf(
			"the annotation was taken back, and the row was not: %w; and the annotation could not be given back: %w",
			err,
			back,
		)
	}
	return outcome, fmt.Errorf("the annotation was given back, since the row could not be taken back: %w", err)
}

// again writes annotations, also where something else of the pod was changed meanwhile, as its status often is. Where
// one of those that it writes was, it leaves the pod alone.
func (u *Undoer) again(ctx context.Context, r *Restore, annotations map[string]string) error {
	found := r.now
	if maps.Equal(annotations, r.now) { // they are given back
		found = r.annotations
	}
	err := u.annotate(ctx, r, annotations)
	for range attempts {
		if err == nil || !apierrors.IsConflict(err) {
			return err
		}
		whose := r.Unit.Whose()
		var pod corev1.Pod
		if err := u.Client.Get(ctx, client.ObjectKey{Namespace: whose.Namespace, Name: whose.Pod}, &pod); err != nil {
			return fmt.Errorf("pod %s/%s: %w", whose.Namespace, whose.Pod, err)
		}
		if string(pod.UID) != whose.PodUID || !subset(found, pod.Annotations) {
			return fmt.Errorf("pod %s/%s: %w", whose.Namespace, whose.Pod, errMoved)
		}
		r.version = pod.ResourceVersion
		err = u.annotate(ctx, r, annotations)
	}
	return err
}

// mirrorAgain is how long the mirror has to hear of the row that a write met instead of the one that it was made on.
const mirrorAgain = 50 * time.Millisecond

// writeRow writes the row, and returns what gives it back. Where the annotation has been taken back already, Kube-OVN
// may write the port at the same time: what it writes is as good.
func (u *Undoer) writeRow(ctx context.Context, r *Restore) (undo func() error, outcome string, err error) {
	nothing := func() error { return nil }
	for range attempts {
		row := u.Mirror.Snapshot().Port(r.Unit.Whose().Port)
		if row == nil || row.UUID != r.Unit.Whose().Row {
			return nothing, journal.Conflict, fmt.Errorf(
				"port %s is gone, or is another row of that name",
				r.Unit.Whose().Port,
			)
		}
		left, err := r.left(row)
		if err != nil {
			return nothing, journal.Conflict, err
		}
		if left.PortSecurity == nil && left.Addresses == nil && left.ExternalIDs == nil {
			return nothing, journal.Written, nil
		}
		outcomes, err := u.Mirror.Write(ctx, writeOf(row, left))
		if err != nil {
			return nothing, journal.Failed, err
		}
		switch o := outcomes[0]; o.Result {
		case ovn.Written:
			return func() error { return u.giveBack(ctx, row, left) }, journal.Written, nil
		case ovn.Conflict:
		case ovn.Failed, ovn.Unknown:
			return nothing, o.Result.String(), o.Err
		}
		select {
		case <-ctx.Done():
			return nothing, journal.Conflict, ctx.Err()
		case <-time.After(mirrorAgain):
		}
	}
	return nothing, journal.Conflict, fmt.Errorf(
		"port %s is changed by somebody else all the time",
		r.Unit.Whose().Port,
	)
}

// left returns the columns that are still to be written.
func (r *Restore) left(row *ovn.Port) (journal.Values, error) {
	var out journal.Values
	followed := len(row.PortSecurity) == 0 && len(r.annotations) > 0 && !r.tightens()
	if want := r.values.PortSecurity; want != nil && !followed && !repair.SameElements(*want, row.PortSecurity) {
		out.PortSecurity = want
	}
	if want := r.values.Addresses; want != nil && !repair.SameElements(*want, row.Addresses) {
		out.Addresses = want
	}
	if want := r.values.ExternalIDs; want != nil && !maps.Equal(*want, row.ExternalIDs) {
		out.ExternalIDs = want
	}
	return out, differs(row, only(r.expected, out))
}

// only returns the columns of v that o has as well.
func only(v, o journal.Values) journal.Values {
	var out journal.Values
	if o.PortSecurity != nil {
		out.PortSecurity = v.PortSecurity
	}
	if o.Addresses != nil {
		out.Addresses = v.Addresses
	}
	if o.ExternalIDs != nil {
		out.ExternalIDs = v.ExternalIDs
	}
	return out
}

// giveBack writes the columns of a row as they were before others were written.
func (u *Undoer) giveBack(ctx context.Context, before *ovn.Port, written journal.Values) error {
	now := u.Mirror.Snapshot().Port(before.Name)
	if now == nil || now.UUID != before.UUID {
		return fmt.Errorf("port %s is gone, or is another row of that name", before.Name)
	}
	if err := differs(now, written); err != nil {
		return err
	}
	was := only(
		journal.Values{
			PortSecurity: &before.PortSecurity,
			Addresses:    &before.Addresses,
			ExternalIDs:  &before.ExternalIDs,
		},
		written,
	)
	outcomes, err := u.Mirror.Write(ctx, writeOf(now, was))
	if err != nil {
		return err
	}
	return outcomes[0].Err
}

// Behind returns the ports of units that were all taken back, and that Kube-OVN has not opened yet although their pods'
// annotations no longer ask for protection. It waits for Kube-OVN as long as repair does.
func (u *Undoer) Behind(ctx context.Context, done []*Restore) []string {
	ctx, cancel := context.WithTimeout(ctx, repair.Grace)
	defer cancel()
	for {
		var behind []string
		snapshot := u.Mirror.Snapshot()
		for _, r := range done {
			name := r.Unit.Whose().Port
			if row := snapshot.Port(name); row != nil && !r.tightens() && len(row.PortSecurity) > 0 {
				behind = append(behind, name)
			}
		}
		if len(behind) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return behind
		case <-time.After(mirrorAgain):
		}
	}
}
