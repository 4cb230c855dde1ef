package audit

import "fmt"

// claimedTwice finds ports that several pods have, other than the launchers of one machine: OVN has one row for them,
// so that each takes the other's traffic.
var claimedTwice = check{
	rule: Rule{
		ID:       "OVG019",
		Name:     "claimed-twice",
		Severity: High,
		Settle:   settle,
		Summary:  "several pods that are not launchers of one machine claim the port",
	},
	find: func(s *subject) (found, bool) {
		if s.Pod == nil || s.Claims < 2 || s.Claims == s.Launchers || s.MachinesDoubted && s.Pod.Owner != s.Pod.Name {
			return found{}, false
		}
		return found{
			message: fmt.Sprintf(
				"%d pods claim the port, and %s is one of them; either their pod and attachment names result "+
					"in the same port name, or they name a machine that does not exist",
				s.Claims,
				s.Pod.PodKey,
			),
			fix: command("kubectl", "delete", "pod", "-n", s.Pod.Namespace, s.Pod.Name),
		}, true
	},
}
