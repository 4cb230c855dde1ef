package events

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/ovnguard/ovnguard/internal/audit"
	"github.com/ovnguard/ovnguard/internal/monitor"
)

func finding(pod string, rule int) audit.Finding {
	return audit.Finding{
		Rule:      audit.Rules()[rule],
		Port:      pod + ".ns",
		Provider:  "ovn",
		Namespace: "ns",
		Pod:       pod,
		Message:   "is wrong",
	}
}

// desk is a book and a writer with a cluster, at a time that is moved by hand.
type desk struct {
	now    time.Time
	book   *Book
	writer *Writer
	client client.Client
	writes int
	broken error
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{now: time.Unix(1_900_000_000, 0)}
	d.book = NewBook(func() time.Time { return d.now })
	d.client = fake.NewClientBuilder().WithScheme(scheme.Scheme).WithInterceptorFuncs(interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
			if d.broken != nil {
				return d.broken
			}
			return c.Create(ctx, o, opts...)
		},
	}).Build()
	d.replica()
	return d
}

// replica makes another replica, or this one after a restart, write the Events from now on.
func (d *desk) replica() {
	d.writer = &Writer{
		Client:   d.client,
		Book:     d.book,
		Instance: "i",
		Log:      logr.Discard(),
		Wrote:    func(error) { d.writes++ },
		told:     make(map[string]time.Time),
	}
}

func (d *desk) pass(t *testing.T, by time.Duration) {
	t.Helper()
	d.now = d.now.Add(by)
	if err := d.writer.look(t.Context()); err != nil && !errors.Is(err, d.broken) {
		t.Error(err)
	}
}

// found and cleared report the start and the end of a finding, for a pod with the UID.
func (d *desk) found(f audit.Finding, uid string) {
	d.book.Judged(verdict(f, uid, false), verdict(f, uid, true))
}

func (d *desk) cleared(f audit.Finding, uid string) {
	d.book.Judged(verdict(f, uid, true), verdict(f, uid, false))
}

// verdict is the verdict on the port of a finding, with or without it.
func verdict(f audit.Finding, uid string, with bool) monitor.Verdict {
	v := monitor.Verdict{Port: f.Port, PodUID: uid}
	if with {
		v.Findings = []audit.Finding{f}
	}
	return v
}

// events returns kind, reason, rule, pod and count of each Event.
func (d *desk) events(t *testing.T) map[string]int32 {
	t.Helper()
	var list eventsv1.EventList
	if err := d.client.List(t.Context(), &list); err != nil {
		t.Fatal(err)
	}
	out := make(map[string]int32)
	for _, e := range list.Items {
		count := int32(1)
		if e.Series != nil {
			count = e.Series.Count
		}
		out[strings.Join([]string{e.Type, e.Reason, e.Action, e.Regarding.Name}, " ")] += count
	}
	return out
}

func (d *desk) expect(t *testing.T, want map[string]int32) {
	t.Helper()
	if diff := cmp.Diff(want, d.events(t)); diff != "" {
		t.Errorf("Events: -want +got\n%s", diff)
	}
}

// Each rule, each NIC and each pod has an Event of its own, and the end of a finding another one.
func TestEventsAreToldApart(t *testing.T) {
	d := newDesk(t)
	d.found(finding("p", 0), "u")
	d.found(finding("p", 2), "u")
	d.found(finding("q", 0), "v")
	nic := finding("p", 0)
	nic.Port, nic.Provider = "p.ns.blue.ns.ovn", "blue.ns.ovn"
	d.found(nic, "u")
	d.found(finding("p", 0), "another pod of the name")
	d.cleared(finding("p", 2), "u")
	d.found(finding("ghost", 5), "") // no pod claims the port
	known := finding("p", 1)
	known.Rule.Severity = audit.Info
	d.found(known, "u")
	d.pass(t, 0)
	d.expect(t, map[string]int32{
		"Warning PortSecurityFinding OVG001 p": 3,
		"Warning PortSecurityFinding OVG003 p": 1,
		"Warning PortSecurityFinding OVG001 q": 1,
		"Normal PortSecurityCleared OVG003 p":  1,
	})
}

// One Event reports a finding, whichever replica writes it and however often: after a takeover, or after a restart.
func TestEventsAreToldOnce(t *testing.T) {
	d := newDesk(t)
	one := map[string]int32{"Warning PortSecurityFinding OVG001 p": 1}
	d.found(finding("p", 0), "u")
	d.pass(t, 0)
	d.expect(t, one)
	d.replica()
	d.found(finding("p", 0), "u") // as the other replica saw it
	d.pass(t, 10*time.Second)
	d.expect(t, one)
	for range 10 { // it flaps
		d.cleared(finding("p", 0), "u")
		d.found(finding("p", 0), "u")
		d.pass(t, time.Second)
	}
	d.expect(t, map[string]int32{"Warning PortSecurityFinding OVG001 p": 1, "Normal PortSecurityCleared OVG001 p": 1})
	if d.writes != 2 {
		t.Errorf("%d writes, want 2", d.writes)
	}
	d.found(finding("p", 0), "u") // much later it is another time
	d.pass(t, time.Hour)
	d.expect(t, map[string]int32{"Warning PortSecurityFinding OVG001 p": 1, "Normal PortSecurityCleared OVG001 p": 1})
	d.found(finding("p", 0), "u")
	d.pass(t, 0)
	d.expect(t, map[string]int32{"Warning PortSecurityFinding OVG001 p": 2, "Normal PortSecurityCleared OVG001 p": 1})
}

