package audit

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/portsec"
)

const (
	mac = "0a:00:00:00:00:01"
	own = mac + " 10.16.0.5"
)

// port returns a strict pod's port without faults, after some changes.
func port(changes ...func(*inventory.Port)) inventory.Port {
	p := inventory.Port{
		Name:     "p.ns",
		Provider: kubeovn.DefaultProvider,
		NICKnown: true,
		Pod: &inventory.Pod{
			PodKey: inventory.PodKey{Namespace: "ns", Name: "p"},
			UID:    "u",
			Owner:  "p",
			Annotations: map[string]string{
				"ovn.kubernetes.io/port_security": "true",
				"ovn.kubernetes.io/allocated":     "true",
			},
		},
		Decision: policy.Decide(
			policy.Query{Provider: kubeovn.DefaultProvider, Namespace: policy.Namespace{Name: "ns"}},
		),
		Record: &inventory.Record{Name: "p.ns", MAC: mac, IPs: []string{"10.16.0.5"}},
		Row: &inventory.Row{
			UUID: "r", Name: "p.ns", Switch: "ovn-default", Addresses: []string{own}, PortSecurity: []string{own},
			ExternalIDs: map[string]string{"vendor": "kube-ovn", "pod": "ns/p", "ls": "ovn-default"},
		},
	}
	for _, change := range changes {
		change(&p)
	}
	return p
}

func portSecurity(elements ...string) func(*inventory.Port) {
	return func(p *inventory.Port) { p.Row.PortSecurity = elements }
}

func addresses(elements ...string) func(*inventory.Port) {
	return func(p *inventory.Port) { p.Row.Addresses = elements }
}

func namespace(annotations map[string]string) func(*inventory.Port) {
	return func(p *inventory.Port) {
		p.Decision = policy.Decide(
			policy.Query{Provider: p.Provider, Namespace: policy.Namespace{Name: "ns", Annotations: annotations}},
		)
	}
}

func annotate(key, value string) func(*inventory.Port) {
	return func(p *inventory.Port) {
		p.Pod.Annotations = maps.Clone(p.Pod.Annotations)
		p.Pod.Annotations[key] = value
	}
}

func typed(name string) func(*inventory.Port) {
	return func(p *inventory.Port) { p.Row.Type = name }
}

func noPod(p *inventory.Port)    { p.Pod, p.Provider = nil, "" }
func disabled(p *inventory.Port) { p.Row.Disabled = true }
func noRow(p *inventory.Port)    { p.Row = nil }
func noRecord(p *inventory.Port) { p.Record = nil }

func externalIDs(ids map[string]string) func(*inventory.Port) {
	return func(p *inventory.Port) { p.Row.ExternalIDs = ids }
}

// granted changes the decision as an exception does.
func granted(level policy.Level, forwarding policy.Forwarding, prefixes ...string) func(*inventory.Port) {
	return func(p *inventory.Port) {
		p.Decision.Level, p.Decision.LevelFrom = level, policy.FromException
		p.Decision.Forwarding, p.Decision.ForwardingFrom = forwarding, policy.FromException
		p.Decision.Exceptions = []string{"routes"}
		for _, text := range prefixes {
			p.Decision.Pairs = append(p.Decision.Pairs, portsec.AddressPair{Prefix: netip.MustParsePrefix(text)})
		}
	}
}

