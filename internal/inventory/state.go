package inventory

import (
	"iter"
	"slices"
	"time"

	"github.com/ovnguard/ovnguard/internal/persistent"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// State is all that an inventory knows at one moment, with the methods that read it. A snapshot of it never changes: it
// may be kept, and read by any number of goroutines without a lock.
//
// It is made of parts; what one of them answers alone is a method of that part. Their fields are values, persistent
// maps, and slices that are replaced and never written to once they are in. What is found out about it may be kept in
// the memo.
type State struct {
	pods
	ports
	network
	holders
	groups
	filters
	networkPolicies
	governance
	owners
	enforcement

	refused  persistent.Map[string, Refused]   // by account
	foreseen persistent.Map[Subject, Foreseen] // by workload
	reached  persistent.Map[Subject, Reached]
	radii    persistent.Map[string, *Radius] // by port
	unread   persistent.Map[Kind, struct{}]  // kinds that are expected

	memo *memo // of a snapshot; nil while the state still changes
}

// Snapshot returns all that is known now. It costs next to nothing to take and to keep: what changes afterwards is
// copied first.
func (inv *Inventory) Snapshot() *State {
	inv.edit = new(persistent.Edit)
	s := inv.State
	s.occupied, s.memo = inv.occupied.snapshot(), new(memo)
	return &s
}

// Shares returns the pictures of all ports that a pod claims, that OVN has, or that have an IP resource, as they are at
// that time, in so many parts of about the same size. Each part may be looked through by a goroutine of its own.
func (inv *State) Shares(parts int, now time.Time) []iter.Seq[Port] {
	all := make([]*entry, inv.entries.Len())
	for e := range inv.entries.Values() {
		all[e.at] = e
	}
	all = slices.DeleteFunc(all, func(e *entry) bool { return !e.isJudged() })
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
		Doubt:           inv.doubt,
		Name:            name,
		Record:          e.record,
		Row:             e.row,
		Vip:             e.isVip(),
		Binding:         e.binding,
		Contested:       e.contested(),
		Radius:          inv.radii.Get(name),
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
		port.GroupsKnown, port.Groups = inv.known, inv.groupsOf(port.Row)
		port.Membership = inv.membership(&port)
		port.Placement = inv.placement(&port)
		if port.Pod == nil {
			port.Unread = inv.unreadPodOf(port.Row)
		}
		if port.Pod == nil && port.Row.Type == "" {
			port.Node = inv.nodeOf(port.Row)
		}
	}
	if port.Pod == nil {
		port.Unowned = inv.unowned(e)
		if port.Record != nil && port.Record.Of.Namespace == "" {
			port.Noted = inv.noted.Get(port.Record.Of.Name)
		}
		if port.Record != nil {
			if port.Row != nil {
				port.Abandoned = inv.abandoned(port.Record)
			} else {
				port.Unused = inv.unused(port.Record)
			}
		}
	}
	if port.Pod != nil && port.Pod.launches(port.Owners) {
		port.noteMigration(inv.migrationOf(PodKey{port.Pod.Namespace, port.Pod.Owner}), now)
	}
	port.Foreign = inv.othersAt(&port)
	if len(port.Decision.Pairs) > 0 {
		port.Overlaps = inv.overlaps(&port)
		port.Unreserved = inv.unreserved(&port)
	}
	port.Chassis, port.Eras = inv.boundAt(port.Binding)
	port.KubeOVN = &inv.setup
	port.NotChecking = inv.notChecking()
	port.NoneMarked = inv.marked == 0
	return port
}
