package audit

import (
	"fmt"

	"github.com/ovnguard/ovnguard/portsec"
)

// upgradeOpens finds ports that are protected by the OVN that enforces now, and will not be by a later one: the newer
// parser drops a whole element for one word that the older one only cut it at.
var upgradeOpens = check{
	rule: Rule{
		ID:       "OVG009",
		Name:     "opens-at-upgrade",
		Severity: Medium,
		Summary:  "a later release of OVN ignores port_security, or reads it as more than decided",
	},
	find: func(s *subject) (found, bool) {
		if s.exact || !s.mustBeChecked() || s.identityErr != nil || !s.column.Protected() {
			return found{}, false
		}
		newest := s.eras[len(s.eras)-1]
		want, err := wanted(s.identity, s.Decision)
		if err != nil {
			return found{}, false
		}
		for _, era := range everyEra {
			if era <= newest {
				continue
			}
			later := portsec.Assess([]portsec.Era{era}, s.Row.Type, s.Row.PortSecurity, want)
			if later.Protected() {
				continue
			}
			r := later.Readings[0]
			what := "may also send from " + joined(r.Excess)
			if r.Open() {
				what = "is open"
			}
			return found{
				message: fmt.Sprintf(
					"port_security is %s: the port %s as soon as %s enforces it",
					quoted(s.Row.PortSecurity),
					what,
					era.Releases(),
				),
				fix:    s.fixColumn(),
				excess: r.Excess,
			}, true
		}
		return found{}, false
	},
}
