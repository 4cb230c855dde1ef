package inventory

import (
	"fmt"
	"iter"
	"reflect"
	"slices"
	"strings"
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

	network networkEditor
	holders holderEditor
	grants  grants

	// The rest is for finding out what a change touches, which no snapshot needs.

	order     []*entry             // all entries, about in the order in which they came, and so in memory
	ports     map[PodKey][]string  // the names that the pod claims
	owned     sets[string, PodKey] // UID of a controller to its pods
	sharedBy  sets[string, PodKey] // namespaces to the exceptions that have their consent
	askers    map[PodKey]bool      // pods that ask for addresses of Vips
	bound     int                  // how many bindings there are
	vipPorts  map[string]string    // by Vip name, to the name of the port that Kube-OVN makes for it
	migrating map[PodKey]string    // migrations to their machines, by names in one namespace
}

// New returns an empty inventory.
func New() *Inventory {
	inv := &Inventory{
		State: State{
			network: network{setup: kubeovn.DefaultSetup()},
			holders: holders{occupied: newOccupied()},
		},
		changes:   &changes{new(persistent.Edit), make(map[Subject]bool)},
		grants:    newGrants(),
		ports:     make(map[PodKey][]string),
		askers:    make(map[PodKey]bool),
		migrating: make(map[PodKey]string),
		vipPorts:  make(map[string]string),
	}
	inv.network = networkEditor{&inv.State.network, inv.changes, make(map[string]string)}
	inv.holders = newHolderEditor(&inv.State.holders, inv.changes)
	return inv
}

// SetPod adds or replaces a pod and returns the names of the ports that this touches.
func (inv *Inventory) SetPod(p *Pod) []string {
	if !inv.setup.KeepVMIP && p.Owner != p.Name {
		own := *p
		own.Owner, p = p.Name, &own // the port is the pod's own, whatever machine it runs
	}
	touched := inv.DeletePod(p.PodKey)
	inv.setPod(p)
	for _, a := range p.networks() {
		inv.users.add(inv.edit, a, p.PodKey)
	}
	if p.Controller != nil {
		inv.owned.add(inv.edit, p.Controller.UID, p.PodKey)
	}
	if p.asksForVIPs() {
		inv.askers[p.PodKey] = true
	}
	inv.affectPod(p)
	return union(touched, inv.claim(p))
}

// DeletePod takes a pod out and returns the names of the ports that this touches.
func (inv *Inventory) DeletePod(key PodKey) []string {
	p := inv.pod(key)
	if p == nil {
		return nil
	}
	inv.affectPod(p)
	inv.dropPod(key)
	delete(inv.askers, key)
	for _, a := range p.networks() {
		inv.users.remove(inv.edit, a, key)
	}
	if p.Controller != nil {
		inv.owned.remove(inv.edit, p.Controller.UID, key)
	}
	return inv.unclaim(p)
}

// setPod enters a pod.
func (inv *Inventory) setPod(p *Pod) {
	pods := inv.pods.Get(p.Namespace)
	pods.Set(inv.edit, p.Name, p)
	inv.pods.Set(inv.edit, p.Namespace, pods)
}

// dropPod takes a pod out, and its namespace with it when it was the last there.
func (inv *Inventory) dropPod(key PodKey) {
	pods := inv.pods.Get(key.Namespace)
	if pods.Delete(inv.edit, key.Name); pods.Len() == 0 {
		inv.pods.Delete(inv.edit, key.Namespace)
		return
	}
	inv.pods.Set(inv.edit, key.Namespace, pods)
}

// SetNamespace adds or replaces a namespace and returns the names of the ports of its pods.
func (inv *Inventory) SetNamespace(ns policy.Namespace) []string {
	if before, ok := inv.namespaces.Find(ns.Name); ok && reflect.DeepEqual(before, ns) {
		return nil
	}
	another := inv.namespaces.Get(ns.Name).UID != ns.UID
	inv.namespaces.Set(inv.edit, ns.Name, ns)
	touched := inv.portsIn(ns.Name)
	if another {
		touched = union(touched, inv.portsSharedBy(ns.Name))
	}
	return touched
}

// DeleteNamespace takes a namespace out and returns the names of the ports of its pods.
func (inv *Inventory) DeleteNamespace(name string) []string {
	inv.namespaces.Delete(inv.edit, name)
	return union(inv.portsIn(name), inv.portsSharedBy(name))
}

// SetAttachment says what the attachment makes and returns the names of the ports of the pods that use it.
func (inv *Inventory) SetAttachment(a kubeovn.Attachment, kind kubeovn.AttachmentKind) []string {
	a.Interface = ""
	inv.network.setKind(a, kind)
	return inv.reclaim(inv.users.of(a))
}

// DeleteAttachment forgets an attachment and returns the names of the ports of the pods that use it.
func (inv *Inventory) DeleteAttachment(a kubeovn.Attachment) []string {
	a.Interface = ""
	inv.network.deleteKind(a)
	return inv.reclaim(inv.users.of(a))
}

