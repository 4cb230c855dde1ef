package exception

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/ovnguard/ovnguard/internal/audit"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/portsec"
)

// Proposal is the narrowest exception that lets ports send what it can be seen that they need.
type Proposal struct {
	// Ports are those that it is for, and what it was made from.
	Ports           []string
	Namespace, Name string
	// Owner is what makes the pods; nil where nothing does that an exception can name, and Labels then pick them.
	Owner    *policy.Owner
	Labels   map[string]string
	Provider kubeovn.Provider
	// Class, Level, Pairs and Forwards are what it grants; Evidence says what shows that a level is needed.
	Class    policy.Class
	Level    policy.Level
	Pairs    []Pair
	Forwards bool
	Evidence []string
	Expires  time.Time
	// LeftOut are pairs that nobody can grant, Doubts what whoever asks for it has to look at, and Unseen what was not
	// looked at.
	LeftOut, Doubts, Unseen []string
	// Needless says why nothing is proposed; "" where something is.
	Needless string
	pod      string
}

// TargetLabel is the label that a pod without an owner and without labels is to be given.
const TargetLabel = "ovnguard.io/exception"

// labelValue returns a name as the value of a label, which is shorter.
func labelValue(name string) string { return strings.TrimRight(name[:min(len(name), 63)], "-.") }

// Pair is an address pair that is proposed.
type Pair struct {
	portsec.AddressPair

	// SharedWith names whose the addresses are; "" where they are nobody's.
	SharedWith string
	// Evidence says what shows that the ports need it.
	Evidence []string
}

// lasting is how long a proposed exception lasts, where policy does not allow less.
const lasting = 30 * 24 * time.Hour

// Propose returns an exception for each NIC of each object that makes the pods of ports. eras are those that may
// enforce.
func Propose(inv *inventory.State, ports []inventory.Port, eras []portsec.Era, now time.Time) (out []Proposal) {
	groups := make(map[string][]inventory.Port)
	var order []string
	for i := range ports {
		p := &ports[i]
		if p.Pod == nil {
			continue
		}
		key := strings.Join([]string{p.Pod.Namespace, string(p.Provider), "pod", p.Pod.Name}, "\x00")
		if o := owner(p); o != nil {
			key = strings.Join([]string{p.Pod.Namespace, string(p.Provider), o.Kind, o.UID}, "\x00")
		}
		if len(groups[key]) == 0 {
			order = append(order, key)
		}
		groups[key] = append(groups[key], *p)
	}
	for _, key := range order {
		out = append(out, propose(inv, groups[key], eras, now))
	}
	return out
}

// owner returns the object by which an exception names the pods of a port: the farthest that owns them.
func owner(p *inventory.Port) *policy.Owner {
	if p.Passing != nil && p.Passing.Exception.Owner != nil {
		return p.Passing.Exception.Owner
	}
	if n := len(p.Owners); n > 0 {
		return &p.Owners[n-1]
	}
	return nil
}

func propose(inv *inventory.State, ports []inventory.Port, eras []portsec.Era, now time.Time) Proposal {
	first := &ports[0]
	out := Proposal{
		Namespace: first.Pod.Namespace, Provider: first.Provider, Owner: owner(first), Labels: first.Pod.Labels,
		Name: first.Pod.Name + "." + string(first.Provider), pod: first.Pod.Name,
	}
	if out.Owner != nil {
		out.Name, out.Labels = out.Owner.Name+"."+string(first.Provider), nil
	}
	var n needs
	known := false
	for i := range ports {
		p := &ports[i]
		out.Ports = append(out.Ports, p.Name)
		identity, _, err := audit.IdentityOf(p)
		if err != nil {
			n.unseen = append(n.unseen, fmt.Sprintf("port %s: %v", p.Name, err))
			continue
		}
		known = true
		granted, err := portsec.GrantedSet(identity, p.Decision.Pairs)
		if err != nil {
			n.unseen = append(n.unseen, fmt.Sprintf("port %s: %v", p.Name, err))
			continue
		}
		if p.Decision.Level >= policy.MAC {
			continue // it may send from any address as it is
		}
		n.ofPort(p, identity, eras, granted)
		n.routed(inv, identity.IPs, granted, identity.MAC)
	}
	out.grant(&n)
	if !known {
		out.Needless = "it is not known which MAC and addresses are the ports' own"
	}
	out.settle(inv, now)
	out.Unseen = append(n.unseen, unseen(inv)...)
	return out
}

