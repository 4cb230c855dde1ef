package audit

import (
	"fmt"

	"github.com/ovnguard/ovnguard/internal/inventory"
)

// KubeOVNRefused means that admission refused something to an account that Kube-OVN's workloads run under. It is of no
// single port.
var KubeOVNRefused = Rule{
	ID:       "OVG031",
	Name:     "kube-ovn-refused",
	Severity: Critical,
	Summary: "admission refused something to an account that Kube-OVN's own workloads run under, so that pods may " +
		"get no network",
}

// EvaluateRefused judges what an account of Kube-OVN's was refused. No command is given: which flag of the program
// leaves the account out depends on how it was started.
func EvaluateRefused(r inventory.Refused) Result {
	return Result{State: OutOfScope, Why: "it is an account", Findings: []Finding{
		{
			Rule: KubeOVNRefused,
			Message: fmt.Sprintf(
				"%s, under which Kube-OVN's own workloads run, was refused %s: %s. Pods may get no network; "+
					"have --kube-ovn-accounts name every account of Kube-OVN's, or take the flag away so that they "+
					"are detected",
				r.User,
				r.What,
				r.Why,
			),
		},
	}}
}
