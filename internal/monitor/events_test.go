package monitor

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/events"

	"github.com/ovnguard/ovnguard/internal/audit"
)

// Behind the real recorder, which counts what it takes for the same Event as one, each rule and each NIC of a pod still
// gets an Event of its own.
func TestEventsAreToldApart(t *testing.T) {
	client := fake.NewClientset()
	broadcaster := events.NewBroadcaster(&events.EventSinkImpl{Interface: client.EventsV1()})
	if err := broadcaster.StartRecordingToSinkWithContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	written := make(chan *eventsv1.Event, 16)
	stop, err := broadcaster.StartEventWatcher(func(o runtime.Object) {
		if e, ok := o.(*eventsv1.Event); ok {
			written <- e
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	t.Cleanup(broadcaster.Shutdown)

	e := Events{Recorder: broadcaster.NewRecorder(scheme.Scheme, "ovnguard")}
	rules := audit.Rules()
	first := audit.Finding{Rule: rules[0], Port: "p.ns", Provider: "ovn", Namespace: "ns", Pod: "p"}
	otherRule, otherNIC := first, first
	otherRule.Rule = rules[2]
	otherNIC.Provider, otherNIC.Port = "blue.ns.ovn", "p.ns.blue.ns.ovn"
	for _, f := range []audit.Finding{first, otherRule, otherNIC} {
		e.Found(f, "u")
		<-written
	}
	want := map[string]bool{"OVG001 open, port p.ns": true, "OVG003 wider-than-identity, port p.ns": true, "OVG001 open, port p.ns.blue.ns.ovn": true}
	for deadline := time.Now().Add(10 * time.Second); len(want) > 0; time.Sleep(time.Millisecond) {
		list, err := client.EventsV1().Events("ns").List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, event := range list.Items {
			head, _, _ := strings.Cut(event.Note, ":")
			delete(want, head)
		}
		if time.Now().After(deadline) {
			t.Fatalf("never written: %v; there are %v", want, list.Items)
		}
	}
}

// A note that is too long ends with a whole letter, and within the API's limit.
func TestLongNote(t *testing.T) {
	for extra := range 4 {
		var got string
		e := Events{Recorder: recorder(func(note string) { got = note })}
		e.Found(audit.Finding{Rule: audit.Rules()[0], Port: "p.ns", Message: strings.Repeat("x", extra) + strings.Repeat("€", 1000)}, "u")
		if len(got) > noteLimit || !utf8.ValidString(got) {
			t.Errorf("a note of %d bytes, valid %v", len(got), utf8.ValidString(got))
		}
	}
}

// recorder is an EventRecorder that gives each note to a function.
type recorder func(note string)

func (r recorder) Eventf(_, _ runtime.Object, _, _, _, _ string, args ...any) { r(args[0].(string)) }
