package selftest

import (
	"fmt"

	"github.com/ovnguard/ovnguard/internal/events"
)

// noticeOf returns what is told in the program's namespace of a self-test whose end differs from the one before. A
// failure of another kind is told as well: it says that something else is wrong.
func noticeOf(namespace string, got outcome) events.Notice {
	n := events.Notice{Namespace: namespace, Action: events.ActionSelfTest, Case: string(got.reason)}
	if got.reason == passes {
		n.Reason, n.Good = events.ReasonSelfTestPassed, true
		n.Text = "the self-test passes again: pods are guarded; the findings of the audit show pods that were " +
			"created meanwhile"
		return n
	}
	n.Reason = events.ReasonSelfTestFailed
	n.Text = fmt.Sprintf(
		"new pods may not be guarded (%s): %s; the self-test is repeated until it passes, and /readyz/selftest "+
			"fails until then",
		got.reason,
		got.detail,
	)
	return n
}
