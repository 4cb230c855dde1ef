package inventory

import (
	"iter"

	"github.com/ovnguard/ovnguard/internal/persistent"
)

// NetworkPolicyKey names a policy of what pods may reach: of a namespace, or of the cluster, which has none.
type NetworkPolicyKey struct {
	Kind            Kind
	Namespace, Name string
}

// networkPolicies is the policies of what pods may reach, as whoever reads them has them: the inventory keeps them with
// all else, so that a state has both as they were at one moment, and does not look into them.
type networkPolicies struct {
	byKey                   persistent.Map[NetworkPolicyKey, any]
	networkPoliciesRevision uint64
}

// NetworkPolicies walks over the policies of what pods may reach, in no order that means anything. They are shared, and
// must not be changed.
func (ps *networkPolicies) NetworkPolicies() iter.Seq2[NetworkPolicyKey, any] { return ps.byKey.All() }

// NetworkPolicyRevision changes with each change of a policy of what pods may reach.
func (ps *networkPolicies) NetworkPolicyRevision() uint64 { return ps.networkPoliciesRevision }

// SetNetworkPolicy adds or replaces a policy of what pods may reach, which is not changed afterwards.
func (inv *Inventory) SetNetworkPolicy(key NetworkPolicyKey, object any) {
	inv.byKey.Set(inv.edit, key, object)
	inv.networkPoliciesRevision++
}

// DeleteNetworkPolicy takes a policy of what pods may reach out.
func (inv *Inventory) DeleteNetworkPolicy(key NetworkPolicyKey) {
	inv.byKey.Delete(inv.edit, key)
	inv.networkPoliciesRevision++
}
