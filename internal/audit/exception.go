package audit

import (
	"fmt"
	"time"

	"github.com/ovnguard/ovnguard/internal/policy"
)

// Rules about exceptions. They are of no port.
var (
	exceptionExpired = Rule{
		ID:       "OVG015",
		Name:     "exception-expired",
		Severity: Low,
		Summary:  "the exception has ended and has no effect anymore",
	}
	exceptionUnused = Rule{
		ID:       "OVG016",
		Name:     "exception-unused",
		Severity: Low,
		Settle:   settle,
		Summary:  "the exception is in effect, but it matches no port",
	}
)

// EvaluateException judges one exception: whether it has ended, or is meant for no port; meant means that it is for
// some. The findings name no port; the pod is empty and the namespace is the exception's.
func EvaluateException(e *policy.Exception, meant bool, now time.Time) Result {
	result := Result{State: OutOfScope, Why: "it is an exception"}
	name := e.Namespace + "/" + e.Name
	say := func(rule Rule, message string) {
		result.Findings = append(result.Findings, Finding{
			Rule: rule, Namespace: e.Namespace, Message: message,
			Evidence: Evidence{DecisionFrom: string(policy.FromException), Others: []string{name}},
			Fix:      command("kubectl", "delete", exceptionResource, "-n", e.Namespace, e.Name),
		})
	}
	switch {
	case !e.Expires.IsZero() && !now.Before(e.Expires):
		say(exceptionExpired, fmt.Sprintf("exception %s ended at %s", name, e.Expires.UTC().Format(time.RFC3339)))
	case e.Err == nil && !meant && (e.NotBefore.IsZero() || !now.Before(e.NotBefore)):
		say(exceptionUnused, fmt.Sprintf("exception %s matches no existing port", name))
	}
	return result
}
