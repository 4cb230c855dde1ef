package audit

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/portsec"
)

// group is a security group as OVN has it, with an address set for each family.
func group(name string, holds ...string) inventory.Group {
	return inventory.Group{
		Name:      name,
		PortGroup: &inventory.PortGroup{UUID: name + "-uuid", Name: "ovn.sg." + name, Group: name},
		Sets: []*inventory.AddressSet{
			{Name: "ovn.sg." + name + ".associated.v4", Group: name, Addresses: holds},
			{Name: "ovn.sg." + name + ".associated.v6", Group: name},
		},
	}
}

// TestWhereAPortIs covers what a port is on and in: its switch, its security groups, and addresses that it was granted.
func TestWhereAPortIs(t *testing.T) {
	placed := func(p inventory.Placement) func(*inventory.Port) {
		return func(port *inventory.Port) { port.Placement = &p }
	}
	in := func(m inventory.Membership) func(*inventory.Port) {
		return func(port *inventory.Port) { port.GroupsKnown, port.Membership = true, &m }
	}
	denyAll := group("kubeovn_deny_all")
	for name, c := range map[string]struct {
		port     inventory.Port
		rule     string
		severity Severity
		says     string
		fix      string
	}{
		"another switch than the IP resource says": {
			port(placed(inventory.Placement{Switch: "blue", From: fromRecord, Fits: true})),
			"OVG033", Medium, "is on switch ovn-default, but the IP resource says blue",
			`ovn-nbctl remove logical_switch ovn-default ports r -- add logical_switch blue ports r -- ` +
				`set logical_switch_port r 'external_ids:ls="blue"'`,
		},
		"a switch of another VPC": {
			port(placed(inventory.Placement{Switch: "blue", From: fromRecord, Foreign: "in another VPC, red"})),
			"OVG033", High, "switch ovn-default is in another VPC, red", "",
		},
		"another switch than the IP resource alone says": {
			port(placed(inventory.Placement{Switch: "blue", From: fromRecord})),
			"OVG033", Medium, "find out which one the pod uses", "",
		},
		"only the annotation differs": {
			port(placed(inventory.Placement{Switch: "blue", From: "ovn.kubernetes.io/logical_switch", Fits: true})),
			"OVG033", Medium, "as the IP resource says, but annotation ovn.kubernetes.io/logical_switch of its pod says blue",
			"kubectl annotate pod -n ns p --overwrite --as=system:serviceaccount:kube-system:ovn " +
				"ovn.kubernetes.io/logical_switch=ovn-default",
		},
		"the annotation differs, and there is no IP resource": {
			port(noRecord, annotate("ovn.kubernetes.io/mac_address", mac), annotate("ovn.kubernetes.io/ip_address", "10.16.0.5"),
				placed(inventory.Placement{Switch: "blue", From: "ovn.kubernetes.io/logical_switch"})),
			"OVG033", Medium, "there is no IP resource", "",
		},
		"missing in a group": {
			port(in(inventory.Membership{Missing: []inventory.Group{group("web")}, DenyAll: denyAll, Named: []string{"web"}})),
			"OVG034", Medium, "its pod names security group web, but the port is not in it",
			`ovn-nbctl add port_group web-uuid ports r -- ` +
				`add address_set ovn.sg.web.associated.v4 addresses '"10.16.0.5"' -- ` +
				`set logical_switch_port r external_ids:associated_sg_web=true 'external_ids:security_groups="web"'`,
		},
		"a name that has to be quoted": {
			port(in(inventory.Membership{
				Missing: []inventory.Group{group("web", "10.16.0.5")}, DenyAll: denyAll, Named: []string{"web", `a"\b`},
			})),
			"OVG034", Medium, "its pod names security group web, but the port is not in it",
			`ovn-nbctl add port_group web-uuid ports r -- ` +
				`set logical_switch_port r external_ids:associated_sg_web=true 'external_ids:security_groups="web/a\"\\b"'`,
		},
		"left in a group": {
			port(in(inventory.Membership{Left: []inventory.Group{group("web", "10.16.0.5")}, DenyAll: denyAll, Denied: true})),
			"OVG034", Medium, "is in security group web, but its pod does not name it; is in port group " +
				"ovn.sg.kubeovn_deny_all, which drops everything",
			`ovn-nbctl remove port_group web-uuid ports r -- ` +
				`remove address_set ovn.sg.web.associated.v4 addresses '"10.16.0.5"' -- ` +
				`remove port_group kubeovn_deny_all-uuid ports r -- ` +
				`set logical_switch_port r external_ids:associated_sg_web=false`,
		},
		"not filtered": {
			port(grouped("web"), in(inventory.Membership{Unfiltered: true, DenyAll: denyAll, Named: []string{"web"}})),
			"OVG034", High, "what no rule of its groups lets pass is not dropped",
			"ovn-nbctl add port_group kubeovn_deny_all-uuid ports r",
		},
		"a granted address that is not reserved": {
			port(portSecurity(own+" 10.16.0.100"), func(p *inventory.Port) {
				granted(policy.Extended, policy.Forbid, "10.16.0.100/32")(p)
				p.Unreserved = []inventory.Held{{
					Address: netip.MustParseAddr("10.16.0.100"),
					Holder:  inventory.Holder{Kind: inventory.HeldBySubnet, Name: "ovn-default"},
				}}
			}),
			"OVG038", Low, "may give it to another pod on subnet ovn-default",
			`kubectl patch subnets.kubeovn.io ovn-default --type=json -p ` +
				`'[{"op":"add","path":"/spec/excludeIps/-","value":"10.16.0.100"}]'`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			checkOnly(t, Evaluate(c.port, []portsec.Era{portsec.E3}), Violation, c.rule, c.severity, c.says, c.fix)
		})
	}
}

