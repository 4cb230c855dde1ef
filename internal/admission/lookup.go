package admission

import "github.com/ovnguard/ovnguard/internal/inventory"

// lookups are what has been looked up for a pod, so that it is once, however often its annotations speak of it.
type lookups struct {
	// ports are the names of the pod's own ports.
	ports map[string]bool
	// forbidden are, by subnet, those that the namespace may not use.
	forbidden map[string]bool
}

// mayUse reports whether pods of the namespace may be on a subnet.
func (c *check) mayUse(s inventory.Subnet) bool {
	forbidden, known := c.looked.forbidden[s.Name]
	if !known {
		forbidden = !c.Inventory.Usable(s, c.Namespace)
		if c.looked.forbidden == nil {
			c.looked.forbidden = make(map[string]bool)
		}
		c.looked.forbidden[s.Name] = forbidden
	}
	return !forbidden
}
