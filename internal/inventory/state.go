package inventory

import (
	"iter"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
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
	pods       persistent.Map[string, persistent.Map[string, *Pod]] // by namespace and name; no namespace in it is empty
	namespaces persistent.Map[string, policy.Namespace]
	users      sets[kubeovn.Attachment, PodKey] // key without interface
	entries    persistent.Map[string, *entry]   // by port name

	policies   []policy.Policy
	exceptions persistent.Map[string, []policy.Exception] // by namespace
	owners     persistent.Map[string, owner]              // by UID

	gateways persistent.Map[gatewayKey, *Gateway]

	network
	holders

	routerPorts persistent.Map[string, RouterPort]  // by name
	migrations  persistent.Map[PodKey, []Migration] // by machine

	onSwitch  portsBy[switchAddress]           // the rows
	chassis   persistent.Map[string, *chassis] // by UUID
	ipv6Ports persistent.Map[string, int]      // by UUID of a chassis: ports with IPv6 addresses there

	refused persistent.Map[string, Refused] // by account
	ovn     portsec.OVN                     // what is known of ovn-northd
	option  string                          // version_compatibility of NB_Global
	marked  int                             // rows that bear Kube-OVN's mark

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

// pod returns a pod; nil where there is none of that name.
func (inv *State) pod(key PodKey) *Pod { return inv.pods.Get(key.Namespace).Get(key.Name) }

// podsIn walks over the pods of a namespace.
func (inv *State) podsIn(namespace string) iter.Seq[*Pod] { return inv.pods.Get(namespace).Values() }
