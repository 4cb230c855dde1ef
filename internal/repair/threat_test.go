package repair

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/portsec"
)

// pair returns an address pair of the port's own MAC.
func pair(prefix string) portsec.AddressPair {
	return portsec.AddressPair{Prefix: netip.MustParsePrefix(prefix)}
}

func terminating(p *inventory.Port) { p.Pod.Terminating = true }

func column(elements ...string) func(*inventory.Port) {
	return func(p *inventory.Port) { p.Row.PortSecurity = elements }
}

func addresses(elements ...string) func(*inventory.Port) {
	return func(p *inventory.Port) { p.Row.Addresses = elements }
}

func grants(pairs ...portsec.AddressPair) func(*inventory.Port) {
	return func(p *inventory.Port) { p.Decision.Level, p.Decision.Pairs = policy.Extended, pairs }
}

func level(l policy.Level) func(*inventory.Port) {
	return func(p *inventory.Port) { p.Decision.Level = l }
}

func forwarding(f policy.Forwarding) func(*inventory.Port) {
	return func(p *inventory.Port) { p.Decision.Forwarding = f }
}

// A pod that is being deleted can send until its grace period ends, which may be a year: its port is tightened like any
// other, at once, since Kube-OVN no longer follows its annotations, and gets no grant.
func TestThreatT34TerminatingIsTightened(t *testing.T) {
	for name, c := range map[string]struct {
		port inventory.Port
		want Action
	}{
		"its grant has ended": {
			port(column(own + " 10.20.0.0/24")), Action{Kind: Write, PortSecurity: []string{own}},
		},
		"somebody opened it":          {port(open), Action{Kind: Write, PortSecurity: []string{own}}},
		"its namespace was tightened": {port(open, off), Action{Kind: Write, PortSecurity: []string{own}}},
		"no forwarding any more":      {port(unknown), Action{Kind: Write, Addresses: []string{own}}},
		"another address": {
			port(withRecord, addresses(own, "0a:00:00:00:00:02 10.16.0.9")), Action{Kind: Write, Addresses: []string{own}},
		},
		"as it must be":  {port(), Action{Kind: Nothing}},
		"a grant begins": {port(granted), Action{Kind: Nothing}},
		"what it is granted and more": {
			port(granted, column(own+" 10.20.0.0/24 10.30.0.0/24")),
			Action{Kind: Write, PortSecurity: []string{own + " 10.20.0.0/24"}},
		},
		"one grant ends and another begins": {
			port(grants(pair("10.40.0.0/24")), column(own+" 10.20.0.0/24")),
			Action{Kind: Write, PortSecurity: []string{own}},
		},
		"a part of its grant stays": {
			port(grants(pair("10.20.0.0/25")), column(own+" 10.20.0.0/24")),
			Action{Kind: Write, PortSecurity: []string{own + " 10.20.0.0/25"}},
		},
		"open, with a grant": {
			port(granted, open), Action{Kind: Write, PortSecurity: []string{own + " 10.20.0.0/24"}},
		},
		"any address instead of a network": {
			port(level(policy.MAC), column(own+" 10.20.0.0/24", "0a:00:00:00:00:07")),
			Action{Kind: Write, PortSecurity: []string{own}},
		},
		"to be opened":                {port(level(policy.Open)), Action{Kind: Nothing}},
		"forwarding granted":          {port(forwarding(policy.Require)), Action{Kind: Nothing}},
		"forwarding had, and granted": {port(unknown, forwarding(policy.Require)), Action{Kind: Nothing}},
		"less than its own": {
			port(column(mac + " 10.16.0.6/32")), Action{Kind: Write, PortSecurity: []string{own}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			terminating(&c.port)
			got := Plan(c.port, portsec.Eras(), History{}, testTime)
			if got.Kind != c.want.Kind || !slices.Equal(got.PortSecurity, c.want.PortSecurity) ||
				!slices.Equal(got.Addresses, c.want.Addresses) {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
}

// Repair's own writes, because grants come and go, are no contest, and nothing that ends a grant waits.
func TestThreat44OwnChangesAreNoContest(t *testing.T) {
	h, now, row := History{}, testTime, port().Row
	for i := range 40 {
		p := port(func(p *inventory.Port) { p.Row = row })
		want := []string{own}
		if i%2 == 0 {
			granted(&p)
			want = []string{own + " 10.20.0.0/24"}
		}
		h = h.Saw("u", "r", now).Proved(&p)
		a := Plan(p, portsec.Eras(), h, now)
		if a.Kind != Write || !slices.Equal(a.PortSecurity, want) {
			t.Fatalf("change %d: %+v, want %q to be written at once", i, a, want)
		}
		h = h.Did(a, now)
		changed := *row
		changed.PortSecurity = a.PortSecurity
		row, now = &changed, now.Add(time.Second)
	}
	if h.Streak != 0 || !h.ContestedUntil().IsZero() {
		t.Errorf("streak %d, contested until %s, and nobody else wrote", h.Streak, h.ContestedUntil())
	}
}

// While somebody keeps widening a row, a grant that ends is removed at once: only a second write of the same value
// waits.
func TestThreat44EndOfAGrantDoesNotWait(t *testing.T) {
	wide := own + " 10.20.0.0/24"
	h := History{PodUID: "u", RowUUID: "r", PortSecurity: &[]string{wide}, Streak: 50, Answered: testTime}
	p := port(granted, column(wide, "0a:00:00:00:00:09"))
	if a := Plan(p, portsec.Eras(), h, testTime.Add(time.Millisecond)); a.Kind != Contested {
		t.Fatalf("the same once more: %+v, want it to wait", a)
	}
	p.Decision.Level, p.Decision.Pairs = policy.Strict, nil
	a := Plan(p, portsec.Eras(), h, testTime.Add(time.Millisecond))
	if a.Kind != Write || !slices.Equal(a.PortSecurity, []string{own}) {
		t.Fatalf("the grant has ended: %+v, want it to be taken away at once", a)
	}
	h = h.Did(a, testTime)
	if a := Plan(p, portsec.Eras(), h, testTime.Add(time.Millisecond)); a.Kind != Contested {
		t.Errorf("and written over again: %+v, want the contest to go on", a)
	}
	if a := Plan(port(column(wide)), portsec.Eras(), h.Lost(), testTime); a.Kind != Write || a.Answers {
		t.Errorf("after a write whose outcome is not known: %+v, want no contest", a)
	}
}

// When repair has changed the annotation, Kube-OVN writes the column: that is its answer, and no contest.
func TestKubeOVNsAnswerIsNoContest(t *testing.T) {
	h := History{PodUID: "u", RowUUID: "r", PortSecurity: &[]string{own}}
	h = h.Did(Action{Kind: Annotate, Annotations: map[string]string{ps: "false"}}, testTime)
	if a := Plan(port(open), portsec.Eras(), h, testTime.Add(time.Minute)); a.Kind != Write || a.Answers {
		t.Errorf("%+v, want a write that answers nobody", a)
	}
}

// withRecord adds an IP resource that names the port's pod, and annotations as Kube-OVN wrote them.
func withRecord(p *inventory.Port) {
	p.Record.Of, p.Record.Subnet, p.Row.Switch = inventory.PodKey{
		Namespace: "ns",
		Name:      "p",
	}, "ovn-default", "ovn-default"
	p.Pod.Annotations["ovn.kubernetes.io/allocated"] = "true"
	p.Pod.Annotations["ovn.kubernetes.io/mac_address"], p.Pod.Annotations["ovn.kubernetes.io/ip_address"] = mac,
		"10.16.0.5"
}

// disguises returns changes of a row that make it look like another port's.
func disguises() map[string]func(*inventory.Port) {
	mark := func(key, value string) func(*inventory.Port) {
		return func(p *inventory.Port) {
			if p.Row.ExternalIDs[key] = value; value == "" {
				delete(p.Row.ExternalIDs, key)
			}
		}
	}
	return map[string]func(*inventory.Port){
		"no vendor":             mark("vendor", ""),
		"another vendor":        mark("vendor", "neutron"),
		"no pod":                mark("pod", ""),
		"another pod":           mark("pod", "ns/q"),
		"no marks":              func(p *inventory.Port) { p.Row.ExternalIDs = nil },
		"another MAC":           addresses("0a:00:00:00:00:02 10.16.0.5"),
		"another address":       addresses(mac + " 10.16.0.9"),
		"a second element":      addresses(own, "0a:00:00:00:00:02 10.16.0.9"),
		"only unknown":          addresses("unknown"),
		"no addresses":          addresses(),
		"dynamic":               addresses("dynamic"),
		"no marks, no identity": func(p *inventory.Port) { p.Row.ExternalIDs, p.Row.Addresses = nil, []string{"unknown"} },
	}
}

// A row that was proved once stays proved, whatever is written into it, and gets back what was removed from it; so does
// a row with the port's name and a matching IP resource, where nothing is remembered.
func TestThreatT37DisguisedRows(t *testing.T) {
	seen := port()
	remembered := History{}.Saw("u", "r", testTime).Proved(&seen)
	for name, disguise := range disguises() {
		for how, c := range map[string]struct {
			port inventory.Port
			past History
		}{
			"remembered":      {port(open, disguise), remembered},
			"after a restart": {port(withRecord, open, disguise), History{}},
		} {
			t.Run(how+", "+name, func(t *testing.T) {
				a := Plan(c.port, portsec.Eras(), c.past, testTime)
				if a.Kind != Write || !slices.Equal(a.PortSecurity, []string{own}) {
					t.Fatalf("%+v, want the row to be written", a)
				}
				if want := []string{
					own,
				}; !slices.Equal(c.port.Row.Addresses, want) &&
					!slices.Equal(a.Addresses, want) {
					t.Errorf("addresses %q are left, want %q", c.port.Row.Addresses, want)
				}
				ids := c.port.Row.ExternalIDs
				if marked := ids["vendor"] == "kube-ovn" && ids["pod"] == "ns/p"; marked != (a.ExternalIDs == nil) ||
					!marked && (a.ExternalIDs["vendor"] != "kube-ovn" || a.ExternalIDs["pod"] != "ns/p") {
					t.Errorf("external_ids %v become %v", ids, a.ExternalIDs)
				}
			})
		}
	}
}

// A row that may be somebody else's is left alone: rows of others in the same database, and rows with a different IP
// resource.
func TestRowsOfOthersAreLeftAlone(t *testing.T) {
	seen := port()
	remembered := History{}.Saw("u", "r", testTime).Proved(&seen)
	neutron := func(p *inventory.Port) {
		p.Row.ExternalIDs, p.Row.Addresses = map[string]string{
			"neutron:port_name": "p.ns",
		}, []string{
			"fa:16:3e:00:00:01 10.16.0.5",
		}
	}
	for name, c := range map[string]struct {
		port inventory.Port
		past History
		why  string
	}{
		"another row of that name": {
			port(open, neutron, func(p *inventory.Port) { p.Row.UUID = "other" }), remembered, "did not make",
		},
		"on another switch": {
			port(withRecord, open, neutron, func(p *inventory.Port) { p.Row.Switch = "neutron-1" }),
			History{},
			"did not make",
		},
		"on no switch": {
			port(withRecord, open, neutron, func(p *inventory.Port) { p.Row.Switch, p.Record.Subnet = "", "" }),
			History{},
			"did not make",
		},
		"the IP resource is another's": {
			port(withRecord, open, neutron, func(p *inventory.Port) { p.Record.Of.Name = "q" }), History{}, "did not make",
		},
		"of another namespace": {
			port(withRecord, open, neutron, func(p *inventory.Port) { p.Record.Of.Namespace = "other" }),
			History{},
			"did not make",
		},
		"not allocated yet": {
			port(
				withRecord, open, addresses(mac+" 10.16.0.9"),
				func(p *inventory.Port) { delete(p.Pod.Annotations, "ovn.kubernetes.io/allocated") },
			),
			History{},
			"annotations",
		},
		"row and annotations agree": {
			port(
				withRecord, open, addresses(mac+" 10.16.0.9"),
				func(p *inventory.Port) { p.Pod.Annotations["ovn.kubernetes.io/ip_address"] = "10.16.0.9" },
			),
			History{},
			"annotations",
		},
		"the IP resource changed": {
			port(open, func(p *inventory.Port) { p.Record.IPs = []string{"10.16.0.9"} }), remembered, "addresses",
		},
		"the IP resource is gone": {port(open, func(p *inventory.Port) { p.Record = nil }), remembered, "IP " +
			"resource"},
		"of another type": {
			port(open, func(p *inventory.Port) { p.Row.Type = "virtual" }), remembered, "virtual",
		},
		"the row took the place of ours": {
			port(open, func(p *inventory.Port) { p.Row.UUID, p.Row.ExternalIDs = "r2", nil }), remembered,
			"did not make",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if a := Plan(
				c.port,
				portsec.Eras(),
				c.past,
				testTime,
			); a.Kind != NotProved ||
				!strings.Contains(a.Why, c.why) {
				t.Errorf("%+v, want the row left alone with %q", a, c.why)
			}
		})
	}
}

// since returns the history of a port that was right under a decision.
func since(changes ...func(*inventory.Port)) History {
	p := port(changes...)
	return History{PodUID: "u", RowUUID: "r"}.Settle(&p.Decision)
}

// exception makes the decision depend on an exception of that name, which ends then.
func exception(name string, end time.Time, counts bool) func(*inventory.Port) {
	return func(p *inventory.Port) {
		p.Decision.Terms = append(
			p.Decision.Terms,
			policy.Term{Name: name, Asked: testTime.Add(-time.Hour), Expires: end, Counts: counts},
		)
		if counts {
			granted(p)
		}
	}
}

func base(l policy.Level) func(*inventory.Port) {
	return func(p *inventory.Port) { p.Decision.BaseLevel, p.Decision.Level = l, l }
}

func decisionRecord(text string) func(*inventory.Port) {
	return func(p *inventory.Port) { p.Pod.Annotations[policy.RecordAnnotation] = text }
}

// The brake counts changes that follow from a changed decision, and none that a tenant, or a writer of the database,
// can cause by many small changes.
func TestThreatT36WhatTheBrakeCounts(t *testing.T) {
	end := testTime.Add(time.Hour)
	repairs := mode(policy.Enforce, policy.RepairOn)
	for name, c := range map[string]struct {
		port inventory.Port
		past History
		want bool
	}{
		"drift": {port(open), since(), false},
		"drift of a granted port": {
			port(exception("e", end, true), open), since(exception("e", end, true)), false,
		},
		"the exception was deleted": {port(), since(exception("e", end, true)), false},
		"the exception was made smaller": {
			port(exception("e", end.Add(-time.Minute), true), grants(pair("10.20.0.0/25"))),
			since(exception("e", end, true)), false,
		},
		"the exception ended by an edit": {
			port(exception("e", end.Add(time.Hour), false)), since(exception("e", end, true)), false,
		},
		"policy does not honour it any more": {
			port(exception("e", end, false)), since(exception("e", end, true)), true,
		},
		"an exception begins":                    {port(exception("e", end, true)), since(), true},
		"a policy tightens":                      {port(open), since(base(policy.Open)), true},
		"a policy loosens":                       {port(base(policy.Open)), since(), true},
		"a policy tightens, and the grant ended": {port(), since(base(policy.MAC), exception("e", end, true)), false},
		"repair is switched on":                  {port(open), since(mode(policy.Enforce, policy.RepairLog)), true},
		"a new pod": {
			port(granted, repairs), History{PodUID: "u", Began: testTime.Add(-time.Second)}, false,
		},
		"a pod that is new no more": {
			port(granted, repairs), History{PodUID: "u", Began: testTime.Add(-newPod)}, true,
		},
		"after a start, as it was admitted": {
			port(open, decisionRecord(`{"ovn":{"level":"strict","layer2Forward":"forbid"}}`)), History{}, false,
		},
		"after a start, its grant has ended": {
			port(
				decisionRecord(
					`{"ovn":{"level":"extended","from":"exception","layer2Forward":"require","layer2ForwardFrom":"exception"}}`,
				),
			),
			History{},
			false,
		},
		"after a start, admitted as open": {
			port(open, decisionRecord(`{"ovn":{"level":"open","layer2Forward":"forbid"}}`)), History{}, true,
		},
		"after a start, admitted forwarding": {
			port(decisionRecord(`{"ovn":{"level":"strict","layer2Forward":"allow"}}`)), History{}, true,
		},
		"after a start, from before all that": {port(open), History{}, true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.past.Counts(&c.port, testTime); got != c.want {
				t.Errorf("counts: %v, want %v", got, c.want)
			}
		})
	}
}

// Where a changed grant waits for a human, the ended part of the old one does not.
func TestThreatT36EndedGrantIsNotHeld(t *testing.T) {
	end := testTime.Add(time.Hour)
	p := port(exception("e", end.Add(time.Hour), true), grants(pair("10.40.0.0/24")), column(own+" 10.20.0.0/24"))
	past := since(exception("e", end, true))
	if !past.Counts(&p, testTime) || !past.GrantsOnly(&p) {
		t.Fatal("a grant of other addresses is not told from a changed policy")
	}
	if a := Tighten(
		p,
		portsec.Eras(),
		past,
		testTime,
	); a.Kind != Write ||
		!slices.Equal(a.PortSecurity, []string{own}) {
		t.Errorf("%+v, want the old grant to be taken away", a)
	}
	if p := port(open); since(base(policy.Open)).GrantsOnly(&p) {
		t.Error("a changed policy passes for a changed grant")
	}
}

// No namespace uses more than a quarter of the brake.
func TestThreatT36ShareOfANamespace(t *testing.T) {
	b := Brake{Percent: 20, Floor: 100, Window: time.Minute}
	changed := func(namespace string, n int) (allowed int) {
		for i := range n {
			if b.Allow(namespace+string(rune('a'+i/26))+string(rune('a'+i%26)), namespace, 50, testTime) {
				allowed++
			}
		}
		return allowed
	}
	if n := changed("tenant", 105); n != 25 {
		t.Errorf("one namespace changes %d ports, want a quarter of 100", n)
	}
	if n := changed("other", 10); n != 10 {
		t.Errorf("another namespace changes %d ports of 10", n)
	}
	if b.Allow("late", "tenant", 50, testTime.Add(30*time.Second)) ||
		!b.Allow("late", "tenant", 50, testTime.Add(61*time.Second)) {
		t.Error("the share of a namespace does not end with the window")
	}
	b.Confirm(testTime.Add(time.Hour))
	if n := changed("tenant", 105); n != 105 {
		t.Errorf("a human lets %d ports change, want all", n)
	}
}

// Nothing that a tenant may write keeps a port from being repaired: two chassis in the binding, by an annotation; two
// launchers of a machine; and a migration that never ends. Nor does a migration matter for a pod that runs no machine.
func TestThreatT35WhatDoesNotFreezeRepair(t *testing.T) {
	for name, p := range map[string]inventory.Port{
		"two chassis": port(
			open, func(p *inventory.Port) { p.Binding = &inventory.Binding{Chassis: []string{"a", "b"}} },
		),
		"two chassis of a machine": port(
			open, machine, func(p *inventory.Port) { p.Binding = &inventory.Binding{Chassis: []string{"a", "b"}} },
		),
		"two launchers":             port(open, machine, func(p *inventory.Port) { p.Claims = 2 }),
		"a migration without end":   port(open, machine, migrates(testTime.Add(-inventory.MigrationLimit))),
		"a migration of no machine": port(open, migrates(testTime)),
		"the mark of a target": port(
			open, machine, func(p *inventory.Port) { p.Pod.Annotations["kubevirt.io/migrationJobName"] = "x" },
		),
		"the key that wants chassis": port(
			open, func(p *inventory.Port) { p.Pod.Annotations["ovn.kubernetes.io/activation_strategy"] = "rarp" },
		),
	} {
		if a := Plan(
			p,
			portsec.Eras(),
			History{},
			testTime,
		); a.Kind != Write ||
			!slices.Equal(a.PortSecurity, []string{own}) {
			t.Errorf("%s: %+v, want the row to be written", name, a)
		}
	}
	if a := Plan(
		port(open, machine, migrates(testTime.Add(-time.Minute))),
		portsec.Eras(),
		History{},
		testTime,
	); a.Kind != Frozen {
		t.Errorf("a migration that KubeVirt carries out: %+v, want the port left alone until its end", a)
	}
}
