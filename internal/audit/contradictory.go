package audit

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/portsec"
)

// contradictoryLayers finds ports with a decision in which one half has no use without the other: OVN looks at a port's
// MACs on the way in and on the way out.
var contradictoryLayers = check{
	rule: Rule{
		ID:       "OVG011",
		Name:     "contradictory-layers",
		Severity: Low,
		Settle:   settle,
		Summary: "the port receives frames for other MACs but may not send with these MACs, or the other way " +
			"round",
	},
	find: func(s *subject) (found, bool) {
		if !s.mustBeChecked() || s.Decision.Level == policy.Strict && s.Decision.Forwarding != policy.Require {
			return found{}, false
		}
		other := slices.ContainsFunc(
			s.Decision.Pairs,
			func(p portsec.AddressPair) bool { return p.MAC != (portsec.MAC{}) && p.MAC != s.identity.MAC },
		)
		unknown := slices.Contains(s.Row.Addresses, kubeovn.AddressUnknown)
		name := strings.Join(s.Decision.Exceptions, ", ")
		switch {
		case other && !unknown && s.Decision.Forwarding != policy.Require: // where it is due, missingUnknown says so
			return found{
				message: fmt.Sprintf(
					"exception %s lets it send with other MACs, but frames for them do not reach it: the grant lacks "+
						"layer2Forward",
					name,
				),
				fix: s.editExceptions(),
			}, true
		case !other && unknown && s.Decision.Forwarding == policy.Require:
			return found{
				message: fmt.Sprintf(
					"exception %s lets frames for other MACs reach it, but port_security drops them again: the grant "+
						"has no pair with such a MAC",
					name,
				),
				fix: s.editExceptions(),
			}, true
		}
		return found{}, false
	},
}

// editExceptions returns the command that opens the exceptions in effect.
func (s *subject) editExceptions() string {
	if len(s.Decision.Exceptions) == 0 {
		return ""
	}
	return command(
		"kubectl",
		append([]string{"edit", exceptionResource, "-n", s.Pod.Namespace}, s.Decision.Exceptions...)...)
}

// exceptionResource is the name of exceptions for kubectl.
const exceptionResource = "portsecurityexceptions.ovnguard.io"
