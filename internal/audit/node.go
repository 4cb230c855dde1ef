package audit

import (
	"fmt"
	"strings"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// ofNode finds that the row of a node's port has other addresses than the IP resource of the node: what pods send to
// the node is lost then. Nothing is asked of the port beside that, and it is not counted. There is no command: which of
// them the node's own interface has is not in what is read.
func ofNode(p *inventory.Port) []Finding {
	node := nodeNamed(p)
	if node == "" || p.Row.Disabled {
		return nil
	}
	identity, err := parseIdentity(p.Record.MAC, p.Record.IPs)
	if err != nil || holdsOnly(p.Row.Addresses, identity) {
		return nil
	}
	text := identityText(identity)
	f := Finding{
		Rule: identityMismatch.rule,
		Port: p.Name,
		Message: fmt.Sprintf(
			"addresses is %s, but the %s of node %s says %s: if the node uses the other one, traffic between "+
				"the node and pods is lost. Look on the node which one it has (ip address show dev ovn0); if it is "+
				"the one of the %s, set the port's addresses to %q",
			quoted(p.Row.Addresses),
			fromRecord,
			node,
			text,
			fromRecord,
			text,
		),
	}
	f.Evidence = Evidence{
		Switch: p.Row.Switch, PortSecurity: p.Row.PortSecurity, Addresses: p.Row.Addresses,
		Identity: text, IdentityFrom: fromRecord, Class: ClassNode, Others: []string{node},
	}
	return []Finding{f}
}

// nodePrefix is what Kube-OVN writes before a node's name to name its port.
const nodePrefix = "node-"

// nodeNamed returns the node whose port it is by its name and its IP resource, which tenants cannot write; "" where it
// is none.
func nodeNamed(p *inventory.Port) string {
	name, ok := strings.CutPrefix(p.Name, nodePrefix)
	if !ok || p.Row == nil || p.Row.Type != "" || p.Record == nil || p.Record.Of != (inventory.PodKey{Name: name}) {
		return ""
	}
	if ids := p.Row.ExternalIDs; ids[kubeovn.ExternalIDVendor] != kubeovn.Vendor || ids[kubeovn.ExternalIDPod] != "" {
		return ""
	}
	return name
}
