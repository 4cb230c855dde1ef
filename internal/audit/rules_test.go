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

// bound makes the Southbound database report this column for the port, on one chassis where these eras may enforce.
func bound(column []string, eras ...portsec.Era) func(*inventory.Port) {
	return func(p *inventory.Port) {
		p.Binding = &inventory.Binding{Port: p.Name, PortSecurity: column, Chassis: []string{"c"}}
		p.Chassis, p.Eras = []inventory.Chassis{{UUID: "c", Name: "node1"}}, eras
	}
}

// member puts the port into a security group with these entries in its address set.
func member(group string, holds ...string) func(*inventory.Port) {
	return func(p *inventory.Port) {
		p.GroupsKnown = true
		p.Groups = []inventory.Group{
			{Name: group, Sets: []*inventory.AddressSet{{Name: group, Group: group, Addresses: holds}}},
		}
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

// migrates makes KubeVirt move the port's machine.
func migrates(believed bool) func(*inventory.Port) {
	return func(p *inventory.Port) {
		p.Migration = &inventory.Migration{
			PodKey:  inventory.PodKey{Namespace: "ns", Name: "move"},
			Machine: "p",
			Began:   time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC),
		}
		p.Migrates = believed
	}
}

// repairs puts the port under a policy with repair switched on.
func repairs(p *inventory.Port) { p.Decision.Mode, p.Decision.Repair = policy.Enforce, policy.RepairOn }

// ofPod makes the IP resource name the port's pod and its switch.
func ofPod(namespace, pod string) func(*inventory.Port) {
	return func(p *inventory.Port) {
		p.Record.Of, p.Record.Subnet = inventory.PodKey{Namespace: namespace, Name: pod}, p.Row.Switch
	}
}

func asks(vips string) func(*inventory.Port) {
	return func(p *inventory.Port) {
		annotate("ovn.kubernetes.io/port_vips", vips)(p)
		p.Decision = policy.Decide(
			policy.Query{
				Provider:  p.Provider,
				Namespace: policy.Namespace{Name: "ns"},
				Pod:       policy.Pod{Annotations: p.Pod.Annotations},
			},
		)
	}
}

// sharing lets only Vips grant addresses to the port.
func sharing(prefixes ...string) func(*inventory.Port) {
	return func(p *inventory.Port) {
		granted(policy.Extended, policy.Forbid, prefixes...)(p)
		p.Decision.Exceptions, p.Decision.LevelFrom = nil, policy.FromVIP
	}
}

func duplicates(mac bool, text string, others ...string) func(*inventory.Port) {
	return func(p *inventory.Port) { p.Duplicates = []inventory.Duplicate{{Text: text, MAC: mac, Others: others}} }
}

func overlap(kind inventory.HolderKind, name, address string) func(*inventory.Port) {
	return func(p *inventory.Port) {
		p.Overlaps = []inventory.Held{
			{Address: netip.MustParseAddr(address), Holder: inventory.Holder{Kind: kind, Name: name}},
		}
	}
}

func foreign(kind inventory.HolderKind, name, address string) func(*inventory.Port) {
	return func(p *inventory.Port) {
		p.Foreign = []inventory.Held{
			{Address: netip.MustParseAddr(address), Holder: inventory.Holder{Kind: kind, Name: name}},
		}
	}
}

// Each rule except those about port_security and its pod: what it finds, says and offers, and the most similar case
// that it must leave alone.
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
		"one bad word, E2": {
			port:  port(portSecurity(own + " junk")),
			era:   portsec.E2,
			state: Violation,
			rules: []string{"OVG009"},
			says:  "is open as soon as OVN 24.03.8",
			fix:   "lsp-set-port-security",
		},
		"one bad word, E3 is there": {
			port:  port(portSecurity(own + " junk")),
			era:   portsec.E3,
			state: Violation,
			rules: []string{"OVG002"},
		},
		"another MAC in addresses": {
			port:  port(addresses("0a:00:00:00:00:09 10.16.0.5")),
			state: Violation,
			rules: []string{"OVG010"},
			says:  "0a:00:00:00:00:09",
			fix:   "lsp-set-addresses p.ns '" + own + "'",
		},
		"addresses in another order": {
			port:  port(record("10.16.0.5", "fd00::5"), addresses(mac+"  fd00::5 10.16.0.5"), portSecurity(six)),
			state: Compliant,
		},
		"addresses in capitals": {port: port(addresses(strings.ToUpper(mac) + " 10.16.0.5")), state: Compliant},
		"addresses emptied": {
			port:  port(addresses()),
			state: Violation,
			rules: []string{"OVG010"},
			says:  "addresses is empty",
			fix:   "lsp-set-addresses p.ns '" + own + "'",
		},
		"addresses only unknown": {
			port: port(
				addresses("unknown"),
				func(p *inventory.Port) { p.Decision.Forwarding = policy.Allow },
			),
			state: Violation,
			rules: []string{"OVG010"},
			says:  `holds only "unknown"`,
			fix:   "lsp-set-addresses p.ns '" + own + "' unknown",
		},
		"addresses dynamic": {
			port:  port(addresses("dynamic")),
			state: Violation,
			rules: []string{"OVG010"},
			says:  `"dynamic"`,
			fix:   "lsp-set-addresses p.ns '" + own + "'",
		},
		"a second element": {
			port: port(
				addresses(own, "0a:00:00:00:00:09 10.16.0.9"),
			),
			state: Violation,
			rules: []string{"OVG010"},
			says:  "Kube-OVN writes one element",
			fix:   "lsp-set-addresses p.ns '" + own + "'",
		},
		"the same element twice": {
			port:  port(addresses(own, own)),
			state: Violation,
			rules: []string{"OVG010"},
			says:  "one element",
			fix:   "lsp-set-addresses p.ns '" + own + "'",
		},
		"forwarding required, and the identity lost": {
			port: port(
				addresses("0a:00:00:00:00:09"),
				func(p *inventory.Port) { p.Decision.Forwarding = policy.Require },
			),
			state: Violation,
			rules: []string{"OVG008", "OVG010"},
			fix:   "lsp-set-addresses p.ns '" + own + "' unknown",
		},
		"row and annotations against the IP resource": {
			port: port(
				addresses("0a:00:00:00:00:09 10.16.0.5"),
				annotate("ovn.kubernetes.io/mac_address", "0a:00:00:00:00:09"),
				annotate("ovn.kubernetes.io/ip_address", "10.16.0.5"),
			),
			state:         Violation,
			rules:         []string{"OVG010"},
			says:          "the same as in the pod's annotations",
			withoutAnyFix: true,
		},
		"being deleted, with another's address": {
			port:  port(addresses(mac+" 10.16.0.9"), func(p *inventory.Port) { p.Pod.Terminating = true }),
			state: Violation,
			rules: []string{"OVG010"},
		},
		"open, and repair leaves it alone": {
			port: port(
				portSecurity(),
				repairs,
				externalIDs(nil),
			),
			state: Violation,
			rules: []string{"OVG001", "OVG025"},
		},
		"open, and repair knows it by its IP resource": {
			port: port(
				portSecurity(),
				repairs,
				externalIDs(nil),
				ofPod("ns", "p"),
			),
			state: Violation,
			rules: []string{"OVG001"},
		},
		"open, and policy only logs": {
			port:  port(portSecurity(), externalIDs(nil)),
			state: Violation,
			rules: []string{"OVG001"},
		},
		"right, except for its marks": {port: port(repairs, externalIDs(nil)), state: Compliant},
		"another's addresses, and repair leaves them alone": {
			port: port(
				repairs,
				addresses("0a:00:00:00:00:09"),
				ofPod("ns", "q"),
			),
			state: Violation,
			rules: []string{"OVG010", "OVG025"},
		},
		"a group with an address of a Vip that admission let it share": {
			port: port(
				member("web", "10.20.0.9"),
				portSecurity(own+" 10.20.0.9"),
				sharing("10.20.0.9/32"),
			),
			state: Compliant,
		},
		"a group with an address of nobody's beside that": {
			port: port(
				member("web", "10.20.0.9", "10.20.0.8"),
				portSecurity(own+" 10.20.0.9 10.20.0.8"),
				sharing("10.20.0.9/32"),
			),
			state: Violation,
			rules: []string{
				"OVG003",
				"OVG018",
			},
			says: "10.20.0.8",
			fix:  "lsp-set-port-security p.ns '" + own + " 10.20.0.9'",
		},
		"a MAC that the pod asks for, and no address yet": {
			port: port(
				noRecord,
				annotate("ovn.kubernetes.io/allocated", ""),
				annotate("ovn.kubernetes.io/mac_address", mac),
			),
			state: Unknown,
		},
		"addresses only a MAC": {port: port(addresses(mac)), state: Violation, rules: []string{"OVG010"}},
		"annotation with another MAC": {
			port: port(
				annotate("ovn.kubernetes.io/mac_address", "0a:00:00:00:00:09"),
				annotate("ovn.kubernetes.io/ip_address", "10.16.0.5"),
			),
			state: Violation,
			rules: []string{"OVG010"},
			says:  "annotations",
			fix:   "mac_address=" + mac,
		},
		"annotation in agreement": {
			port: port(
				annotate("ovn.kubernetes.io/mac_address", mac),
				annotate("ovn.kubernetes.io/ip_address", "10.16.0.5"),
			),
			state: Compliant,
		},
		"annotation not allocated yet": {
			port: port(
				annotate("ovn.kubernetes.io/allocated", ""),
				annotate("ovn.kubernetes.io/mac_address", "0a:00:00:00:00:09"),
			),
			state: Compliant,
		},
		"sends with a MAC that does not reach it": {
			port: port(
				pair("0a:00:00:00:00:07"),
				portSecurity(own, "0a:00:00:00:00:07 10.20.0.1"),
			),
			state: Violation,
			rules: []string{"OVG011"},
			says:  "lacks layer2Forward",
			fix:   "kubectl edit portsecurityexceptions.ovnguard.io -n ns routes",
		},
		"pairs for its own MAC": {
			port:  port(pair("00:00:00:00:00:00"), portSecurity(own+" 10.20.0.1")),
			state: Compliant,
		},
		"the same MAC twice": {
			port:          port(duplicates(true, mac, "q.ns")),
			state:         Violation,
			rules:         []string{"OVG012"},
			says:          "on switch ovn-default as well as port q.ns",
			others:        []string{"q.ns"},
			withoutAnyFix: true,
		},
		"the same address twice": {
			port: port(
				duplicates(false, "10.16.0.5", "a", "b", "c", "d"),
			),
			state:         Violation,
			rules:         []string{"OVG013"},
			says:          "port a, b, c and 1 more",
			others:        []string{"a", "b", "c", "d"},
			withoutAnyFix: true,
		},
		"an address that is another's": {
			port: port(
				addresses(mac+" 10.16.0.6"),
				duplicates(false, "10.16.0.6", "q.ns"),
			),
			state: Violation,
			rules: []string{"OVG010", "OVG013"},
			fix:   "lsp-set-addresses p.ns",
		},
		"shared, but disabled": {port: port(disabled, duplicates(true, mac, "q.ns")), state: Compliant},
		"granted what is another port's": {
			port: port(
				portSecurity(wide),
				granted(policy.Extended, policy.Forbid, "10.20.0.0/24"),
				overlap(inventory.HeldByPort, "q.ns", "10.20.0.7"),
			),
			state:  Violation,
			rules:  []string{"OVG014"},
			says:   "may send from 10.20.0.7, an address of port q.ns",
			fix:    "kubectl edit",
			others: []string{"port q.ns"},
		},
		"its own address is in a pool of others": {
			port:   port(foreign(inventory.HeldByPool, "blue", "10.16.0.5")),
			state:  Violation,
			rules:  []string{"OVG026"},
			says:   "its own address 10.16.0.5 is kept by IPPool blue for pods of other namespaces",
			fix:    "kubectl delete pod -n ns p",
			others: []string{"IPPool blue"},
		},
		"its own address is a shared VIP": {
			port:   port(foreign(inventory.HeldByShared, "ovn-default", "10.16.0.5")),
			state:  Violation,
			rules:  []string{"OVG026"},
			says:   "is one of the shared VIPs of subnet ovn-default",
			fix:    "kubectl delete pod",
			others: []string{"the shared VIPs of subnet ovn-default"},
		},
		"its own address is a Vip's, and it goes": {
			port: port(
				foreign(inventory.HeldByVip, "v", "10.16.0.5"),
				func(p *inventory.Port) { p.Pod.Terminating = true },
			),
			state: Compliant,
		},
		"granted what is its own": {
			port: port(
				portSecurity(own+" 10.16.0.0/24"),
				granted(policy.Extended, policy.Forbid, "10.16.0.0/24"),
				overlap(inventory.HeldByPort, "r", "10.16.0.5"),
			),
			state: Compliant,
		},
		"asks for an address nobody granted": {
			port:  port(asks("10.16.0.100")),
			state: Violation,
			rules: []string{"OVG017"},
			says:  "10.16.0.100",
			fix:   "kubectl annotate pod -n ns p ovn.kubernetes.io/port_vips-",
		},
		"asks for garbage": {
			port:  port(asks("10.16.0.256")),
			state: Violation,
			rules: []string{"OVG017"},
		},
		"widens its group, granted": {
			port: port(
				grouped("web/db"),
				portSecurity(wide),
				granted(policy.Extended, policy.Forbid, "10.20.0.0/24"),
			),
			state:         Violation,
			rules:         []string{"OVG018"},
			says:          "security group web, db",
			others:        []string{"web", "db"},
			withoutAnyFix: true,
		},
		"widens its group, as OVN has it": {
			port: port(
				member("web", "10.16.0.5", "10.16.0.7", "10.20.0.0/24"),
				portSecurity(wide),
				granted(policy.Extended, policy.Forbid, "10.20.0.0/24"),
			),
			state:         Violation,
			rules:         []string{"OVG018"},
			says:          "holds 10.20.0.0/24, and rules",
			others:        []string{"web"},
			withoutAnyFix: true,
		},
		"will widen its group": {
			port: port(
				member("web", "10.16.0.5"),
				portSecurity(wide),
				granted(policy.Extended, policy.Forbid, "10.20.0.0/24"),
			),
			state:         Violation,
			rules:         []string{"OVG018"},
			says:          "will hold 0a:00:00:00:00:01 10.20.0.0/24",
			others:        []string{"web"},
			withoutAnyFix: true,
		},
		"names a group that there is not": {
			port: port(
				grouped("web"),
				func(p *inventory.Port) { p.GroupsKnown = true },
				portSecurity(wide),
				granted(policy.Extended, policy.Forbid, "10.20.0.0/24"),
			),
			state: Compliant,
		},
		"in a group as itself": {port: port(grouped("web")), state: Compliant},
		"in a group by its MAC alone": {
			port:  port(grouped("web"), portSecurity(mac), granted(policy.MAC, policy.Forbid)),
			state: Compliant,
		},
		"two pods": {
			port:  port(func(p *inventory.Port) { p.Claims = 2 }),
			state: Violation,
			rules: []string{"OVG019"},
			says:  "2 pods",
			fix:   "kubectl delete pod -n ns p",
		},
		"two launchers": {
			port: port(func(p *inventory.Port) {
				p.Claims, p.Launchers, p.Owners = 2, 2, []policy.Owner{
					{APIVersion: "kubevirt.io/v1", Kind: "VirtualMachineInstance", Name: "p", UID: "vmi"},
				}
			}), state: Compliant,
		},
		"a launcher, and a pod that has the machine's port": {
			port: port(func(p *inventory.Port) {
				p.Claims, p.Launchers, p.Owners = 2, 1, []policy.Owner{
					{APIVersion: "kubevirt.io/v1", Kind: "VirtualMachineInstance", Name: "p", UID: "vmi"},
				}
			}), state: Violation, rules: []string{"OVG019"},
		},
		"a migration that hangs": {
			port: port(
				migrates(false),
			),
			state: Violation,
			rules: []string{"OVG027"},
			says:  "VirtualMachineInstanceMigration ns/move has been running since 2026-05-04T12:00:00Z, longer than 30m0s",
			fix:   "kubectl delete virtualmachineinstancemigrations.kubevirt.io -n ns move",
		},
		"a migration that goes on": {port: port(migrates(true)), state: Compliant},
		"two that name a machine which is not there": {
			port: port(
				func(p *inventory.Port) { p.Claims, p.Pod.Owner = 2, "vm" },
				externalIDs(map[string]string{"vendor": "kube-ovn", "pod": "ns/vm"}),
			),
			state: Violation,
			rules: []string{"OVG019"},
			says:  "a machine that does not exist",
		},
		"secure by annotation only": {
			port:  port(portSecurity(), addresses(mac), record()),
			state: Violation,
			rules: []string{"OVG020"},
			says:  "so any MAC and address passes",
		},
		"told the chassis otherwise": {
			port: port(
				bound([]string{mac}, portsec.E2),
			),
			state: Violation,
			rules: []string{"OVG021"},
			says:  "the Southbound database has [\"" + mac + "\"]",
			fix:   "ovn-appctl",
		},
		"told the chassis in other words": {port: port(bound([]string{own + "/32"}, portsec.E2)), state: Compliant},
		"told the chassis, E0":            {port: port(bound(nil, portsec.E0)), state: Compliant},
		"told the chassis so":             {port: port(bound([]string{own}, portsec.E2)), state: Compliant},
		"its chassis are what counts": {
			port:  port(portSecurity(own+" junk"), bound([]string{own + " junk"}, portsec.E3)),
			era:   portsec.E1,
			state: Violation,
			rules: []string{"OVG002"},
		},
		"another writer keeps changing it": {
			port:          port(func(p *inventory.Port) { p.Contested = 6 }),
			state:         Violation,
			rules:         []string{"OVG023"},
			says:          "6 times",
			withoutAnyFix: true,
		},
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
			if !strings.Contains(f.Message, c.says) || !strings.Contains(f.Fix, c.fix) ||
				c.withoutAnyFix != (f.Fix == "") {
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

// A column that is read without being parsed means what every era makes of it.
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
			p.Pod.Namespace, p.Owners = namespace, []policy.Owner{
				{APIVersion: apiVersion, Kind: kind, Name: "o", UID: "o"},
			}
		}
	}
	labelled := func(key string) func(*inventory.Port) {
		return func(p *inventory.Port) { p.Pod.Labels = map[string]string{key: "true"} }
	}
	passing := func(kind string) func(*inventory.Port) {
		return func(p *inventory.Port) { p.Passing = &inventory.Passing{Forwarder: inventory.Forwarder{Kind: kind}} }
	}
	cases := map[string]struct {
		port inventory.Port
		want Class
	}{
		"pod":      {port(), ClassPod},
		"launcher": {port(owned("ns", "kubevirt.io/v1", "VirtualMachineInstance")), ClassVM},
		"two launchers": {
			port(owned("ns", "kubevirt.io/v1", "VirtualMachineInstance"), func(p *inventory.Port) { p.Claims = 2 }),
			ClassVM,
		},
		"KubeVirt moves it": {
			port(owned("ns", "kubevirt.io/v1", "VirtualMachineInstance"), migrates(true)),
			ClassMigrating,
		},
		"has been moved for too long": {
			port(owned("ns", "kubevirt.io/v1", "VirtualMachineInstance"), migrates(false)),
			ClassVM,
		},
		"no machine": {port(migrates(true)), ClassPod},
		"on two chassis": {
			port(func(p *inventory.Port) { p.Binding = &inventory.Binding{Chassis: []string{"a", "b"}} }),
			ClassPod,
		},
		"an owner that is not there": {port(func(p *inventory.Port) { p.Pod.Owner = "vm" }), ClassPod},
		"two with an owner that is not there": {
			port(func(p *inventory.Port) { p.Pod.Owner, p.Claims = "vm", 2 }),
			ClassPod,
		},
		"machine that rests": {
			port(noPod, func(p *inventory.Port) { p.Record.Keeper = "VirtualMachine" }),
			ClassVM,
		},
		"NAT gateway":    {port(passing(kubeovn.KindNATGateway)), ClassNATGateway},
		"load balancer":  {port(passing("")), ClassLoadBalancer},
		"egress gateway": {port(passing(kubeovn.KindEgressGateway)), ClassEgressGateway},
		"a label that anybody can write": {
			port(owned("kube-system", "apps/v1", "StatefulSet"), labelled("ovn.kubernetes.io/vpc-nat-gw")),
			ClassPod,
		},
		"an owner that proves nothing": {port(owned("ns", "kubeovn.io/v1", "VpcEgressGateway")), ClassPod},
		"node": {
			port(
				noPod,
				externalIDs(map[string]string{"vendor": "kube-ovn"}),
				func(p *inventory.Port) { p.Node = "node1" },
			),
			ClassNode,
		},
		"node by its name": {
			port(
				noPod,
				externalIDs(map[string]string{"vendor": "kube-ovn"}),
				func(p *inventory.Port) { p.Name, p.Row.Name = "node-a", "node-a" },
			),
			ClassUnknown,
		},
		"router":         {port(noPod, typed("router")), ClassRouter},
		"localnet":       {port(noPod, typed("localnet")), ClassLocalnet},
		"virtual":        {port(noPod, typed("virtual")), ClassVirtual},
		"of a Vip":       {port(noPod, func(p *inventory.Port) { p.Vip = true }), ClassVirtual},
		"another type":   {port(noPod, typed("vtep")), ClassUnknown},
		"somebody's own": {port(noPod, externalIDs(nil)), ClassUnknown},
		"left over":      {port(noPod, noRecord), ClassPod},
		"nothing":        {inventory.Port{Name: "x"}, ClassUnknown},
	}
	for name, c := range cases {
		if got := ClassOf(&c.port); got != c.want {
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
		"in use": {e, true, ""}, "in use no more": {ended, true, "OVG015"}, "for nobody": {e, false, "OVG016"}, "for " +
			"nobody yet": {later, false, ""}, "ended, for nobody": {ended, false, "OVG015"},
	} {
		got := EvaluateException(&c.exception, c.meant, now)
		var rules []string
		for _, f := range got.Findings {
			rules = append(rules, f.Rule.ID)
			if f.Fix != "kubectl delete portsecurityexceptions.ovnguard.io -n ns routes" ||
				!strings.Contains(f.Message, "ns/routes") {
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
		"E1": {[]portsec.Era{portsec.E1}, 3, "link-local"}, "E2": {[]portsec.Era{portsec.E2}, 3, "solicitations"},
		"E3":        {[]portsec.Era{portsec.E3}, 3, ""},
		"E2a":       {[]portsec.Era{portsec.E2a}, 3, "that other entries of the port list"},
		"E2b":       {[]portsec.Era{portsec.E2b}, 3, ""},
		"E2 or E2a": {[]portsec.Era{portsec.E2, portsec.E2a}, 3, "with any claim"},
		"E2 to E3":  {portsec.Eras()[2:], 3, ""},
		"not known": {nil, 3, ""}, "E2 or E3": {[]portsec.Era{portsec.E2, portsec.E3}, 3, ""},
		"E1, no IPv6": {[]portsec.Era{portsec.E1}, 0, ""},
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
	if got := EvaluateOutside(
		host,
		nil,
	); len(got.Findings) != 1 || got.Breaks() ||
		!strings.Contains(got.Findings[0].Message, "node's network") {
		t.Errorf("a pod on the host's network: %+v", got)
	}
	if got := EvaluateOutside(
		pod,
		[]kubeovn.Attachment{{Namespace: "ns", Name: "macvlan"}},
	); len(got.Findings) != 1 ||
		!strings.Contains(got.Findings[0].Message, "ns/macvlan") {
		t.Errorf("a NIC of others: %+v", got)
	}
}

func TestEvaluateGroup(t *testing.T) {
	if got := EvaluateGroup("web", nil); len(got.Findings) > 0 || got.State != OutOfScope {
		t.Errorf("nothing strange: %+v", got)
	}
	got := EvaluateGroup(
		"web",
		[]inventory.UnknownMember{
			{Set: "ovn.sg.web.associated.v6", Text: "fd00::7"},
			{Set: "ovn.sg.web.associated.v4", Text: "10.20.0.0/24"},
		},
	)
	const fix = `ovn-nbctl remove Address_Set ovn.sg.web.associated.v6 addresses '"fd00::7"' -- remove Address_Set ovn.sg.web.associated.v4 addresses '"10.20.0.0/24"'`
	if len(got.Findings) != 1 || got.Findings[0].Rule.ID != "OVG018" || got.Findings[0].Fix != fix ||
		!strings.Contains(got.Findings[0].Message, "group web hold fd00::7, 10.20.0.0/24") {
		t.Errorf("%+v", got)
	}
	if got := EvaluateGroup("web", []inventory.UnknownMember{{Set: "s", Text: "$other"}}); got.Findings[0].Fix != "" {
		t.Errorf("a text that is no address gives the command %q", got.Findings[0].Fix)
	}
}

// A NIC with addresses from a DHCP server that Kube-OVN does not know is bound to its MAC at least.
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

// An entry for a virtual router means nothing to an OVN before 24.03.8: alone it leaves the port open there, which is
// found, and ovnguard itself never writes one.
func TestThreat16VirtualRouterEntry(t *testing.T) {
	for _, era := range []portsec.Era{portsec.E0, portsec.E1, portsec.E2} {
		if got := Evaluate(
			port(portSecurity("VRRPv3 "+mac)),
			[]portsec.Era{era},
		); got.State != Violation ||
			got.Findings[0].Rule.ID != "OVG002" {
			t.Errorf("%s: %s, %+v", era, got.State, got.Findings)
		}
	}
	p := port(func(p *inventory.Port) {
		p.Decision.Level, p.Decision.Forwarding = policy.Extended, policy.Require
		p.Row.Addresses = append(p.Row.Addresses, kubeovn.AddressUnknown)
		p.Decision.Pairs = []portsec.AddressPair{
			{MAC: portsec.MAC{0, 0, 0x5e, 0, 1, 5}, Prefix: netip.MustParsePrefix("10.16.0.100/32")},
		}
	})
	expected, err := ExpectedOf(p)
	if err != nil {
		t.Fatal(err)
	}
	if slices.ContainsFunc(expected.PortSecurity, func(e string) bool { return strings.HasPrefix(e, "VRRPv3") }) ||
		len(expected.PortSecurity) < 2 {
		t.Errorf("a shared virtual address is granted as %q", expected.PortSecurity)
	}
	p.Row.PortSecurity = expected.PortSecurity
	if got := Evaluate(p, portsec.Eras()); got.State != Compliant {
		t.Errorf("%q is %s: %+v", expected.PortSecurity, got.State, got.Findings)
	}
}

// A command takes from a port what is not granted to it, and leaves what is.
func TestFixesLeaveGrants(t *testing.T) {
	both := port(annotate("ovn.kubernetes.io/port_vips", "10.20.0.9,10.20.0.8"), portSecurity(own+" 10.20.0.9"))
	both.Decision = policy.Decide(policy.Query{
		Provider:  both.Provider,
		Namespace: policy.Namespace{Name: "ns"},
		Pod:       policy.Pod{Annotations: both.Pod.Annotations},
		VPCs:      []string{"v"},
		VIPs:      []policy.VIP{{Name: "v", VPC: "v", Addresses: []netip.Addr{netip.MustParseAddr("10.20.0.9")}}},
	})
	grant := granted(policy.Extended, policy.Forbid, "10.20.0.0/24")
	for name, c := range map[string]struct {
		port      inventory.Port
		rule, fix string
	}{
		"one of two addresses to share": {both, "OVG017", "kubectl annotate pod -n ns p --overwrite " +
			"ovn.kubernetes.io/port_vips=10.20.0.9"},
		"open, with a grant, by annotation": {
			port(portSecurity(), annotate("ovn.kubernetes.io/port_security", "false"), grant), "OVG001",
			"ovn-nbctl lsp-set-port-security p.ns '" + own + " 10.20.0.0/24'",
		},
		"an address of nobody's in a group's set": {
			port(
				member("web", "10.20.0.9", "10.20.0.8"), portSecurity(own+" 10.20.0.9 10.20.0.8"),
				sharing("10.20.0.9/32"),
			),
			"OVG018",
			`ovn-nbctl remove Address_Set web addresses '"10.20.0.8"'`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			findings := Evaluate(c.port, []portsec.Era{portsec.E1}).Findings
			i := slices.IndexFunc(findings, func(f Finding) bool { return f.Rule.ID == c.rule })
			if i < 0 || findings[i].Fix != c.fix {
				t.Errorf("want %s with %q: %+v", c.rule, c.fix, findings)
			}
		})
	}
}
