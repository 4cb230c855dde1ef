package audit

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// missingUnknown finds ports that an exception grants layer-2 forwarding, and that do not have it. Kube-OVN reads the
// wish for it when it makes a port, and never again.
var missingUnknown = check{
	rule: Rule{
		ID:       "OVG008",
		Name:     "missing-unknown",
		Severity: Medium,
		Settle:   settle,
		Repaired: true,
		Summary:  "an exception grants layer-2 forwarding, and addresses lacks \"unknown\"",
	},
	find: func(s *subject) (found, bool) {
		if !s.passes() || s.Decision.Forwarding != policy.Require ||
			slices.Contains(s.Row.Addresses, kubeovn.AddressUnknown) {
			return found{}, false
		}
		return found{
			message: fmt.Sprintf(
				"exception %s grants other MACs, but frames for them do not reach this port, because addresses "+
					"lacks %q",
				strings.Join(s.Decision.Exceptions, ", "),
				kubeovn.AddressUnknown,
			),
			fix: s.fixAddresses(),
		}, true
	},
}
