package audit

import (
	"fmt"
	"slices"
	"time"

	"github.com/ovnguard/ovnguard/portsec"
)

// realise is how long ovn-northd may take to carry a change to the Southbound database before that means anything.
const realise = 5 * time.Second

// southboundDiffers finds ports that the chassis are told something else about than the Northbound database says:
// ovn-northd does not run, is behind, or somebody wrote to the Southbound database.
var southboundDiffers = check{
	rule: Rule{
		ID:       "OVG021",
		Name:     "southbound-differs",
		Severity: High,
		Settle:   realise,
		Summary: "port_security in the Southbound database, which the chassis enforce, differs from the " +
			"Northbound database",
	},
	find: func(s *subject) (found, bool) {
		if !s.passes() || s.Binding == nil ||
			s.eras[0] == portsec.E0 || // northd of E0 writes flows, and its schema has no such column
			slices.Equal(s.Binding.PortSecurity, s.Row.PortSecurity) && s.Binding.Type == s.Row.Type {
			return found{}, false
		}
		differs := s.Binding.Type != s.Row.Type
		for _, era := range s.eras {
			differs = differs ||
				!portsec.Parse(era, s.Binding.PortSecurity).Set().Equal(portsec.Parse(era, s.Row.PortSecurity).Set())
		}
		if !differs {
			return found{}, false
		}
		return found{
			message: fmt.Sprintf(
				"the Southbound database has %s, the Northbound database has %s: ovn-northd does not run or is "+
					"behind, or another writer changed the Southbound database",
				described(s.Binding.PortSecurity, s.Binding.Type),
				described(s.Row.PortSecurity, s.Row.Type),
			),
			fix: "ovn-appctl -t ovn-northd inc-engine/recompute",
		}, true
	},
}

func described(column []string, portType string) string {
	if portType == "" {
		return quoted(column)
	}
	return quoted(column) + " of type " + portType
}
