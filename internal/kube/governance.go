package kube

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/portsec"
)

// PolicyOf compiles a policy. One that cannot be read as a whole is made to ask for strict ports in every namespace
// that can still be told, and to honour no exception; Err says what is wrong.
func PolicyOf(o *v1alpha1.PortSecurityPolicy) policy.Policy {
	s := &o.Spec
	p := policy.Policy{Name: o.Name, Priority: s.Priority, Providers: s.Providers}
	// Of a policy that cannot be read as a whole, what forbids counts all the same.
	p.ForbidsOthers = s.OtherNetworks != "" && s.OtherNetworks != v1alpha1.Allow
	var errs []error
	var err error
	if p.Namespaces, err = selectorOf(s.NamespaceSelector); err != nil {
		errs = append(errs, fmt.Errorf("spec.namespaceSelector: %w", err))
	} else {
		p.InheritedKeys = s.InheritedKeys // it loosens nothing, so the rest need not be readable
	}
	if p.Pods, err = selectorOf(s.PodSelector); err != nil {
		errs = append(errs, fmt.Errorf("spec.podSelector: %w", err))
		p.Pods = func(map[string]string) bool { return true } // it still selects by labels, and can only tighten
	}
	level, err := levelOf(s.Level)
	if err != nil {
		errs = append(errs, fmt.Errorf("spec.level: %w", err))
	}
	limits, err := limitsOf(s.Limits)
	if err != nil {
		errs = append(errs, fmt.Errorf("spec.limits: %w", err))
	}
	var ticket *regexp.Regexp
	if x := s.Exceptions; x != nil && x.TicketPattern != "" {
		if ticket, err = regexp.Compile(`^(?:` + x.TicketPattern + `)$`); err != nil {
			errs = append(errs, fmt.Errorf("spec.exceptions.ticketPattern: %w", err))
		}
	}
	if p.Err = errors.Join(errs...); p.Err != nil {
		return p
	}
	p.Level, p.Limits, p.Ticket = level, limits, ticket
	if s.Layer2Forward == v1alpha1.Allow {
		p.Forwarding = policy.Allow
	}
	p.ExternalAddresses = s.ExternalAddresses == v1alpha1.Allow
	p.Mode = map[v1alpha1.Mode]policy.Mode{v1alpha1.ModeWarn: policy.Warn, v1alpha1.ModeAudit: policy.Audit}[s.Mode]
	// What a later version means by another word is not known, and running ports are not changed on a guess.
	p.Repair = policy.RepairLog
	switch s.Repair {
	case v1alpha1.RepairOff:
		p.Repair = policy.RepairOff
	case v1alpha1.RepairOn:
		p.Repair = policy.RepairOn
	case v1alpha1.RepairLog, "": // who asks for nothing has nothing written to running ports
	}
	if s.Exceptions != nil {
		p.ExceptionsIn, p.Approval = s.Exceptions.Namespaces, s.Exceptions.RequireApproval
	}
	return p
}

func limitsOf(l v1alpha1.Limits) (policy.Limits, error) {
	out := policy.Limits{
		Pairs: defaulted(
			l.MaxPairs,
			8,
		),
		Prefix4:  defaulted(l.MinPrefixLengthIPv4, 24),
		Prefix6:  defaulted(l.MinPrefixLengthIPv6, 64),
		Lifetime: policy.DefaultLifetime,
		Level:    policy.MAC,
		Owner:    l.RequireOwner,
	}
	if l.MaxLifetime != nil {
		out.Lifetime = l.MaxLifetime.Duration
	}
	if l.MaxLevel != "" {
		var err error
		if out.Level, err = levelOf(l.MaxLevel); err != nil {
			return policy.Limits{}, fmt.Errorf("maxLevel: %w", err)
		}
	}
	return out, nil
}

func defaulted(value *int32, otherwise int) int {
	if value == nil {
		return otherwise
	}
	return int(*value)
}

