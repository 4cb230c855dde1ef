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
	rule: Rule{ID: "OVG005", Name: "unexpected-unknown", Severity: Medium, Summary: "addresses holds \"unknown\" though layer-2 forwarding is not allowed"},
	find: func(s *subject) (found, bool) {
		if !s.passes() || s.Decision.Forwarding != policy.Forbid || !slices.Contains(s.Row.Addresses, kubeovn.AddressUnknown) {
			return found{}, false
		}
		return found{
			message: fmt.Sprintf("addresses holds %q, so frames for MACs that nobody has reach this port; the %s forbids that", kubeovn.AddressUnknown, s.Decision.ForwardingFrom.Phrase()),
			fix:     s.fixAddresses(),
		}, true
	},
}

// fixAddresses gives the command that writes addresses without "unknown", or nothing where no address would be left or one
// of them would be read as something else.
func (s *subject) fixAddresses() string {
	words := []string{"lsp-set-addresses", s.nameForNbctl()}
	for _, a := range s.Row.Addresses {
		switch {
		case a == kubeovn.AddressUnknown:
			continue
		case strings.HasPrefix(a, "-"):
			return ""
		}
		words = append(words, a)
	}
	if len(words) == 2 {
		return ""
	}
	return command("ovn-nbctl", words...)
}
