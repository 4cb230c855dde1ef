package audit

import (
	"fmt"
	"strings"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// CheckedNowhere means that one option of the Northbound database switches port security off for all ports. It is not
// about a single port.
var CheckedNowhere = Rule{
	ID: "OVG030", Name: "checked-nowhere", Severity: Critical,
	Summary: "an option in the Northbound database makes ovn-northd leave port security out, so no port is " +
		"checked",
}

// EvaluateOption judges the option that can switch port security off for all ports. The fix is what Kube-OVN's
// post-upgrade hook does at its end: without the new ovn-controller on a node, the checks would be flows that it does
// not understand, and its pods would be cut off. Where "rollout status" does not hold, nothing is written.
//
// namespace is where Kube-OVN runs.
func EvaluateOption(value, namespace string) Result {
	f := Finding{
		Rule: CheckedNowhere,
		Message: fmt.Sprintf(
			"%s: any port may send from any MAC and address, whatever port_security says. Kube-OVN sets the "+
				"option while OVN is upgraded, and its post-upgrade hook removes it; finish the upgrade of ovs-ovn "+
				"on every node, then remove the option",
			NotChecked(value),
		),
	}
	f.Evidence.Others = []string{"NB_Global options:" + kubeovn.VersionCompatibility + "=" + value}
	undo := command(
		"ovn-nbctl",
		"set",
		"NB_Global",
		".",
		"options:"+kubeovn.VersionCompatibility+"="+kubeovn.CompatibilityDone(value),
	)
	if strings.Trim(value, "0123456789.") != "" { // nothing that Kube-OVN writes, and ovn-nbctl might read it otherwise
		undo = command("ovn-nbctl", "remove", "NB_Global", ".", "options", kubeovn.VersionCompatibility)
	}
	f.Fix = command(
		"kubectl",
		"-n",
		namespace,
		"rollout",
		"status",
		"daemonset/ovs-ovn",
		"--timeout=30s",
	) + " && " + undo
	return Result{State: OutOfScope, Why: "it is an option for all ports", Findings: []Finding{f}}
}

// NotChecked says in a sentence what the value of the option means; the value is inventory.Port.NotChecking.
func NotChecked(value string) string {
	return fmt.Sprintf("NB_Global options:%s is %q, and with this Kube-OVN's ovn-northd checks port security "+
		"on no port",
		kubeovn.VersionCompatibility, value)
}
