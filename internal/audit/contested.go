package audit

import "fmt"

// contestedPort finds ports that were put right again and again, because somebody else keeps writing something else.
var contestedPort = check{
	rule: Rule{
		ID:       "OVG023",
		Name:     "contested",
		Severity: High,
		Summary:  "repair writes the port again and again, but another writer keeps changing it",
	},
	find: func(s *subject) (found, bool) {
		if s.Pod == nil || s.Row == nil || s.Contested == 0 {
			return found{}, false
		}
		return found{
			message: fmt.Sprintf(
				"repair wrote it %d times lately, but another writer keeps changing it; to find the writer, "+
					"see the log of the Northbound database's server (ovn-appctl vlog/set jsonrpc:dbg). Repair tries "+
					"again, but less and less often; when the other writer has stopped, it puts the port right by itself",
				s.Contested,
			),
		}, true
	},
}
