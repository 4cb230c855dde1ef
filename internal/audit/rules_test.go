package audit

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/portsec"
	_ "github.com/ovnguard/ovnguard/test/sameseed"
)

// bound has the Southbound database say this of the port, on one chassis where these eras may enforce.
func bound(column []string, eras ...portsec.Era) func(*inventory.Port) {
	return func(p *inventory.Port) {
		p.Binding = &inventory.Binding{Port: p.Name, PortSecurity: column, Chassis: []string{"c"}}
		p.Chassis, p.Eras = []inventory.Chassis{{UUID: "c", Name: "node1"}}, eras
	}
}

// member puts the port into a security group whose address set holds this.
func member(group string, holds ...string) func(*inventory.Port) {
	return func(p *inventory.Port) {
		p.GroupsKnown = true
		p.Groups = []inventory.Group{{Name: group, Sets: []*inventory.AddressSet{{Name: group, Group: group, Addresses: holds}}}}
	}
}

func grouped(groups string) func(*inventory.Port) {
	return func(p *inventory.Port) {
		p.Row.ExternalIDs = map[string]string{"vendor": "kube-ovn", "pod": "ns/p", "security_groups": groups}
	}
}

func record(ips ...string) func(*inventory.Port) {
	return func(p *inventory.Port) { p.Record = &inventory.Record{Name: p.Name, MAC: mac, IPs: ips} }
}

func asks(vips string) func(*inventory.Port) {
	return func(p *inventory.Port) {
		annotate("ovn.kubernetes.io/port_vips", vips)(p)
		p.Decision = policy.Decide(policy.Query{Provider: p.Provider, Namespace: policy.Namespace{Name: "ns"}, Pod: policy.Pod{Annotations: p.Pod.Annotations}})
	}
}

func twins(mac bool, text string, others ...string) func(*inventory.Port) {
	return func(p *inventory.Port) { p.Twins = []inventory.Twin{{Text: text, MAC: mac, Others: others}} }
}

func overlap(kind inventory.HolderKind, name, address string) func(*inventory.Port) {
	return func(p *inventory.Port) {
		p.Overlaps = []inventory.Held{{Address: netip.MustParseAddr(address), Holder: inventory.Holder{Kind: kind, Name: name}}}
	}
}

