package inventory

import (
	"cmp"
	"net/netip"
	"slices"
	"sync"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/portsec"
)

// Claim is something that an exception would grant and that is not its ports' or its namespace's: addresses of a
// subnet, free and excluded ones included, or what somebody has.
type Claim struct {
	// Pair is the index of the pair, and Field is "prefix" or "mac".
	Pair  int
	Field string
	// What is the prefix, the address or the MAC, and Whose says for people whose it is.
	What, Whose string
	// Free means that it is a single address that nobody has, and Hidden that whose it is is no matter of the
	// exception's namespace.
	Free, Hidden bool
	// Consents are those by which it may be granted, each under another name; none where nobody can consent.
	Consents []Consent
}

// Consent is what has to be in sharedWith, and the owners of whom one has to consent.
type Consent struct {
	SharedWith string
	Owners     []policy.Share
}

// Given reports whether one of the owners has consented.
func (c *Consent) Given(shares []policy.Share) bool {
	return slices.ContainsFunc(c.Owners, func(o policy.Share) bool { return slices.Contains(shares, o) })
}

// Named returns the consent that the pair's sharedWith names; nil where it names none.
func (c *Claim) Named(e *policy.Exception) *Consent {
	if c.Pair >= len(e.SharedWith) {
		return nil
	}
	i := slices.IndexFunc(c.Consents, func(o Consent) bool { return o.SharedWith == e.SharedWith[c.Pair] })
	if i < 0 {
		return nil
	}
	return &c.Consents[i]
}

// settled reports whether the claim may be granted by the consent that was recorded.
func (c *Claim) settled(e *policy.Exception) bool {
	named := c.Named(e)
	return named != nil && named.Given(e.Shares)
}

// Claims returns what an exception would grant of others when it is written, in order of its pairs, whether or not they
// consent.
func (inv *State) Claims(e *policy.Exception) []Claim {
	c := claiming{
		inv:   inv,
		e:     e,
		ns:    inv.namespace(e.Namespace),
		vpcs:  sync.OnceValue(func() []string { return inv.reach(e) }),
		limit: claimsInReview,
	}
	for i := range e.Pairs {
		c.pair(i)
		c.passing(i)
	}
	return c.claims
}

// Standing returns the exception with what it would grant of others without their consent, for all NICs that it may be
// for, and with why it does not count besides the others of its namespace.
func (inv *State) Standing(e policy.Exception) policy.Exception {
	if e.Uncounted = inv.uncounted(&e); e.Uncounted != "" {
		return e
	}
	e.Unshared = inv.unshared(&e, func() []string { return inv.reach(&e) })
	return e
}

// unshared says what an exception would grant of others without their consent, to a NIC in one of these VPCs; "" where
// nothing. It looks at what administrators and address management settle, and not at what any tenant can claim: an
// external IP of a Service must not end the grant of somebody else.
func (inv *State) unshared(e *policy.Exception, vpcs func() []string) string {
	if len(e.Pairs) == 0 || e.Err != nil {
		return ""
	}
	c := claiming{inv: inv, e: e, ns: inv.namespace(e.Namespace), vpcs: vpcs, limit: claimsToTell}
	for i := range e.Pairs {
		c.pair(i)
	}
	return Unsettled(e, c.claims)
}

// claiming collects the claims of an exception.
type claiming struct {
	inv *State
	e   *policy.Exception
	ns  policy.Namespace
	// vpcs returns those in which the NICs are, with "" for one that cannot be told. Few exceptions need it.
	vpcs   func() []string
	claims []Claim
	// open is how many of the claims lack a consent; with limit of them nothing more is looked for.
	open, limit int
}

// Limits of claims without a consent. One is enough for an exception not to count, and who asks for it has to be told
// of some.
const (
	claimsInReview = 1024
	claimsToTell   = 16
)

// full reports whether enough was found.
func (c *claiming) full() bool { return c.open >= c.limit }

