package audit

import (
	"fmt"

	"github.com/ovnguard/ovnguard/portsec"
)

// unusableEntry finds ports whose port_security OVN does not enforce although it is not empty. Such a port looks
// protected and is open: OVN ignores what it cannot parse, and with nothing left it checks nothing. It checks nothing
// either where the port is of a type that is not a pod's.
var unusableEntry = check{
	rule: Rule{
		ID:       "OVG002",
		Name:     "unusable-entry",
		Severity: Critical,
		Summary:  "port_security is not empty, but OVN can use none of its entries and checks nothing",
	},
	find: func(s *subject) (found, bool) {
		if !s.mustBeChecked() {
			return found{}, false
		}
		eras := s.column.Where(portsec.Reading.Unenforced)
		if len(eras) == 0 {
			return found{}, false
		}
		why := "and OVN can use nothing of it"
		if s.skipped() {
			why = "but OVN does not apply it to a port of type " + s.Row.Type
		}
		return found{
			message: fmt.Sprintf(
				"port_security is %s, %s, so the port is open%s",
				quoted(s.Row.PortSecurity),
				why,
				s.inEras(eras),
			),
			fix: s.fixColumn(),
		}, true
	},
}
