// Package acl judges packets by the ACLs that OVN has: those of a switch and of the port groups that have a port on it,
// by direction, stage, tier and priority, as ovn-northd of OVN 22.03 to 26.03 orders them. It is about the first packet
// of a connection; answers to it pass by the state that it made.
package acl

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/ovnguard/ovnguard/internal/ovnmatch"
)

// Direction is that of an ACL: from a port into the switch, or from the switch to a port.
type Direction string

// The values of column direction.
const (
	FromPort Direction = "from-lport"
	ToPort   Direction = "to-lport"
)

// Action is what an ACL does.
type Action string

// The values of column action.
const (
	Allow          Action = "allow"
	AllowRelated   Action = "allow-related"
	AllowStateless Action = "allow-stateless"
	Drop           Action = "drop"
	Reject         Action = "reject"
	Pass           Action = "pass"
)

// Keys of options that are read: that of NB_Global has OVN drop what no ACL of a switch decides, and that of an ACL
// from a port has it looked at after load balancing.
const (
	OptionDropByDefault = "default_acl_drop"
	OptionAfterLB       = "apply-after-lb"
)

// ACL is a row of table ACL.
type ACL struct {
	UUID, Name string
	Direction  Direction
	Tier       int
	Priority   int
	Action     Action
	Match      string
	// AfterLB means that an ACL from a port is looked at after load balancing, in a stage of its own.
	AfterLB bool
	// Group is the port group that has the ACL; "" for one of a switch.
	Group       string
	ExternalIDs map[string]string
}

// Database is what the Northbound database says of ACLs.
type Database struct {
	ACLs []ACL
	// Groups are the names of the ports in each port group, and Sets the members of each address set.
	Groups map[string][]string
	Sets   map[string][]string
	// OnSwitch are the ACLs of switches themselves, by UUID: the names of the switches.
	OnSwitch map[string][]string
	// SwitchOf is the switch of each port, and Addresses its column addresses.
	SwitchOf  map[string]string
	Addresses map[string][]string
	// Owners are what port groups were made for, where that is known, by the names of the groups.
	Owners map[string]Owner
	// DropByDefault is the option default_acl_drop of NB_Global.
	DropByDefault bool
}

// Owner is a NetworkPolicy, or another object, that a port group was made for. Namespace is "" for one of the cluster.
type Owner struct{ Kind, Namespace, Name string }

// rule is an ACL with its expression.
type rule struct {
	*ACL

	match *ovnmatch.Match
}

// protoICMPv6 is the protocol of all that always matches.
const protoICMPv6 = 58

// always matches what ovn-northd lets pass whatever ACLs say.
var always = ovnmatch.Parse("nd || nd_ra || nd_rs || mldv1 || mldv2", ovnmatch.Names{})

// stage is where rules are looked at: each stage lets a packet pass for itself.
type stage int

const (
	beforeLB stage = iota
	afterLB
	toPort
	stages
)

// place is what counts for a port.
type place struct {
	// rules are in the order in which they decide, without those that only are about other ports.
	rules [stages][]rule
	// filtered means that the switch has an ACL: on others the default does not count.
	filtered bool
}

// nowhere is for ports that are on no switch.
var nowhere place

// Table is all ACLs, ready to judge packets. It is not changed once it is made.
type Table struct {
	// switches are what counts for the ports of each switch, and ports for those that some rule names.
	switches, ports map[string]*place

	byDefault Action
	switchOf  map[string]string
	owners    map[string]Owner
	groups    map[string][]string
	// all are the rules by their groups, in an order that does not depend on the database's.
	all []rule
	// BadSets says what is wrong with address sets: expressions that name them are unknown.
	BadSets []string
}

