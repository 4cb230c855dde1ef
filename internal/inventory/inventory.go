package inventory

import (
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/persistent"
)

// Inventory is the join. Each change tells which ports it touched, so that only those are judged again. It is not safe
// for use by several goroutines at once; those that only read are given snapshots.
type Inventory struct {
	State
	*changes

	pods        podEditor
	ports       portEditor
	network     networkEditor
	holders     holderEditor
	grants      grants
	groups      groupEditor
	governance  governanceEditor
	owners      ownerEditor
	enforcement enforcementEditor
}

// New returns an empty inventory.
func New() *Inventory {
	inv := &Inventory{
		State: State{
			holders: holders{occupied: newOccupied()},
		},
		changes: &changes{new(persistent.Edit), make(map[Subject]bool)},
		grants:  newGrants(),
	}
	inv.pods = newPodEditor(&inv.State.pods, inv.changes)
	inv.ports = portEditor{ports: &inv.State.ports, changes: inv.changes, ofVip: make(map[string]string)}
	inv.network = networkEditor{&inv.State.network, inv.changes, make(map[string]string)}
	inv.holders = newHolderEditor(&inv.State.holders, inv.changes)
	inv.groups = groupEditor{&inv.State.groups, inv.changes}
	inv.governance = governanceEditor{governance: &inv.State.governance, changes: inv.changes}
	inv.owners = ownerEditor{&inv.State.owners, inv.changes}
	inv.enforcement = enforcementEditor{&inv.State.enforcement, inv.changes}
	inv.SetSetup(kubeovn.DefaultSetup())
	return inv
}
