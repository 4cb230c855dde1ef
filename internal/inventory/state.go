package inventory

import (
	"github.com/ovnguard/ovnguard/internal/persistent"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/portsec"
)

// State is all that an inventory knows at one moment, with the methods that read it. A snapshot of it never changes: it
// may be kept, and read by any number of goroutines without a lock.
//
// Its fields are values, persistent maps, and slices that are replaced and never written to once they are in. What is
// found out about it may be kept in the memo.
type State struct {
	namespaces persistent.Map[string, policy.Namespace]

	policies   []policy.Policy
	exceptions persistent.Map[string, []policy.Exception] // by namespace
	owners     persistent.Map[string, owner]              // by UID

	gateways persistent.Map[gatewayKey, *Gateway]

	pods
	ports
	network
	holders

	routerPorts persistent.Map[string, RouterPort] // by name

	chassis persistent.Map[string, *chassis] // by UUID

	refused persistent.Map[string, Refused] // by account
	ovn     portsec.OVN                     // what is known of ovn-northd
	option  string                          // version_compatibility of NB_Global

	unread        persistent.Map[Kind, struct{}]
	doubtMachines bool

	groupsKnown bool
	portGroups  persistent.Map[string, *PortGroup]    // by UUID
	addressSets persistent.Map[string, *AddressSet]   // by UUID
	setsOf      persistent.Map[string, []*AddressSet] // by security group
	members     persistent.Map[string, []string]      // UUIDs of rows to the security groups that they are in
	// UUIDs of rows that are or may be in security groups, to their names
	grouped persistent.Map[string, string]

	memo *memo // of a snapshot; nil while the state still changes
}

// Snapshot returns all that is known now. It costs next to nothing to take and to keep: what changes afterwards is
// copied first.
func (inv *Inventory) Snapshot() *State {
	inv.edit = new(persistent.Edit)
	s := inv.State
	s.occupied, s.memo = inv.occupied.snapshot(), new(memo)
	return &s
}
