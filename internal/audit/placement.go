package audit

import (
	"fmt"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// wrongSwitch finds ports on another logical switch than Kube-OVN recorded: their frames reach that network, and the
// checks of port_security hold there for addresses that mean nothing.
var wrongSwitch = check{
	rule: Rule{
		ID:       "OVG033",
		Name:     "wrong-switch",
		Severity: Medium,
		Settle:   settle,
		Summary: "the row is on another logical switch than the IP resource or the pod's annotation says; high " +
			"where that switch belongs to another VPC or is not for the pod's namespace",
	},
	find: func(s *subject) (found, bool) {
		p := s.Placement
		if p == nil || s.Pod.Terminating {
			return found{}, false
		}
		out := found{others: []string{p.Switch}}
		switch {
		case p.From == fromRecord:
			out.message = fmt.Sprintf("is on switch %s, but the %s says %s", s.Row.Switch, fromRecord, p.Switch)
			if p.Fits {
				out.fix = s.fixSwitch(p.Switch)
			} else {
				out.message += ", and the pod's annotation or the subnets do not bear that out: find out which one the pod " +
					"uses before you move the row"
			}
		case s.Record != nil:
			out.message = fmt.Sprintf("is on switch %s, as the %s says, but annotation %s of its pod says %s, and "+
				"Kube-OVN takes the pod's subnet from there", s.Row.Switch, fromRecord, p.From, p.Switch)
			out.fix = command("kubectl", "annotate", "pod", "-n", s.Pod.Namespace, s.Pod.Name, "--overwrite",
				"--as="+s.controller(), p.From+"="+s.Row.Switch)
		default:
			out.message = fmt.Sprintf(
				"is on switch %s, but annotation %s of its pod says %s, and there is no %s; when "+
					"the pod is created again, Kube-OVN makes all of them alike",
				s.Row.Switch,
				p.From,
				p.Switch,
				fromRecord,
			)
		}
		if p.Foreign != "" {
			out.severity = High
			out.message += fmt.Sprintf("; switch %s is %s", s.Row.Switch, p.Foreign)
		}
		return out, true
	},
}

// fixSwitch returns the command that moves the row to another switch with all that it has, in one transaction.
func (s *subject) fixSwitch(to string) string {
	return command(
		"ovn-nbctl",
		"remove", "logical_switch", s.Row.Switch, "ports", s.Row.UUID,
		"--", "add", "logical_switch", to, "ports", s.Row.UUID,
		"--", "set", "logical_switch_port", s.Row.UUID, "external_ids:"+kubeovn.ExternalIDSwitch+"="+quoteOVSDB(to),
	)
}