// TestLeftovers covers what no pod has any more: none of it is counted, and each finding says how it goes.
func TestLeftovers(t *testing.T) {
	kept := func(p *inventory.Port) {
		p.Pod, p.Record.Keeper = nil, "StatefulSet"
		p.Abandoned = "StatefulSet ns/p does not exist"
	}
	unowned := func(p *inventory.Port) {
		p.Pod, p.Record, p.Unowned, p.Row.ExternalIDs = nil, nil, true, nil
		p.Binding = &inventory.Binding{Port: p.Name}
	}
	for name, c := range map[string]struct {
		port     inventory.Port
		rule     string
		severity Severity
		says     string
		fix      string
	}{
		"kept for a StatefulSet that is gone": {
			port(kept), "OVG035", Low, "StatefulSet ns/p does not exist; deleting the IP resource makes Kube-OVN delete the " +
				"port and frees " + own, "kubectl delete ips.kubeovn.io p.ns",
		},
		"kept, and open": {
			port(kept, portSecurity()), "OVG035", Medium, "lets whoever binds it send from anything",
			"kubectl delete ips.kubeovn.io p.ns",
		},
		"kept, with a reserved address": {
			port(kept, func(p *inventory.Port) { p.Record.Reserved = true }), "OVG035", Low, "can stay without the port",
			"ovn-nbctl lsp-del p.ns",
		},
		"kept for one that there is": {
			port(kept, func(p *inventory.Port) { p.Abandoned = "" }), "", "", "", "",
		},
		"an IP resource alone": {
			port(func(p *inventory.Port) { p.Pod, p.Row, p.Unused = nil, nil, "pod ns/p does not exist" }),
			"OVG036", Low, "pod ns/p does not exist, and OVN has no such port; deleting it frees " + own,
			"kubectl delete ips.kubeovn.io p.ns",
		},
		"nobody's": {
			port(unowned), "OVG037", Medium, "is on subnet ovn-default and belongs to no pod", "ovn-nbctl lsp-del p.ns",
		},
		"nobody's, and open": {
			port(unowned, portSecurity()), "OVG037", High, "may send from any MAC and any address", "ovn-nbctl lsp-del p.ns",
		},
		"nobody's, open and disabled": {
			port(unowned, portSecurity(), func(p *inventory.Port) { p.Row.Disabled = true }),
			"OVG037", Medium, "belongs to no pod", "ovn-nbctl lsp-del p.ns",
		},
		"nobody's, and something uses it": {
			port(unowned, bound(nil)), "OVG037", Medium, "something uses it on node1", "",
		},
		"nobody's, and the Southbound database is not known": {
			port(unowned, func(p *inventory.Port) { p.Binding = nil }), "OVG037", Medium, "ovn-nbctl lsp-get-up p.ns", "",
		},
		"nobody's, on a node that is not known": {
			port(unowned, func(p *inventory.Port) { p.Binding.Chassis = []string{"c"} }), "OVG037", Medium,
			"find out whether something uses it", "",
		},
		"without its pod, with its IP resource": {
			port(noPod), "OVG006", Medium, "deleting that makes Kube-OVN delete the port and frees " + own,
			"kubectl delete ips.kubeovn.io p.ns",
		},
		"without its pod, with a reserved address": {
			port(noPod, func(p *inventory.Port) { p.Record.Reserved = true }), "OVG006", Medium, "names pod ns/p",
			"ovn-nbctl lsp-del p.ns",
		},
	} {
		t.Run(name, func(t *testing.T) {
			result := Evaluate(c.port, []portsec.Era{portsec.E3})
			state := OutOfScope
			if c.rule == "OVG006" {
				state = Violation
			}
			checkOnly(t, result, state, c.rule, c.severity, c.says, c.fix)
		})
	}
}

