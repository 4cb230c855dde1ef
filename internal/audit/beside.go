package audit

import (
	"time"

	"github.com/ovnguard/ovnguard/internal/inventory"
)

// EvaluateBeside judges a thing that is no port: an exception, a chassis, or what a pod has outside OVN. Of one that is not there
// any more there is nothing to find.
func EvaluateBeside(b inventory.Beside, now time.Time) Result {
	switch {
	case b.Exception != nil:
		return EvaluateException(b.Exception, b.Meant, now)
	case b.Chassis != nil:
		return EvaluateChassis(*b.Chassis, b.Eras, b.Six)
	case b.Group:
		return EvaluateGroup(b.Name, b.Strangers)
	case b.Pod != nil:
		return EvaluateOutside(b.Pod, b.Others)
	}
	return Result{State: OutOfScope, Why: "it is not there"}
}

// BesideChanges gives when what is found of such a thing changes by itself: when an exception begins or ends; zero for never.
func BesideChanges(b inventory.Beside, now time.Time) time.Time {
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
