package admission

import (
	"github.com/ovnguard/ovnguard/internal/inventory"
)

// lookups are what has been looked up for a pod, so that it is once, however often its annotations speak of it.
type lookups struct {
	// ports are the names of the pod's own ports.
	ports map[string]bool
	// forbidden are, by subnet, those that the namespace may not use.
	forbidden map[string]bool
}

// mayUse reports whether pods of the namespace may be on a subnet.
func (r *review) mayUse(s inventory.Subnet) bool {
	forbidden, known := r.looked.forbidden[s.Name]
	if !known {
		forbidden = !r.Inventory.Usable(s, r.Namespace)
		if r.looked.forbidden == nil {
			r.looked.forbidden = make(map[string]bool)
		}
		r.looked.forbidden[s.Name] = forbidden
	}
	return !forbidden
}