// SetRow adds or replaces a row and returns its name, and those of ports on its switch with which it shares an address,
// or did.
func (inv *Inventory) SetRow(r *Row) []string {
	touched := append(inv.settleRow(inv.entry(r.Name).row, r), r.Name)
	inv.settleGroups(inv.entry(r.Name).row, r)
	touched = append(touched, inv.settleMarks(inv.entry(r.Name).row, r)...)
	inv.alter(r.Name, func(e *entry) { e.row = r })
	return distinct(touched)
}

// DeleteRow takes the row with this name and UUID out and returns its name, and those of ports that shared an address
// with it. A row that was made again under the name meanwhile has another UUID and stays.
func (inv *Inventory) DeleteRow(name, uuid string) []string {
	r := inv.entry(name).row
	if r == nil || r.UUID != uuid {
		return nil
	}
	inv.settleGroups(r, nil)
	touched := inv.settleMarks(r, nil)
	inv.alter(name, func(e *entry) { e.row = nil })
	return distinct(append(append(inv.settleRow(r, nil), name), touched...))
}

// EachName calls take with the name of every port that a pod claims or that OVN has, each once, in no order.
func (inv *Inventory) EachName(take func(name string)) {
	for _, e := range inv.order {
		if e.isPort() {
			take(e.name)
		}
	}
}

// Names returns the name of every port that a pod claims or that OVN has, sorted.
func (inv *State) Names() []string {
	names := make([]string, 0, inv.entries.Len())
	for name, e := range inv.entries.All() {
		if e.isPort() {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
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

// unreadPodOf says why not all ports of the pod are known whose name a row carries; "" where they are.
func (inv *State) unreadPodOf(r *Row) string {
	namespace, name, _ := strings.Cut(r.ExternalIDs[kubeovn.ExternalIDPod], "/")
	if p := inv.pod(PodKey{namespace, name}); p != nil {
		return p.Unread
	}
	return ""
}

func (inv *State) namespace(name string) policy.Namespace {
	if ns, ok := inv.namespaces.Find(name); ok {
		return ns
	}
	return policy.Namespace{Name: name, Err: fmt.Errorf("namespace %s has not been seen", name)}
}

// ended reports whether the pod no longer uses its port.
func (p *Pod) ended() bool { return p.Finished || p.Terminating }

// launches reports whether the pod runs the machine whose port it uses, of which some of these objects that own it is
// one.
func (p *Pod) launches(owners []policy.Owner) bool {
	return p.Owner != p.Name && slices.ContainsFunc(owners, func(o policy.Owner) bool {
		return o.Name == p.Owner && kubeovn.OwnsLauncher(o.APIVersion, o.Kind)
	})
}

// networks returns the attachments of the pod as keys for the maps: without interface.
func (p *Pod) networks() []kubeovn.Attachment {
	list := make([]kubeovn.Attachment, 0, len(p.Attachments)+1)
	if p.DefaultNetwork != nil {
		list = append(list, *p.DefaultNetwork)
	}
	list = append(list, p.Attachments...)
	for i := range list {
		list[i].Interface = ""
	}
	return list
}

// claim enters the pod's NICs and returns the names of their ports.
func (inv *Inventory) claim(p *Pod) []string {
	if p.HostNetwork {
		return nil
	}
	nics, asks := inv.nics(p), p.asksForVIPs()
	names := make([]string, 0, len(nics))
	for _, nic := range nics {
		inv.alter(kubeovn.PortName(p.Owner, p.Namespace, nic.Provider), func(e *entry) {
			e.enter(podNIC{NIC: nic, pod: p, asks: asks})
			names = append(names, e.name)
		})
	}
	inv.ports[p.PodKey] = names
	return inv.withDuplicatesOfVips(names)
}

// unclaim takes all claims of the pod out and returns the names of their ports.
func (inv *Inventory) unclaim(p *Pod) []string {
	names := inv.ports[p.PodKey]
	delete(inv.ports, p.PodKey)
	for _, name := range names {
		inv.alter(name, func(e *entry) { e.leave(p.PodKey) })
	}
	return inv.withDuplicatesOfVips(names)
}

// reclaim enters the claims of these pods anew, because what their attachments make has changed.
func (inv *Inventory) reclaim(keys iter.Seq[PodKey]) []string {
	var touched []string
	for key := range keys {
		p := inv.pod(key)
		touched = append(append(touched, inv.unclaim(p)...), inv.claim(p)...)
		inv.affectPod(p)
	}
	return union(touched, nil)
}

// portsOf returns the names of the ports that these pods claim.
func (inv *Inventory) portsOf(keys iter.Seq[PodKey]) []string {
	var names []string
	for key := range keys {
		names = append(names, inv.ports[key]...)
	}
	return distinct(names)
}

// portsIn returns the names of the ports that the pods of a namespace claim.
func (inv *Inventory) portsIn(namespace string) []string {
	var names []string
	for p := range inv.podsIn(namespace) {
		names = append(names, inv.ports[p.PodKey]...)
	}
	return distinct(names)
}
