package audit

import (
	"fmt"

	"github.com/ovnguard/ovnguard/portsec"
)

// unusableEntry finds ports whose port_security holds text of which OVN can use nothing. It looks protected and is open:
// OVN ignores what it cannot parse, and with nothing left it checks nothing.
var unusableEntry = check{
	rule: Rule{ID: "OVG002", Name: "unusable-entry", Severity: Critical, Summary: "port_security is not empty, but OVN can use nothing of it and checks nothing"},
	find: func(s subject) (found, bool) {
		if !s.mustBeStrict() {
			return found{}, false
		}
		var eras []portsec.Era
		for _, r := range s.readings {
			if r.set.Unenforced() {
				eras = append(eras, r.era)
			}
		}
		if len(eras) == 0 {
			return found{}, false
		}
		return found{
			message: fmt.Sprintf("port_security is %s, of which OVN can use nothing, so the port is open%s", quoted(s.Row.PortSecurity), s.inEras(eras)),
			fix:     s.fixColumn(),
		}, true
	},
}
