package audit

import (
	"fmt"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// openPort finds ports that must be checked and whose port_security is empty: OVN lets them send with any MAC and any
// address.
var openPort = check{
	rule: Rule{
		ID:       "OVG001",
		Name:     "open",
		Severity: High,
		Summary:  "policy limits the addresses that the port may send from, but port_security is empty",
	},
	find: func(s *subject) (found, bool) {
		if !s.mustBeChecked() || len(s.Row.PortSecurity) > 0 || s.withoutAddress() {
			return found{}, false
		}
		return found{
			message: fmt.Sprintf(
				"port_security is empty, so any MAC and address passes; the %s asks for %s",
				s.Decision.LevelFrom.Phrase(),
				s.Decision.Level,
			),
			fix: s.fixColumn(),
		}, true
	},
}

// fixColumn returns the command that makes the column what it must be. Kube-OVN's own path is the first choice: it
// writes the column when the annotation changes to its one true value. Where the annotation has that value already,
// Kube-OVN never looks at the column again, and only the database is left. So it is where more than the identity is
// granted: what Kube-OVN writes would take that from a pod that uses it.
func (s *subject) fixColumn() string {
	switch {
	case s.cutOff():
		return s.fixException()
	case s.skipped():
		return s.fixType()
	}
	key := s.Provider.Key(kubeovn.PortSecurity)
	if s.Pod.Annotations[key] != kubeovn.True && s.Decision.Level == policy.Strict {
		return command(
			"kubectl",
			"annotate",
			"pod",
			"-n",
			s.Pod.Namespace,
			s.Pod.Name,
			key+"="+kubeovn.True,
			"--overwrite",
		)
	}
	column := s.ownColumn()
	if column == nil || s.disputed() {
		return ""
	}
	return command("ovn-nbctl", append([]string{"lsp-set-port-security", s.nameForNbctl()}, column...)...)
}

// fixType returns the command that makes the port an ordinary one again, which Kube-OVN never does, and its column with
// it. Where the row is not marked as this pod's it may be somebody else's of the same name, and is left alone.
func (s *subject) fixType() string {
	column := s.ownColumn()
	if column == nil || s.Row.ExternalIDs[kubeovn.ExternalIDPod] != s.Pod.Namespace+"/"+s.Pod.Owner {
		return ""
	}
	words := []string{"lsp-set-type", s.nameForNbctl(), "", "--", "lsp-set-port-security", s.nameForNbctl()}
	return command("ovn-nbctl", append(words, column...)...)
}

// ownColumn returns the column that means what was decided and nothing else in every era; nil where there is none.
func (s *subject) ownColumn() []string {
	if s.exact {
		return s.Row.PortSecurity
	}
	if s.identityErr != nil {
		return nil
	}
	column, err := columnFor(s.identity, s.Decision)
	if err != nil {
		return nil
	}
	return column
}
