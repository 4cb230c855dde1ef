package audit

import (
	"fmt"

	"github.com/ovnguard/ovnguard/internal/inventory"
)

// foreignAddress finds ports whose own address is another's, or is kept for others. Kube-OVN's address management does
// not look at most of what keeps addresses, and takes those of a Vip for whoever names it.
var foreignAddress = check{
	rule: Rule{
		ID:       "OVG026",
		Name:     "foreign-address",
		Severity: High,
		Settle:   settle,
		Summary: "the port's own address belongs to a gateway, a Service, a node or a Vip of others, or is " +
			"kept for others by an IPPool, the shared VIPs of a subnet, an OvnEip, an OvnFip or a SwitchLBRule",
	},
	find: func(s *subject) (found, bool) {
		if len(s.Foreign) == 0 || s.Pod == nil || s.Pod.Terminating {
			return found{}, false
		}
		others := make([]string, len(s.Foreign))
		for i, h := range s.Foreign {
			others[i] = h.Holder.String()
		}
		first, more := s.Foreign[0], ""
		if len(s.Foreign) > 1 {
			more = fmt.Sprintf("; %d more have or keep addresses of the port", len(s.Foreign)-1)
		}
		return found{
			message: fmt.Sprintf("its own address %s %s%s", first.Address, keptBy(first.Holder), more), others: others,
			fix: command("kubectl", "delete", "pod", "-n", s.Pod.Namespace, s.Pod.Name),
		}, true
	},
}

// keptBy says in what way an address is a holder's.
func keptBy(h inventory.Holder) string {
	switch h.Kind { //nolint:exhaustive // the others have it
	case inventory.HeldByShared:
		return "is one of " + h.String()
	case inventory.HeldByPool:
		return "is kept by " + h.String() + " for pods of other namespaces"
	case inventory.HeldByServices:
		return "is in the range of " + h.String()
	case inventory.HeldByNodes:
		return "is in " + h.String()
	}
	return "belongs to " + h.String()
}
