package audit

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/ovnguard/ovnguard/internal/inventory"
)

// duplicateMAC and duplicateIP find ports of one layer-2 domain that the network takes for the same station: it
// delivers to one of them, and port security lets each pose as the other.
var (
	duplicateMAC = check{
		rule: Rule{
			ID:       "OVG012",
			Name:     "duplicate-mac",
			Severity: High,
			Settle:   settle,
			Summary:  "another port on the same switch or VLAN has the same MAC",
		},
		find: func(s *subject) (found, bool) { return s.duplicate(true) },
	}
	duplicateIP = check{
		rule: Rule{
			ID:       "OVG013",
			Name:     "duplicate-ip",
			Severity: High,
			Settle:   settle,
			Summary:  "another port on the same switch or VLAN has the same address",
		},
		find: func(s *subject) (found, bool) { return s.duplicate(false) },
	}
)

func (s *subject) duplicate(mac bool) (found, bool) {
	if !s.passes() {
		return found{}, false
	}
	var texts, others []string
	across := ""
	for _, t := range s.Duplicates {
		if t.MAC == mac {
			texts, others = append(texts, t.Text), append(others, t.Others...)
			across = cmp.Or(across, t.VLAN)
		}
	}
	if across != "" {
		across = " on another switch of " + across
	}
	if len(texts) == 0 {
		return found{}, false
	}
	return found{
		message: fmt.Sprintf(
			"has %s on switch %s as well as %s%s",
			strings.Join(texts, ", "),
			s.Row.Switch,
			portList(others),
			across,
		),
		others: others,
		fix:    s.fixDuplicate(texts),
	}, true
}

// fixDuplicate returns the command that takes what is shared from this port, where its own identity has none of it.
func (s *subject) fixDuplicate(texts []string) string {
	if s.identityErr != nil || s.Record == nil {
		return ""
	}
	own := " " + identityText(s.identity) + " "
	for _, t := range texts {
		if strings.Contains(own, " "+t+" ") {
			return ""
		}
	}
	return command("ovn-nbctl", "lsp-set-addresses", s.nameForNbctl(), strings.TrimSpace(own))
}

// nameLimit bounds how many names a message lists; the evidence has them all.
const nameLimit = 3

func portList(names []string) string {
	text := "port " + strings.Join(names[:min(len(names), nameLimit)], ", ")
	if more := len(names) - nameLimit; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// grantOverlap finds ports that an exception or a Vip lets send from an address that is somebody else's.
var grantOverlap = check{
	rule: Rule{
		ID:       "OVG014",
		Name:     "grant-overlap",
		Severity: High,
		Settle:   settle,
		Summary: "a grant for the port contains an address that another port, a gateway, a node or a Service " +
			"has",
	},
	find: func(s *subject) (found, bool) {
		if s.Pod == nil || len(s.Overlaps) == 0 || s.identityErr != nil {
			return found{}, false
		}
		own := make(map[string]bool, len(s.identity.IPs))
		for _, ip := range s.identity.IPs {
			own[ip.String()] = true
		}
		var first inventory.Held
		var others []string
		for _, h := range s.Overlaps {
			if own[h.Address.String()] {
				continue // a duplicate address, which has a rule of its own
			}
			if len(others) == 0 {
				first = h
			}
			others = append(others, h.Holder.String())
		}
		if len(others) == 0 {
			return found{}, false
		}
		more := ""
		if len(others) > 1 {
			more = fmt.Sprintf(", and of %d more", len(others)-1)
		}
		return found{
			message: fmt.Sprintf("may send from %s, an address of %s%s", first.Address, first.Holder, more),
			others:  others,
			fix:     s.editExceptions(),
		}, true
	},
}
