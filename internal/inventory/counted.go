package inventory

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ovnguard/ovnguard/internal/policy"
)

// ExceptionsLimit is how many address pairs the exceptions of one namespace may list together; one without pairs weighs
// as much as one with a single pair. Each pair is looked at whenever a port is judged that the exception is for, and
// whenever such a pod is reviewed.
const ExceptionsLimit = 1024

// weight is what an exception takes of ExceptionsLimit.
func weight(e *policy.Exception) int { return max(len(e.Pairs), 1) }

// lasting orders the exceptions of a namespace: those first that last longest, so that one which has ended takes no
// room from one in effect.
func lasting(a, b policy.Exception) int {
	return cmp.Or(b.Expires.Compare(a.Expires), a.Asked.Compare(b.Asked), strings.Compare(a.Name, b.Name))
}

// counted returns those of the exceptions of a namespace, in their order, for which there is room.
func counted(list []policy.Exception) []policy.Exception {
	room := ExceptionsLimit
	for i := range list {
		if room -= weight(&list[i]); room < 0 {
			return list[:i]
		}
	}
	return list
}

// with returns a list with the exception in its place, without another one of its name.
func with(list []policy.Exception, e policy.Exception) []policy.Exception {
	list = without(list, e.Name)
	at, _ := slices.BinarySearchFunc(list, e, lasting)
	return slices.Insert(list, at, e)
}

// without returns a copy of a list without the exception of this name.
func without(list []policy.Exception, name string) []policy.Exception {
	return slices.DeleteFunc(slices.Clone(list), func(o policy.Exception) bool { return o.Name == name })
}

// uncounted says why an exception does not count besides the others of its namespace; "" where it does.
func (g *governance) uncounted(e *policy.Exception) string {
	list, room := g.exceptions.Get(e.Namespace), ExceptionsLimit-weight(e)
	for i := 0; i < len(list) && room >= 0 && lasting(list[i], *e) < 0; i++ {
		if list[i].Name != e.Name {
			room -= weight(&list[i])
		}
	}
	if room >= 0 {
		return ""
	}
	return fmt.Sprintf(
		"the exceptions of namespace %s that end later leave no room for this one: together they may list %d "+
			"address pairs; delete unused exceptions",
		e.Namespace,
		ExceptionsLimit,
	)
}

// Listed returns how much of ExceptionsLimit is taken if an exception is made, or changed to this: by it and by the
// others of its namespace that have not ended.
func (g *governance) Listed(e *policy.Exception, now time.Time) int {
	sum := weight(e)
	list := g.exceptions.Get(e.Namespace)
	for i := range list {
		if o := &list[i]; o.Name != e.Name && now.Before(o.Expires) {
			sum += weight(o)
		}
	}
	return sum
}

// displaced returns the names of the ports for which exceptions of a namespace begin or cease to count when the list
// becomes another one.
func (inv *Inventory) displaced(was, is []policy.Exception) (names []string) {
	before, after := counted(was), counted(is)
	if len(before) == len(was) && len(after) == len(is) {
		return nil
	}
	had := make(map[string]bool, len(before))
	for i := range before {
		had[before[i].Name] = true
	}
	for i := range after {
		if e := &after[i]; had[e.Name] {
			delete(had, e.Name)
		} else {
			names = append(names, inv.portsFor(e)...)
		}
	}
	for i := range before {
		if e := &before[i]; had[e.Name] {
			names = append(names, inv.portsFor(e)...)
		}
	}
	return names
}
