package inventory

import (
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/persistent"
)

// Inventory is the join: a State that changes. Each change tells which ports it touched, so that only those are judged
// again. It is not safe for use by several goroutines at once; those that only read are given snapshots.
//
// Each part of the State is changed by its editor, which goes by the part's name here. An editor has what only serves
// to find out what a change touches, in maps of Go, and no snapshot has it. What a change means for several parts is
// Inventory's to say.
type Inventory struct {
	State
	*changes

	pods        podEditor
	ports       portEditor
	network     networkEditor
	holders     holderEditor
	groups      groupEditor
	filters     filterEditor
	governance  governanceEditor
	owners      ownerEditor
	enforcement enforcementEditor

	grants grants
}

// New returns an empty inventory.
func New() *Inventory {
	inv := &Inventory{
		State:   State{holders: holders{occupied: newOccupied()}},
		changes: &changes{new(persistent.Edit), make(map[Subject]bool)},
		grants:  newGrants(),
	}
	inv.pods = newPodEditor(&inv.State.pods, inv.changes)
	inv.ports = portEditor{
		ports: &inv.State.ports, changes: inv.changes,
		ofVip: make(map[string]string), dependents: make(namesBy),
	}
	inv.network = networkEditor{&inv.State.network, inv.changes, make(map[string]string)}
	inv.holders = newHolderEditor(&inv.State.holders, inv.changes)
	inv.groups = groupEditor{&inv.State.groups, inv.changes}
	inv.filters = filterEditor{&inv.State.filters, inv.changes}
	inv.governance = governanceEditor{governance: &inv.State.governance, changes: inv.changes}
	inv.owners = ownerEditor{&inv.State.owners, inv.changes}
	inv.enforcement = enforcementEditor{&inv.State.enforcement, inv.changes}
	inv.SetSetup(kubeovn.DefaultSetup())
	return inv
}
