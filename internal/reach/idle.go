package reach

import "github.com/ovnguard/ovnguard/internal/inventory"

// idle reports whether nothing governs what pods send to each other: there is no policy, and OVN has no ACL. There is
// nothing to look for then.
func idle(s *inventory.State) bool {
	for range s.NetworkPolicies() {
		return false
	}
	return !s.HasACLs()
}
