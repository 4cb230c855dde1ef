package audit

import (
	"fmt"

	"github.com/ovnguard/ovnguard/internal/inventory"
)

// KubeOVNRefused means that admission refused something to an account that Kube-OVN's workloads run under. It is not
// about a single port.
var KubeOVNRefused = Rule{
	ID:       "OVG031",
	Name:     "kube-ovn-refused",
	Severity: Critical,
	Summary: "admission refused a request of an account that Kube-OVN's own workloads use, so pods may get no " +
		"network",
}

// EvaluateRefused judges a refused request of an account of Kube-OVN. No command is given: which flag of the program
// leaves the account out depends on how it was started.
func EvaluateRefused(r inventory.Refused) Result {
	return Result{State: OutOfScope, Why: "it is an account", Findings: []Finding{
		{
			Rule: KubeOVNRefused,
			Message: fmt.Sprintf(
				"%s, an account of Kube-OVN's own workloads, was refused %s: %s. Pods may get no network; name "+
					"every account of Kube-OVN in --kube-ovn-accounts, or remove the flag so that ovnguard detects "+
					"them",
				r.User,
				r.What,
				r.Why,
			),
		},
	}}
}
