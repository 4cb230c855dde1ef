package audit

import "fmt"

// contestedPort finds ports that were put right again and again, because somebody else keeps writing something else.
var contestedPort = check{
	rule: Rule{
		ID:       "OVG023",
		Name:     "contested",
		Severity: High,
		Summary:  "the port is put right again and again, and somebody keeps writing something else",
	},
	find: func(s *subject) (found, bool) {
		if s.Pod == nil || s.Row == nil || s.Contested == 0 {
			return found{}, false
		}
		return found{
			message: fmt.Sprintf(
				"was put right %d times lately, and somebody keeps writing something else; who writes is in the log "+
					"of the Northbound database's server (ovn-appctl vlog/set jsonrpc:dbg)",
				s.Contested,
			),
		}, true
	},
}
