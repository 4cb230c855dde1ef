package inventory

import (
	"fmt"
	"iter"
	"reflect"
	"slices"
	"time"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/persistent"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// Inventory is the join. Each change tells which ports it touched, so that only those are judged again. It is not safe
// for use by several goroutines at once; those that only read are given snapshots.
type Inventory struct {
	State
	*changes

	pods    podEditor
	ports   portEditor
	network networkEditor
	holders holderEditor
	grants  grants

	sharedBy sets[string, PodKey] // namespaces to the exceptions that have their consent
}

// New returns an empty inventory.
func New() *Inventory {
	inv := &Inventory{
		State: State{
			network: network{setup: kubeovn.DefaultSetup()},
			holders: holders{occupied: newOccupied()},
		},
		changes: &changes{new(persistent.Edit), make(map[Subject]bool)},
		grants:  newGrants(),
	}
	inv.pods = newPodEditor(&inv.State.pods, inv.changes)
	inv.ports = portEditor{ports: &inv.State.ports, changes: inv.changes, ofVip: make(map[string]string)}
	inv.network = networkEditor{&inv.State.network, inv.changes, make(map[string]string)}
	inv.holders = newHolderEditor(&inv.State.holders, inv.changes)
	return inv
}

// SetNamespace adds or replaces a namespace and returns the names of the ports of its pods.
func (inv *Inventory) SetNamespace(ns policy.Namespace) []string {
	if before, ok := inv.namespaces.Find(ns.Name); ok && reflect.DeepEqual(before, ns) {
		return nil
	}
	another := inv.namespaces.Get(ns.Name).UID != ns.UID
	inv.namespaces.Set(inv.edit, ns.Name, ns)
	touched := inv.pods.portsIn(ns.Name)
	if another {
		touched = union(touched, inv.portsSharedBy(ns.Name))
	}
	return touched
}

// DeleteNamespace takes a namespace out and returns the names of the ports of its pods.
func (inv *Inventory) DeleteNamespace(name string) []string {
	inv.namespaces.Delete(inv.edit, name)
	return union(inv.pods.portsIn(name), inv.portsSharedBy(name))
}

// Shares returns the pictures of all ports that a pod claims or that OVN has, as they are at that time, in so many
// parts of about the same size. Each part may be looked through by a goroutine of its own.
func (inv *State) Shares(parts int, now time.Time) []iter.Seq[Port] {
	all := make([]*entry, inv.entries.Len())
	for e := range inv.entries.Values() {
		all[e.at] = e
	}
	all = slices.DeleteFunc(all, func(e *entry) bool { return !e.isPort() })
	shares := make([]iter.Seq[Port], parts)
	for i := range shares {
		share := all[len(all)*i/parts : len(all)*(i+1)/parts]
		shares[i] = func(yield func(Port) bool) {
			for _, e := range share {
				if !yield(inv.port(e.name, e, now)) {
					return
				}
			}
		}
	}
	return shares
}

// Port returns the picture of one port as it is at that time. A name that nobody claims and OVN does not have gives a
// picture without pod and row.
func (inv *State) Port(name string, now time.Time) Port {
	return inv.port(name, inv.entry(name), now)
}

func (inv *State) port(name string, e *entry, now time.Time) Port {
	port := Port{
		MachinesDoubted: inv.doubtMachines,
		Name:            name,
		Record:          e.record,
		Row:             e.row,
		Vip:             e.isVip(),
		Binding:         e.binding,
		Contested:       e.contested(),
	}
	for c := range e.podNICs() {
		query := inv.query(inv.namespace(c.pod.Namespace), c.pod, c.Provider, c.asks, now)
		if !c.pod.ended() {
			port.Claims++
			if c.pod.launches(query.Pod.Owners) {
				port.Launchers++
			}
		}
		d := policy.Decide(query)
		if port.Pod == nil || d.Level < port.Decision.Level ||
			(d.Level == port.Decision.Level && d.Forwarding < port.Decision.Forwarding) {
			port.Pod, port.Provider, port.Decision, port.Owners = c.pod, c.Provider, d, query.Pod.Owners
			port.NICKnown, port.NICSpelling = c.Kind.OnOVN(), c.Spelling
		}
	}
	if port.Pod != nil {
		port.Passing = inv.passing(port.Pod, port.Provider, &port.Decision, port.Owners, now)
	}
	if port.Row != nil {
		port.Duplicates = inv.duplicates(e)
		port.GroupsKnown, port.Groups = inv.groupsKnown, inv.groupsOf(port.Row)
		if port.Pod == nil {
			port.Unread = inv.unreadPodOf(port.Row)
		}
		if port.Pod == nil && port.Row.Type == "" {
			port.Node = inv.nodeOf(port.Row)
		}
	}
	if port.Pod != nil && port.Pod.launches(port.Owners) {
		port.settleMigration(inv.migrationOf(PodKey{port.Pod.Namespace, port.Pod.Owner}), now)
	}
	port.Foreign = inv.othersAt(&port)
	if len(port.Decision.Pairs) > 0 {
		port.Overlaps = inv.overlaps(&port)
	}
	port.Chassis, port.Eras = inv.boundAt(port.Binding)
	port.KubeOVN = &inv.setup
	port.NotChecking = inv.notChecking()
	port.NoneMarked = inv.marked == 0
	return port
}

func (inv *State) namespace(name string) policy.Namespace {
	if ns, ok := inv.namespaces.Find(name); ok {
		return ns
	}
	return policy.Namespace{Name: name, Err: fmt.Errorf("namespace %s has not been seen", name)}
}
