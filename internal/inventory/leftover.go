package inventory

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// Kinds of owners for which Kube-OVN keeps a port while no pod runs, as IP resources name them (spec.podType).
const (
	KeeperStatefulSet    = "StatefulSet"
	KeeperVirtualMachine = "VirtualMachine"
)

// Ordinals are the numbers at the end of the names of a StatefulSet's pods: Count of them, from First on.
type Ordinals struct{ First, Count int }

// keeperKey names an owner for which ports are kept.
type keeperKey struct {
	kind string
	PodKey
}

// keeperOf returns the owner for which the IP resource keeps its port; ok is false where it keeps it for none. The name
// of a StatefulSet is that of its pod without the ordinal (checkIPOwnerExists in Kube-OVN's pkg/controller/gc.go).
func keeperOf(r *Record) (key keeperKey, ok bool) {
	if r == nil {
		return keeperKey{}, false
	}
	switch r.Keeper {
	case KeeperStatefulSet:
		i := strings.LastIndexByte(r.Of.Name, '-')
		if i < 0 {
			return keeperKey{}, false
		}
		return keeperKey{r.Keeper, PodKey{r.Of.Namespace, r.Of.Name[:i]}}, true
	case KeeperVirtualMachine:
		return keeperKey{r.Keeper, r.Of}, true
	}
	return keeperKey{}, false
}

// keeper is an owner that exists and for which ports are kept.
type keeper struct {
	uid string
	// ordinals are those of a StatefulSet; nil where they are not known.
	ordinals *Ordinals
}

// kindOfKeeper returns the kind of objects that a keeper is.
func kindOfKeeper(keeper string) Kind {
	if keeper == KeeperStatefulSet {
		return StatefulSets
	}
	return VirtualMachines
}

// abandoned says why no pod will use the port again that the IP resource keeps; "" where one may, or it is not known.
func (inv *State) abandoned(r *Record) string {
	key, ok := keeperOf(r)
	if !ok || len(inv.Unread(kindOfKeeper(key.kind))) > 0 {
		return ""
	}
	k, exists := inv.keepers.Find(key)
	switch {
	case !exists:
		return fmt.Sprintf("%s %s does not exist", key.kind, key.PodKey)
	case k.ordinals == nil:
		return ""
	}
	n, err := strconv.Atoi(r.Of.Name[len(key.Name)+1:])
	if err != nil || n >= k.ordinals.First && n < k.ordinals.First+k.ordinals.Count {
		return ""
	}
	return fmt.Sprintf("%s %s has %d replicas, and %s is not one of them", key.kind, key.PodKey, k.ordinals.Count,
		r.Of.Name)
}

// isRecordAlone reports whether an IP resource is all that is known under the name: no pod has such a NIC in OVN, and
// OVN has no such port.
func (e *entry) isRecordAlone() bool { return e.record != nil && e.row == nil && e.nic.pod == nil }

// mayBeLeftOver returns the names of the ports and IP resources that may be left over, as far as other kinds of objects
// decide it.
func (ed *portEditor) mayBeLeftOver() (names []string) {
	for _, of := range ed.dependents {
		names = slices.AppendSeq(names, maps.Keys(of))
	}
	return distinct(names)
}

// maybeOf returns the names of the IP resources without a port that are of the pod, or of the machine that it runs.
func (ed *portEditor) maybeOf(p *Pod) []string {
	names := ed.dependents.of(p.PodKey)
	if p.Owner == p.Name {
		return names
	}
	return append(names, ed.dependents.of(PodKey{p.Namespace, p.Owner})...)
}

// unused says why an IP resource is left over that is all that is known under its name; "" where it is not, or that is
// not known.
func (inv *State) unused(r *Record) string {
	switch {
	case r.Reserved, kubeovn.IsOfSomeSubnet(r.Name):
		return ""
	case r.Keeper != "":
		why := inv.abandoned(r)
		if why != "" && (len(inv.Unread(Pods)) > 0 || inv.runs(r)) {
			return "" // what owned the pod may be gone without it, and a machine need not have a VirtualMachine
		}
		return why
	case r.Of.Namespace == "":
		if len(inv.Unread(Nodes)) > 0 || r.Name != kubeovn.NodePortName(r.Of.Name) || inv.IsNode(r.Of.Name) {
			return ""
		}
		return "node " + r.Of.Name + " does not exist"
	case len(inv.Unread(Pods)) > 0, inv.runs(r):
		return ""
	}
	return fmt.Sprintf("pod %s does not exist", r.Of)
}

// runs reports whether there is the pod that an IP resource is of, or one that runs the machine: a NIC of its outside
// OVN may have the address.
func (ps *pods) runs(r *Record) bool {
	if r.Keeper != KeeperVirtualMachine {
		return ps.pod(r.Of) != nil
	}
	for p := range ps.podsIn(r.Of.Namespace) {
		if p.Owner == r.Of.Name {
			return true
		}
	}
	return false
}

// mayBeUnowned reports whether a row without a pod's NIC may be nobody's: it bears no vendor's mark, or is named as a
// node's is.
func (e *entry) mayBeUnowned() bool {
	return e.row != nil && e.nic.pod == nil && e.row.Type == "" && e.row.Switch != "" &&
		(e.row.ExternalIDs[kubeovn.ExternalIDVendor] == "" ||
			strings.HasPrefix(e.name, kubeovn.NodePortName("")) && e.row.ExternalIDs[kubeovn.ExternalIDPod] == "")
}

// unowned reports whether a row on a subnet of Kube-OVN's is neither a pod's nor a node's, a Vip's or an OvnEip's, and
// no IP resource has its name.
func (inv *State) unowned(e *entry) bool {
	if !e.mayBeUnowned() || e.isVip() || len(inv.Unread(Pods, Nodes, Vips, EIPs, Subnets, Records)) > 0 {
		return false
	}
	if _, ok := inv.subnets.Find(e.row.Switch); !ok {
		return false
	}
	// Only on the nodes' own subnet: elsewhere the port of an OvnEip has the name of its node, which may be node-1.
	if node, ok := strings.CutPrefix(e.name, kubeovn.NodePortName("")); ok && inv.OfNodes(e.row.Switch) {
		return !inv.IsNode(node)
	}
	if e.record != nil || e.row.ExternalIDs[kubeovn.ExternalIDVendor] != "" || kubeovn.IsOfSomeSubnet(e.name) {
		return false
	}
	// Namespaces may be let make Vips, under any name: one accounts only for a row on its own subnet.
	if v, ok := inv.vips.Find(kubeovn.VipOfPort(e.name)); ok && (v.Subnet == "" || v.Subnet == e.row.Switch) {
		return false
	}
	_, isEIP := inv.fixedBy.Find(Holder{HeldByEIP, e.name})
	return !isEIP
}
