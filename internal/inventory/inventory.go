package inventory

import (
	"fmt"
	"iter"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// Inventory is the join. Each change tells which ports it touched, so that only those are judged again. It is not safe
// for use by several goroutines at once.
type Inventory struct {
	pods        map[PodKey]*Pod
	byNamespace map[string]map[PodKey]bool
	namespaces  map[string]policy.Namespace
	kinds       map[kubeovn.Attachment]kubeovn.AttachmentKind // key without interface
	users       map[kubeovn.Attachment]map[PodKey]bool
	ports       map[PodKey][]string        // the names that the pod claims
	slots       map[string]*slot           // by port name
	order       []*slot                    // the same, about in the order in which they came, and so in memory
	vips        map[string]Vip             // by Vip name
	vipsOf      map[string]map[string]bool // namespace to names of its Vips

	policies   []policy.Policy
	exceptions map[string][]policy.Exception // by namespace
	owners     map[string]owner              // by UID
	owned      map[string]map[PodKey]bool    // UID of a controller to its pods

	byAddress sharing[netip.Addr] // to names of records
	byMAC     sharing[string]     // in small letters, to names of records
	fixed     map[netip.Addr]map[Holder]bool
	fixedBy   map[Holder][]netip.Addr
	// fixedMACs and fixedMACsBy are the same for MACs, of which there are some for each subnet.
	fixedMACs   map[string]map[Holder]bool // by MAC in small letters with colons
	fixedMACsBy map[Holder][]string
	routerPorts map[string]RouterPort // by name
	subnets     map[string]Subnet
	pools       map[string]Pool
	vpcs        map[string]VPC
	askers      map[PodKey]bool // pods that ask for addresses of Vips

	at        sharing[place]                   // which rows are at a place
	grants    map[netip.Prefix]map[string]bool // to the names of the ports that are granted it
	grantBits map[int]int                      // lengths of these prefixes, with how many there are
	granted   map[string][]netip.Prefix        // by port name
	chassis   map[string]*chassis              // by UUID
	bound     int                              // how many bindings there are
	version   string                           // of ovn-northd

	six     map[string]int // by UUID of a chassis, to how many ports with IPv6 addresses are bound there
	stirred map[Thing]bool // since Stirred was asked last
	unread  map[Kind]bool

	doubtMachines bool
	groupsKnown   bool
	portGroups    map[string]*PortGroup    // by UUID
	addressSets   map[string]*AddressSet   // by UUID
	setsOf        map[string][]*AddressSet // by security group
	members       map[string][]string      // UUIDs of rows to the security groups that they are in
	grouped       map[string]string        // UUIDs of rows that are or may be in security groups, to their names
}

// New gives an empty inventory.
func New() *Inventory {
	return &Inventory{
		pods:        make(map[PodKey]*Pod),
		byNamespace: make(map[string]map[PodKey]bool),
		namespaces:  make(map[string]policy.Namespace),
		kinds:       make(map[kubeovn.Attachment]kubeovn.AttachmentKind),
		users:       make(map[kubeovn.Attachment]map[PodKey]bool),
		ports:       make(map[PodKey][]string),
		slots:       make(map[string]*slot),
		vips:        make(map[string]Vip),
		vipsOf:      make(map[string]map[string]bool),
		exceptions:  make(map[string][]policy.Exception),
		owners:      make(map[string]owner),
		owned:       make(map[string]map[PodKey]bool),
		byAddress:   newSharing[netip.Addr](),
		byMAC:       newSharing[string](),
		fixed:       make(map[netip.Addr]map[Holder]bool),
		fixedBy:     make(map[Holder][]netip.Addr),
		fixedMACs:   make(map[string]map[Holder]bool),
		fixedMACsBy: make(map[Holder][]string),
		routerPorts: make(map[string]RouterPort),
		subnets:     make(map[string]Subnet),
		pools:       make(map[string]Pool),
		vpcs:        make(map[string]VPC),
		askers:      make(map[PodKey]bool),
		at:          newSharing[place](),
		grants:      make(map[netip.Prefix]map[string]bool),
		grantBits:   make(map[int]int),
		granted:     make(map[string][]netip.Prefix),
		chassis:     make(map[string]*chassis),
		six:         make(map[string]int),
		stirred:     make(map[Thing]bool),
		unread:      make(map[Kind]bool),
		portGroups:  make(map[string]*PortGroup),
		addressSets: make(map[string]*AddressSet),
		setsOf:      make(map[string][]*AddressSet),
		members:     make(map[string][]string),
		grouped:     make(map[string]string),
	}
}

// SetPod adds or replaces a pod and gives the names of the ports that this touches.
func (inv *Inventory) SetPod(p *Pod) []string {
	touched := inv.DeletePod(p.PodKey)
	inv.pods[p.PodKey] = p
	add(inv.byNamespace, p.Namespace, p.PodKey)
	for _, a := range p.networks() {
		add(inv.users, a, p.PodKey)
	}
	if p.Controller != nil {
		add(inv.owned, p.Controller.UID, p.PodKey)
	}
	if p.asksForVIPs() {
		inv.askers[p.PodKey] = true
	}
	inv.stirPod(p)
	return union(touched, inv.claim(p))
}

// DeletePod takes a pod out and gives the names of the ports that this touches.
func (inv *Inventory) DeletePod(key PodKey) []string {
	p, ok := inv.pods[key]
	if !ok {
		return nil
	}
	inv.stirPod(p)
	delete(inv.pods, key)
	delete(inv.askers, key)
	remove(inv.byNamespace, key.Namespace, key)
	for _, a := range p.networks() {
		remove(inv.users, a, key)
	}
	if p.Controller != nil {
		remove(inv.owned, p.Controller.UID, key)
	}
	return inv.unclaim(p)
}

// SetNamespace adds or replaces a namespace and gives the names of the ports of its pods.
func (inv *Inventory) SetNamespace(ns policy.Namespace) []string {
	if before, ok := inv.namespaces[ns.Name]; ok && reflect.DeepEqual(before, ns) {
		return nil
	}
	inv.namespaces[ns.Name] = ns
	return inv.portsOf(inv.byNamespace[ns.Name])
}

// DeleteNamespace takes a namespace out and gives the names of the ports of its pods.
func (inv *Inventory) DeleteNamespace(name string) []string {
	delete(inv.namespaces, name)
	return inv.portsOf(inv.byNamespace[name])
}

// SetAttachment says what the attachment makes and gives the names of the ports of the pods that use it.
func (inv *Inventory) SetAttachment(a kubeovn.Attachment, kind kubeovn.AttachmentKind) []string {
	a.Interface = ""
	inv.kinds[a] = kind
	return inv.reclaim(inv.users[a])
}

// DeleteAttachment forgets an attachment and gives the names of the ports of the pods that use it.
func (inv *Inventory) DeleteAttachment(a kubeovn.Attachment) []string {
	a.Interface = ""
	delete(inv.kinds, a)
	return inv.reclaim(inv.users[a])
}

// SetRecord adds or replaces an IP resource and gives the port's name, and those of ports that are granted its addresses.
func (inv *Inventory) SetRecord(r *Record) []string {
	touched := inv.DeleteRecord(r.Name)
	inv.edit(r.Name, func(s *slot) { s.record = r })
	inv.stirGroups(inv.slot(r.Name).row)
	for _, ip := range r.IPs {
		if a, err := netip.ParseAddr(ip); err == nil {
			inv.byAddress.add(a.Unmap(), r.Name)
			touched = append(touched, inv.grantees(a.Unmap())...)
		}
	}
	if r.MAC != "" {
		inv.byMAC.add(strings.ToLower(r.MAC), r.Name)
	}
	return distinct(touched)
}

// DeleteRecord takes an IP resource out and gives the port's name, and those of ports that are granted its addresses.
func (inv *Inventory) DeleteRecord(name string) []string {
	touched := []string{name}
	r := inv.slot(name).record
	if r == nil {
		return touched
	}
	for _, ip := range r.IPs {
		if a, err := netip.ParseAddr(ip); err == nil {
			inv.byAddress.remove(a.Unmap(), name)
			touched = append(touched, inv.grantees(a.Unmap())...)
		}
	}
	inv.byMAC.remove(strings.ToLower(r.MAC), name)
	inv.edit(name, func(s *slot) { s.record = nil })
	inv.stirGroups(inv.slot(name).row)
	return touched
}

// SetVip adds or replaces a Vip and gives the names of the rows that it may account for, and of the ports that may share it.
func (inv *Inventory) SetVip(v Vip) []string {
	touched := inv.DeleteVip(v.Name)
	inv.vips[v.Name] = v
	add(inv.vipsOf, v.Namespace, v.Name)
	inv.SetFixed(Fixed{Holder: Holder{HeldByVip, v.Name}, Addresses: v.Addresses, MACs: []string{v.MAC}})
	name := kubeovn.PortName(v.Name, v.Namespace, kubeovn.DefaultProvider)
	inv.edit(name, func(s *slot) { s.uncommon().vips = append(s.uncommon().vips, v.Name) })
	return union(union(touched, inv.sharers(v.Namespace)), inv.besides(name))
}

// sharers gives the names of the ports of pods that ask for addresses of Vips.
func (inv *Inventory) sharers(namespace string) []string {
	var names []string
	for key := range inv.askers {
		if key.Namespace == namespace {
			names = append(names, inv.ports[key]...)
		}
	}
	return names
}

// DeleteVip takes a Vip out and gives the names of the ports that this touches.
func (inv *Inventory) DeleteVip(vip string) []string {
	v, ok := inv.vips[vip]
	if !ok {
		return nil
	}
	delete(inv.vips, vip)
	name := kubeovn.PortName(v.Name, v.Namespace, kubeovn.DefaultProvider)
	inv.edit(name, func(s *slot) {
		s.uncommon().vips = slices.DeleteFunc(s.uncommon().vips, func(o string) bool { return o == vip })
	})
	remove(inv.vipsOf, v.Namespace, vip)
	inv.DeleteFixed(Holder{HeldByVip, vip})
	return append(inv.sharers(v.Namespace), inv.besides(name)...)
}

// SetRow adds or replaces a row and gives its name, and those of ports on its switch with which it shares an address, or did.
func (inv *Inventory) SetRow(r *Row) []string {
	touched := append(inv.settleRow(inv.slot(r.Name).row, r), r.Name)
	inv.settleGroups(inv.slot(r.Name).row, r)
	inv.edit(r.Name, func(s *slot) { s.row = r })
	return distinct(touched)
}

// DeleteRow takes the row with this name and UUID out and gives its name, and those of ports that shared an address with it. A
// row that was made again under the name meanwhile has another UUID and stays.
func (inv *Inventory) DeleteRow(name, uuid string) []string {
	r := inv.slot(name).row
	if r == nil || r.UUID != uuid {
		return nil
	}
	inv.settleGroups(r, nil)
	inv.edit(name, func(s *slot) { s.row = nil })
	return distinct(append(inv.settleRow(r, nil), name))
}

// EachName calls take with the name of every port that a pod claims or that OVN has, each once, in no order.
func (inv *Inventory) EachName(take func(name string)) {
	for _, s := range inv.order {
		if s.row != nil || s.claim.pod != nil {
			take(s.name)
		}
	}
}

// Names gives the name of every port that a pod claims or that OVN has, sorted.
func (inv *Inventory) Names() []string {
	names := make([]string, 0, len(inv.slots))
	inv.EachName(func(name string) { names = append(names, name) })
	slices.Sort(names)
	return names
}

// Shares gives the pictures of all ports that a pod claims or that OVN has, as they are at that time, in so many parts of about the
// same size. Each part may be looked through by a goroutine of its own while nothing is changed.
func (inv *Inventory) Shares(parts int, now time.Time) []iter.Seq[Port] {
	all := make([]*slot, 0, len(inv.order))
	for _, s := range inv.order {
		if s.row != nil || s.claim.pod != nil {
			all = append(all, s)
		}
	}
	shares := make([]iter.Seq[Port], parts)
	for i := range shares {
		share := all[len(all)*i/parts : len(all)*(i+1)/parts]
		shares[i] = func(yield func(Port) bool) {
			for _, s := range share {
				if !yield(inv.port(s.name, s, now)) {
					return
				}
			}
		}
	}
	return shares
}

// Port gives the picture of one port as it is at that time. A name that nobody claims and OVN does not have gives a picture
// without pod and row.
func (inv *Inventory) Port(name string, now time.Time) Port {
	return inv.port(name, inv.slot(name), now)
}

func (inv *Inventory) port(name string, s *slot, now time.Time) Port {
	port := Port{MachinesDoubted: inv.doubtMachines, Name: name, Record: s.record, Row: s.row, Vip: s.isVip(), Binding: s.binding, Contested: s.contested()}
	for c := range s.claimants() {
		if !c.pod.ended() {
			port.Claims++
		}
		query := inv.query(inv.namespace(c.pod.Namespace), c.pod, c.nic.Provider, c.asks, now)
		d := policy.Decide(query)
		if port.Pod == nil || d.Level < port.Decision.Level || (d.Level == port.Decision.Level && d.Forwarding < port.Decision.Forwarding) {
			port.Pod, port.Provider, port.Decision, port.Owners = c.pod, c.nic.Provider, d, query.Pod.Owners
			port.NICKnown, port.NICSpelling = c.nic.Kind.OnOVN(), c.nic.Spelling
		}
	}
	if port.Row != nil {
		port.Twins = inv.twins(s)
		port.GroupsKnown, port.Groups = inv.groupsKnown, inv.groupsOf(port.Row)
		if port.Pod == nil && port.Row.Type == "" {
			port.Node = inv.nodeOf(port.Row)
		}
	}
	if len(port.Decision.Pairs) > 0 {
		port.Overlaps = inv.overlaps(&port)
	}
	port.Chassis, port.Eras = inv.boundAt(port.Binding)
	return port
}

func (inv *Inventory) namespace(name string) policy.Namespace {
	if ns, ok := inv.namespaces[name]; ok {
		return ns
	}
	return policy.Namespace{Name: name, Err: fmt.Errorf("namespace %s has not been seen", name)}
}

// ended tells that the pod no longer uses its port.
func (p *Pod) ended() bool { return p.Finished || p.Terminating }

// networks gives the attachments of the pod as keys for the maps: without interface.
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

// claim enters the pod's NICs and gives the names of their ports.
func (inv *Inventory) claim(p *Pod) []string {
	if p.HostNetwork {
		return nil
	}
	nics, asks := inv.nics(p), p.asksForVIPs()
	names := make([]string, 0, len(nics))
	for _, nic := range nics {
		inv.edit(kubeovn.PortName(p.Owner, p.Namespace, nic.Provider), func(s *slot) {
			s.enter(claim{pod: p, nic: nic, asks: asks})
			names = append(names, s.name)
		})
	}
	inv.ports[p.PodKey] = names
	return names
}

// unclaim takes all claims of the pod out and gives the names of their ports.
func (inv *Inventory) unclaim(p *Pod) []string {
	names := inv.ports[p.PodKey]
	delete(inv.ports, p.PodKey)
	for _, name := range names {
		inv.edit(name, func(s *slot) { s.leave(p.PodKey) })
	}
	return names
}

// reclaim enters the claims of these pods anew, because what their attachments make has changed.
func (inv *Inventory) reclaim(keys map[PodKey]bool) []string {
	var touched []string
	for key := range keys {
		p := inv.pods[key]
		touched = append(append(touched, inv.unclaim(p)...), inv.claim(p)...)
		inv.stirPod(p)
	}
	return union(touched, nil)
}

func (inv *Inventory) portsOf(keys map[PodKey]bool) []string {
	var names []string
	for key := range keys {
		names = append(names, inv.ports[key]...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
