package monitor

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"pgregory.net/rapid"

	"github.com/ovnguard/ovnguard/internal/audit"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/portsec"
	_ "github.com/ovnguard/ovnguard/test/sameseed"
)

const own = "0a:00:00:00:00:01 10.16.0.5"

// handClock is moved by hand.
type handClock struct {
	now   time.Time
	later []struct {
		at time.Time
		f  func()
	}
}

func (c *handClock) Now() time.Time { return c.now }

func (c *handClock) AfterFunc(d time.Duration, f func()) {
	c.later = append(c.later, struct {
		at time.Time
		f  func()
	}{c.now.Add(d), f})
}

// pass moves the clock and calls the timers that are due.
func (c *handClock) pass(d time.Duration) {
	c.now = c.now.Add(d)
	due := c.later
	c.later = nil
	for _, l := range due {
		if l.at.After(c.now) {
			c.later = append(c.later, l)
			continue
		}
		l.f()
	}
}

// ledger is an observer that sums up what it receives, and fails the test when that does not add up.
type ledger struct {
	ports    map[audit.State]int
	findings map[string]string // "port rule" to the pod's UID
	verdicts map[string]Verdict
	log      []string
	wrong    []string
}

func newLedger() *ledger {
	return &ledger{
		ports:    make(map[audit.State]int),
		findings: make(map[string]string),
		verdicts: make(map[string]Verdict),
	}
}

func (l *ledger) Judged(before, after Verdict) {
	for _, f := range before.Beyond(after) {
		l.cleared(f, before.PodUID)
	}
	defer func() {
		for _, f := range after.Beyond(before) {
			l.found(f, after.PodUID)
		}
	}()
	if known := l.verdicts[after.Port]; !cmp.Equal(known, before) {
		l.wrong = append(
			l.wrong,
			fmt.Sprintf("%s was %v before and is said to have been %v", after.Port, known, before),
		)
	}
	l.verdicts[after.Port] = after
	if after.State == "" {
		delete(l.verdicts, after.Port)
	}
	for v, delta := range map[*Verdict]int{&before: -1, &after: +1} {
		if v.Counts() {
			l.ports[v.State] += delta
		}
	}
	maps.DeleteFunc(l.ports, func(_ audit.State, n int) bool { return n == 0 })
}

func (l *ledger) found(f audit.Finding, uid string) {
	key := f.Port + " " + f.Rule.ID
	if _, there := l.findings[key]; there {
		l.wrong = append(l.wrong, key+" was found twice")
	}
	l.findings[key] = uid
	l.log = append(l.log, "found "+key+" "+uid)
}

func (l *ledger) cleared(f audit.Finding, uid string) {
	key := f.Port + " " + f.Rule.ID
	if have, there := l.findings[key]; !there || have != uid {
		l.wrong = append(l.wrong, key+" of "+uid+" was cleared but is not there")
	}
	delete(l.findings, key)
	l.log = append(l.log, "cleared "+key+" "+uid)
}

func pod(name, uid string) *inventory.Pod {
	return &inventory.Pod{
		PodKey: inventory.PodKey{Namespace: "ns", Name: name},
		UID:    uid,
		Owner:  name,
		Annotations: map[string]string{
			"ovn.kubernetes.io/port_security": "true",
			"ovn.kubernetes.io/allocated":     "true",
		},
	}
}

func row(name string, portSecurity ...string) *inventory.Row {
	return &inventory.Row{
		UUID: "row-" + name, Name: name + ".ns", Addresses: []string{own}, PortSecurity: portSecurity,
		ExternalIDs: map[string]string{"vendor": "kube-ovn", "pod": "ns/" + name},
	}
}

func record(name string) *inventory.Record {
	return &inventory.Record{Name: name + ".ns", MAC: "0a:00:00:00:00:01", IPs: []string{"10.16.0.5"}}
}

func started(t *testing.T) (*Monitor, *handClock, *ledger) {
	t.Helper()
	clock := &handClock{now: time.Unix(1000, 0)}
	m, books := startedOn(t, clock)
	return m, clock, books
}