// unseen says what nobody looked at.
func unseen(inv *inventory.State) []string {
	texts := []string{
		"traffic: what the ports really send was not looked at",
		"routes of VPCs and of machines outside the cluster, and what a pod configures inside it",
	}
	if missing := inv.Unread(inventory.Vips, inventory.Subnets, inventory.Pods); len(missing) > 0 {
		kinds := make([]string, len(missing))
		for i, k := range missing {
			kinds[i] = string(k)
		}
		texts = append(texts, "what was not read: "+strings.Join(kinds, ", "))
	}
	return texts
}

// grant decides what is asked for: pairs where they do, the port's own MAC with any address otherwise, and never more.
func (p *Proposal) grant(n *needs) {
	p.Doubts = append(p.Doubts, n.strange...)
	switch {
	case len(n.anyNeeded) > 0:
		p.Class, p.Level, p.Evidence = policy.NATGateway, policy.MAC, n.anyNeeded
		for _, pair := range n.pairs {
			if pair.MAC != (portsec.MAC{}) {
				p.Doubts = append(
					p.Doubts,
					fmt.Sprintf("%s is not granted: it needs an exception of its own", pair.AddressPair),
				)
			}
		}
		return
	case len(n.pairs) == 0 && len(n.anyNow) > 0:
		p.Class, p.Level, p.Evidence = policy.NATGateway, policy.MAC, n.anyNow
		p.Doubts = append(
			p.Doubts,
			"nothing shows from which addresses it really sends: with the networks behind it as "+
				"pairs (class router) the exception would be narrower",
		)
		return
	case len(n.pairs) == 0 && n.unknown:
		create := fmt.Sprintf("ovnguard exception create NAME -n %s --pod %s", p.Namespace, p.pod)
		p.Needless = fmt.Sprintf("the only sign is \"unknown\" in addresses: it takes in frames for MACs that nobody "+
			"has, which does not tell from what it sends; if it routes with its own MAC: %s --class router --pair "+
			"PREFIX; if it bridges MACs of others: %s --forward --pair MAC=PREFIX (spec.grant.layer2Forward: Allow)",
			create, create)
		return
	case len(n.pairs) == 0:
		p.Needless = "nothing shows that it needs more than its own MAC and addresses, and what it was granted"
		return
	}
	if len(n.anyNow) > 0 {
		p.Doubts = append(p.Doubts, "port_security lets it send from any address with its own MAC now; what it sends "+
			"from others than these pairs is dropped with this exception")
	}
	for _, pair := range narrowed(n.pairs) {
		p.Pairs = append(p.Pairs, Pair{AddressPair: pair.AddressPair, Evidence: pair.evidence})
	}
	p.Class, p.Forwards = classOf(narrowed(n.pairs), n.unknown)
}

// narrowed returns the pairs in order, without those that another one holds.
func narrowed(pairs []need) (out []need) {
	for i := range pairs {
		within := func(o need) bool {
			return o.AddressPair != pairs[i].AddressPair && o.MAC == pairs[i].MAC &&
				o.Prefix.Bits() <= pairs[i].Prefix.Bits() && o.Prefix.Contains(pairs[i].Prefix.Addr())
		}
		if !slices.ContainsFunc(pairs, within) {
			out = append(out, pairs[i])
		}
	}
	slices.SortFunc(out, func(a, b need) int {
		return cmp.Or(
			slices.Compare(a.MAC[:], b.MAC[:]), a.Prefix.Addr().Compare(b.Prefix.Addr()),
			cmp.Compare(a.Prefix.Bits(), b.Prefix.Bits()),
		)
	})
	return out
}

// classOf returns the class that fits pairs; "" where none does, and whether layer-2 forwarding has to be granted then.
func classOf(pairs []need, unknown bool) (class policy.Class, forwards bool) {
	all := func(such func(need) bool) bool {
		return !slices.ContainsFunc(pairs, func(n need) bool { return !such(n) })
	}
	own := func(n need) bool { return n.MAC == (portsec.MAC{}) }
	single := func(n need) bool { return n.Prefix.IsSingleIP() }
	virtual := func(n need) bool { return own(n) || policy.IsVirtual(n.AddressPair) }
	switch {
	case all(single) && all(virtual) && (!all(own) || all(func(n need) bool { return n.listed })):
		return policy.VRRP, false
	case all(own):
		return policy.Router, false
	case all(func(n need) bool { return !own(n) }):
		return policy.NestedVirtualization, false
	}
	return "", unknown
}

