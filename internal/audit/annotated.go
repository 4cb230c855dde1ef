package audit

import (
	"fmt"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// secureByAnnotation finds ports whose annotation says that they are secure, and that Kube-OVN leaves open all the
// same, because it writes no port security for a NIC without an address.
var secureByAnnotation = check{
	rule: Rule{
		ID:       "OVG020",
		Name:     "secure-by-annotation-only",
		Severity: High,
		Summary:  "the annotation says that the port is secure, and Kube-OVN does not protect a NIC without an address",
	},
	find: func(s *subject) (found, bool) {
		if !s.withoutAddress() {
			return found{}, false
		}
		return found{
			message: fmt.Sprintf(
				"port_security is empty, so any MAC and address passes: annotation %s is %q, but the NIC has "+
					"no address, and Kube-OVN writes no port_security for such a NIC",
				s.Provider.Key(kubeovn.PortSecurity),
				kubeovn.True,
			),
			fix: s.fixColumn(),
		}, true
	},
}

// withoutAddress reports whether the port is open because it has no address, though its annotation says that it is
// secure.
func (s *subject) withoutAddress() bool {
	return s.mustBeChecked() && s.identityErr == nil && len(s.identity.IPs) == 0 && len(s.Row.PortSecurity) == 0 &&
		s.Pod.Annotations[s.Provider.Key(kubeovn.PortSecurity)] == kubeovn.True
}
