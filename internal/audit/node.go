package audit

import (
	"fmt"
	"strings"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// ofNode finds that the row of a node's port, or what Kube-OVN noted on the node, has another MAC or other addresses
// than the IP resource of the node: what pods send to the node is lost then. Nothing else is asked of the port, and it
// is not counted. The interface of the node has what is noted on the node, so that there is a command where the IP
// resource says the same.
func ofNode(p *inventory.Port) []Finding {
	node := nodeNamed(p)
	if node == "" || p.Row.Disabled {
		return nil
	}
	identity, err := parseIdentity(p.Record.MAC, p.Record.IPs)
	if err != nil {
		return nil
	}
	said, err := parseIdentity(p.Noted.MAC, splitList(p.Noted.IPs))
	noted := p.Noted.MAC != "" && err == nil
	agrees := noted && said.MAC == identity.MAC && sameAddresses(said.IPs, identity.IPs)
	own := holdsOnly(p.Row.Addresses, identity)
	if own && (!noted || agrees) {
		return nil
	}
	text := identityText(identity)
	f := beyondFinding(identityMismatch.rule, p)
	f.Evidence.Identity, f.Evidence.Others = text, []string{node}
	f.Message = fmt.Sprintf(
		"addresses is %s, but the %s of node %s says %s",
		quoted(p.Row.Addresses),
		fromRecord,
		node,
		text,
	)
	switch {
	case agrees:
		f.Message += ", and so do the node's annotations, from which Kube-OVN's daemon sets up ovn0: traffic between the " +
			"node and pods is lost"
		f.Fix = command("ovn-nbctl", "lsp-set-addresses", nameForNbctl(p), text)
	case own:
		f.Message = fmt.Sprintf(
			"the annotations of node %s say %s, but addresses and the %s say %s: Kube-OVN's daemon "+
				"sets up ovn0 from the annotations, and traffic between the node and pods is lost once it has. Look on the "+
				"node which one it has (ip address show dev ovn0) before you change the other",
			node,
			identityText(said),
			fromRecord,
			text,
		)
	default:
		f.Message += fmt.Sprintf(
			": if the node uses the other one, traffic between the node and pods is lost. Look on "+
				"the node which one it has (ip address show dev ovn0); if it is the one of the %s, set the port's addresses to %q",
			fromRecord,
			text,
		)
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
