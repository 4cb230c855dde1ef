package audit

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/ovnguard/ovnguard/portsec"
)

// weakEra tells of ports with IPv6 addresses on a chassis whose OVN checks neighbour discovery less than later ones do
// (docs/port-security.md, neighbour discovery).
var weakEra = check{
	rule: Rule{ID: "OVG022", Name: "weak-era", Severity: Info, Summary: "the chassis' release of OVN leaves gaps in the check of IPv6 neighbour discovery"},
	find: func(s subject) (found, bool) {
		if !s.mustBeChecked() || s.identityErr != nil || len(s.Chassis) == 0 || len(s.Eras) == 0 {
			return found{}, false
		}
		six := slices.ContainsFunc(s.identity.IPs, func(ip netip.Addr) bool { return ip.Is6() })
		var gap string
		switch {
		case !six || slices.Contains(s.Eras, portsec.E3) || slices.Contains(s.Eras, portsec.E0):
			return found{}, false
		case slices.Contains(s.Eras, portsec.E1):
			gap = "neighbour solicitations pass whatever they claim, and the port cannot answer for its link-local address"
		default:
			gap = "neighbour solicitations pass whatever they claim"
		}
		names := make([]string, len(s.Chassis))
		for i, c := range s.Chassis {
			names[i] = c.Name
		}
		return found{
			message: fmt.Sprintf("chassis %s enforces as %s do: %s; an upgrade closes that", strings.Join(names, ", "), s.Eras[0].Releases(), gap),
			others:  names,
		}, true
	},
}
