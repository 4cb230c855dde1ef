package monitor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"pgregory.net/rapid"
	ctrladmission "sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/ovnguard/ovnguard/internal/admission"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// has reports whether readers see the pod.
func has(m *Monitor, name string) (has bool) {
	m.Read(func(inv *inventory.State) { has = inv.Port(name+".ns", time.Unix(1000, 0)).Pod != nil })
	return has
}

// inTime runs do, which must not wait for what the test holds. It does not measure time: a minute only keeps a failing
// test from hanging.
func inTime(t *testing.T, what string, do func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		do()
	}()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatalf("%s waits", what)
	}
}

// holder blocks the first caller of hold, until it is released.
type holder struct {
	once             sync.Once
	entered, release chan struct{}
}

func (h *holder) hold() { h.once.Do(func() { close(h.entered); <-h.release }) }

// hold returns a holder that blocks the first caller of its method.
func hold() *holder { return &holder{entered: make(chan struct{}), release: make(chan struct{})} }

// holding is a ledger that blocks the first report of a port after armed was set.
type holding struct {
	*ledger
	armed *holder
}

func (h *holding) Judged(before, after Verdict) {
	h.ledger.Judged(before, after)
	if h.armed != nil {
		h.armed.hold()
	}
}

// Reviews read while a change is entered, while its ports are judged, and while all ports are judged; and a slow review
// delays neither changes nor other reviews.
func TestThreat33ReadersAndChangesDoNotWaitForEachOther(t *testing.T) {
	books := &holding{ledger: newLedger()}
	m := New(&handClock{now: time.Unix(1000, 0)}, books)
	m.Change(func(inv *inventory.Inventory) []string { return inv.SetPod(pod("p", "u1")) })
	m.Start()

	entering := hold()
	changed := make(chan struct{})
	go func() {
		defer close(changed)
		m.Change(func(inv *inventory.Inventory) []string {
			touched := inv.SetPod(pod("q", "u2"))
			entering.hold()
			return touched
		})
	}()
	<-entering.entered
	inTime(t, "a reader, while a change is entered,", func() {
		if !has(m, "p") || has(m, "q") {
			t.Error("a reader sees half of a change")
		}
	})
	books.armed = hold()
	close(entering.release)
	<-books.armed.entered
	inTime(t, "a reader, while what changed is judged,", func() {
		if !has(m, "q") {
			t.Error("a reader does not see what changed")
		}
	})
	close(books.armed.release)
	<-changed

	books.armed = hold()
	swept := make(chan struct{})
	go func() { defer close(swept); m.Sweep() }()
	<-books.armed.entered
	inTime(t, "a reader, while all ports are judged,", func() { has(m, "p") })
	close(books.armed.release)
	<-swept

	reading, read := hold(), make(chan struct{})
	go func() {
		defer close(read)
		m.Read(func(inv *inventory.State) {
			reading.hold()
			if inv.Port("r.ns", time.Unix(1000, 0)).Pod != nil {
				t.Error("what a reader has changes under its hands")
			}
		})
	}()
	<-reading.entered
	inTime(t, "a change, while somebody reads,", func() {
		m.Change(func(inv *inventory.Inventory) []string { return inv.SetPod(pod("r", "u3")) })
		m.Sweep()
	})
	inTime(t, "a reader beside another", func() {
		if !has(m, "r") {
			t.Error("a reader does not see what changed while another read")
		}
	})
	close(reading.release)
	<-read
}