// ExceptionOf compiles an exception. One that cannot be read as a whole has no effect; Err says what is wrong.
func ExceptionOf(o *v1alpha1.PortSecurityException) policy.Exception {
	s := &o.Spec
	e := policy.Exception{
		Namespace: o.Namespace, Name: o.Name, Providers: s.Target.Providers, Class: policy.Class(s.Class),
		Ticket: s.Ticket, RequestedBy: s.RequestedBy, ApprovedBy: s.ApprovedBy,
		Asked: o.CreationTimestamp.Time, Expires: s.ExpiresAt.Time,
	}
	if s.RequestedAt != nil {
		e.Asked = s.RequestedAt.Time
	}
	if s.NotBefore != nil {
		e.NotBefore = s.NotBefore.Time
	}
	var errs []error
	var err error
	if e.Pods, err = selectorOf(s.Target.PodSelector); err != nil {
		errs = append(errs, fmt.Errorf("spec.target.podSelector: %w", err))
	}
	if w := s.Target.Owner; w != nil {
		e.Owner = &policy.Owner{APIVersion: w.APIVersion, Kind: w.Kind, Name: w.Name, UID: string(w.UID)}
	}
	if e.Pods == nil && e.Owner == nil && err == nil {
		errs = append(errs, errors.New("spec.target: name an owner, or select pods by their labels"))
	}
	var grant policy.Grant
	if s.Grant.Level != "" {
		level, err := levelOf(s.Grant.Level)
		if err != nil {
			errs = append(errs, fmt.Errorf("spec.grant.level: %w", err))
		}
		grant.Level = &level
	}
	switch s.Grant.Layer2Forward {
	case v1alpha1.Allow:
		grant.Forwarding = new(policy.Require)
	case v1alpha1.Forbid:
		grant.Forwarding = new(policy.Forbid)
	}
	for i, g := range s.Grant.Pairs {
		pair, err := PairOf(g)
		if err != nil {
			errs = append(errs, fmt.Errorf("spec.grant.pairs[%d].%w", i, err))
			continue
		}
		e.Pairs, e.SharedWith = append(e.Pairs, pair), append(e.SharedWith, g.SharedWith)
	}
	for _, share := range s.SharedBy {
		e.Shares = append(e.Shares, policy.Share{Resource: share.Resource, Name: share.Name, UID: string(share.UID)})
	}
	grant.Pairs = e.Pairs
	if e.Err = errors.Join(errs...); e.Err == nil {
		if e.Level, e.Forwarding, err = e.Class.Complete(grant); err != nil {
			e.Contradiction = err.Error()
		}
	}
	return e
}

// PairOf reads an address pair. A MAC and a prefix must be written in the one form that every release of OVN reads
// alike.
func PairOf(g v1alpha1.AddressPair) (portsec.AddressPair, error) {
	var pair portsec.AddressPair
	if g.MAC != "" {
		mac, err := policy.StationMAC(g.MAC)
		if err != nil {
			return pair, fmt.Errorf("mac: %w; leave it out for the port's own", err)
		}
		pair.MAC = mac
	}
	text := g.Prefix
	if !strings.Contains(text, "/") {
		a, err := policy.CanonicalAddress(text)
		if err != nil {
			return pair, fmt.Errorf("prefix: %w", err)
		}
		pair.Prefix = netip.PrefixFrom(a, a.BitLen())
		return pair, nil
	}
	prefix, err := netip.ParsePrefix(text)
	switch {
	case err != nil:
		return pair, fmt.Errorf("prefix: %q is neither an address nor a prefix", text)
	case prefix.Addr().Is4In6():
		return pair, fmt.Errorf("prefix: %q is of IPv4-mapped addresses; write it as IPv4", text)
	case prefix.Masked() != prefix:
		return pair, fmt.Errorf(
			"prefix: %q has bits set behind its length; write %q, or a single address without a length",
			text,
			prefix.Masked(),
		)
	case prefix.String() != text:
		return pair, fmt.Errorf("prefix: %q must be written as %q", text, prefix)
	}
	pair.Prefix = prefix
	return pair, nil
}

func levelOf(l v1alpha1.Level) (policy.Level, error) {
	if l == "" {
		return policy.Strict, nil
	}
	return policy.ParseLevel(string(l))
}

// selectorOf compiles a selector; a missing one is nil.
func selectorOf(s *metav1.LabelSelector) (policy.Selector, error) {
	if s == nil {
		return nil, nil
	}
	compiled, err := metav1.LabelSelectorAsSelector(s)
	if err != nil {
		return nil, err
	}
	return func(l map[string]string) bool { return compiled.Matches(labels.Set(l)) }, nil
}

// SubnetOf returns the facts of a Subnet resource (subnets.kubeovn.io). Its excludeIps are nobody's: they are kept from
// being chosen, to be asked for by name.
func SubnetOf(u *unstructured.Unstructured) inventory.Subnet {
	s := inventory.Subnet{
		Name:     u.GetName(),
		UID:      string(u.GetUID()),
		VPC:      specString(u, "vpc"),
		Provider: kubeovn.Provider(specString(u, "provider")),
		VLAN:     specString(u, "vlan"),
	}
	if list, _, err := unstructured.NestedStringSlice(u.Object, "spec", "namespaces"); err == nil {
		s.Namespaces = list
	}
	s.Selectors = namespaceSelectorsOf(u)
	for text := range strings.SplitSeq(specString(u, "cidrBlock"), ",") {
		if prefix, err := netip.ParsePrefix(text); err == nil {
			s.CIDRs = append(s.CIDRs, prefix)
		}
	}
	for text := range strings.SplitSeq(specString(u, "gateway"), ",") {
		s.Gateways = appendAddress(s.Gateways, text)
	}
	if list, _, err := unstructured.NestedStringSlice(u.Object, "spec", "vips"); err == nil {
		for _, text := range list {
			s.Shared = appendAddress(s.Shared, strings.TrimSpace(text))
		}
	}
	if list, _, err := unstructured.NestedStringSlice(u.Object, "spec", "excludeIps"); err == nil {
		s.Excluded = rangesOf(list)
	}
	for _, field := range []string{"u2oInterconnection", "mcastQuerier"} {
		for text := range strings.SplitSeq(statusString(u, field+"IP"), ",") {
			s.Own = appendAddress(s.Own, text)
		}
		if mac := statusString(u, field+"MAC"); mac != "" {
			s.MACs = append(s.MACs, mac)
		}
	}
	return s
}

