package audit

import (
	"encoding/json"
	"fmt"
	"strings"
)

// grantNotReserved finds granted addresses that Kube-OVN may give to another pod, which would be a duplicate then.
var grantNotReserved = check{
	rule: Rule{
		ID:       "OVG038",
		Name:     "grant-not-reserved",
		Severity: Low,
		Settle:   settle,
		Summary: "an exception grants an address from a subnet's range, and nothing keeps Kube-OVN from giving the " +
			"address to another pod",
	},
	find: func(s *subject) (found, bool) {
		if s.Pod == nil || len(s.Unreserved) == 0 {
			return found{}, false
		}
		first := s.Unreserved[0]
		var texts, others []string
		var patch []patchOperation
		for _, h := range s.Unreserved {
			if h.Holder != first.Holder {
				continue // it is the next finding when these are reserved
			}
			texts = append(texts, h.Address.String())
			patch = append(patch, patchOperation{"add", "/spec/excludeIps/-", h.Address.String()})
		}
		others = append(others, first.Holder.Name)
		text, err := json.Marshal(patch)
		if err != nil {
			return found{}, false
		}
		return found{
			message: fmt.Sprintf(
				"may send from %s by its grant, but Kube-OVN does not know that the address is in use "+
					"and may give it to another pod on subnet %s; add it to spec.excludeIps of the subnet, or make a Vip of it",
				strings.Join(texts, ", "),
				first.Holder.Name,
			),
			others: others,
			fix: command("kubectl", "patch", "subnets.kubeovn.io", first.Holder.Name, "--type=json", "-p",
				string(text)),
		}, true
	},
}

// patchOperation is one change of a JSON patch.
type patchOperation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value string `json:"value"`
}