func TestEvaluate(t *testing.T) {
	open := map[string]string{"ovn.kubernetes.io/port_security": "false"}
	cases := map[string]struct {
		port  inventory.Port
		state State
		why   string // part of Why
		rules []string
	}{
		"as it must be":              {port: port(), state: Compliant},
		"other text, same meaning":   {port: port(portSecurity("0A:0:0:0:0:1  10.16.0.5/32")), state: Compliant},
		"open":                       {port: port(portSecurity()), state: Violation, rules: []string{"OVG001"}},
		"open as its namespace says": {port: port(portSecurity(), namespace(open)), state: Compliant},
		"strict beyond what is asked": {
			port: port(namespace(open)), state: Compliant,
		},
		"unknown": {port: port(portSecurity("unknown")), state: Violation, rules: []string{"OVG002"}},
		"MAC with dashes": {
			port:  port(portSecurity("0a-00-00-00-00-01 10.16.0.5")),
			state: Violation,
			rules: []string{"OVG002"},
		},
		"unknown beside the entry": {port: port(portSecurity(own, "unknown")), state: Compliant},
		"any address": {
			port:  port(portSecurity(mac + " 0.0.0.0/0")),
			state: Violation,
			rules: []string{"OVG003"},
		},
		"MAC alone": {port: port(portSecurity(mac)), state: Violation, rules: []string{"OVG003"}},
		"another address as well": {
			port:  port(portSecurity(own + " 10.16.0.1")),
			state: Violation,
			rules: []string{"OVG003"},
		},
		"another MAC as well": {
			port:  port(portSecurity(own, "0a:00:00:00:00:02 10.16.0.5")),
			state: Violation,
			rules: []string{"OVG003"},
		},
		"another address instead": {
			port:  port(portSecurity(mac + " 10.16.0.6")),
			state: Violation,
			rules: []string{"OVG003", "OVG004"},
		},
		"dual stack, one missing": {
			port: port(
				addresses(own+" fd00::5"),
				func(p *inventory.Port) { p.Record.IPs = []string{"10.16.0.5", "fd00::5"} },
			),
			state: Violation,
			rules: []string{"OVG004"},
		},
		"granted, and there": {
			port:  port(portSecurity(own+" 10.20.0.0/24"), granted(policy.Extended, policy.Forbid, "10.20.0.0/24")),
			state: Compliant,
		},
		"granted, and not there": {
			port:  port(granted(policy.Extended, policy.Forbid, "10.20.0.0/24")),
			state: Violation,
			rules: []string{"OVG004"},
		},
		"wider than granted": {
			port:  port(portSecurity(own+" 10.20.0.0/16"), granted(policy.Extended, policy.Forbid, "10.20.0.0/24")),
			state: Violation,
			rules: []string{"OVG003"},
		},
		"granted, and open": {
			port:  port(portSecurity(), granted(policy.Extended, policy.Forbid, "10.20.0.0/24")),
			state: Violation,
			rules: []string{"OVG001"},
		},
		"no longer granted": {
			port:  port(portSecurity(own + " 10.20.0.0/24")),
			state: Violation,
			rules: []string{"OVG003"},
		},
		"its MAC, any address": {
			port:  port(portSecurity(mac), granted(policy.MAC, policy.Forbid)),
			state: Compliant,
		},
		"its MAC, too narrow": {
			port:  port(granted(policy.MAC, policy.Forbid)),
			state: Violation,
			rules: []string{"OVG004"},
		},
		"its MAC, another's as well": {
			port:  port(portSecurity(mac, "0a:00:00:00:00:02"), granted(policy.MAC, policy.Forbid)),
			state: Violation,
			rules: []string{"OVG003"},
		},
		"forwarding granted": {
			port:  port(addresses(own, "unknown"), granted(policy.Strict, policy.Require)),
			state: Violation,
			rules: []string{"OVG011"},
		},
		"forwarding not there": {
			port:  port(granted(policy.Strict, policy.Require)),
			state: Violation,
			rules: []string{"OVG008"},
		},
		"no address, by MAC": {
			port:  port(portSecurity(mac), addresses(mac), func(p *inventory.Port) { p.Record.IPs = nil }),
			state: Compliant,
		},
		"unknown in addresses": {
			port:  port(addresses(own, "unknown")),
			state: Violation,
			rules: []string{"OVG005"},
		},
		"unknown where it is wanted": {
			port: port(
				addresses(own, "unknown"),
				namespace(map[string]string{"ovn.kubernetes.io/layer2_forward": "true"}),
			),
			state: Compliant,
		},
		"two things at once": {
			port:  port(portSecurity(), addresses("unknown")),
			state: Violation,
			rules: []string{"OVG001", "OVG005", "OVG010"},
		},
		"open, but disabled": {
			port:  port(disabled, portSecurity(), addresses(own, "unknown")),
			state: Compliant,
		},
		"disabled, no identity": {
			port:  port(disabled, func(p *inventory.Port) { p.Record.MAC = "garbage" }),
			state: Compliant,
		},
		"disabled, and no pod": {port: port(disabled, noPod), state: Violation, rules: []string{"OVG006"}},
		"no pod":               {port: port(noPod), state: Violation, rules: []string{"OVG006"}},
		"no row":               {port: port(noRow), state: Violation, rules: []string{"OVG007"}},
		"no row yet": {
			port: port(
				noRow,
				annotate("ovn.kubernetes.io/allocated", ""),
			),
			state: Unknown,
			why:   "has not made the port",
		},
		"no row, the pod is going": {
			port: port(
				noRow,
				func(p *inventory.Port) { p.Pod.Terminating = true },
			),
			state: Unknown,
			why:   "has not made the port",
		},
		"no row, attachment not readable": {
			port: port(
				noRow,
				annotate("ovn.kubernetes.io/allocated", ""),
				func(p *inventory.Port) { p.NICKnown = false },
			),
			state: Unknown,
			why:   "attachment",
		},
		"no row of that spelling": {
			port: port(
				noRow,
				annotate("ovn.kubernetes.io/allocated", ""),
				func(p *inventory.Port) { p.NICSpelling = true },
			),
			state: OutOfScope,
			why:   "this name or another",
		},
		"no row, allocated by that spelling": {
			port: port(
				noRow,
				func(p *inventory.Port) { p.NICSpelling = true },
			),
			state: Violation,
			rules: []string{"OVG007"},
		},
		"open, by either spelling": {
			port: port(
				portSecurity(),
				func(p *inventory.Port) { p.NICSpelling = true },
			),
			state: Violation,
			rules: []string{"OVG001"},
		},
		"identity from the pod": {
			port: port(
				noRecord,
				annotate("ovn.kubernetes.io/mac_address", mac),
				annotate("ovn.kubernetes.io/ip_address", "10.16.0.5"),
			),
			state: Compliant,
		},
		"the pod lies, the record does not": {
			port: port(
				portSecurity(mac+" 10.16.0.9"),
				annotate("ovn.kubernetes.io/mac_address", mac),
				annotate("ovn.kubernetes.io/ip_address", "10.16.0.9"),
			),
			state: Violation,
			rules: []string{"OVG003", "OVG004", "OVG010"},
		},
		"no identity": {port: port(noRecord), state: Unknown, why: "has not recorded"},
		"no identity, and open": {
			port:  port(noRecord, portSecurity()),
			state: Violation,
			rules: []string{"OVG001"},
		},
		"identity not readable": {
			port:  port(func(p *inventory.Port) { p.Record.IPs = []string{"10.16.0"} }),
			state: Unknown,
			why:   "IP resource",
		},
		"MAC of identity not usable": {
			port:  port(func(p *inventory.Port) { p.Record.MAC = "0a-00-00-00-00-01" }),
			state: Unknown,
			why:   "MAC",
		},
		"identity without MAC": {
			port:  port(func(p *inventory.Port) { p.Record.MAC = "" }, annotate("ovn.kubernetes.io/mac_address", mac)),
			state: Unknown,
			why:   "macAddress",
		},
		"identity that is a group": {
			port:  port(func(p *inventory.Port) { p.Record.MAC = "01:00:5e:00:00:01" }),
			state: Unknown,
			why:   "group bit",
		},
		"type that OVN skips": {port: port(typed("localport")), state: Violation, rules: []string{"OVG002"}},
		"such a type, and empty": {
			port:  port(typed("localport"), portSecurity()),
			state: Violation,
			rules: []string{"OVG001"},
		},
		"such a type, and wanted": {port: port(typed("localport"), namespace(open)), state: Compliant},
		"pod has ended": {
			port:  port(portSecurity(), func(p *inventory.Port) { p.Pod.Finished = true }),
			state: OutOfScope,
			why:   "ended",
		},
		"pod is going, port is there": {
			port: port(
				portSecurity(),
				func(p *inventory.Port) { p.Pod.Terminating = true },
			),
			state: Violation,
			rules: []string{"OVG001"},
		},
		"router": {
			port:  port(noPod, func(p *inventory.Port) { p.Row.Type = "router" }),
			state: OutOfScope,
			why:   "type router",
		},
		"node": {
			port:  port(noPod, externalIDs(map[string]string{"vendor": "kube-ovn", "ls": "join"})),
			state: OutOfScope,
			why:   "no pod name",
		},
		"somebody's own": {port: port(noPod, externalIDs(nil)), state: OutOfScope, why: "did not make it"},
		"of a Vip":       {port: port(noPod, func(p *inventory.Port) { p.Vip = true }), state: OutOfScope, why: "Vip"},
		"querier": {
			port: port(
				noPod,
				externalIDs(map[string]string{"vendor": "kube-ovn", "pod": "default/mcast-querier.s", "ls": "s"}),
				func(p *inventory.Port) { p.Row.Name = "mcast-querier.s" },
			),
			state: OutOfScope,
			why:   "querier",
		},
		"kept by a VM": {
			port:  port(noPod, func(p *inventory.Port) { p.Record.Keeper = "VirtualMachine" }),
			state: OutOfScope,
			why:   "VirtualMachine",
		},
		"left over":        {port: port(noPod, noRecord), state: Violation, rules: []string{"OVG006"}},
		"nothing":          {port: inventory.Port{Name: "x"}, state: OutOfScope, why: "nothing"},
		"namespace unseen": {port: port(portSecurity(), unseen), state: Violation, rules: []string{"OVG001"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := Evaluate(c.port, []portsec.Era{portsec.E1})
			var rules []string
			for _, f := range got.Findings {
				rules = append(rules, f.Rule.ID)
				if f.Message == "" || strings.ContainsAny(f.Message, "\n\t") {
					t.Errorf("%s says %q", f.Rule.ID, f.Message)
				}
			}
			if got.State != c.state || !strings.Contains(got.Why, c.why) || (c.why == "") != (got.Why == "") {
				t.Errorf("state %s because %q, want %s because %q", got.State, got.Why, c.state, c.why)
			}
			if diff := cmp.Diff(c.rules, rules, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("rules: -want +got\n%s", diff)
			}
		})
	}
}