// namespaceSelectorsOf compiles the selectors of the namespaces that a subnet is for. One that cannot be read picks
// none: Kube-OVN then binds the subnet to nobody by it.
func namespaceSelectorsOf(u *unstructured.Unstructured) []policy.Selector {
	value, found, err := unstructured.NestedFieldNoCopy(u.Object, "spec", "namespaceSelectors")
	list, ok := value.([]any)
	if err == nil && (!found || value == nil) {
		return nil
	}
	none := func(map[string]string) bool { return false }
	if !ok {
		return []policy.Selector{none}
	}
	selectors := make([]policy.Selector, len(list))
	for i, item := range list {
		selectors[i] = none
		object, ok := item.(map[string]any)
		if !ok {
			continue
		}
		var s metav1.LabelSelector
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object, &s); err != nil {
			continue
		}
		if picks, err := selectorOf(&s); err == nil {
			selectors[i] = picks
		}
	}
	return selectors
}

// VLANOf returns the facts of a Vlan resource (vlans.kubeovn.io).
func VLANOf(u *unstructured.Unstructured) inventory.VLAN {
	v := inventory.VLAN{Name: u.GetName(), Network: specString(u, "provider")}
	if id, _, err := unstructured.NestedInt64(u.Object, "spec", "id"); err == nil {
		v.ID = id
	}
	return v
}

// VPCOf returns the facts of a Vpc resource (vpcs.kubeovn.io). The default one is for all namespaces, whatever it
// lists: Kube-OVN gives its subnets to every namespace that no other VPC lists.
func VPCOf(u *unstructured.Unstructured) inventory.VPC {
	v := inventory.VPC{Name: u.GetName(), Routes: append(routesOf(u, "staticRoutes", "cidr"),
		routesOf(u, "policyRoutes", "match")...)}
	if isDefault, _, err := unstructured.NestedBool(u.Object, "status", "default"); err == nil && isDefault {
		return v
	}
	if list, _, err := unstructured.NestedStringSlice(u.Object, "spec", "namespaces"); err == nil {
		v.Namespaces = list
	}
	return v
}

// routesOf returns the routes of a list in the spec, with what each matches; those without a next hop that can be read
// are left out. Kube-OVN takes several next hops with commas in a policy route.
func routesOf(u *unstructured.Unstructured, list, matches string) (out []inventory.Route) {
	items, _, err := unstructured.NestedSlice(u.Object, "spec", list)
	if err != nil {
		return nil
	}
	for _, item := range items {
		one, ok := item.(map[string]any)
		if !ok {
			continue
		}
		text, _ := one[matches].(string)
		hops, _ := one["nextHopIP"].(string)
		for hop := range strings.SplitSeq(hops, ",") {
			if a, err := netip.ParseAddr(strings.TrimSpace(hop)); err == nil {
				out = append(out, inventory.Route{Matches: text, NextHop: a.Unmap()})
			}
		}
	}
	return out
}

// PoolOf returns the facts of an IPPool resource (ippools.kubeovn.io).
func PoolOf(u *unstructured.Unstructured) inventory.Pool {
	p := inventory.Pool{Name: u.GetName(), Subnet: specString(u, "subnet")}
	if list, _, err := unstructured.NestedStringSlice(u.Object, "spec", "namespaces"); err == nil {
		p.Namespaces = list
	}
	if list, _, err := unstructured.NestedStringSlice(u.Object, "spec", "ips"); err == nil {
		p.Ranges = rangesOf(list)
	}
	return p
}

// appendAddress adds an address; what is none, such as "None" of a headless Service, is left out.
func appendAddress(list []netip.Addr, text string) []netip.Addr {
	if a, err := netip.ParseAddr(text); err == nil {
		list = append(list, a.Unmap())
	}
	return list
}

// controllerOf returns the object that the references name as the controller; nil where there is none.
func controllerOf(refs []metav1.OwnerReference) *policy.Owner {
	for _, r := range refs {
		if r.Controller != nil && *r.Controller {
			return &policy.Owner{APIVersion: r.APIVersion, Kind: r.Kind, Name: r.Name, UID: string(r.UID)}
		}
	}
	return nil
}
