package plan

import (
	"cmp"
	"slices"

	"github.com/ovnguard/ovnguard/internal/inventory"
)

// Exception is for how many ports an exception counts, today and after the change.
type Exception struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Before    int    `json:"before"`
	After     int    `json:"after"`
	// Why says why it would count for no port, or not for all that it is for; empty where it would.
	Why string `json:"why,omitempty"`
}

// exceptions returns the exceptions that come to count for other ports, and those that the question is about.
func (c *comparison) exceptions(t tally) (out []Exception) {
	told := make(map[inventory.PodKey]bool)
	for _, key := range c.Exceptions {
		told[key] = true
	}
	for key, of := range t.exceptions {
		if of[sideBefore].ports != of[sideAfter].ports {
			told[key] = true
		}
	}
	for key := range told {
		e := Exception{Namespace: key.Namespace, Name: key.Name}
		if of := t.exceptions[key]; of != nil {
			e.Before, e.After, e.Why = of[sideBefore].ports, of[sideAfter].ports, of[sideAfter].why
		}
		if e.After == 0 && e.Why == "" && c.has(key) {
			e.Why = "its target is no port of a pod that runs"
		}
		if c.Namespace == "" || c.Namespace == key.Namespace {
			out = append(out, e)
		}
	}
	slices.SortFunc(out, func(a, b Exception) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return out
}

// has reports whether the exception is there after the change.
func (c *comparison) has(key inventory.PodKey) bool {
	for _, e := range c.after.Exceptions(key.Namespace) {
		if e.Name == key.Name {
			return true
		}
	}
	return false
}
