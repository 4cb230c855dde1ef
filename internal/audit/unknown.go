package audit

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// unexpectedUnknown finds ports that take in frames for MACs that nobody has, although nothing allows them to. Kube-OVN
// never takes "unknown" away once it is there.
var unexpectedUnknown = check{
	rule: Rule{
		ID:       "OVG005",
		Name:     "unexpected-unknown",
		Severity: Medium,
		Repaired: true,
		Summary:  "addresses holds \"unknown\" though layer-2 forwarding is not allowed",
	},
	find: func(s *subject) (found, bool) {
		if !s.passes() || s.Decision.Forwarding != policy.Forbid ||
			!slices.Contains(s.Row.Addresses, kubeovn.AddressUnknown) {
			return found{}, false
		}
		return found{
			message: fmt.Sprintf(
				"addresses holds %q, so frames for MACs that nobody has reach this port; the %s forbids that",
				kubeovn.AddressUnknown,
				s.Decision.ForwardingFrom.Phrase(),
			),
			fix: s.fixAddresses(),
		}, true
	},
}

// fixAddresses returns the command that makes addresses what they must be, or "" where that is not known, or one of
// them would be read as an option.
func (s *subject) fixAddresses() string {
	words := expectedAddresses(&s.Port, s.identity, s.identityErr)
	if len(words) == 0 || s.disputed() ||
		slices.ContainsFunc(words, func(a string) bool { return strings.HasPrefix(a, "-") }) {
		return ""
	}
	return command("ovn-nbctl", append([]string{"lsp-set-addresses", s.nameForNbctl()}, words...)...)
}
