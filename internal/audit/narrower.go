package audit

import (
	"fmt"

	"github.com/ovnguard/ovnguard/portsec"
)

// narrowerThanIdentity finds ports whose own legitimate traffic OVN drops, because port_security does not cover their
// identity, or what was granted besides it. Kube-OVN makes each granted port like that, and repair widens it within
// milliseconds, so that only what lasts is found.
var narrowerThanIdentity = check{
	rule: Rule{
		ID:       "OVG004",
		Name:     "narrower-than-identity",
		Severity: Medium,
		Settle:   settle,
		Summary: "port_security does not cover all of the port's own MAC and addresses and its grants, so OVN " +
			"drops traffic",
	},
	find: func(s *subject) (found, bool) {
		return s.compare(
			func(r portsec.Reading) []portsec.Pair { return r.Loss },
			func(pairs []portsec.Pair, eras string) found {
				return found{
					message: fmt.Sprintf(
						"cannot send from its own %s%s; port_security is %s",
						joined(pairs),
						eras,
						quoted(s.Row.PortSecurity),
					),
					fix:  s.fixColumn(),
					loss: pairs,
				}
			},
		)
	},
}
