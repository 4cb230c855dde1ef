package events

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
)

// repaired has repair write the row of a pod's port.
func (d *desk) repaired(pod, uid string, rules ...string) {
	f := finding(pod, 0)
	f.Message = ""
	d.book.Repaired(f, uid, Repair{Rules: rules, Wrote: "row", Text: `port_security from [] to ["own"]`})
}

// newest returns the reason of the Event of a pod that was seen last.
func (d *desk) newest(t *testing.T, pod string) (reason, kind string) {
	t.Helper()
	var list eventsv1.EventList
	if err := d.client.List(t.Context(), &list); err != nil {
		t.Fatal(err)
	}
	var last time.Time
	for i := range list.Items {
		if e := &list.Items[i]; e.Regarding.Name == pod && !lastSeen(e).Before(last) {
			last, reason, kind = lastSeen(e), e.Reason, e.Type
		}
	}
	return reason, kind
}

// moment is how long repair takes.
const moment = 3 * time.Millisecond

// drift has a port drift, and be repaired after a moment.
func (d *desk) drift(pod string, takes time.Duration) {
	d.found(finding(pod, 0), "u")
	d.now = d.now.Add(takes)
	d.repaired(pod, "u", "OVG001")
	d.now = d.now.Add(moment)
	d.cleared(finding(pod, 0), "u")
}

// A change of repair is told on the pod, after the finding, and once for each port and finding.
func TestRepairedIsTold(t *testing.T) {
	d := newDesk(t)
	d.drift("p", moment)
	d.pass(t, time.Second)
	want := map[string]int32{
		"Warning PortSecurityFinding OVG001 p": 1, "Normal PortSecurityRepaired OVG001 p": 1,
		"Normal PortSecurityCleared OVG001 p": 1,
	}
	d.expect(t, want)
	for range 5 { // it flaps
		d.drift("p", moment)
		d.pass(t, time.Second)
	}
	d.expect(t, want)
	d.repaired("q", "v") // only its annotation was missing
	d.pass(t, time.Second)
	want["Normal PortSecurityRepaired Repair q"] = 1
	d.expect(t, want)

	var list eventsv1.EventList
	if err := d.client.List(t.Context(), &list); err != nil {
		t.Fatal(err)
	}
	for _, e := range list.Items {
		if e.Reason != ReasonRepaired {
			continue
		}
		note := `port p.ns was repaired: port_security from [] to ["own"]`
		if e.Regarding.Name == "p" && e.Note != "OVG001 "+note || !strings.HasPrefix(e.Name, "repair-") ||
			e.Type != corev1.EventTypeNormal || e.Regarding.Kind != "Pod" || e.Namespace != "ns" {
			t.Errorf("%+v", e)
		}
	}
}

// The last Event of a healthy port is no Warning: no matter how soon it is repaired, how often it drifts, and which
// replica tells it.
func TestNewestIsNoWarning(t *testing.T) {
	for name, replicas := range map[string]bool{"one replica": false, "another replica each time": true} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			// Each of these is near the bound within which two of a kind are taken for one.
			for _, pause := range []time.Duration{0, 29 * time.Second, time.Second, 40 * time.Second, 25 * time.Second} {
				for _, takes := range []time.Duration{moment, 5 * time.Second, 29 * time.Second} {
					if d.now = d.now.Add(pause); replicas {
						d.replica()
					}
					d.drift("p", takes)
					d.pass(t, time.Second)
					if reason, kind := d.newest(t, "p"); kind != corev1.EventTypeNormal {
						t.Errorf("after %s, repaired in %s: the last Event is %s %s", pause, takes, kind, reason)
					}
				}
			}
		})
	}
}

// In a storm fewer ports are told of, and the last Event of each is still no Warning.
func TestRepairsAreNoStorm(t *testing.T) {
	d := newDesk(t)
	for i := range 200 {
		d.drift(string(rune('a'+i%26))+strings.Repeat("x", i/26), 0)
	}
	for range 20 {
		d.pass(t, time.Second)
	}
	if d.writes > burst+3 {
		t.Errorf("%d writes", d.writes)
	}
	var list eventsv1.EventList
	if err := d.client.List(t.Context(), &list); err != nil {
		t.Fatal(err)
	}
	for i := range list.Items {
		e := &list.Items[i]
		if e.Reason == ReasonMany && !strings.Contains(e.Note, "ports were repaired") {
			t.Errorf("note %q", e.Note)
		}
		if _, kind := d.newest(t, e.Regarding.Name); e.Regarding.Kind == "Pod" && kind != corev1.EventTypeNormal {
			t.Errorf("the last Event of pod %s is a Warning", e.Regarding.Name)
		}
	}
}