func unseen(p *inventory.Port) {
	p.Decision = policy.Decide(
		policy.Query{Provider: p.Provider, Namespace: policy.Namespace{Name: "ns", Err: errors.New("not seen")}},
	)
}

// A port counts as protected only if every era that may apply protects it.
func TestEras(t *testing.T) {
	poisoned := port(portSecurity(own + " ::ffff:10.16.0.9")) // E3 drops the whole element for its last word
	if got := Evaluate(
		poisoned,
		[]portsec.Era{portsec.E3},
	); len(got.Findings) != 1 ||
		got.Findings[0].Rule.ID != "OVG002" {
		t.Errorf("E3: %+v", got.Findings)
	}
	got := Evaluate(poisoned, portsec.Eras())
	i := slices.IndexFunc(got.Findings, func(f Finding) bool { return f.Rule.ID == "OVG002" })
	if i < 0 || !strings.Contains(got.Findings[i].Message, "E3") || strings.Contains(got.Findings[i].Message, "E1") {
		t.Errorf("all eras: %+v, want OVG002 that names E3 alone", got.Findings)
	}
	if none := Evaluate(poisoned, nil); !cmp.Equal(none, got) {
		t.Errorf("without eras: %+v, want what all of them give", none)
	}
	skipped := port(typed("localport"))
	if got := Evaluate(
		skipped,
		[]portsec.Era{portsec.E0},
	); len(got.Findings) != 1 ||
		got.Findings[0].Rule.ID != "OVG009" {
		t.Errorf("E0 checks a localport, and later ones do not: got %+v", got)
	}
}

