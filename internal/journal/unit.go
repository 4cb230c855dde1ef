package journal

import (
	"maps"
	"slices"
)

// Unit is what is taken back of one port: all of it or nothing.
type Unit struct {
	// Changes are those of one port and one pod, the newest first: in the order in which undoing them leads back.
	Changes []Entry
	// Added are the IDs of those that were not asked for, and go with one that was.
	Added []string
}

// Units returns what is to be taken back, the port with the newest change first. Where a change was picked without
// which the port's row and its pod's annotation would say different things, it is there, too: an annotation's with all
// that was written to the row on top of it, and the first of these with the annotation's. It goes by the order of the
// changes and not by how long after each other they were made: Kube-OVN, or the API server, may have been away.
func (c Choice) Units(entries []Entry) []Unit {
	type whose struct{ port, uid string }
	standing := make(map[whose][]Entry)
	for _, e := range (Choice{}).Pick(entries) {
		key := whose{e.Port, e.PodUID}
		standing[key] = append(standing[key], e)
	}
	picked := make(map[string]bool)
	var order []whose
	for _, e := range c.Pick(entries) {
		picked[e.ID] = true
		if key := (whose{e.Port, e.PodUID}); !slices.Contains(order, key) {
			order = append(order, key)
		}
	}
	out := make([]Unit, 0, len(order))
	for _, key := range order {
		out = append(out, unit(standing[key], picked))
	}
	return out
}

// unit returns the unit of one port; the changes come with the newest first.
func unit(changes []Entry, picked map[string]bool) (u Unit) {
	oldest := len(changes) - 1
	for !picked[changes[oldest].ID] {
		oldest--
	}
	if next := oldest + 1; next < len(changes) && changes[oldest].After.Annotations == nil &&
		changes[next].After.Annotations != nil {
		oldest = next
	}
	annotated := changes[oldest].After.Annotations != nil
	for i := oldest; i >= 0; i-- {
		e := changes[i]
		annotated = annotated || picked[e.ID] && e.After.Annotations != nil
		if !picked[e.ID] && !annotated {
			continue
		}
		if u.Changes = append(u.Changes, e); !picked[e.ID] {
			u.Added = append(u.Added, e.ID)
		}
	}
	slices.Reverse(u.Changes)
	return u
}

// Whose returns a change of the unit, which names the pod of all of them.
func (u Unit) Whose() Entry { return u.Changes[0] }

// Undoing returns the changes that take the unit back, one for each of its own: what others wrote between two repairs
// is what the later one is taken back to, and is where the earlier one goes on from.
func (u Unit) Undoing(why string) []Entry {
	out := make([]Entry, len(u.Changes))
	var restored Values
	for i, e := range u.Changes {
		out[i] = e.Undoing(why)
		out[i].Before = out[i].Before.Follow(restored)
		restored = restored.With(out[i].After)
	}
	return out
}

// Values returns what the port must have for the unit to be taken back, and what it has then.
func (u Unit) Values() (expected, restored Values) {
	for _, e := range u.Undoing("") {
		expected, restored = e.Before.With(expected), restored.With(e.After)
	}
	return expected, restored
}

// Annotated returns the IDs of the changes of annotations, the newest first.
func (u Unit) Annotated() []string {
	var ids []string
	for _, e := range u.Changes {
		if e.After.Annotations != nil {
			ids = append(ids, e.ID)
		}
	}
	return ids
}

// Found returns the ID of the change that tells what a column is given back, by the column's name; that of the newest
// where none does.
func (u Unit) Found(column string) string {
	for _, e := range slices.Backward(u.Changes) {
		if column == "port_security" && e.Before.PortSecurity != nil ||
			column == "addresses" && e.Before.Addresses != nil ||
			column == "external_ids" && e.Before.ExternalIDs != nil {
			return e.ID
		}
	}
	return u.Whose().ID
}

// Without returns the unit without its newest change.
func (u Unit) Without() Unit {
	u.Changes = u.Changes[1:]
	return u
}

// over returns the annotations of v, with those of o where both have some.
func over(v, o map[string]string) map[string]string {
	if v == nil {
		return o
	}
	out := maps.Clone(v)
	maps.Copy(out, o)
	return out
}