// Compiled returns the exception as policy reads it, as if it were asked for now.
func (p *Proposal) Compiled(now time.Time) policy.Exception {
	e := policy.Exception{
		Namespace: p.Namespace, Name: p.Name, Owner: p.Owner, Providers: policy.Providers{string(p.Provider)},
		Class: p.Class, Level: p.Level, Asked: now, Expires: p.Expires,
	}
	if p.Owner == nil {
		e.Pods = func(labels map[string]string) bool {
			for key, value := range p.Labels {
				if labels[key] != value {
					return false
				}
			}
			return true
		}
	}
	for _, pair := range p.Pairs {
		e.Pairs, e.SharedWith = append(e.Pairs, pair.AddressPair), append(e.SharedWith, pair.SharedWith)
	}
	return e
}

// settle fills in until when it lasts and with whom pairs are shared, leaves out what nobody can grant, and says what
// is in its way.
func (p *Proposal) settle(inv *inventory.State, now time.Time) {
	base, _ := policy.Match(inv.Policies(), inv.Namespace(p.Namespace), p.Provider)
	span := lasting
	if base.Limits.Lifetime > 0 {
		span = min(span, base.Limits.Lifetime)
	}
	p.Expires = now.UTC().Truncate(time.Minute).Add(span)
	if p.Needless != "" {
		return
	}
	switch {
	case p.Owner != nil:
	case len(p.Labels) == 0:
		p.Labels = map[string]string{TargetLabel: labelValue(p.pod)}
		p.Doubts = append(
			p.Doubts,
			fmt.Sprintf("the pod has neither an owner nor labels; give it this one: kubectl -n %s "+
				"label pod %s %s=%s", audit.ShellWord(p.Namespace), audit.ShellWord(p.pod), TargetLabel,
				audit.ShellWord(labelValue(p.pod))),
		)
	default:
		p.Doubts = append(
			p.Doubts,
			"whoever may make pods in the namespace can give them these labels; an object that "+
				"makes the pods would be a safer target",
		)
	}
	p.share(inv, now)
	if len(p.Pairs) == 0 && p.Level == policy.Strict {
		p.Needless = "what it sends beyond its own addresses can be granted to nobody"
		return
	}
	e := p.Compiled(now)
	if reason, why := e.Admissible(&base); reason != policy.InEffect {
		p.Doubts = append(p.Doubts, "as things are it would be refused: "+why)
	} else if base.Approval {
		p.Doubts = append(p.Doubts, "policy "+base.Name+" requires that another user approves it")
	}
}

// share names the owners of addresses, and leaves out pairs that nobody can share.
func (p *Proposal) share(inv *inventory.State, now time.Time) {
	e := p.Compiled(now)
	drop := make(map[int]bool)
	for _, c := range inv.Claims(&e) {
		whose := c.Whose
		if c.Hidden {
			whose = "others"
		}
		pair := &p.Pairs[c.Pair]
		switch {
		case len(c.Consents) == 0:
			drop[c.Pair] = true
			p.LeftOut = append(
				p.LeftOut,
				fmt.Sprintf("%s: %s belongs to %s, and cannot be shared", text(pair), c.What, whose),
			)
		case pair.SharedWith == "":
			pair.SharedWith = c.Consents[0].SharedWith
			pair.Evidence = append(pair.Evidence, fmt.Sprintf("it belongs to %s, who has to consent", whose))
		}
	}
	var kept []Pair
	for i, pair := range p.Pairs {
		if !drop[i] {
			kept = append(kept, pair)
		}
	}
	p.Pairs = kept
}

func text(p *Pair) string {
	if p.MAC == (portsec.MAC{}) {
		return PrefixText(p.Prefix)
	}
	return p.MAC.String() + " " + PrefixText(p.Prefix)
}

// PrefixText returns a prefix as people write it: a single address without its length.
func PrefixText(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}
