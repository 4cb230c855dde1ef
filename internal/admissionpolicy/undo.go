package admissionpolicy

import (
	"github.com/ovnguard/ovnguard/internal/policy"
)

// Undoes returns an expression that holds for an update of a pod that says it takes back what repair did. What it may
// take back by that is for the webhook to say, which reads the journal.
func Undoes() string {
	mark := quote(policy.UndoAnnotation)
	return "request.operation == 'UPDATE' && " + mark + " in " + annotations + " && " + text(
		annotations,
		policy.UndoAnnotation,
	) + " != " + text(
		before,
		policy.UndoAnnotation,
	)
}

// MayUndo is an expression that holds for an author who has the verb undo for the pod.
const MayUndo = "authorizer.group('ovnguard.io').resource('pods')." +
	"namespace(request.namespace).name(request.name).check('undo').allowed()"
