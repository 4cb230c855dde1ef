package audit

import (
	"fmt"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// openPort finds ports that must be strict and whose port_security is empty: OVN lets them send with any MAC and any
// address.
var openPort = check{
	rule: Rule{ID: "OVG001", Name: "open", Severity: High, Summary: "the port must be strict and port_security is empty"},
	find: func(s subject) (found, bool) {
		if !s.mustBeStrict() || len(s.Row.PortSecurity) > 0 || s.Row.Type != "" {
			return found{}, false
		}
		return found{
			message: fmt.Sprintf("port_security is empty, so any MAC and address passes; the %s wants it strict", s.Decision.LevelFrom.Phrase()),
			fix:     s.fixColumn(),
		}, true
	},
}

// fixColumn gives the command that makes the column what it must be. Kube-OVN's own path is the first choice: it writes
// the column when the annotation changes to its one true value. Where the annotation has that value already, Kube-OVN
// never looks at the column again, and only the database is left.
func (s subject) fixColumn() string {
	key := s.Provider.Key(kubeovn.PortSecurity)
	if s.Pod.Annotations[key] != kubeovn.True {
		return fmt.Sprintf("kubectl annotate pod -n %s %s %s=%s --overwrite", s.Pod.Namespace, s.Pod.Name, key, kubeovn.True)
	}
	if s.identityErr != nil {
		return ""
	}
	return fmt.Sprintf("ovn-nbctl lsp-set-port-security %s '%s'", s.Name, identityText(s.identity))
}
