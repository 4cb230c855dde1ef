package ovn

import (
	"slices"

	"github.com/ovnguard/ovnguard/internal/persistent"
)

// portGroupTable is Port_Group.
type portGroupTable struct{ table[PortGroup] }

func newPortGroupTable() *portGroupTable {
	return &portGroupTable{
		newTable(
			TablePortGroup,
			portGroupColumns,
			func(r *PortGroup) *string { return &r.UUID },
			func(s *Snapshot) *Rows[PortGroup] { return &s.portGroups },
		),
	}
}

// portGroupDraft is what changes of port groups.
type portGroupDraft struct{ *draft[PortGroup] }

func (t *portGroupTable) draft(of *Snapshot, l layout) tableDraft {
	return portGroupDraft{t.newDraft(of, l)}
}

// settle implements tableDraft: members share the memory of their name with the port that they are. There are several
// groups for each port.
func (d portGroupDraft) settle(c *change) {
	ports, ok := c.drafts[TablePort].(portDraft)
	if !ok {
		return
	}
	for _, p := range d.changes {
		if p.now == nil || p.now == p.old {
			continue
		}
		var before persistent.Set[string]
		if p.old != nil {
			before = p.old.Ports
		}
		e := new(persistent.Edit)
		set := p.now.Ports
		for _, uuid := range slices.Collect(set.Without(before)) {
			if port := ports.current(uuid); port != nil {
				set.Remove(e, uuid)
				set.Add(e, port.UUID)
			}
		}
		p.now.Ports = set
	}
}
