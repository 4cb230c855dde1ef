package audit

import (
	"time"

	"github.com/ovnguard/ovnguard/internal/inventory"
)

// EvaluateSubject judges a subject that is no port: an exception, a chassis, what a pod has outside OVN, or an option
// for all ports. Of one that is not there any more there is nothing to find.
func EvaluateSubject(b inventory.SubjectView, now time.Time) Result {
	switch {
	case b.Exception != nil:
		return EvaluateException(b.Exception, b.Meant, now)
	case b.Chassis != nil:
		return EvaluateChassis(*b.Chassis, b.Eras, b.IPv6Ports)
	case b.Group:
		return EvaluateGroup(b.Name, b.UnknownMembers)
	case b.Pod != nil:
		return EvaluateOutside(b.Pod, b.Others)
	case b.NotChecking != "":
		return EvaluateOption(b.NotChecking, b.Namespace)
	case b.Refused != nil:
		return EvaluateRefused(*b.Refused)
	case b.Foreseen != nil:
		return EvaluateForeseen(b.Foreseen)
	case b.Reached != nil:
		return EvaluateReached(b.Reached)
	}
	return Result{State: OutOfScope, Why: "it does not exist"}
}

// SubjectChanges returns when what is found of a subject changes by itself: when an exception begins or ends; zero
// for never.
func SubjectChanges(b inventory.SubjectView, now time.Time) time.Time {
	e := b.Exception
	switch {
	case e == nil:
	case now.Before(e.NotBefore):
		return e.NotBefore
	case now.Before(e.Expires):
		return e.Expires
	}
	return time.Time{}
}