// startedOn returns a monitor with that clock, after it has judged one port without faults.
func startedOn(t *testing.T, clock Clock) (*Monitor, *ledger) {
	t.Helper()
	books := newLedger()
	m := New(clock, books)
	m.Change(func(inv *inventory.Inventory) []string { return inv.SetNamespace(policy.Namespace{Name: "ns"}) })
	m.Change(func(inv *inventory.Inventory) []string { return inv.SetRecord(record("p")) })
	m.Change(func(inv *inventory.Inventory) []string { return inv.SetPod(pod("p", "u1")) })
	if len(books.log) > 0 {
		t.Fatalf("judged before both sides were read: %q", books.log)
	}
	m.Change(func(inv *inventory.Inventory) []string { return inv.SetRow(row("p", own)) })
	m.Start()
	return m, books
}

func (l *ledger) expect(t *testing.T, log []string, ports map[audit.State]int) {
	t.Helper()
	if diff := cmp.Diff(log, l.log, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("told: -want +got\n%s", diff)
	}
	if diff := cmp.Diff(ports, l.ports, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("ports: -want +got\n%s", diff)
	}
	if len(l.wrong) > 0 {
		t.Errorf("the books do not add up: %q", l.wrong)
	}
	l.log = nil
}

func TestDriftIsToldOnce(t *testing.T) {
	m, _, books := started(t)
	books.expect(t, nil, map[audit.State]int{audit.Compliant: 1})
	for range 2 {
		m.Change(func(inv *inventory.Inventory) []string { return inv.SetRow(row("p")) })
	}
	books.expect(t, []string{"found p.ns OVG001 u1"}, map[audit.State]int{audit.Violation: 1})
	m.Change(func(inv *inventory.Inventory) []string { return inv.SetRow(row("p", own)) })
	books.expect(t, []string{"cleared p.ns OVG001 u1"}, map[audit.State]int{audit.Compliant: 1})
}

// A new pod with the same name has findings of its own.
func TestPodIsReplaced(t *testing.T) {
	m, _, books := started(t)
	m.Change(func(inv *inventory.Inventory) []string { return inv.SetRow(row("p")) })
	m.Change(func(inv *inventory.Inventory) []string { return inv.SetPod(pod("p", "u2")) })
	books.expect(
		t,
		[]string{"found p.ns OVG001 u1", "cleared p.ns OVG001 u1", "found p.ns OVG001 u2"},
		map[audit.State]int{audit.Violation: 1},
	)
}

// Creating and deleting a pod pass through states that would be findings if they lasted.
func TestWhatDoesNotLastIsNotTold(t *testing.T) {
	m, clock, books := started(t)
	m.Change(func(inv *inventory.Inventory) []string {
		return inv.DeletePod(inventory.PodKey{Namespace: "ns", Name: "p"})
	})
	m.Change(func(inv *inventory.Inventory) []string { return inv.DeleteRecord("p.ns") })
	books.expect(t, nil, map[audit.State]int{audit.Unknown: 1})
	clock.pass(time.Second)
	m.Change(func(inv *inventory.Inventory) []string { return inv.DeleteRow("p.ns", "row-p") })
	clock.pass(time.Minute)
	books.expect(t, nil, nil)
	if len(m.Results()) > 0 {
		t.Errorf("a port that is gone is still kept: %v", m.Results())
	}
}

func TestWhatLastsIsTold(t *testing.T) {
	m, clock, books := started(t)
	m.Change(func(inv *inventory.Inventory) []string { return inv.DeleteRow("p.ns", "row-p") })
	clock.pass(time.Second)
	m.Change(
		func(inv *inventory.Inventory) []string { return inv.SetNamespace(policy.Namespace{Name: "ns"}) },
	) // judged again, the time to settle goes on
	books.expect(t, nil, map[audit.State]int{audit.Unknown: 1})
	clock.pass(2 * time.Second)
	books.expect(t, []string{"found p.ns OVG007 u1"}, map[audit.State]int{audit.Violation: 1})
	clock.pass(time.Minute)
	books.expect(t, nil, map[audit.State]int{audit.Violation: 1})
	m.Change(func(inv *inventory.Inventory) []string { return inv.SetRow(row("p", own)) })
	books.expect(t, []string{"cleared p.ns OVG007 u1"}, map[audit.State]int{audit.Compliant: 1})
}