// A thousand ports that drift at once, and are repaired at once, cause no storm: Events have the number of the findings
// without an Event of their own.
func TestNoStorm(t *testing.T) {
	d := newDesk(t)
	for i := range 1000 {
		d.found(finding(fmt.Sprint("p", i), 0), "u")
	}
	for i := range 1000 {
		d.cleared(finding(fmt.Sprint("p", i), 0), "u")
	}
	quiet := finding("other", 1)
	quiet.Namespace = "quiet"
	d.found(quiet, "u")
	for range 20 {
		d.pass(t, time.Second)
	}
	if d.writes != burst+2 {
		t.Errorf("%d writes, want %d and one for each namespace", d.writes, burst)
	}
	if d.events(t)["Warning PortSecurityFinding OVG002 other"] != 1 {
		t.Error("a namespace keeps quiet because another one is loud")
	}
	var list eventsv1.EventList
	if err := d.client.List(t.Context(), &list); err != nil {
		t.Fatal(err)
	}
	found := false
	for _, e := range list.Items {
		if pod := e.Regarding.Name; e.Reason == ReasonFound && e.Namespace == "ns" &&
			d.events(t)["Normal PortSecurityCleared OVG001 "+pod] != 1 {
			t.Errorf("the last Event of pod %s is a Warning, and nothing is wrong with it", pod)
		}
		if e.Reason == ReasonMany {
			found = true
			for _, part := range []string{
				fmt.Sprintf("%d findings (OVG001 %[1]d) began", 1000-burst/2),
				fmt.Sprintf("%d findings (OVG001 %[1]d) ended", 1000-burst/2),
			} {
				if !strings.Contains(e.Note, part) {
					t.Errorf("note %q lacks %q", e.Note, part)
				}
			}
		}
	}
	if !found {
		t.Error("nothing says how many there were")
	}
}

// The room for Events of a namespace grows back. A finding takes the room of two Events: its own and that about its
// end.
func TestRoomGrowsBack(t *testing.T) {
	d := newDesk(t)
	take := func(n int) int {
		for i := range n {
			d.found(finding(fmt.Sprint("p", i), 0), "u")
		}
		items, _ := d.book.Take()
		return len(items)
	}
	if got := take(burst + 10); got != burst/2 {
		t.Errorf("%d told, want %d", got, burst/2)
	}
	d.now = d.now.Add(10 * refill)
	if got := take(burst); got != 5 {
		t.Errorf("%d told after room for 10 Events has come back", got)
	}
	d.now = d.now.Add(time.Hour)
	if got := take(2 * burst); got != burst/2 {
		t.Errorf("%d told after an hour, want %d", got, burst/2)
	}
	d.now = d.now.Add(time.Hour)
	if d.book.Take(); len(d.book.room.of) > 0 || len(d.book.summed) > 0 {
		t.Errorf("kept of namespaces that are quiet: %v, %v", d.book.room.of, d.book.summed)
	}
}

// Where nobody leads, recent Events wait and old ones are dropped, so that the book stays small.
func TestNobodyTells(t *testing.T) {
	d := newDesk(t)
	for i := range 3 * maxWaiting {
		if d.found(finding(fmt.Sprint("p", i), 0), "u"); len(d.book.waiting) > maxWaiting {
			t.Fatalf("%d wait", len(d.book.waiting))
		}
	}
	d.now = d.now.Add(keep + time.Second)
	d.found(finding("late", 0), "u")
	if items, _ := d.book.Take(); len(items) != 1 || items[0].Pod != "late" {
		t.Errorf("%d are told", len(items))
	}
}

// An Event that cannot be written is tried again, and then given up.
func TestEventIsTriedAgain(t *testing.T) {
	d := newDesk(t)
	d.broken = errors.New("no way there")
	d.found(finding("p", 0), "u")
	d.pass(t, 0)
	d.broken = nil
	d.pass(t, time.Second)
	d.expect(t, map[string]int32{"Warning PortSecurityFinding OVG001 p": 1})
	d.broken = errors.New("no way there")
	d.found(finding("q", 0), "u")
	for range 10 {
		d.pass(t, keep/9)
	}
	if len(d.writer.waiting) > 0 {
		t.Errorf("%d still wait", len(d.writer.waiting))
	}
}

// A note that is too long ends with a whole letter, and within the API's limit.
func TestLongNote(t *testing.T) {
	for extra := range 4 {
		f := finding("p", 0)
		f.Message = strings.Repeat("x", extra) + strings.Repeat("€", 1000)
		e := eventOf(Item{Finding: f, PodUID: "u"}, "i")
		if len(e.Note) > noteLimit || !utf8.ValidString(e.Note) {
			t.Errorf("a note of %d bytes, valid %v", len(e.Note), utf8.ValidString(e.Note))
		}
		if e.Type != corev1.EventTypeWarning || e.Name == "" || e.ReportingController == "" {
			t.Errorf("%+v", e)
		}
	}
}