// TestNodePort covers the port of a node, its IP resource and what Kube-OVN noted on the node.
func TestNodePort(t *testing.T) {
	node := func(row, noted string) inventory.Port {
		return port(func(p *inventory.Port) {
			p.Name, p.Pod = "node-n1", nil
			p.Row.Name, p.Row.Addresses, p.Row.PortSecurity = p.Name, []string{row}, nil
			p.Row.ExternalIDs = map[string]string{"vendor": "kube-ovn"}
			p.Record = &inventory.Record{
				Name: p.Name, MAC: mac, IPs: []string{"10.16.0.5"}, Of: inventory.PodKey{Name: "n1"},
			}
			m, ips, _ := strings.Cut(noted, " ")
			p.Noted = inventory.NodeIdentity{Node: "n1", MAC: m, IPs: ips}
		})
	}
	other := "0a:00:00:00:00:09 10.16.0.9"
	for name, c := range map[string]struct {
		port            inventory.Port
		rule, says, fix string
	}{
		"all agree":        {node(own, own), "", "", ""},
		"nothing is noted": {node(own, ""), "", "", ""},
		"the row differs": {
			node(other, own), "OVG010", "sets up ovn0", "ovn-nbctl lsp-set-addresses node-n1 '" + own + "'",
		},
		"the row differs, none noted":  {node(other, ""), "OVG010", "Look on the node", ""},
		"the IP resource differs":      {node(other, other), "OVG010", "Look on the node", ""},
		"only what is noted differs":   {node(own, other), "OVG010", "the annotations of node n1 say " + other, ""},
		"what is noted cannot be read": {node(own, "x y"), "", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			checkOnly(t, Evaluate(c.port, nil), OutOfScope, c.rule, High, c.says, c.fix)
		})
	}
}

// checkOnly makes sure that a result has one finding, or none where the rule is "".
func checkOnly(t *testing.T, got Result, state State, rule string, severity Severity, says, fix string) {
	t.Helper()
	if got.State != state && (rule != "" || got.State != Compliant) {
		t.Errorf("state %s, want %s", got.State, state)
	}
	if rule == "" {
		if len(got.Findings) > 0 {
			t.Errorf("found %+v, want nothing", got.Findings)
		}
		return
	}
	if len(got.Findings) != 1 {
		t.Fatalf("%d findings, want one of %s: %+v", len(got.Findings), rule, got.Findings)
	}
	f := got.Findings[0]
	if f.Rule.ID != rule || f.Rule.Severity != severity || !strings.Contains(f.Message, says) || f.Fix != fix {
		t.Errorf("got %s %s %q\nfix %q\nwant %s %s %q\nfix %q",
			f.Rule.ID, f.Rule.Severity, f.Message, f.Fix, rule, severity, says, fix)
	}
	usual := slices.IndexFunc(Rules(), func(r Rule) bool { return r.ID == rule })
	if f.Rule.Severity.Rank() > Rules()[usual].Severity.Rank() {
		t.Errorf("%s is less severe than its rule", f.Rule.Severity)
	}
}
