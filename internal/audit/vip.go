package audit

import (
	"fmt"
	"strings"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// vipNotGranted finds pods that ask for a shared address which nobody granted. Kube-OVN writes it into port_security
// without asking anybody, at the latest when it builds the row again.
var vipNotGranted = check{
	rule: Rule{
		ID:       "OVG017",
		Name:     "vip-not-granted",
		Severity: Medium,
		Summary: "the pod's annotations name a shared address, but no Vip of the namespace has it and no " +
			"exception grants it",
	},
	find: func(s *subject) (found, bool) {
		if s.Pod == nil {
			return found{}, false
		}
		for _, step := range s.Decision.Steps {
			if step.Source != policy.FromPod || step.Outcome != policy.Refused && step.Outcome != policy.Invalid {
				continue
			}
			if step.Key != kubeovn.AAPs && step.Key != s.Provider.Key(kubeovn.PortVIPs) {
				continue
			}
			return found{
				message: fmt.Sprintf("annotation %s names %q: %s", step.Key, step.Value, step.Detail),
				fix:     s.fixVips(step.Key),
			}, true
		}
		return found{}, false
	},
}

// fixVips returns the command that takes what nobody granted out of an annotation, and leaves the rest of it.
func (s *subject) fixVips(key string) string {
	refused := make(map[string]bool)
	for _, step := range s.Decision.Steps {
		if step.Source == policy.FromPod && step.Key == key &&
			(step.Outcome == policy.Refused || step.Outcome == policy.Invalid) {
			refused[step.Value] = true
		}
	}
	var left []string
	for item := range strings.SplitSeq(s.Pod.Annotations[key], ",") {
		if item = strings.TrimSpace(item); item != "" && !refused[item] {
			left = append(left, item)
		}
	}
	words := []string{"annotate", "pod", "-n", s.Pod.Namespace, s.Pod.Name}
	if len(left) == 0 {
		return command("kubectl", append(words, key+"-")...)
	}
	return command("kubectl", append(words, "--overwrite", key+"="+strings.Join(left, ","))...)
}
