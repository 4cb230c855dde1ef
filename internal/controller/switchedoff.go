package controller

import (
	"slices"

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
func (s switchedOff) Judged(before, after monitor.Verdict) {
	isOff := func(f audit.Finding) bool { return f.Rule.ID == audit.CheckedNowhere.ID }
	if slices.ContainsFunc(before.Beyond(after), isOff) {
		s.on()
	}
	found := after.Beyond(before)
	if i := slices.IndexFunc(found, isOff); i >= 0 {
		s.off(&found[i])
	}
}

// off notes that port security is off.
func (s switchedOff) off(f *audit.Finding) {
	s.log.Info("port security is off for every port", "reason", f.Message, "fix", f.Fix)
	s.told.Tell(events.Notice{
		Namespace: s.namespace,
		Action:    events.ActionAudit,
		Reason:    events.ReasonCheckedNowhere,
		Case:      f.Rule.ID,
		Text:      f.Rule.ID + ": " + f.Message,
	})
}

// on notes that it is on again.
func (s switchedOff) on() {
	s.log.Info("the option that switched port security off is no longer in effect")
	s.told.Tell(events.Notice{
		Namespace: s.namespace,
		Action:    events.ActionAudit,
		Reason:    events.ReasonCheckedAgain,
		Case:      audit.CheckedNowhere.ID,
		Good:      true,
		Text: audit.CheckedNowhere.ID + ": the option that switched port security off is no longer in " +
			"effect",
	})
}