// Where eras let different things through, the evidence holds all of it.
func TestExcessOfAllEras(t *testing.T) {
	// E1 stops at the junk, E3 drops the element: each lets through what the other does not.
	p := port(portSecurity(mac+" 10.16.0.5 10.16.0.6 junk", "0a:00:00:00:00:02 10.16.0.7"))
	got := Evaluate(p, portsec.Eras())
	var excess, loss []string
	for _, f := range got.Findings {
		excess, loss = append(excess, f.Evidence.Excess...), append(loss, f.Evidence.Loss...)
	}
	for _, want := range []string{mac + " 10.16.0.6", "0a:00:00:00:00:02 10.16.0.7"} {
		if n := len(slices.DeleteFunc(slices.Clone(excess), func(s string) bool { return s != want })); n != 1 {
			t.Errorf("%s is %d times in excess %q, want once", want, n, excess)
		}
	}
	if want := []string{own}; !cmp.Equal(want, loss) {
		t.Errorf("loss %q, want %q", loss, want)
	}
}

func TestEvidenceAndFix(t *testing.T) {
	find := func(p inventory.Port, id string) Finding {
		t.Helper()
		for _, f := range Evaluate(p, []portsec.Era{portsec.E1}).Findings {
			if f.Rule.ID == id {
				return f
			}
		}
		t.Fatalf("%s is not found", id)
		return Finding{}
	}
	f := find(port(portSecurity(own+" 10.16.0.1")), "OVG003")
	if f.Namespace != "ns" || f.Pod != "p" || f.Port != "p.ns" || f.Provider != "ovn" {
		t.Errorf("whose: %+v", f)
	}
	e := f.Evidence
	if len(e.Excess) != 1 || !strings.Contains(e.Excess[0], "10.16.0.1") || len(e.Loss) != 0 || e.Identity != own ||
		e.IdentityFrom != "IP resource" ||
		e.Switch != "ovn-default" ||
		e.Decision != "strict" ||
		e.DecisionFrom != "default" {
		t.Errorf("evidence: %+v", e)
	}
	fixes := map[string]struct {
		port inventory.Port
		rule string
	}{
		"kubectl annotate pod -n ns p ovn.kubernetes.io/port_security=true --overwrite": {
			port(portSecurity(), annotate("ovn.kubernetes.io/port_security", "false")), "OVG001",
		},
		"ovn-nbctl lsp-set-port-security p.ns '" + own + "'":                         {port(portSecurity()), "OVG001"},
		"ovn-nbctl lsp-set-type p.ns '' -- lsp-set-port-security p.ns '" + own + "'": {port(typed("vtep")), "OVG002"},
		"ovn-nbctl lsp-set-addresses p.ns '" + own + "'": {
			port(addresses(own, "unknown")),
			"OVG005",
		},
		"ovn-nbctl lsp-del p.ns": {port(noPod, noRecord), "OVG006"},
		"kubectl annotate pod -n ns p ovn.kubernetes.io/allocated- ovn.kubernetes.io/routed- " +
			"--as=system:serviceaccount:kube-system:ovn": {
			port(noRow),
			"OVG007",
		},
	}
	for want, c := range fixes {
		if got := find(c.port, c.rule).Fix; got != want {
			t.Errorf("%s: fix %q, want %q", c.rule, got, want)
		}
	}
	if got := find(port(portSecurity(), noRecord), "OVG001").Fix; got != "" {
		t.Errorf("without an identity there is no safe command, got %q", got)
	}
	if got := find(port(noRecord, addresses("unknown")), "OVG005").Fix; got != "" {
		t.Errorf("a port must not be left without addresses, got %q", got)
	}
	if got := find(port(typed("router"), externalIDs(nil)), "OVG002").Fix; got != "" {
		t.Errorf("the type of a row that is not this pod's must be left alone, got %q", got)
	}
}