// fingerprint returns everything that can be read of a state, as text.
func fingerprint(inv *inventory.State) string {
	var b strings.Builder
	now := time.Unix(1000, 0)
	for _, name := range inv.Names() {
		p := inv.Port(name, now)
		fmt.Fprintf(
			&b,
			"%v %v %v %v %v %v %v %v %v %v\n",
			p.Name,
			p.Claims,
			p.NICKnown,
			p.Decision,
			p.Owners,
			p.Duplicates,
			p.Overlaps,
			p.Chassis,
			p.Eras,
			p.Contested,
		)
		if p.Pod != nil {
			fmt.Fprintln(&b, *p.Pod)
		}
		if p.Row != nil {
			fmt.Fprintln(&b, *p.Row)
		}
		if p.Record != nil {
			fmt.Fprintln(&b, *p.Record, inv.MACHolders(p.Record.MAC, anywhere))
		}
		if p.Binding != nil {
			fmt.Fprintln(&b, *p.Binding)
		}
		for _, g := range p.Groups {
			fmt.Fprintln(&b, g.Name, len(g.Sets))
		}
	}
	var things []string
	for _, thing := range inv.Subjects() {
		x := inv.SubjectView(thing)
		things = append(
			things,
			fmt.Sprintf(
				"%v %v %v %v %v %v %v\n",
				thing,
				x.Meant,
				x.Eras,
				x.IPv6Ports,
				x.Group,
				x.UnknownMembers,
				x.Others,
			),
		)
	}
	slices.Sort(things)
	fmt.Fprintln(
		&b,
		things,
		inv.Unread(),
		inv.NamespaceEffect(
			policy.Namespace{Name: "ns", Labels: map[string]string{policy.LevelLabel: "open"}},
			func(inventory.Port) bool { return false },
			now,
		),
	)
	return b.String()
}

// live is the world of reviews, as in the controller.
type live struct{ m *Monitor }

func (w live) Look(_ context.Context, namespace, user string, look func(*admission.View)) {
	w.m.Read(func(inv *inventory.State) {
		look(&admission.View{
			Accounts:  admission.DefaultAccounts(),
			User:      user,
			Namespace: inv.Namespace(namespace),
			Inventory: inv,
			Now:       time.Unix(1000, 0),
		})
	})
}

func (w live) Repaired(context.Context, []string) (admission.Repaired, error) {
	return admission.Repaired{}, errors.ErrUnsupported
}

func (w live) Definition(context.Context, kubeovn.Attachment) admission.Definition {
	return admission.Definition{Found: true, Kind: kubeovn.KindOVN}
}

func (w live) Pod(context.Context, string, string) (*admission.Pod, error) {
	return nil, errors.New("none")
}

// Whatever changes, a state that a reader got stays as it was, and nobody writes what somebody reads: the race detector
// checks that. Some of the readers review pods.
func TestStatesStayAsTheyWere(t *testing.T) {
	type moment struct {
		state *inventory.State
		said  string
	}
	draw := rapid.Custom(anyChange)
	m := New(&handClock{now: time.Unix(1000, 0)}, newLedger())
	m.Change(func(inv *inventory.Inventory) []string {
		inv.KnowGroups()
		return inv.SetNamespace(policy.Namespace{Name: "ns"})
	})
	m.Start()
	var moments []moment
	var readers sync.WaitGroup
	done := make(chan struct{})
	review := &admission.Handler{
		Judge:   admission.MutatePods(live{m}),
		Observe: func(admission.Reviewed) {},
		Now:     func() time.Time { return time.Unix(1000, 0) },
	}
	for range 2 {
		readers.Go(func() {
			for over := false; !over; {
				select {
				case <-done:
					over = true
				default:
				}
				m.Read(func(inv *inventory.State) {
					if first := fingerprint(inv); first != fingerprint(inv) {
						t.Error("what a reader has changes while it reads")
					}
				})
				if answer := review.Handle(t.Context(), asks()); !answer.Allowed {
					t.Errorf("an ordinary pod is refused: %v", answer.Result)
				}
			}
		})
	}
	for i := range 300 {
		m.Change(draw.Example(i))
		m.Read(func(inv *inventory.State) { moments = append(moments, moment{inv, fingerprint(inv)}) })
		if i%50 == 0 {
			m.Sweep()
		}
	}
	close(done)
	readers.Wait()
	for i, then := range moments {
		if now := fingerprint(then.state); now != then.said {
			t.Fatalf("after change %d it was\n%s\nand is\n%s", i, then.said, now)
		}
	}
}

// asks returns the review of a new pod with a second network.
func asks() ctrladmission.Request {
	return ctrladmission.Request{AdmissionRequest: admissionv1.AdmissionRequest{
		Operation: admissionv1.Create,
		Namespace: "ns",
		Resource:  metav1.GroupVersionResource{Version: "v1", Resource: "pods"},
		Object: runtime.RawExtension{Raw: []byte(`{"metadata": {"name": "new", "annotations": {
			"k8s.v1.cni.cncf.io/networks": "macvlan", "ovn.kubernetes.io/ip_address": "10.16.0.77"}}}`)},
	}}
}

// anywhere accepts holders on every network.
func anywhere(inventory.Holder) bool { return true }