// pair takes what the pair would grant as long as it counts.
func (c *claiming) pair(i int) {
	pair := c.e.Pairs[i]
	if !pair.Prefix.IsValid() || c.full() {
		return // policy grants no such pair, or nothing more has to be found
	}
	c.points(i, pair.Prefix)
	c.subnets(i, pair.Prefix)
	c.linkLocal(i, pair.Prefix)
	if pair.MAC != (portsec.MAC{}) {
		c.mac(i, "mac", pair.MAC.String(), pair.MAC)
	}
}

// add enters what a holder has. Whose it is, is no matter of other namespaces: what they ask for must not map the
// cluster.
func (c *claiming) add(claim Claim, h Holder) {
	claim.Whose, claim.Hidden = h.String(), h.Kind != HeldByServices && c.inv.NamespaceOf(h) != c.e.Namespace
	c.enter(claim)
}

// enter takes a claim.
func (c *claiming) enter(claim Claim) {
	if c.claims = append(c.claims, claim); !claim.settled(c.e) {
		c.open++
	}
}

// near reports whether the holder's addresses are its own in a network of the NICs.
func (c *claiming) near(h Holder) bool {
	vpc, confined := c.inv.NetworkOf(h)
	if !confined || vpc == "" {
		return true
	}
	vpcs := c.vpcs()
	return len(vpcs) == 0 || slices.Contains(vpcs, vpc) || slices.Contains(vpcs, "")
}

// points takes the addresses of gateways, nodes and Services, and the ranges that Services are given theirs from.
func (c *claiming) points(i int, prefix netip.Prefix) {
	from, to := ends(prefix)
	service := false
	c.inv.points.each(from, to, func(r addressRange) bool {
		if h := r.holder; c.near(h) {
			claim := Claim{Pair: i, Field: "prefix", What: r.from.String()}
			if h.Kind == HeldByService {
				service = true
				claim.Consents = c.inv.consents(h, "")
			}
			c.add(claim, h)
		}
		return !c.full()
	})
	if service && prefix.IsSingleIP() {
		return
	}
	c.inv.reserved.each(from, to, func(r addressRange) bool {
		if h := r.holder; h.Kind == HeldByServices && c.near(h) {
			c.add(Claim{Pair: i, Field: "prefix", What: prefixText(prefix)}, h)
		}
		return !c.full()
	})
}

// subnets takes addresses of subnets, whether or not anybody has them.
func (c *claiming) subnets(i int, prefix netip.Prefix) {
	names := c.inv.SubnetsIn(prefix)
	var held []Holder
	if prefix.IsSingleIP() {
		held = c.inv.Holders(prefix.Addr(), c.near)
	}
	inside := false
	for _, name := range names {
		switch {
		case c.full():
			return
		case c.inv.OfNodes(name):
			if h := (Holder{HeldByNodes, name}); c.near(h) {
				inside = true
				c.add(Claim{Pair: i, Field: "prefix", What: prefixText(prefix)}, h)
			}
		case !c.near(Holder{HeldBySubnet, name}):
		default:
			inside = true
			c.subnet(i, prefix, name, held)
		}
	}
	if inside {
		return
	}
	for _, h := range held { // of which no subnet is known
		if (h.Kind == HeldByPort || h.Kind == HeldByVip) && !c.own(h) {
			c.add(Claim{Pair: i, Field: "prefix", What: prefixText(prefix), Consents: c.inv.consents(h, "")}, h)
		}
	}
}