// Each rule beside those that port_security and its pod are about: what it finds, says and offers, and its nearest neighbour that it
// must leave alone.
func TestEvidenceRules(t *testing.T) {
	pair := func(mac string) func(*inventory.Port) {
		return func(p *inventory.Port) {
			granted(policy.Extended, policy.Forbid)(p)
			m, _ := portsec.ParseMAC(mac)
			p.Decision.Pairs = []portsec.AddressPair{{MAC: m, Prefix: netip.MustParsePrefix("10.20.0.1/32")}}
		}
	}
	wide := own + " 10.20.0.0/24"
	six := mac + " 10.16.0.5 fd00::5"
	cases := map[string]struct {
		port          inventory.Port
		state         State
		rules         []string
		says, fix     string // part of the first finding's
		others        []string
		era           portsec.Era
		withoutAnyFix bool
	}{
		"one bad word, E2":             {port: port(portSecurity(own + " junk")), era: portsec.E2, state: Violation, rules: []string{"OVG009"}, says: "is open as soon as OVN 24.03.8", fix: "lsp-set-port-security"},
		"one bad word, E3 is there":    {port: port(portSecurity(own + " junk")), era: portsec.E3, state: Violation, rules: []string{"OVG002"}},
		"another MAC in addresses":     {port: port(addresses("0a:00:00:00:00:09 10.16.0.5")), state: Violation, rules: []string{"OVG010"}, says: "0a:00:00:00:00:09", fix: "lsp-set-addresses p.ns '" + own + "'"},
		"addresses in another order":   {port: port(record("10.16.0.5", "fd00::5"), addresses(mac+"  fd00::5 10.16.0.5"), portSecurity(six)), state: Compliant},
		"addresses in capitals":        {port: port(addresses(strings.ToUpper(mac) + " 10.16.0.5")), state: Compliant},
		"addresses only a MAC":         {port: port(addresses(mac)), state: Violation, rules: []string{"OVG010"}},
		"annotation with another MAC":  {port: port(annotate("ovn.kubernetes.io/mac_address", "0a:00:00:00:00:09"), annotate("ovn.kubernetes.io/ip_address", "10.16.0.5")), state: Violation, rules: []string{"OVG010"}, says: "annotations", fix: "mac_address=" + mac},
		"annotation in agreement":      {port: port(annotate("ovn.kubernetes.io/mac_address", mac), annotate("ovn.kubernetes.io/ip_address", "10.16.0.5")), state: Compliant},
		"annotation not allocated yet": {port: port(annotate("ovn.kubernetes.io/allocated", ""), annotate("ovn.kubernetes.io/mac_address", "0a:00:00:00:00:09")), state: Compliant},
		"sends with a MAC that does not reach it": {
			port: port(pair("0a:00:00:00:00:07"), portSecurity(own, "0a:00:00:00:00:07 10.20.0.1")), state: Violation, rules: []string{"OVG011"}, says: "lacks layer2Forward", fix: "kubectl edit portsecurityexceptions.ovnguard.io -n ns routes",
		},
		"pairs for its own MAC": {port: port(pair("00:00:00:00:00:00"), portSecurity(own+" 10.20.0.1")), state: Compliant},
		"the same MAC twice":    {port: port(twins(true, mac, "q.ns")), state: Violation, rules: []string{"OVG012"}, says: "on switch ovn-default as well as port q.ns", others: []string{"q.ns"}, withoutAnyFix: true},
		"the same address twice": {
			port: port(twins(false, "10.16.0.5", "a", "b", "c", "d")), state: Violation, rules: []string{"OVG013"}, says: "port a, b, c and 1 more", others: []string{"a", "b", "c", "d"}, withoutAnyFix: true,
		},
		"an address that is another's": {
			port: port(addresses(mac+" 10.16.0.6"), twins(false, "10.16.0.6", "q.ns")), state: Violation, rules: []string{"OVG010", "OVG013"}, fix: "lsp-set-addresses p.ns",
		},
		"shared, but disabled": {port: port(disabled, twins(true, mac, "q.ns")), state: Compliant},
		"granted what is another port's": {
			port:  port(portSecurity(wide), granted(policy.Extended, policy.Forbid, "10.20.0.0/24"), overlap(inventory.HeldByPort, "q.ns", "10.20.0.7")),
			state: Violation, rules: []string{"OVG014"}, says: "may send from 10.20.0.7, which is that of port q.ns", fix: "kubectl edit", others: []string{"port q.ns"},
		},
		"granted what is its own": {
			port:  port(portSecurity(own+" 10.16.0.0/24"), granted(policy.Extended, policy.Forbid, "10.16.0.0/24"), overlap(inventory.HeldByPort, "r", "10.16.0.5")),
			state: Compliant,
		},
		"asks for an address nobody granted": {port: port(asks("10.16.0.100")), state: Violation, rules: []string{"OVG017"}, says: "10.16.0.100", fix: "kubectl annotate pod -n ns p ovn.kubernetes.io/port_vips-"},
		"asks for garbage":                   {port: port(asks("10.16.0.256")), state: Violation, rules: []string{"OVG017"}},
		"widens its group, granted": {
			port:  port(grouped("web/db"), portSecurity(wide), granted(policy.Extended, policy.Forbid, "10.20.0.0/24")),
			state: Violation, rules: []string{"OVG018"}, says: "security group web, db", others: []string{"web", "db"}, fix: "security_groups-",
		},
		"widens its group, as OVN has it": {
			port:  port(member("web", "10.16.0.5", "10.16.0.7", "10.20.0.0/24"), portSecurity(wide), granted(policy.Extended, policy.Forbid, "10.20.0.0/24")),
			state: Violation, rules: []string{"OVG018"}, says: "holds 10.20.0.0/24; rules", others: []string{"web"}, fix: "security_groups-",
		},
		"will widen its group": {
			port:  port(member("web", "10.16.0.5"), portSecurity(wide), granted(policy.Extended, policy.Forbid, "10.20.0.0/24")),
			state: Violation, rules: []string{"OVG018"}, says: "will hold 0a:00:00:00:00:01 10.20.0.0/24", others: []string{"web"}, fix: "security_groups-",
		},
		"names a group that there is not": {
			port:  port(grouped("web"), func(p *inventory.Port) { p.GroupsKnown = true }, portSecurity(wide), granted(policy.Extended, policy.Forbid, "10.20.0.0/24")),
			state: Compliant,
		},
		"in a group as itself":        {port: port(grouped("web")), state: Compliant},
		"in a group by its MAC alone": {port: port(grouped("web"), portSecurity(mac), granted(policy.MAC, policy.Forbid)), state: Compliant},
		"two pods":                    {port: port(func(p *inventory.Port) { p.Claims = 2 }), state: Violation, rules: []string{"OVG019"}, says: "2 pods", fix: "kubectl delete pod -n ns p"},
		"two launchers": {
			port: port(func(p *inventory.Port) {
				p.Claims, p.Owners = 2, []policy.Owner{{APIVersion: "kubevirt.io/v1", Kind: "VirtualMachineInstance", Name: "p", UID: "vmi"}}
			}), state: Compliant,
		},
		"two that name a machine which is not there": {
			port:  port(func(p *inventory.Port) { p.Claims, p.Pod.Owner = 2, "vm" }, externalIDs(map[string]string{"vendor": "kube-ovn", "pod": "ns/vm"})),
			state: Violation, rules: []string{"OVG019"}, says: "a machine that is not there",
		},
		"secure by annotation only": {port: port(portSecurity(), addresses(mac), record()), state: Violation, rules: []string{"OVG001", "OVG020"}},
		"told the chassis otherwise": {
			port: port(bound([]string{mac}, portsec.E2)), state: Violation, rules: []string{"OVG021"}, says: "the Southbound database has [\"" + mac + "\"]", fix: "ovn-appctl",
		},
		"told the chassis in other words": {port: port(bound([]string{own + "/32"}, portsec.E2)), state: Compliant},
		"told the chassis, E0":            {port: port(bound(nil, portsec.E0)), state: Compliant},
		"told the chassis so":             {port: port(bound([]string{own}, portsec.E2)), state: Compliant},
		"its chassis are what counts":     {port: port(portSecurity(own+" junk"), bound([]string{own + " junk"}, portsec.E3)), era: portsec.E1, state: Violation, rules: []string{"OVG002"}},
		"put right again and again":       {port: port(func(p *inventory.Port) { p.Contested = 6 }), state: Violation, rules: []string{"OVG023"}, says: "6 times", withoutAnyFix: true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if c.era == portsec.E0 {
				c.era = portsec.E1
			}
			got := Evaluate(c.port, []portsec.Era{c.era})
			var rules []string
			for _, f := range got.Findings {
				rules = append(rules, f.Rule.ID)
			}
			if diff := cmp.Diff(c.rules, rules, cmpopts.EquateEmpty()); diff != "" || got.State != c.state {
				t.Fatalf("state %s, want %s; rules: -want +got\n%s%+v", got.State, c.state, diff, got.Findings)
			}
			if len(rules) == 0 {
				return
			}
			f := got.Findings[0]
			if !strings.Contains(f.Message, c.says) || !strings.Contains(f.Fix, c.fix) || c.withoutAnyFix != (f.Fix == "") {
				t.Errorf("says %q with the fix %q, want %q and %q", f.Message, f.Fix, c.says, c.fix)
			}
			if diff := cmp.Diff(c.others, f.Evidence.Others, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("others: -want +got\n%s", diff)
			}
			if f.Evidence.Class == "" || len(f.Evidence.Eras) == 0 || len(f.Evidence.Effective) == 0 {
				t.Errorf("evidence lacks class, eras or effective sets: %+v", f.Evidence)
			}
		})
	}
}

