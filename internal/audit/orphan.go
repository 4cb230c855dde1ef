package audit

import (
	"fmt"
	"time"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// settle is how long a port may be without its pod, or a pod without its port: Kube-OVN follows a pod within some ten
// milliseconds, and both sides are read by separate connections.
const settle = 3 * time.Second

// portWithoutPod finds ports that Kube-OVN made for a pod that is not there: left over, or made by hand.
var portWithoutPod = check{
	rule: Rule{
		ID:       "OVG006",
		Name:     "port-without-pod",
		Severity: Medium,
		Settle:   settle,
		Summary:  "the port names a pod that does not exist",
	},
	find: func(s *subject) (found, bool) {
		if s.Pod != nil || s.Row == nil || s.Unread != "" { // of a pod whose networks are not all known, it may be one
			return found{}, false
		}
		out := found{
			message: fmt.Sprintf(
				"names pod %s, which does not exist or has no such NIC",
				s.Row.ExternalIDs[kubeovn.ExternalIDPod],
			),
			fix: command("ovn-nbctl", "lsp-del", s.nameForNbctl()),
		}
		if s.Record != nil && !s.Record.Reserved {
			out.message += fmt.Sprintf(
				"; its IP resource still exists too: deleting that makes Kube-OVN delete the port "+
					"and frees %s",
				recordText(s.Record),
			)
			out.fix = freeRecord(s.Record)
		}
		return out, true
	},
}

// podWithoutPort finds pods that Kube-OVN says it has given a port which OVN does not have.
var podWithoutPort = check{
	rule: Rule{
		ID:       "OVG007",
		Name:     "pod-without-port",
		Severity: Medium,
		Settle:   settle,
		Summary:  "Kube-OVN has allocated the NIC, but OVN has no such port",
	},
	find: func(s *subject) (found, bool) {
		if s.Pod == nil || s.Row != nil || s.Pod.Terminating ||
			s.Pod.Annotations[s.Provider.Key(kubeovn.Allocated)] != kubeovn.True {
			return found{}, false
		}
		return found{
			message: fmt.Sprintf(
				"annotation %s says that the port was made, but OVN has none",
				s.Provider.Key(kubeovn.Allocated),
			),
			fix: command("kubectl", "annotate", "pod", "-n", s.Pod.Namespace, s.Pod.Name,
				s.Provider.Key(kubeovn.Allocated)+"-", s.Provider.Key(kubeovn.Routed)+"-", "--as="+s.controller()),
		}, true
	},
}