// subnet takes addresses of one subnet. held is who has the address, where the prefix is a single one: an address is
// for the namespace where a port of the exception or a Vip of the namespace has it, or where it is among the shared
// VIPs of a subnet that the namespace may use.
func (c *claiming) subnet(i int, prefix netip.Prefix, name string, held []Holder) {
	s := c.inv.subnets.Get(name)
	claim := Claim{Pair: i, Field: "prefix", What: prefixText(prefix), Free: prefix.IsSingleIP()}
	whose := Holder{HeldBySubnet, name}
	claim.Consents = []Consent{c.inv.consentOfSubnet(name)}
	for _, h := range held {
		if vpc, confined := c.inv.NetworkOf(h); confined && vpc != "" && vpc != c.inv.routerOf(s) {
			continue // it has the address on another network, which says nothing of this one
		}
		switch h.Kind { //nolint:exhaustive // the others are claimed by themselves
		case HeldByPort, HeldByVip:
			if c.own(h) {
				return
			}
			claim.Consents = append(claim.Consents, c.inv.consents(h, name)...)
		case HeldByShared:
			if h.Name == name && c.inv.Usable(s, c.ns) {
				return
			}
		case HeldByGateway, HeldBySubnet:
			if h.Name == name {
				return // which nobody shares, and is said already
			}
			continue
		case HeldByRule, HeldByEIP, HeldByFIP, HeldByFIPInside:
			claim.Consents = append(claim.Consents, c.inv.consents(h, name)...)
		default:
			continue
		}
		whose, claim.Free = h, false
	}
	c.add(claim, whose)
	if last := &c.claims[len(c.claims)-1]; whose.Kind == HeldBySubnet {
		last.Hidden = false // whoever may consent has to be known
	}
}

// linkLocal takes link-local addresses: a range has those of every port and gateway, and one that is made from a MAC is
// that of who has it.
func (c *claiming) linkLocal(i int, prefix netip.Prefix) {
	if !prefix.Overlaps(linkLocals) {
		return
	}
	if !prefix.IsSingleIP() {
		c.enter(Claim{Pair: i, Field: "prefix", What: prefixText(prefix), Whose: "every port and gateway (link-local)"})
		return
	}
	if mac, ok := macOfLinkLocal(prefix.Addr()); ok {
		c.mac(i, "prefix", prefixText(prefix), mac)
	}
}

var linkLocals = netip.MustParsePrefix("fe80::/10")

// macOfLinkLocal returns the MAC from which an address is made (RFC 4291, appendix A).
func macOfLinkLocal(a netip.Addr) (portsec.MAC, bool) {
	b := a.As16()
	mac := portsec.MAC{b[8] ^ 2, b[9], b[10], b[13], b[14], b[15]}
	return mac, mac.LinkLocal() == a
}

// mac takes a MAC that somebody has.
func (c *claiming) mac(i int, field, what string, mac portsec.MAC) {
	for _, h := range c.inv.MACHolders(mac.String(), c.near) {
		if !c.own(h) {
			c.add(Claim{Pair: i, Field: field, What: what, Consents: c.inv.consents(h, "")}, h)
		}
	}
}

// passing takes what others claim at the moment in which an exception is written, and may claim and give up as they
// like.
func (c *claiming) passing(i int) {
	for held := range c.inv.heldIn(c.e.Pairs[i].Prefix, c.near, c.claimedUpTo) {
		if c.full() {
			return
		}
		c.passingOf(i, held)
	}
}

func (c *claiming) passingOf(i int, held Held) {
	h := held.Holder
	switch h.Kind { //nolint:exhaustive // the others are claimed as long as the exception counts
	case HeldByBalancer, HeldByExternal:
		if h.OfService(c.ns.Name) {
			return
		}
	case HeldByPort, HeldByVip:
		if c.e.Pairs[i].Prefix.IsSingleIP() || c.own(h) {
			return
		}
	case HeldByEIP, HeldByFIP, HeldByFIPInside, HeldByRule:
	default:
		return
	}
	if h.Kind != HeldByBalancer && h.Kind != HeldByExternal && c.claimed(held.Address) {
		return
	}
	c.add(Claim{Pair: i, Field: "prefix", What: held.Address.String(), Consents: c.inv.consents(h, "")}, h)
}