// New returns a table of the ACLs of a database.
func New(db Database) *Table {
	t := &Table{
		byDefault: Allow, switchOf: db.SwitchOf, owners: db.Owners, groups: db.Groups,
		switches: make(map[string]*place), ports: make(map[string]*place),
	}
	if db.DropByDefault {
		t.byDefault = Drop
	}
	names := ovnmatch.Names{
		Sets:   make(map[string]*ovnmatch.Set, len(db.Sets)),
		Groups: make(map[string]map[string]bool, len(db.Groups)),
	}
	for name, members := range db.Sets {
		set, err := ovnmatch.NewSet(members)
		if err != nil {
			t.BadSets = append(t.BadSets, name+": "+err.Error())
			continue
		}
		names.Sets[name] = set
	}
	db.nameGroupSets(names.Sets)
	slices.Sort(t.BadSets)
	switches := make(map[string]map[string]bool) // of each port group
	for name, ports := range db.Groups {
		names.Groups[name] = make(map[string]bool, len(ports))
		switches[name] = make(map[string]bool)
		for _, p := range ports {
			names.Groups[name][p] = true
			if s := db.SwitchOf[p]; s != "" {
				switches[name][s] = true
			}
		}
	}
	for i := range db.ACLs {
		t.enter(db, &db.ACLs[i], names, switches)
	}
	slices.SortFunc(t.all, func(a, b rule) int { // whatever order they were read in
		return cmp.Or(
			cmp.Compare(a.Group, b.Group), cmp.Compare(a.Priority, b.Priority), cmp.Compare(a.Match, b.Match),
			cmp.Compare(a.UUID, b.UUID),
		)
	})
	for _, on := range t.switches {
		on.order()
	}
	for port, own := range t.ports {
		own.join(t.onSwitch(db.SwitchOf[port]))
	}
	return t
}

// onSwitch returns what counts for the ports of a switch.
func (t *Table) onSwitch(name string) *place {
	if t.switches[name] == nil {
		t.switches[name] = new(place)
	}
	return t.switches[name]
}

// at returns what counts for a port.
func (t *Table) at(port string) *place {
	if own := t.ports[port]; own != nil {
		return own
	}
	if on := t.switches[t.switchOf[port]]; on != nil {
		return on
	}
	return &nowhere
}

func (p *place) order() {
	for s := range stages {
		slices.SortStableFunc(p.rules[s], before)
	}
}

// join adds what counts on the switch to what is about a port alone.
func (p *place) join(on *place) {
	p.filtered = on.filtered
	for s := range stages {
		p.rules[s] = append(p.rules[s], on.rules[s]...)
	}
	p.order()
}

// before orders rules as they decide. Of two with the same priority OVN takes either; the one that drops comes first
// here, and tied says that the other one could decide as well.
func before(a, b rule) int {
	return cmp.Or(
		cmp.Compare(a.Tier, b.Tier), -cmp.Compare(a.Priority, b.Priority), cmp.Compare(strictness(a), strictness(b)),
		cmp.Compare(a.UUID, b.UUID),
	)
}

// strictness orders actions: what refuses comes first.
func strictness(r rule) int {
	switch r.Action {
	case Drop, Reject:
		return 0
	case Pass:
		return 1
	case Allow, AllowRelated, AllowStateless:
	}
	return 2
}

// enter adds an ACL to the switches where it counts.
func (t *Table) enter(db Database, a *ACL, names ovnmatch.Names, switches map[string]map[string]bool) {
	at := toPort
	if a.Direction == FromPort {
		at = beforeLB
		if a.AfterLB {
			at = afterLB
		}
	}
	for _, name := range db.OnSwitch[a.UUID] {
		t.onSwitch(name).filtered = true
	}
	for name := range switches[a.Group] {
		t.onSwitch(name).filtered = true
	}
	r := rule{a, ovnmatch.Parse(a.Match, names)}
	t.all = append(t.all, r)
	in, out := r.match.Ports()
	if only := map[stage][]string{beforeLB: in, afterLB: in, toPort: out}[at]; only != nil {
		for _, port := range only {
			if a.Group == "" && !slices.Contains(db.OnSwitch[a.UUID], db.SwitchOf[port]) ||
				a.Group != "" && !switches[a.Group][db.SwitchOf[port]] {
				continue
			}
			if t.ports[port] == nil {
				t.ports[port] = new(place)
			}
			t.ports[port].rules[at] = append(t.ports[port].rules[at], r)
		}
		return
	}
	enter := func(name string) {
		on := t.onSwitch(name)
		on.rules[at] = append(on.rules[at], r)
	}
	for _, name := range db.OnSwitch[a.UUID] {
		enter(name)
	}
	for name := range switches[a.Group] {
		enter(name)
	}
}

