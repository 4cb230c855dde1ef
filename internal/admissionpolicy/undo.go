package admissionpolicy

import (
	"github.com/ovnguard/ovnguard/internal/policy"
)

// Undoes returns an expression that holds for an update of a pod that changes what the pod says was taken back of
// repair. What may be taken back by that is for the webhook to say, which reads the journal.
func Undoes() string { return "request.operation == 'UPDATE' && " + marks() }

// marks returns an expression that holds where what a pod says was taken back of repair is not what it said.
func marks() string {
	return text(annotations, policy.UndoAnnotation) + " != " + text(before, policy.UndoAnnotation)
}

// MayUndo is an expression that holds for an author who has the verb undo for the pod.
const MayUndo = "authorizer.group('ovnguard.io').resource('pods')." +
	"namespace(request.namespace).name(request.name).check('undo').allowed()"
