package inventory

import "github.com/ovnguard/ovnguard/internal/policy"

// Namespace gives what policy reads of a namespace; Err says so where it has not been seen.
func (inv *Inventory) Namespace(name string) policy.Namespace { return inv.namespace(name) }

// EachException gives every exception to look, in no order.
func (inv *Inventory) EachException(look func(*policy.Exception)) {
	for _, list := range inv.exceptions {
		for i := range list {
			look(&list[i])
		}
	}
}
