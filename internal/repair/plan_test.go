package repair

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/portsec"
	_ "github.com/ovnguard/ovnguard/test/sameseed"
)

const (
	mac = "0a:00:00:00:00:01"
	own = mac + " 10.16.0.5"
	ps  = "ovn.kubernetes.io/port_security"
)

var testTime = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// port returns a strict pod's port without faults, under a policy that repairs, after some changes.
func port(changes ...func(*inventory.Port)) inventory.Port {
	p := inventory.Port{
		Name: "p.ns", Provider: kubeovn.DefaultProvider, NICKnown: true, Claims: 1,
		Pod: &inventory.Pod{
			PodKey: inventory.PodKey{Namespace: "ns", Name: "p"}, UID: "u", Owner: "p",
			Annotations: map[string]string{ps: "true"},
		},
		Decision: policy.Decision{Mode: policy.Enforce, Repair: policy.RepairOn},
		Record:   &inventory.Record{Name: "p.ns", MAC: mac, IPs: []string{"10.16.0.5"}},
		Row: &inventory.Row{
			UUID: "r", Name: "p.ns", Addresses: []string{own}, PortSecurity: []string{own},
			ExternalIDs: map[string]string{"vendor": "kube-ovn", "pod": "ns/p"},
		},
	}
	for _, change := range changes {
		change(&p)
	}
	return p
}

func open(p *inventory.Port)    { p.Row.PortSecurity = nil }
func unknown(p *inventory.Port) { p.Row.Addresses = []string{own, "unknown"} }
func off(p *inventory.Port)     { annotated("false")(p) }

func machine(p *inventory.Port) {
	p.Owners = []policy.Owner{{APIVersion: "kubevirt.io/v1", Kind: "VirtualMachineInstance", Name: "p", UID: "vmi"}}
}

// migrates makes KubeVirt move the machine of the port from that time on.
func migrates(began time.Time) func(*inventory.Port) {
	return func(p *inventory.Port) {
		p.Migration = &inventory.Migration{
			PodKey:  inventory.PodKey{Namespace: "ns", Name: "move"},
			Machine: "p",
			Began:   began,
		}
		p.Migrates = testTime.Before(p.Migration.Until())
	}
}

func annotated(value string) func(*inventory.Port) {
	return func(p *inventory.Port) {
		p.Pod.Annotations = maps.Clone(p.Pod.Annotations)
		p.Pod.Annotations[ps] = value
	}
}

func granted(p *inventory.Port) {
	p.Decision.Level = policy.Extended
	p.Decision.Pairs = []portsec.AddressPair{{Prefix: netip.MustParsePrefix("10.20.0.0/24")}}
}

func mode(m policy.Mode, r policy.Repair) func(*inventory.Port) {
	return func(p *inventory.Port) { p.Decision.Mode, p.Decision.Repair = m, r }
}

// contest returns the history of a row that was written, and that somebody else changed that often after it.
func contest(times int, last time.Time) History {
	return History{PodUID: "u", RowUUID: "r", PortSecurity: &[]string{own}, Streak: times, Answered: last}
}

// opened returns a history after which somebody else opened the row so often that repair pauses.
func opened(h History) History {
	h.PortSecurity, h.Streak, h.Answered = &[]string{own}, 100, testTime
	return h
}

// failing returns the history of a port with that many failed changes, the last one that long ago.
func failing(kind Kind, times int, ago time.Duration) History {
	h := History{PodUID: "u", RowUUID: "r"}
	for range times {
		h, _ = h.Failed(Action{Kind: kind}, testTime.Add(-ago))
	}
	return h
}