// claimed reports whether the address is that of a subnet in a network of the NICs, which is claimed as such.
func (c *claiming) claimed(a netip.Addr) bool { return c.claimedUpTo(a).IsValid() }

// claimedUpTo returns the last address of that subnet; the zero Addr where there is none.
func (c *claiming) claimedUpTo(a netip.Addr) (last netip.Addr) {
	c.inv.cidrs.each(a, a, func(r addressRange) bool {
		if c.near(r.holder) {
			last = r.to
		}
		return !last.IsValid()
	})
	return last
}

// own reports whether the holder is a port that the exception is for, or a Vip of its namespace.
func (c *claiming) own(h Holder) bool {
	switch h.Kind { //nolint:exhaustive // nothing else is a namespace's own
	case HeldByVip:
		return c.inv.vips.Get(h.Name).Namespace == c.e.Namespace
	case HeldByPort:
		for nic := range c.inv.entry(h.Name).podNICs() {
			if nic.pod.Namespace == c.e.Namespace && c.e.Targets(c.inv.policyPod(nic.pod), nic.Provider) {
				return true
			}
		}
	}
	return false
}

// consents returns by which consent a holder's address or MAC may be granted: that of its namespace, or that of the
// subnet that it is on. For what nobody shares there is none.
func (inv *State) consents(h Holder, subnet string) []Consent {
	var namespace string
	switch h.Kind { //nolint:exhaustive // gateways, routers and nodes share nothing
	case HeldByPort:
		if inv.entry(h.Name).row.isLink() || inv.OfNodes(inv.SubnetOf(h.Name)) {
			return nil
		}
		namespace = inv.NamespaceOf(h)
		if subnet == "" {
			subnet = inv.SubnetOf(h.Name)
		}
	case HeldByVip:
		v := inv.vips.Get(h.Name)
		namespace = v.Namespace
		if subnet == "" {
			subnet = v.Subnet
		}
	case HeldByService, HeldByBalancer, HeldByExternal:
		namespace, subnet = h.namespace(), ""
	case HeldByRule, HeldByEIP:
		namespace, subnet = inv.fixedAt.Get(h).Namespace, cmp.Or(subnet, inv.fixedAt.Get(h).Subnet)
	default:
		return nil
	}
	consent := Consent{SharedWith: h.Name}
	if namespace != "" {
		consent.Owners = append(
			consent.Owners,
			policy.Share{Resource: policy.Namespaces, Name: namespace, UID: inv.namespaces.Get(namespace).UID},
		)
	}
	if subnet != "" {
		consent.Owners = append(consent.Owners, inv.shareOfSubnet(subnet))
	}
	if len(consent.Owners) == 0 {
		return nil
	}
	return []Consent{consent}
}

// consentOfSubnet returns the consent by which all addresses of a subnet may be granted.
func (n *network) consentOfSubnet(name string) Consent {
	return Consent{SharedWith: name, Owners: []policy.Share{n.shareOfSubnet(name)}}
}

func (n *network) shareOfSubnet(name string) policy.Share {
	return policy.Share{Resource: policy.Subnets, Name: name, UID: n.subnets.Get(name).UID}
}

// reach returns the VPCs in which NICs may be that the exception is for: where they are, and where the namespace's pods
// are put.
func (inv *State) reach(e *policy.Exception) []string {
	ns := inv.namespace(e.Namespace)
	var names []string
	if e.Providers.Pick(kubeovn.DefaultProvider) {
		names = inv.mayBeOn(nil, ns, kubeovn.DefaultProvider)
	}
	for name, s := range inv.subnets.All() {
		if !s.ofDefault() && e.Providers.Pick(s.Provider) && inv.Usable(s, ns) {
			names = append(names, name)
		}
	}
	for _, port := range inv.Targets(e) {
		if at := inv.SubnetOf(port); at != "" {
			names = append(names, at)
		}
	}
	return inv.vpcsOf(names)
}

// prefixText returns a prefix as people write it: a single address without its length.
func prefixText(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}