// Ports that come in one flood are judged again together.
func TestFloodSettlesTogether(t *testing.T) {
	m, clock, books := started(t)
	before := len(clock.later)
	for i := range 100 {
		name := fmt.Sprint("q", i)
		m.Change(func(inv *inventory.Inventory) []string { return inv.SetPod(pod(name, "u"+name)) })
		clock.pass(time.Millisecond)
	}
	if n := len(clock.later) - before; n > 3 {
		t.Errorf("%d timers for 100 ports within %s", n, 100*time.Millisecond)
	}
	books.log = nil
	clock.pass(time.Minute)
	if n := len(books.log); n != 100 {
		t.Errorf("%d of 100 ports without a row were told of", n)
	}
}

// A pod that replaces another gets the full time to settle, and is reported once.
func TestReplacementSettlesAnew(t *testing.T) {
	m, clock, books := started(t)
	m.Change(func(inv *inventory.Inventory) []string { return inv.DeleteRow("p.ns", "row-p") })
	clock.pass(2900 * time.Millisecond)
	m.Change(func(inv *inventory.Inventory) []string { return inv.SetPod(pod("p", "u2")) })
	clock.pass(2900 * time.Millisecond)
	books.expect(t, nil, map[audit.State]int{audit.Unknown: 1})
	clock.pass(200 * time.Millisecond)
	books.expect(t, []string{"found p.ns OVG007 u2"}, map[audit.State]int{audit.Violation: 1})
}

// A fault that goes and comes again has not lasted.
func TestInterruptionSettlesAnew(t *testing.T) {
	m, clock, books := started(t)
	for range 3 {
		m.Change(func(inv *inventory.Inventory) []string { return inv.DeleteRow("p.ns", "row-p") })
		clock.pass(2 * time.Second)
		m.Change(func(inv *inventory.Inventory) []string { return inv.SetRow(row("p", own)) })
	}
	clock.pass(time.Minute)
	books.expect(t, nil, map[audit.State]int{audit.Compliant: 1})
}

func TestEraChanges(t *testing.T) {
	m, _, books := started(t)
	m.SetEras([]portsec.Era{portsec.E1})
	m.Change(func(inv *inventory.Inventory) []string { return inv.SetRow(row("p", own+" junk")) })
	books.expect(t, []string{"found p.ns OVG009 u1"}, map[audit.State]int{audit.Violation: 1})
	m.SetEras([]portsec.Era{portsec.E3})
	books.expect(t, []string{"cleared p.ns OVG009 u1", "found p.ns OVG002 u1"}, map[audit.State]int{audit.Violation: 1})
}

// Whatever happens, the ledger equals that of a monitor that read everything from the start.
func TestBooksAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		clock, books := &handClock{now: time.Unix(1000, 0)}, newLedger()
		m := New(clock, books)
		var facts []func(*inventory.Inventory) []string
		name := rapid.SampledFrom([]string{"p", "q"})
		liveFrom := rapid.IntRange(0, 5).Draw(t, "start after")
		for i := range rapid.IntRange(5, 40).Draw(t, "steps") {
			if i == liveFrom {
				m.Start()
			}
			n := name.Draw(t, "name")
			var change func(*inventory.Inventory) []string
			switch rapid.IntRange(0, 7).Draw(t, "action") {
			case 0, 1:
				p := pod(n, rapid.SampledFrom([]string{"u1", "u2"}).Draw(t, "uid"))
				p.Terminating = rapid.Bool().Draw(t, "terminating")
				p.Finished = rapid.Bool().Draw(t, "finished")
				change = func(inv *inventory.Inventory) []string { return inv.SetPod(p) }
			case 2:
				change = func(inv *inventory.Inventory) []string {
					return inv.DeletePod(inventory.PodKey{Namespace: "ns", Name: n})
				}
			case 3, 4:
				r := row(
					n,
					rapid.SampledFrom([][]string{nil, {own}, {"unknown"}, {own + " 10.16.0.9"}}).Draw(t, "column")...)
				change = func(inv *inventory.Inventory) []string { return inv.SetRow(r) }
			case 5:
				change = func(inv *inventory.Inventory) []string { return inv.DeleteRow(n+".ns", "row-"+n) }
			case 6:
				change = func(inv *inventory.Inventory) []string { return inv.SetRecord(record(n)) }
			case 7:
				ns := policy.Namespace{
					Name: "ns",
					Annotations: map[string]string{
						"ovn.kubernetes.io/port_security": rapid.SampledFrom([]string{"true", "false"}).
							Draw(t, "floor"),
					},
				}
				change = func(inv *inventory.Inventory) []string { return inv.SetNamespace(ns) }
			}
			facts = append(facts, change)
			m.Change(change)
			clock.pass(time.Duration(rapid.IntRange(0, 4000).Draw(t, "ms")) * time.Millisecond)
		}
		m.Start()
		clock.pass(time.Hour)

		freshClock, freshBooks := &handClock{now: time.Unix(1000, 0)}, newLedger()
		fresh := New(freshClock, freshBooks)
		for _, change := range facts {
			fresh.Change(change)
		}
		fresh.Start()
		freshClock.pass(time.Hour)
		if diff := cmp.Diff(freshBooks.ports, books.ports, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("ports: -afresh +grown\n%s", diff)
		}
		if diff := cmp.Diff(freshBooks.findings, books.findings, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("findings: -afresh +grown\n%s", diff)
		}
		if wrong := slices.Concat(books.wrong, freshBooks.wrong); len(wrong) > 0 {
			t.Fatalf("the books do not add up: %q", wrong)
		}
	})
}