// Where repair leaves a row alone, the audit says why, and what would make repair recognise the row.
func TestNotProved(t *testing.T) {
	p := port(portSecurity(), repairs, externalIDs(map[string]string{"ls": "ovn-default"}))
	f := Evaluate(p, portsec.Eras()).Findings[1]
	if want := `ovn-nbctl set logical_switch_port r 'external_ids:pod="ns/p"' 'external_ids:vendor="kube-ovn"'`; f.Rule.ID != "OVG025" ||
		f.Fix != want ||
		!strings.Contains(f.Message, "repair does not write the row: Kube-OVN did not make the row") {
		t.Errorf("%s: %q, fix %q, want %q", f.Rule.ID, f.Message, f.Fix, want)
	}
	p.Row.ExternalIDs = Marks(&p)
	if got := Evaluate(p, portsec.Eras()); len(got.Findings) != 1 || Unproved(&p) != "" {
		t.Errorf("with its marks: %+v, %q", got.Findings, Unproved(&p))
	}
}

func TestRules(t *testing.T) {
	page, err := os.ReadFile("../../docs/audit.md")
	if err != nil {
		t.Fatal(err)
	}
	last := ""
	for _, r := range Rules() {
		if r.ID <= last {
			t.Errorf("%s comes after %s", r.ID, last)
		}
		last = r.ID
		want := fmt.Sprintf("### %s %s (%s)", r.ID, r.Name, r.Severity)
		if !strings.Contains(string(page), want) {
			t.Errorf("docs/audit.md lacks the heading %q", want)
		}
		if r.Summary == "" || r.Severity.Rank() > Info.Rank() ||
			r.Severity.Rank() == Info.Rank() && r.Severity != Info {
			t.Errorf("%+v is not complete", r)
		}
	}
}

// A port is not judged by columns that a text of the database does not have, nor by the lack of a row that may be
// elsewhere.
func TestDoubtedRows(t *testing.T) {
	pod := &inventory.Pod{PodKey: inventory.PodKey{Namespace: "n", Name: "p"}}
	row := &inventory.Row{Name: "p.n"}
	lacks, some := inventory.RowDoubt{Lacks: "port_security"}, inventory.RowDoubt{Some: true}
	for name, c := range map[string]struct {
		port  inventory.Port
		state State
		why   string
	}{
		"a row": {
			inventory.Port{Pod: pod, Row: row, Doubt: lacks}, Unknown, "lacks columns of its row: port_security",
		},
		"a row of no pod": {inventory.Port{Row: row, Doubt: lacks}, OutOfScope, "no pod has it"},
		"no row":          {inventory.Port{Pod: pod, Doubt: some}, Unknown, "may not have all rows"},
	} {
		got := Evaluate(c.port, nil)
		if got.State != c.state || !strings.Contains(got.Why, c.why) || len(got.Findings) > 0 {
			t.Errorf("%s: %s, %q, %v; want %s, %q", name, got.State, got.Why, got.Findings, c.state, c.why)
		}
	}
	if got := Evaluate(inventory.Port{Pod: pod, Row: row}, nil); got.State == Unknown {
		t.Errorf("without doubt: %s, %q", got.State, got.Why)
	}
}
