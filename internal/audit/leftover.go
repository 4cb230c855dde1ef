package audit

import (
	"fmt"
	"strings"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/portsec"
)

// Rules about what is left over. None of it is a pod's port, so that it is not counted.
var (
	abandonedPort = Rule{
		ID:       "OVG035",
		Name:     "abandoned-port",
		Severity: Low,
		Settle:   settle,
		Summary: "the port is kept for a StatefulSet or a machine that does not exist, or for a replica that the " +
			"StatefulSet no longer has; medium where the port is open",
	}
	unusedRecord = Rule{
		ID:       "OVG036",
		Name:     "unused-ip-resource",
		Severity: Low,
		Settle:   settle,
		Summary:  "the IP resource belongs to a pod, a machine or a node that does not exist, and OVN has no port for it",
	}
	unownedPort = Rule{
		ID:       "OVG037",
		Name:     "unowned-port",
		Severity: Medium,
		Settle:   settle,
		Summary: "a port on a subnet of Kube-OVN belongs to no pod, node, Vip or OvnEip; high where it may send from " +
			"anything",
	}
)

// beyondPods finds what is wrong with a port that is no pod's, or with an IP resource without a port.
func beyondPods(p *inventory.Port, eras []portsec.Era) []Finding {
	switch {
	case p.Abandoned != "" && p.Row.ExternalIDs[kubeovn.ExternalIDVendor] == kubeovn.Vendor:
		return []Finding{keptFinding(p, eras)}
	case p.Unused != "":
		return []Finding{unusedFinding(p)}
	case p.Unowned:
		return []Finding{unownedFinding(p, eras)}
	}
	return ofNode(p)
}

// keptFinding says that a port is kept for nobody.
func keptFinding(p *inventory.Port, eras []portsec.Era) Finding {
	f := beyondFinding(abandonedPort, p)
	if p.Record.Reserved {
		f.Message = fmt.Sprintf("is kept while no pod runs, but %s; its IP resource reserves %s, and can stay without "+
			"the port", p.Abandoned, recordText(p.Record))
		f.Fix = command("ovn-nbctl", "lsp-del", nameForNbctl(p))
	} else {
		f.Message = fmt.Sprintf(
			"is kept while no pod runs, but %s; deleting the IP resource makes Kube-OVN delete the port "+
				"and frees %s",
			p.Abandoned,
			recordText(p.Record),
		)
		f.Fix = freeRecord(p.Record)
	}
	if mayBeOpen(p, eras) {
		f.Rule.Severity = Medium
		f.Message += "; its port_security lets whoever binds it send from anything"
	}
	return f
}

// unusedFinding says that an IP resource is left over.
func unusedFinding(p *inventory.Port) Finding {
	f := beyondFinding(unusedRecord, p)
	f.Message = fmt.Sprintf("its IP resource is left over: %s, and OVN has no such port; deleting it frees %s",
		p.Unused, recordText(p.Record))
	f.Fix = freeRecord(p.Record)
	return f
}

// unownedFinding says that a port on a subnet of Kube-OVN's is nobody's. There is no command where something is plugged
// into the port, or that is not known, as without the Southbound database.
func unownedFinding(p *inventory.Port, eras []portsec.Era) Finding {
	f := beyondFinding(unownedPort, p)
	f.Message = fmt.Sprintf("is on subnet %s and belongs to no pod, node, Vip or OvnEip; its addresses are %s",
		p.Row.Switch, quoted(p.Row.Addresses))
	if mayBeOpen(p, eras) && !p.Row.Disabled {
		f.Rule.Severity = High
		f.Message += "; it may send from any MAC and any address"
	}
	if len(p.Chassis) > 0 {
		names := make([]string, len(p.Chassis))
		for i, c := range p.Chassis {
			names[i] = c.Name
		}
		f.Evidence.Chassis = names
		f.Message += fmt.Sprintf("; something uses it on %s: find out what (ovs-vsctl find Interface "+
			"external_ids:iface-id=%s) before you delete it", strings.Join(names, " and "), p.Name)
		return f
	}
	if p.Binding == nil || len(p.Binding.Chassis) > 0 {
		f.Message += fmt.Sprintf("; find out whether something uses it (%s) before you delete it",
			command("ovn-nbctl", "lsp-get-up", nameForNbctl(p)))
		return f
	}
	f.Message += "; delete it, unless somebody is about to use it"
	f.Fix = command("ovn-nbctl", "lsp-del", nameForNbctl(p))
	return f
}

// beyondFinding returns a finding about a port or an IP resource that is no pod's.
func beyondFinding(rule Rule, p *inventory.Port) Finding {
	f := Finding{Rule: rule, Port: p.Name, Evidence: Evidence{Class: ClassOf(p)}}
	if p.Row != nil {
		f.Evidence.Switch, f.Evidence.PortSecurity, f.Evidence.Addresses = p.Row.Switch, p.Row.PortSecurity, p.Row.Addresses
	}
	if p.Record != nil {
		f.Namespace = p.Record.Of.Namespace
		f.Evidence.Identity, f.Evidence.IdentityFrom = recordText(p.Record), fromRecord
	}
	return f
}

// mayBeOpen reports whether some era that may enforce lets the row send from anything.
func mayBeOpen(p *inventory.Port, eras []portsec.Era) bool {
	for _, r := range portsec.Assess(eras, p.Row.Type, p.Row.PortSecurity, portsec.Set{}).Readings {
		if r.Open() {
			return true
		}
	}
	return false
}

// recordText returns the MAC and the addresses of an IP resource as they are written there.
func recordText(r *inventory.Record) string {
	return strings.TrimSpace(r.MAC + " " + strings.Join(r.IPs, " "))
}

// freeRecord returns the command that deletes an IP resource, on which Kube-OVN deletes the port and frees the
// addresses (handleUpdateIP in Kube-OVN's pkg/controller/ip.go, 1.12.9 and later).
func freeRecord(r *inventory.Record) string {
	return command("kubectl", "delete", "ips.kubeovn.io", r.Name)
}