func TestMetricsAreThereFromTheStart(t *testing.T) {
	r := prometheus.NewPedanticRegistry()
	m, err := NewMetrics(r, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := testutil.GatherAndCount(r, "ovnguard_findings"); err != nil || n != len(audit.Rules()) {
		t.Errorf("%d findings, %v; want one for each of %d rules", n, err, len(audit.Rules()))
	}
	if n, err := testutil.GatherAndCount(r, "ovnguard_ports"); err != nil || n != 3 {
		t.Errorf("%d states, %v; want 3", n, err)
	}
	bad := Verdict{Port: "p.ns", Result: audit.Result{State: audit.Violation}}
	m.Judged(Verdict{}, bad)
	other := Verdict{
		Port:   "q.ns",
		Pod:    inventory.PodKey{Namespace: "ns", Name: "q"},
		Result: audit.Result{State: audit.Violation, Class: audit.ClassVM},
	}
	m.Judged(Verdict{}, other)
	m.Judged(bad, Verdict{Port: "p.ns"})
	m.began(&audit.Finding{Rule: audit.Rules()[0]}, "u")
	if got := testutil.ToFloat64(m.ports.WithLabelValues("violation")); got != 1 {
		t.Errorf("violations %v, want 1", got)
	}
	if got := testutil.ToFloat64(m.findings.WithLabelValues("OVG001")); got != 1 {
		t.Errorf("findings %v, want 1", got)
	}
	const help = "# HELP ovnguard_namespace_ports Ports of pods by namespace, by what kind of port they are, and by " +
		"what the audit says of them.\n# TYPE ovnguard_namespace_ports gauge\n"
	if err := testutil.GatherAndCompare(
		r,
		strings.NewReader(help+`ovnguard_namespace_ports{class="vm",namespace="ns",state="violation"} 1`+"\n"),
		"ovnguard_namespace_ports",
	); err != nil {
		t.Errorf("what is gone leaves no series: %v", err)
	}
	moved := other
	moved.Class = audit.ClassMigrating
	m.Judged(other, moved)
	m.Judged(moved, Verdict{Port: "q.ns"})
	if n, err := testutil.GatherAndCount(r, "ovnguard_namespace_ports"); err != nil || n != 0 {
		t.Errorf("%d series of namespaces that are gone, %v", n, err)
	}
	m.Judged(Verdict{}, other)
	if problems, err := testutil.GatherAndLint(r); err != nil || len(problems) > 0 {
		t.Errorf("metrics lint: %v, %v", problems, err)
	}
	first := audit.Rules()[0]
	m.cleared(&audit.Finding{Rule: first}, "u")
	m.began(&audit.Finding{Rule: first}, "u")
	if now, ever := testutil.ToFloat64(
		m.findings.WithLabelValues(first.ID),
	), testutil.ToFloat64(
		m.found.WithLabelValues(first.ID),
	); now != 1 ||
		ever != 2 {
		t.Errorf("%v findings of %v that came, want 1 of 2", now, ever)
	}
	if _, err := NewMetrics(r, time.Now); err == nil {
		t.Error("registering twice is not an error")
	}
}

// Ports in scope are counted by their permissions, also where there are findings.
func TestPermittedIsCounted(t *testing.T) {
	r := prometheus.NewPedanticRegistry()
	m, err := NewMetrics(r, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	expect := func(want map[audit.PermittedLevel]float64) {
		t.Helper()
		levels := audit.PermittedLevels()
		if n, err := testutil.GatherAndCount(r, "ovnguard_ports_permitted"); err != nil || n != len(levels) {
			t.Errorf("%d levels, %v; want %d", n, err, len(levels))
		}
		for _, level := range levels {
			if got := testutil.ToFloat64(m.permitted.WithLabelValues(string(level))); got != want[level] {
				t.Errorf("%s: %v, want %v", level, got, want[level])
			}
		}
	}
	verdict := func(state audit.State, levels ...audit.PermittedLevel) Verdict {
		v := Verdict{Port: "p.ns", Result: audit.Result{State: state}}
		for _, level := range levels {
			v.Permitted = append(v.Permitted, audit.Permission{Level: level})
		}
		return v
	}
	expect(nil)
	both := verdict(audit.Compliant, audit.PermittedExtended, audit.PermittedForwarding)
	m.Judged(Verdict{}, both)
	expect(map[audit.PermittedLevel]float64{audit.PermittedExtended: 1, audit.PermittedForwarding: 1})
	open := verdict(audit.Violation, audit.PermittedOpen)
	m.Judged(both, open)
	expect(map[audit.PermittedLevel]float64{audit.PermittedOpen: 1})
	m.Judged(open, open)
	expect(map[audit.PermittedLevel]float64{audit.PermittedOpen: 1})
	gone := verdict(audit.OutOfScope, audit.PermittedOpen)
	m.Judged(open, gone)
	expect(nil)
	m.Judged(gone, Verdict{Port: "p.ns"})
	expect(nil)
}

// A migration that hangs is found when it has lasted too long, even though nothing changes then.
func TestMigrationThatHangs(t *testing.T) {
	clock, books := &handClock{now: time.Unix(1000, 0)}, newLedger()
	m := New(clock, books)
	vmi := policy.Owner{APIVersion: "kubevirt.io/v1", Kind: "VirtualMachineInstance", Name: "vm", UID: "vmi"}
	m.Change(func(inv *inventory.Inventory) []string {
		inv.SetNamespace(policy.Namespace{Name: "ns"})
		inv.SetOwner(vmi, nil)
		inv.SetPod(
			&inventory.Pod{
				PodKey:     inventory.PodKey{Namespace: "ns", Name: "launcher"},
				UID:        "u",
				Owner:      "vm",
				Controller: &vmi,
			},
		)
		inv.SetMigration(
			inventory.Migration{
				PodKey:  inventory.PodKey{Namespace: "ns", Name: "move"},
				Machine: "vm",
				Began:   clock.now,
			},
		)
		const own = "0a:00:00:00:00:01 10.16.0.5"
		inv.SetRecord(&inventory.Record{Name: "vm.ns", MAC: "0a:00:00:00:00:01", IPs: []string{"10.16.0.5"}})
		return inv.SetRow(&inventory.Row{
			UUID:         "r",
			Name:         "vm.ns",
			Addresses:    []string{own},
			PortSecurity: []string{own},
			ExternalIDs:  map[string]string{"vendor": "kube-ovn", "pod": "ns/vm"},
		})
	})
	m.Start()
	if r := m.Results()["vm.ns"]; r.Class != audit.ClassMigrating || len(r.Findings) > 0 {
		t.Fatalf("%s, %+v", r.Class, r.Findings)
	}
	clock.pass(inventory.MigrationLimit + 2*lookAgain)
	if r := m.Results()["vm.ns"]; r.Class != audit.ClassVM || !r.Has(audit.Rule{ID: "OVG027"}) {
		t.Errorf("after %s it is %s, %+v", inventory.MigrationLimit, r.Class, r.Findings)
	}
}
