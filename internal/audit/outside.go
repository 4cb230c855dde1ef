package audit

import (
	"strings"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// outsideOVN tells of pods that can send past OVN, where port security holds nothing.
var outsideOVN = Rule{
	ID:       "OVG024",
	Name:     "outside-ovn",
	Severity: Info,
	Summary: "the pod is on the host's network, or has a NIC outside OVN, and port security has no effect " +
		"there",
}

// EvaluateOutside judges what a pod has besides its ports on OVN: the host's network, or NICs that others than OVN
// make.
func EvaluateOutside(pod *inventory.Pod, others []kubeovn.Attachment) Result {
	result := Result{State: OutOfScope, Why: "it is not on OVN"}
	var message string
	switch {
	case pod.Finished:
		return result
	case pod.HostNetwork:
		message = "is on its node's network, where OVN checks nothing"
	case len(others) > 0:
		names := make([]string, len(others))
		for i, a := range others {
			names[i] = a.Namespace + "/" + a.Name
		}
		message = "has a NIC outside OVN, from attachment " + strings.Join(names, ", ")
	default:
		return result
	}
	result.Findings = []Finding{{Rule: outsideOVN, Namespace: pod.Namespace, Pod: pod.Name, Message: message}}
	return result
}
