package repair

import (
	"slices"
	"strings"

	"github.com/ovnguard/ovnguard/internal/audit"
	"github.com/ovnguard/ovnguard/internal/inventory"
)

// Proof says of a row that it was proved to be a port's, by the IP resource of that time. It is kept in memory only.
type Proof struct {
	RowUUID string
	Record  *inventory.Record
}

// stands reports whether the proof still holds for the port: it has the same row, and its IP resource gives it the
// same MAC and addresses. Whatever the row says of itself by now was written into it since.
func (p Proof) stands(port *inventory.Port) bool {
	return p.Record != nil && port.Record != nil && port.Row.Type == "" && p.RowUUID == port.Row.UUID &&
		strings.EqualFold(p.Record.MAC, port.Record.MAC) && slices.Equal(p.Record.IPs, port.Record.IPs)
}

// Proved returns the history with what a look at the port proves of its row.
func (h History) Proved(p *inventory.Port) History {
	if p.Row != nil && p.Pod != nil && audit.Unproved(p) == "" {
		h.Proof = Proof{RowUUID: p.Row.UUID, Record: p.Record}
	}
	return h
}

// unproved says why the row may be somebody else's, or "" where it is proved to be the port's, now or before.
func (h History) unproved(p *inventory.Port) string {
	if h.Proof.stands(p) {
		return ""
	}
	return audit.Unproved(p)
}
