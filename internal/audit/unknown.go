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
	find: func(s subject) (found, bool) {
		if s.Pod == nil || s.Row == nil || s.Decision.Forwarding == policy.Allow || !slices.Contains(s.Row.Addresses, kubeovn.AddressUnknown) {
			return found{}, false
		}
		return found{
			message: fmt.Sprintf("addresses holds %q, so frames for MACs that nobody has reach this port; the %s forbids that", kubeovn.AddressUnknown, s.Decision.ForwardingFrom.Phrase()),
			fix:     s.fixAddresses(),
		}, true
	},
}

// fixAddresses gives the command that writes addresses without "unknown", or nothing where no address would be left.
func (s subject) fixAddresses() string {
	var words []string
	for _, a := range s.Row.Addresses {
		if a != kubeovn.AddressUnknown && !strings.Contains(a, "'") {
			words = append(words, "'"+a+"'")
		}
	}
	if len(words) == 0 {
		return ""
	}
	return fmt.Sprintf("ovn-nbctl lsp-set-addresses %s %s", s.Name, strings.Join(words, " "))
}