// What is read without being taken apart is what every era makes of it.
func TestExactMeansExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		identity := portsec.Identity{MAC: portsec.MAC(rapid.SliceOfN(rapid.Byte(), 6, 6).Draw(t, "MAC"))}
		for range rapid.IntRange(0, 3).Draw(t, "addresses") {
			n := rapid.SampledFrom([]int{4, 16}).Draw(t, "bytes")
			ip, _ := netip.AddrFromSlice(rapid.SliceOfN(rapid.Byte(), n, n).Draw(t, "address"))
			identity.IPs = append(identity.IPs, ip)
		}
		if !ordinary(identity) {
			return
		}
		want, err := portsec.GrantedSet(identity, nil)
		if err != nil {
			t.Fatalf("%s cannot be told to OVN: %v", identityText(identity), err)
		}
		for _, r := range portsec.Assess(portsec.Eras(), "", []string{identityText(identity)}, want).Readings {
			if r.Open() || len(r.Excess) > 0 || len(r.Loss) > 0 {
				t.Fatalf("%s reads %s as %s", r.Era, identityText(identity), r.Set)
			}
		}
	})
}

func TestClassOf(t *testing.T) {
	owned := func(namespace, apiVersion, kind string) func(*inventory.Port) {
		return func(p *inventory.Port) {
			p.Pod.Namespace, p.Owners = namespace, []policy.Owner{{APIVersion: apiVersion, Kind: kind, Name: "o", UID: "o"}}
		}
	}
	labelled := func(key string) func(*inventory.Port) {
		return func(p *inventory.Port) { p.Pod.Labels = map[string]string{key: "true"} }
	}
	cases := map[string]struct {
		port inventory.Port
		want Class
	}{
		"pod":                                 {port(), ClassPod},
		"launcher":                            {port(owned("ns", "kubevirt.io/v1", "VirtualMachineInstance")), ClassVM},
		"two launchers":                       {port(owned("ns", "kubevirt.io/v1", "VirtualMachineInstance"), func(p *inventory.Port) { p.Claims = 2 }), ClassMigrating},
		"on two chassis":                      {port(func(p *inventory.Port) { p.Binding = &inventory.Binding{Moving: true} }), ClassMigrating},
		"an owner that is not there":          {port(func(p *inventory.Port) { p.Pod.Owner = "vm" }), ClassPod},
		"two with an owner that is not there": {port(func(p *inventory.Port) { p.Pod.Owner, p.Claims = "vm", 2 }), ClassPod},
		"machine that rests":                  {port(noPod, func(p *inventory.Port) { p.Record.Keeper = "VirtualMachine" }), ClassVM},
		"NAT gateway":                         {port(owned("kube-system", "apps/v1", "StatefulSet"), labelled("ovn.kubernetes.io/vpc-nat-gw")), ClassNATGateway},
		"NAT gateway by annotation":           {port(owned("kube-system", "apps/v1", "StatefulSet"), annotate("ovn.kubernetes.io/vpc_nat_gw", "true")), ClassNATGateway},
		"a tenant's label":                    {port(owned("ns", "apps/v1", "StatefulSet"), labelled("ovn.kubernetes.io/vpc-nat-gw")), ClassPod},
		"a label without owner":               {port(func(p *inventory.Port) { p.Pod.Namespace = "kube-system" }, labelled("ovn.kubernetes.io/vpc-nat-gw")), ClassPod},
		"load balancer":                       {port(owned("kube-system", "apps/v1", "Deployment"), labelled("ovn.kubernetes.io/vpc_lb")), ClassLoadBalancer},
		"egress gateway":                      {port(owned("ns", "kubeovn.io/v1", "VpcEgressGateway")), ClassEgressGateway},
		"an owner of that kind of a tenant's": {port(owned("ns", "evil.example/v1", "VpcEgressGateway")), ClassPod},
		"node":                                {port(noPod, externalIDs(map[string]string{"vendor": "kube-ovn"}), func(p *inventory.Port) { p.Node = "node1" }), ClassNode},
		"node by its name":                    {port(noPod, externalIDs(map[string]string{"vendor": "kube-ovn"}), func(p *inventory.Port) { p.Name, p.Row.Name = "node-a", "node-a" }), ClassUnknown},
		"router":                              {port(noPod, typed("router")), ClassRouter},
		"localnet":                            {port(noPod, typed("localnet")), ClassLocalnet},
		"virtual":                             {port(noPod, typed("virtual")), ClassVirtual},
		"of a Vip":                            {port(noPod, func(p *inventory.Port) { p.Vip = true }), ClassVirtual},
		"another type":                        {port(noPod, typed("vtep")), ClassUnknown},
		"somebody's own":                      {port(noPod, externalIDs(nil)), ClassUnknown},
		"left over":                           {port(noPod, noRecord), ClassPod},
		"nothing":                             {inventory.Port{Name: "x"}, ClassUnknown},
	}
	for name, c := range cases {
		if got := ClassOf(&c.port); got != c.want || got.Expectation() == "" {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestEvaluateException(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	e := policy.Exception{Namespace: "ns", Name: "routes", Expires: now.Add(time.Hour)}
	ended, later := e, e
	ended.Expires, later.NotBefore = now, now.Add(time.Minute)
	for name, c := range map[string]struct {
		exception policy.Exception
		meant     bool
		rule      string
	}{
		"in use": {e, true, ""}, "in use no more": {ended, true, "OVG015"}, "for nobody": {e, false, "OVG016"}, "for nobody yet": {later, false, ""}, "ended, for nobody": {ended, false, "OVG015"},
	} {
		got := EvaluateException(&c.exception, c.meant, now)
		var rules []string
		for _, f := range got.Findings {
			rules = append(rules, f.Rule.ID)
			if f.Fix != "kubectl delete portsecurityexceptions.ovnguard.io -n ns routes" || !strings.Contains(f.Message, "ns/routes") {
				t.Errorf("%s: says %q with the fix %q", name, f.Message, f.Fix)
			}
		}
		if rule := strings.Join(rules, " "); rule != c.rule || got.State != OutOfScope {
			t.Errorf("%s: %q, state %s, want %q", name, rule, got.State, c.rule)
		}
	}
}

func TestEvaluateChassis(t *testing.T) {
	c := inventory.Chassis{UUID: "c", Name: "node1"}
	for name, want := range map[string]struct {
		eras  []portsec.Era
		ports int
		says  string
	}{
		"E1": {[]portsec.Era{portsec.E1}, 3, "link-local"}, "E2": {[]portsec.Era{portsec.E2}, 3, "solicitations"}, "E3": {[]portsec.Era{portsec.E3}, 3, ""},
		"not known": {nil, 3, ""}, "E2 or E3": {[]portsec.Era{portsec.E2, portsec.E3}, 3, ""}, "E1, no IPv6": {[]portsec.Era{portsec.E1}, 0, ""},
	} {
		got := EvaluateChassis(c, want.eras, want.ports)
		if got.Breaks() || (want.says == "") != (len(got.Findings) == 0) {
			t.Errorf("%s: %+v", name, got)
			continue
		}
		for _, f := range got.Findings {
			if !strings.Contains(f.Message, want.says) || !strings.Contains(f.Message, "node1, with 3 ports") {
				t.Errorf("%s: says %q", name, f.Message)
			}
		}
	}
}

func TestEvaluateOutside(t *testing.T) {
	pod := &inventory.Pod{PodKey: inventory.PodKey{Namespace: "ns", Name: "p"}}
	host := &inventory.Pod{PodKey: pod.PodKey, HostNetwork: true}
	if got := EvaluateOutside(pod, nil); len(got.Findings) != 0 {
		t.Errorf("a pod on OVN alone: %+v", got)
	}
	if got := EvaluateOutside(host, nil); len(got.Findings) != 1 || got.Breaks() || !strings.Contains(got.Findings[0].Message, "node's network") {
		t.Errorf("a pod on the host's network: %+v", got)
	}
	if got := EvaluateOutside(pod, []kubeovn.Attachment{{Namespace: "ns", Name: "macvlan"}}); len(got.Findings) != 1 || !strings.Contains(got.Findings[0].Message, "ns/macvlan") {
		t.Errorf("a NIC of others: %+v", got)
	}
}

func TestEvaluateGroup(t *testing.T) {
	if got := EvaluateGroup("web", nil); len(got.Findings) > 0 || got.State != OutOfScope {
		t.Errorf("nothing strange: %+v", got)
	}
	got := EvaluateGroup("web", []inventory.Stranger{{Set: "ovn.sg.web.associated.v6", Text: "fd00::7"}, {Set: "ovn.sg.web.associated.v4", Text: "10.20.0.0/24"}})
	const fix = `ovn-nbctl remove Address_Set ovn.sg.web.associated.v6 addresses '"fd00::7"' -- remove Address_Set ovn.sg.web.associated.v4 addresses '"10.20.0.0/24"'`
	if len(got.Findings) != 1 || got.Findings[0].Rule.ID != "OVG018" || got.Findings[0].Fix != fix || !strings.Contains(got.Findings[0].Message, "group web hold fd00::7, 10.20.0.0/24") {
		t.Errorf("%+v", got)
	}
	if got := EvaluateGroup("web", []inventory.Stranger{{Set: "s", Text: "$other"}}); got.Findings[0].Fix != "" {
		t.Errorf("a text that is no address gives the command %q", got.Findings[0].Fix)
	}
}

// A NIC whose addresses come from a DHCP server that Kube-OVN does not know is bound to its MAC at least.
func TestThreatT26NICWithoutAddress(t *testing.T) {
	p := port(portSecurity(), addresses(mac), record())
	expected, err := ExpectedOf(p)
	if err != nil || !slices.Equal(expected.PortSecurity, []string{mac}) {
		t.Errorf("expected %q, %v, want the MAC", expected.PortSecurity, err)
	}
	p.Row.PortSecurity = expected.PortSecurity
	if got := Evaluate(p, portsec.Eras()); got.State != Compliant {
		t.Errorf("bound to its MAC it is %s: %+v", got.State, got.Findings)
	}
}

// An entry for a virtual router means nothing to an OVN before 24.03.8: alone it leaves the port open there, which is found, and ovnguard
// itself never writes one.
func TestThreat16VirtualRouterEntry(t *testing.T) {
	for _, era := range []portsec.Era{portsec.E0, portsec.E1, portsec.E2} {
		if got := Evaluate(port(portSecurity("VRRPv3 "+mac)), []portsec.Era{era}); got.State != Violation || got.Findings[0].Rule.ID != "OVG002" {
			t.Errorf("%s: %s, %+v", era, got.State, got.Findings)
		}
	}
	p := port(func(p *inventory.Port) {
		p.Decision.Level, p.Decision.Forwarding = policy.Extended, policy.Require
		p.Row.Addresses = append(p.Row.Addresses, kubeovn.AddressUnknown)
		p.Decision.Pairs = []portsec.AddressPair{{MAC: portsec.MAC{0, 0, 0x5e, 0, 1, 5}, Prefix: netip.MustParsePrefix("10.16.0.100/32")}}
	})
	expected, err := ExpectedOf(p)
	if err != nil {
		t.Fatal(err)
	}
	if slices.ContainsFunc(expected.PortSecurity, func(e string) bool { return strings.HasPrefix(e, "VRRPv3") }) || len(expected.PortSecurity) < 2 {
		t.Errorf("a shared virtual address is granted as %q", expected.PortSecurity)
	}
	p.Row.PortSecurity = expected.PortSecurity
	if got := Evaluate(p, portsec.Eras()); got.State != Compliant {
		t.Errorf("%q is %s: %+v", expected.PortSecurity, got.State, got.Findings)
	}
}
