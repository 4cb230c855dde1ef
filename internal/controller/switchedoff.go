package controller

import (
	"github.com/go-logr/logr"

	"github.com/ovnguard/ovnguard/internal/audit"
	"github.com/ovnguard/ovnguard/internal/events"
	"github.com/ovnguard/ovnguard/internal/monitor"
)

// switchedOff tells the operators when an option switches port security off for all ports, and when it does no more. It
// is a monitor.Observer: such a finding is of no pod, on which it could be told.
type switchedOff struct {
	// namespace is the program's own.
	namespace string
	told      *events.Book
	log       logr.Logger
}

// Judged implements monitor.Observer.
func (s switchedOff) Judged(_, _ monitor.Verdict) {}

// Found implements monitor.Observer.
func (s switchedOff) Found(f audit.Finding, _ string) {
	if f.Rule.ID != audit.CheckedNowhere.ID {
		return
	}
	s.log.Info("port security is off for every port", "reason", f.Message, "fix", f.Fix)
	s.told.Tell(events.Notice{
		Namespace: s.namespace,
		Action:    events.ActionAudit,
		Reason:    events.ReasonCheckedNowhere,
		Case:      f.Rule.ID,
		Text:      f.Rule.ID + ": " + f.Message,
	})
}

// Cleared implements monitor.Observer.
func (s switchedOff) Cleared(f audit.Finding, _ string) {
	if f.Rule.ID != audit.CheckedNowhere.ID {
		return
	}
	s.log.Info("the option that switched port security off is not in effect any more")
	s.told.Tell(events.Notice{
		Namespace: s.namespace,
		Action:    events.ActionAudit,
		Reason:    events.ReasonCheckedAgain,
		Case:      f.Rule.ID,
		Good:      true,
		Text:      f.Rule.ID + ": the option that switched port security off is not in effect any more",
	})
}
