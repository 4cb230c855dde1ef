package events

import (
	"testing"
	"time"

	eventsv1 "k8s.io/api/events/v1"
)

// A notice of the program about itself is written once, counted when it comes again later, and bounded where it flaps.
func TestNotices(t *testing.T) {
	d := newDesk(t)
	failed := Notice{
		Namespace: "ovnguard-system",
		Action:    ActionSelfTest,
		Reason:    ReasonSelfTestFailed,
		Case:      "unchanged",
		Text:      "a pod was made as it asked",
	}
	passed := Notice{
		Namespace: "ovnguard-system",
		Action:    ActionSelfTest,
		Reason:    ReasonSelfTestPassed,
		Case:      "pass",
		Text:      "pods are guarded",
		Good:      true,
	}
	for range 20 { // it flaps
		d.book.Tell(failed)
		d.book.Tell(passed)
		d.pass(t, time.Second)
	}
	const bad, good = "Warning SelfTestFailed SelfTest ovnguard-system", "Normal SelfTestPassed SelfTest " +
		"ovnguard-system"
	d.expect(t, map[string]int32{bad: 1, good: 1})
	if d.writes != 2 {
		t.Errorf("%d writes for what was told twice", d.writes)
	}
	d.replica() // after a restart, and much later
	d.now = d.now.Add(time.Hour)
	d.book.Tell(failed)
	d.pass(t, 0)
	d.expect(t, map[string]int32{bad: 2, good: 1})
	failed.Case, failed.Text = "unanswered", "no way there"
	d.book.Tell(failed)
	d.pass(t, 0)
	d.expect(t, map[string]int32{bad: 3, good: 1})

	var list eventsv1.EventList
	if err := d.client.List(t.Context(), &list); err != nil {
		t.Fatal(err)
	}
	for _, e := range list.Items {
		if r := e.Regarding; e.Namespace != "ovnguard-system" || r.Kind != "Namespace" || r.Name != "ovnguard-system" ||
			e.Note == "" {
			t.Errorf("%+v", e)
		}
	}
}

// Where nobody leads, only recent notices wait, and each case once.
func TestNoticesNobodyTells(t *testing.T) {
	d := newDesk(t)
	n := Notice{Namespace: "ovnguard-system", Action: ActionSelfTest, Reason: ReasonSelfTestFailed, Case: "unchanged"}
	for range 1000 {
		d.book.Tell(n)
	}
	if got := len(d.book.notices); got != 1 {
		t.Errorf("%d wait", got)
	}
	d.now = d.now.Add(keep + time.Second)
	if got := d.book.Notices(); len(got) > 0 {
		t.Errorf("old news is told: %v", got)
	}
}
