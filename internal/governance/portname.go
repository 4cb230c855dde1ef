package governance

import (
	"strings"

	"github.com/ovnguard/ovnguard/internal/admission"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// portName refuses a name under which another thing than the object has its port, or will have it: Kube-OVN makes a
// port under the name of some of its resources, and deletes the port of that name with them, whosever it is. what is
// the object's kind; own tells of a row that there is whether it may be the object's, from before. Rows are known only
// where the Northbound database is followed.
func (g *Guard) portName(a *Answer, name, what string, own func(*inventory.Row) bool) error {
	if err := g.known(whoseThisIs, inventory.Subnets, inventory.Nodes); err != nil {
		return err
	}
	g.Look(func(inv *inventory.State) { a.portName(inv, name, what, own) })
	return nil
}

func (a *Answer) portName(inv *inventory.State, name, what string, own func(*inventory.Row) bool) {
	var whose any
	var fix string
	subnet, link := inv.NamesALink(name)
	switch row := inv.Row(name); {
	case strings.Contains(name, "."):
		whose, fix = "could be the name of a pod's port, which has the form \"pod.namespace\"", "choose a name without dots"
	case strings.HasPrefix(name, kubeovn.NodePortName("")), inv.IsNode(name):
		whose, fix = "is, or could be, the name of a node's port", "choose a name that is not a node's name and "+
			"does not begin with "+kubeovn.NodePortName(
			"",
		)
	case link && subnet != "":
		whose, fix = "is the name of the link between subnet "+subnet+" and its router", "choose another name"
	case link:
		whose, fix = "could be the name of the link between a subnet and router "+inv.Setup().Router, "choose a name "+
			"without "+inv.Setup().Router
	case row != nil && !own(row):
		whose, fix = admission.Private{
			Public: "is the name of another port",
			Whole:  "is the name of a port on switch " + row.Switch,
		}, "choose another name"
	default:
		return
	}
	a.Deny("metadata.name: %q %s, and deleting the %s would delete the port; %s", name, whose, what, fix)
}

// isVirtual reports whether the row may be that of a Vip which was there before under the name.
func isVirtual(r *inventory.Row) bool {
	return r.Type == "virtual" && r.ExternalIDs[kubeovn.ExternalIDVendor] == kubeovn.Vendor
}