// Decision is what becomes of a packet.
type Decision struct {
	// Action is Allow, Drop or Reject.
	Action Action
	// ACL decided; nil where none matched, and the default counts.
	ACL *ACL
	// Unclear are ACLs that could decide otherwise, if what was not understood of them holds. Action is not sure then.
	Unclear []Unclear
}

// Unclear is an ACL that was not understood.
type Unclear struct {
	ACL  *ACL
	What []string
}

// Passes reports whether the packet passes, as far as ACLs are understood.
func (d Decision) Passes() bool { return d.Action == Allow }

// Leave judges a packet that comes from its InPort.
func (t *Table) Leave(p *ovnmatch.Packet) Decision {
	first := t.judge(beforeLB, p.InPort, p)
	if !first.Passes() {
		return first
	}
	second := t.judge(afterLB, p.InPort, p)
	second.Unclear = append(first.Unclear, second.Unclear...)
	if second.ACL == nil && second.Passes() {
		second.ACL = first.ACL
	}
	return second
}

// Arrive judges a packet that goes to its OutPort.
func (t *Table) Arrive(p *ovnmatch.Packet) Decision { return t.judge(toPort, p.OutPort, p) }

func (t *Table) judge(at stage, port string, p *ovnmatch.Packet) Decision {
	here := t.at(port)
	if !here.filtered || p.Proto == protoICMPv6 && always.Evaluate(p) == ovnmatch.True {
		return Decision{Action: Allow}
	}
	d := Decision{Action: t.byDefault}
	passed := -1 // the tier that a rule let the packet out of
	rules := here.rules[at]
	for i, r := range rules {
		if r.Tier == passed {
			continue
		}
		switch is := r.match.Evaluate(p); {
		case is == ovnmatch.Unknown:
			d.Unclear = append(d.Unclear, Unclear{r.ACL, r.match.Unclear()})
		case is == ovnmatch.False:
		case r.Action == Pass:
			passed = r.Tier
			d.Unclear = append(d.Unclear, tied(rules[i:], p)...)
		default:
			d.Unclear = append(d.Unclear, tied(rules[i:], p)...)
			d.ACL, d.Action = r.ACL, Allow
			if r.Action == Drop || r.Action == Reject {
				d.Action = r.Action
			}
			return d
		}
	}
	return d
}

// tied returns the rules that could decide instead of the first one: they match too and do something else, with the
// same priority, and OVN does not say which it takes.
func tied(rules []rule, p *ovnmatch.Packet) (out []Unclear) {
	first := rules[0]
	for _, r := range rules[1:] {
		if r.Tier != first.Tier || r.Priority != first.Priority {
			break
		}
		if strictness(r) != strictness(first) && r.match.Evaluate(p) == ovnmatch.True {
			out = append(out, Unclear{r.ACL, []string{"OVN takes it or " + first.String() + ", of the same priority"}})
		}
	}
	return out
}

// String returns what tells the ACL from others: its name where it has one.
func (a *ACL) String() string {
	where := "a switch"
	if a.Group != "" {
		where = "port group " + a.Group
	}
	text := fmt.Sprintf("ACL %s of %s (%s, tier %d, priority %d, %s)",
		cmp.Or(a.Name, a.Match), where, a.Direction, a.Tier, a.Priority, a.Action)
	return text
}