func TestPlan(t *testing.T) {
	strictly := map[string]string{
		ps:                      "true",
		policy.RecordAnnotation: `{"ovn":{"level":"strict","from":"","layer2Forward":"forbid","layer2ForwardFrom":""}}`,
	}
	loosely := map[string]string{
		ps:                      "false",
		policy.RecordAnnotation: `{"ovn":{"level":"open","from":"","layer2Forward":"forbid","layer2ForwardFrom":""}}`,
	}
	wasAnnotated := func(ago time.Duration) History {
		return History{PodUID: "u", RowUUID: "r", Annotations: strictly, Annotated: testTime.Add(-ago)}
	}
	for name, c := range map[string]struct {
		port inventory.Port
		past History
		want Action // without Why
		why  string // part of Why
	}{
		"as it must be": {port: port(), want: Action{Kind: Nothing}},
		"open, its annotation right": {
			port: port(open), want: Action{Kind: Write, PortSecurity: []string{own}}, why: "does not read",
		},
		"open, and off": {
			port: port(open, off), want: Action{Kind: Annotate, Annotations: strictly, Again: testTime.Add(Grace)},
		},
		"open, just annotated": {
			port: port(open, off), past: wasAnnotated(time.Second),
			want: Action{Kind: Wait, Again: testTime.Add(time.Second)},
		},
		"open, Kube-OVN does not follow": {
			port: port(open, off), past: wasAnnotated(Grace), want: Action{Kind: Write, PortSecurity: []string{own}},
		},
		"open, the annotation is there, and Kube-OVN has just been told": {
			port: port(open), past: wasAnnotated(time.Second), want: Action{Kind: Wait, Again: testTime.Add(time.Second)},
		},
		"open, the annotation is there, and Kube-OVN was told before": {
			port: port(open), past: wasAnnotated(Grace), want: Action{Kind: Write, PortSecurity: []string{own}},
		},
		"open, and the annotation cannot be written": {
			port: port(open, off), past: failing(Annotate, 1, 0), want: Action{Kind: Write, PortSecurity: []string{own}},
		},
		"open, and the annotation can be tried again": {
			port: port(open, off), past: failing(Annotate, 1, firstRetry),
			want: Action{Kind: Annotate, Annotations: strictly, Again: testTime.Add(Grace)},
		},
		"right, and the annotation cannot be written": {
			port: port(off), past: failing(Annotate, 3, 0), want: Action{Kind: Wait, Again: testTime.Add(4 * firstRetry)},
			why: "could not be written",
		},
		"to be opened, and the annotation cannot be written": {
			port: port(func(p *inventory.Port) { p.Decision.Level = policy.Open }), past: failing(Annotate, 1, 0),
			want: Action{Kind: Wait, Again: testTime.Add(firstRetry)}, why: "could not be written",
		},
		"opened again and again, and the annotation cannot be written": {
			port: port(open, off), past: opened(failing(Annotate, 20, 0)),
			want: Action{Kind: Write, PortSecurity: []string{own}, Answers: true},
		},
		"opened again and again, under the right annotation": {
			port: port(open), past: opened(failing(Annotate, 20, 0)),
			want: Action{Kind: Contested, Again: testTime.Add(longestWait)},
			why:  "keeps changing it",
		},
		"unknown, and the annotation cannot be written": {
			port: port(unknown, off), past: failing(Annotate, 1, 0), want: Action{Kind: Write, Addresses: []string{own}},
		},
		"open, and the row could not be written many times": {
			port: port(open), past: failing(Write, 100, 0), want: Action{Kind: Wait, Again: testTime.Add(longestWait)},
			why: "the row could not be written",
		},
		"open, and the row can be tried again": {
			port: port(open), past: failing(Write, 2, 2*firstRetry), want: Action{Kind: Write, PortSecurity: []string{own}},
		},
		"annotated, and taken away long after": {
			port: port(open, off), past: wasAnnotated(pause + time.Second),
			want: Action{Kind: Annotate, Annotations: strictly, Again: testTime.Add(Grace)},
		},
		"annotated for another pod": {
			port: port(open, off), past: History{PodUID: "before", Annotations: strictly, Annotated: testTime},
			want: Action{Kind: Annotate, Annotations: strictly, Again: testTime.Add(Grace)},
		},
		"unknown": {
			port: port(unknown), want: Action{Kind: Write, Addresses: []string{own}},
		},
		"open and unknown": {
			port: port(open, unknown), want: Action{Kind: Write, PortSecurity: []string{own}, Addresses: []string{own}},
		},
		"granted": {
			port: port(granted), want: Action{Kind: Write, PortSecurity: []string{mac + " 10.16.0.5 10.20.0.0/24"}},
		},
		"no longer granted": {
			port: port(func(p *inventory.Port) { p.Row.PortSecurity = []string{own + " 10.20.0.0/24"} }),
			want: Action{Kind: Write, PortSecurity: []string{own}},
		},
		"open as decided": {
			port: port(open, off, func(p *inventory.Port) { p.Decision.Level = policy.Open }),
			want: Action{Kind: Nothing},
		},
		"to be opened": {
			port: port(func(p *inventory.Port) { p.Decision.Level = policy.Open }),
			want: Action{Kind: Annotate, Annotations: loosely, Again: testTime.Add(Grace)},
		},
		"forwarding granted": {
			port: port(func(p *inventory.Port) { p.Decision.Forwarding = policy.Require }),
			want: Action{Kind: Write, Addresses: []string{own, "unknown"}},
		},
		"forwarding allowed, and not wanted": {
			port: port(func(p *inventory.Port) { p.Decision.Forwarding = policy.Allow }), want: Action{Kind: Nothing},
		},

		"logged": {
			port: port(open, mode(policy.Enforce, policy.RepairLog)),
			want: Action{Kind: Write, Log: true, PortSecurity: []string{own}},
		},
		"left alone":   {port: port(open, mode(policy.Enforce, policy.RepairOff)), want: Action{Kind: Nothing}},
		"only warned":  {port: port(open, mode(policy.Warn, policy.RepairOn)), want: Action{Kind: Nothing}},
		"only audited": {port: port(open, mode(policy.Audit, policy.RepairOn)), want: Action{Kind: Nothing}},
		"disabled": {
			port: port(open, func(p *inventory.Port) { p.Row.Disabled = true }), want: Action{Kind: Nothing},
		},
		"pod has ended": {
			port: port(open, func(p *inventory.Port) { p.Pod.Finished = true }), want: Action{Kind: Nothing},
		},
		"no pod": {port: port(open, func(p *inventory.Port) { p.Pod = nil }), want: Action{Kind: Nothing}},
		"no row": {port: port(func(p *inventory.Port) { p.Row = nil }), want: Action{Kind: Nothing}},

		"machine migrates": {
			port: port(open, off, machine, migrates(testTime)),
			want: Action{Kind: Frozen, Again: testTime.Add(inventory.MigrationLimit)},
		},
		"machine migrated": {
			port: port(open, func(p *inventory.Port) { p.Pod.Annotations[kubeovn.MigrationJob] = "x" }),
			want: Action{Kind: Write, PortSecurity: []string{own}},
		},
		"of another type": {
			port: port(open, func(p *inventory.Port) { p.Row.Type = "localport" }), want: Action{Kind: NotProved},
			why: "localport",
		},
		"not Kube-OVN's": {
			port: port(open, func(p *inventory.Port) { p.Row.ExternalIDs = map[string]string{"pod": "ns/p"} }),
			want: Action{Kind: NotProved}, why: "did not make",
		},
		"of another pod": {
			port: port(open, func(p *inventory.Port) { p.Row.ExternalIDs["pod"] = "ns/q" }),
			want: Action{Kind: NotProved}, why: "ns/q",
		},
		"no IP resource": {
			port: port(
				open,
				func(p *inventory.Port) { p.Record = nil; p.Pod.Annotations["ovn.kubernetes.io/mac_address"] = mac },
			),
			want: Action{Kind: NotProved}, why: "IP resource",
		},
		"another MAC": {
			port: port(open, func(p *inventory.Port) { p.Row.Addresses = []string{"0a:00:00:00:00:02 10.16.0.5"} }),
			want: Action{Kind: NotProved}, why: "addresses",
		},
		"another address": {
			port: port(open, func(p *inventory.Port) { p.Row.Addresses = []string{mac + " 10.16.0.6"} }),
			want: Action{Kind: NotProved}, why: "addresses",
		},
		"two addresses": {
			port: port(open, func(p *inventory.Port) { p.Row.Addresses = []string{own, own} }),
			want: Action{Kind: NotProved}, why: "addresses",
		},
		"unreadable record": {
			port: port(open, func(p *inventory.Port) { p.Record.MAC = "x"; p.Row.Addresses = []string{"x 10.16.0.5"} }),
			want: Action{Kind: NotProved}, why: "identity",
		},
		"row just replaced": {
			port: port(open), past: History{PodUID: "u", RowUUID: "r", Replaced: testTime.Add(-time.Millisecond)},
			want: Action{Kind: Wait, Again: testTime.Add(newRow - time.Millisecond)},
		},
		"replaced another row": {
			port: port(open), past: History{PodUID: "u", RowUUID: "r", Replaced: testTime.Add(-newRow)},
			want: Action{Kind: Write, PortSecurity: []string{own}},
		},
		"written four times": {
			port: port(open), past: contest(4, testTime),
			want: Action{Kind: Write, PortSecurity: []string{own}, Answers: true},
		},
		"contested": {
			port: port(open), past: contest(6, testTime), want: Action{Kind: Contested, Again: testTime.Add(2 * firstWait)},
			why: "6 times",
		},
		"contested for long": {
			port: port(open), past: contest(99, testTime), want: Action{Kind: Contested, Again: testTime.Add(longestWait)},
		},
		"contested no more": {
			port: port(open), past: contest(99, testTime.Add(-pause-1)),
			want: Action{Kind: Write, PortSecurity: []string{own}, Answers: true},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := Plan(c.port, portsec.Eras(), c.past, testTime)
			if got.Kind != Nothing && got.Why == "" || !strings.Contains(got.Why, c.why) {
				t.Errorf("why: %q, want %q", got.Why, c.why)
			}
			got.Why, got.Right, got.Found = "", false, nil
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

// Repair waits for Kube-OVN to follow an annotation only until it has followed: its write removes the granted part from
// the port.
func TestWaitEndsWhenKubeOVNHasWritten(t *testing.T) {
	before := port(open, off, granted)
	told := Plan(before, portsec.Eras(), History{}.Saw("u", "r", testTime), testTime)
	if told.Kind != Annotate {
		t.Fatalf("%+v", told)
	}
	past := History{}.Saw("u", "r", testTime).Did(told, testTime)
	soon := testTime.Add(10 * time.Millisecond)
	if got := Plan(port(open, granted), portsec.Eras(), past, soon); got.Kind != Wait {
		t.Errorf("before Kube-OVN has written: %+v", got)
	}
	got := Plan(port(granted), portsec.Eras(), past, soon) // only the identity
	if want := []string{own + " 10.20.0.0/24"}; got.Kind != Write || !slices.Equal(got.PortSecurity, want) {
		t.Errorf("after it: %+v, want %q written", got, want)
	}
	// The annotation may be seen later than the row.
	if got := Plan(port(off, granted), portsec.Eras(), past, soon); got.Kind != Write {
		t.Errorf("after it, with the annotation still to be seen: %+v", got)
	}
}

// When somebody keeps writing something else, repair answers less and less often, and never gives up.
func TestHistoryBacksOff(t *testing.T) {
	h, now, writes := History{}.Saw("u", "r", testTime), testTime, 0
	for now.Before(testTime.Add(time.Hour)) {
		a := Plan(port(open), portsec.Eras(), h, now)
		switch a.Kind { //nolint:exhaustive // nothing else may come
		case Write:
			writes++
			h = h.Did(a, now)
			now = now.Add(10 * time.Millisecond) // it is changed back at once
		case Contested:
			now = a.Again
		default:
			t.Fatalf("%+v", a)
		}
	}
	if writes < patience+10 || writes > patience+30 {
		t.Errorf("%d writes in an hour", writes)
	}
	if h = h.Saw("another", "r", now); h.Streak != 0 {
		t.Error("another pod is not given a new start")
	}
}

func TestBrake(t *testing.T) {
	b := Brake{Percent: 10, Floor: 2, Window: time.Minute}
	allow := func(port string, at time.Time, want bool) {
		t.Helper()
		if got := b.Allow(port, "of "+port, 30, at); got != want {
			t.Errorf("%s: %v", port, got)
		}
	}
	for _, port := range []string{"a", "b", "c"} {
		allow(port, testTime, true)
	}
	allow("d", testTime, false)
	allow("a", testTime, true) // it is one of the three
	allow("d", testTime.Add(59*time.Second), false)
	allow("d", testTime.Add(61*time.Second), true)
	for _, port := range []string{"e", "f"} {
		allow(port, testTime.Add(62*time.Second), true)
	}
	allow("g", testTime.Add(62*time.Second), false)
	b.Confirm(testTime.Add(2 * time.Minute))
	allow("g", testTime.Add(62*time.Second), true)
	allow("h", testTime.Add(3*time.Minute), true) // the others are long ago
	if got := b.Limit(3); got != 2 {
		t.Errorf("limit %d of 3 ports", got)
	}
}

// TestThreatT10TwoPodsOfAMachineThatIsNotThere shows that pods that only claim to be owned by a machine do not keep
// their port from being repaired, as two launchers of a migrating machine would.
func TestThreatT10TwoPodsOfAMachineThatIsNotThere(t *testing.T) {
	p := port(open, func(p *inventory.Port) {
		p.Pod.Owner, p.Claims = "vm", 2
		p.Row.ExternalIDs["pod"] = "ns/vm"
	})
	if got := Plan(
		p,
		portsec.Eras(),
		History{},
		testTime,
	); got.Kind != Write ||
		!slices.Equal(got.PortSecurity, []string{own}) {
		t.Errorf("%+v, want the row to be written", got)
	}
}

// In any order of ports and times, exactly as many changes pass within the window as the brake allows.
func TestBrakeCounts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := Brake{Floor: 3, Window: 10 * time.Second}
		changed := make(map[string]time.Time) // the definition of Brake in plain form
		now := testTime
		for range rapid.IntRange(1, 60).Draw(t, "changes") {
			now = now.Add(time.Duration(rapid.IntRange(-3, 9).Draw(t, "seconds")) * time.Second)
			port := rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f"}).Draw(t, "port")
			for name, at := range changed {
				if now.Sub(at) > b.Window || at.After(now) {
					delete(changed, name)
				}
			}
			_, again := changed[port]
			want := again || len(changed) < b.Floor
			if got := b.Allow(port, "of "+port, 0, now); got != want {
				t.Fatalf("port %s may change: %v, want %v, beside %v", port, got, want, changed)
			}
			if want {
				changed[port] = now
			}
		}
	})
}

func BenchmarkBrake(b *testing.B) {
	brake := Brake{Percent: 100, Window: time.Hour}
	names := make([]string, 100_000)
	for i := range names {
		names[i] = fmt.Sprintf("p%d.ns", i)
	}
	for i := 0; b.Loop(); i++ {
		brake.Allow(
			names[i%len(names)],
			names[i%len(names)],
			len(names),
			testTime.Add(time.Duration(i)*time.Millisecond),
		)
	}
}
