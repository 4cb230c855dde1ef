package audit

import (
	"fmt"
	"strings"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// refusedWhenMadeAgain means that admission would refuse pods that run, or those that a workload makes. It is of no
// port.
var refusedWhenMadeAgain = Rule{
	ID:       "OVG032",
	Name:     "refused-when-made-again",
	Severity: Medium,
	Summary:  "admission would refuse the pod, or the pods of the workload, when they are made again",
}

// EvaluateForeseen judges what admission would do about the pods of a workload. Where it would refuse none of them, but
// overrule what they ask for, that is only worth knowing: they come, and are as policy decides. No command is given:
// whoever wrote the workload has to say what its pods should have instead, and a changed template replaces all of them.
func EvaluateForeseen(f *inventory.Foreseen) Result {
	result := Result{State: OutOfScope, Why: "it is no port"}
	found := Finding{Rule: refusedWhenMadeAgain, Namespace: f.Namespace}
	pods := fmt.Sprintf("the pods of %s %s (%s)", f.Workload.Kind, f.Workload.Name, running(f.Running))
	if f.IsPod() {
		found.Pod, pods = f.Workload.Name, "pod "+f.Workload.Name
	} else {
		found.Workload = f.Workload
		found.Evidence.Others = []string{f.Workload.Kind + " " + f.Namespace + "/" + f.Workload.Name}
	}
	switch {
	case len(f.Refused) > 0:
		found.Message = foreseenText("admission would refuse "+pods+" when made again", f.Refused)
		if len(f.Overruled) > 0 {
			found.Message += "; " + foreseenText("it would not grant", f.Overruled)
		}
	case len(f.Overruled) > 0:
		found.Rule.Severity = Info
		found.Message = foreseenText("admission would make "+pods+" without what they ask for", f.Overruled)
	default:
		return result
	}
	result.Findings = []Finding{found}
	return result
}

// running words how many pods run.
func running(n int) string {
	switch n {
	case 0:
		return "none runs"
	case 1:
		return "1 runs"
	}
	return fmt.Sprintf("%d run", n)
}

// foreseenText words what admission would do, and apart from it what it would do if policy enforced.
func foreseenText(what string, all []inventory.Foresight) string {
	var now, later []string
	for _, f := range all {
		if f.Mode == policy.Enforce {
			now = append(now, f.Text)
		} else {
			later = append(later, f.Text)
		}
	}
	var parts []string
	if len(now) > 0 {
		parts = append(parts, what+": "+strings.Join(now, "; "))
	}
	if len(later) > 0 {
		parts = append(parts, what+" once the policy enforces: "+strings.Join(later, "; "))
	}
	return strings.Join(parts, "; ")
}
