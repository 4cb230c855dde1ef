package journal

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// Choice says which changes are to be undone. What is given must all hold.
type Choice struct {
	// ID, Port and Namespace are exact; empty for any.
	ID, Port, Namespace string
	// Since is the time from which on; zero for all.
	Since time.Time
	// Last is how many, the newest first; zero for all.
	Last int
}

// Pick returns the changes that are to be undone, the newest first: in the order in which undoing them leads back.
// Changes that were not made, or were made by undoing, are left out.
func (c Choice) Pick(entries []Entry) []Entry {
	var out []Entry
	for _, e := range slices.Backward(entries) {
		switch {
		case !e.Made() || e.Undoes != "":
		case c.ID != "" && e.ID != c.ID,
			c.Port != "" && e.Port != c.Port,
			c.Namespace != "" && e.Namespace != c.Namespace:
		case e.Time.Before(c.Since):
		case c.Last > 0 && len(out) == c.Last:
		default:
			if _, undone := undoing(entries, e.ID); !undone {
				out = append(out, e)
			}
		}
	}
	return out
}

// Undoing returns the change that takes e back: it expects what e wrote, and writes what was there before.
func (e Entry) Undoing(why string) Entry {
	return Entry{
		Undoes: e.ID, Port: e.Port, Row: e.Row, Namespace: e.Namespace, Pod: e.Pod, PodUID: e.PodUID, Why: why,
		Before: e.After, After: e.Before,
	}
}

// Follow returns the values as they are after somebody wrote those that o has: where v is about the same, it has o's.
func (v Values) Follow(o Values) Values {
	if v.PortSecurity != nil && o.PortSecurity != nil {
		v.PortSecurity = o.PortSecurity
	}
	if v.Addresses != nil && o.Addresses != nil {
		v.Addresses = o.Addresses
	}
	if v.ExternalIDs != nil && o.ExternalIDs != nil {
		v.ExternalIDs = o.ExternalIDs
	}
	if v.Annotations != nil {
		annotations := maps.Clone(v.Annotations)
		for key := range annotations {
			if value, both := o.Annotations[key]; both {
				annotations[key] = value
			}
		}
		v.Annotations = annotations
	}
	return v
}

// With returns the values of both; o's where both have some.
func (v Values) With(o Values) Values {
	out := o
	if out.PortSecurity == nil {
		out.PortSecurity = v.PortSecurity
	}
	if out.Addresses == nil {
		out.Addresses = v.Addresses
	}
	if out.ExternalIDs == nil {
		out.ExternalIDs = v.ExternalIDs
	}
	out.Annotations = over(v.Annotations, o.Annotations)
	return out
}

// Same reports whether the values are the same; the order in a column means nothing.
func (v Values) Same(o Values) bool {
	return sameColumn(v.PortSecurity, o.PortSecurity) && sameColumn(v.Addresses, o.Addresses) &&
		maps.Equal(v.Annotations, o.Annotations) &&
		(v.ExternalIDs == nil) == (o.ExternalIDs == nil) &&
		(v.ExternalIDs == nil || maps.Equal(*v.ExternalIDs, *o.ExternalIDs))
}

func sameColumn(a, b *[]string) bool {
	if a == nil || b == nil {
		return a == b
	}
	return slices.Equal(slices.Sorted(slices.Values(*a)), slices.Sorted(slices.Values(*b)))
}

// Standing returns the change of repair with that ID. The error says that there is none, that it was not made, or when
// and by whom it was taken back.
func Standing(entries []Entry, id string) (Entry, error) {
	i := slices.IndexFunc(entries, func(e Entry) bool { return e.ID == id })
	switch {
	case i < 0 || entries[i].Undoes != "":
		return Entry{}, fmt.Errorf("the journal has no change %q of repair", id)
	case !entries[i].Made():
		return Entry{}, fmt.Errorf("change %s of repair was not made", id)
	}
	if back, undone := undoing(entries, id); undone {
		return Entry{}, fmt.Errorf(
			"change %s of repair was taken back already, at %s by %q",
			id,
			back.Time.UTC().Format(time.RFC3339),
			back.By,
		)
	}
	return entries[i], nil
}

// undoing returns the change that took another one back; false where none did.
func undoing(entries []Entry, id string) (Entry, bool) {
	i := slices.IndexFunc(entries, func(o Entry) bool { return o.Undoes == id && o.Outcome == Written })
	if i < 0 {
		return Entry{}, false
	}
	return entries[i], true
}

// Nothing says why there is no change to take back.
func Nothing(entries []Entry, choice Choice) string {
	const none = "No change to take back: "
	repairs := slices.DeleteFunc(slices.Clone(entries), func(e Entry) bool { return e.Undoes != "" || !e.Made() })
	if len(repairs) == 0 {
		return none + "the journal has none of repair."
	}
	if choice.Port == "" {
		return none + "all that were asked for were taken back already, or none was asked for."
	}
	newest := ""
	for _, e := range repairs {
		if e.Port == choice.Port && e.ID > newest {
			newest = e.ID
		}
	}
	if newest == "" {
		return fmt.Sprintf("%sthe journal has none of port %q.", none, choice.Port)
	}
	if back, undone := undoing(entries, newest); undone {
		return fmt.Sprintf(
			"%sthe newest of port %s was taken back already, at %s by %q.",
			none,
			choice.Port,
			back.Time.UTC().Format(time.RFC3339),
			back.By,
		)
	}
	return none + "none of port " + choice.Port + " was asked for."
}
