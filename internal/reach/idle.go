package reach

import (
	"github.com/ovnguard/ovnguard/internal/acl"
	"github.com/ovnguard/ovnguard/internal/inventory"
)

// Idle reports whether nothing governs what pods send to each other: there is no policy, and OVN has no ACL. There is
// nothing to look for then.
func Idle(s *inventory.State) bool {
	for range s.NetworkPolicies() {
		return false
	}
	idle := true
	s.EachFilter(func(*acl.ACL) { idle = false }, func(inventory.Switch) {})
	return idle
}
