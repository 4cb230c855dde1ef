package audit

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/portsec"
)

// groupWidened finds ports whose port_security puts addresses that are not theirs into the address set of a security
// group: Kube-OVN computes these sets from the columns of the group's ports, so that every rule which refers to the
// group lets them pass as well.
var groupWidened = check{
	rule: Rule{
		ID:       "OVG018",
		Name:     "group-widened",
		Severity: Medium,
		Settle:   settle,
		Summary: "the address set of a security group holds addresses that the port may use besides its own, " +
			"or addresses that no port of the group has",
	},
	find: func(s *subject) (found, bool) {
		if s.exact || !s.passes() || s.identityErr != nil || s.stated != nil || len(s.Row.PortSecurity) == 0 {
			return found{}, false
		}
		names := s.groups()
		if len(names) == 0 {
			return found{}, false
		}
		own, err := s.meantForGroups()
		if err != nil {
			return found{}, false
		}
		var pairs []portsec.Pair
		for _, r := range s.column.Readings {
			listed := false
			for _, e := range r.Column.Elements {
				listed = listed || e.Usable() && len(e.Addresses) > 0
			}
			if excess := portsec.Excess(r.Set, own); listed && len(excess) > len(pairs) && !r.Set.Open() {
				pairs = excess
			}
		}
		if len(pairs) == 0 {
			return found{}, false
		}
		what := fmt.Sprintf("so the address set of the group holds %s, and rules that refer to the group let "+
			"that pass", joined(pairs))
		if held := s.held(pairs); len(held) > 0 {
			what = fmt.Sprintf(
				"so the address set of the group holds %s, and rules that refer to the group let that pass",
				listed(held),
			)
		} else if s.GroupsKnown {
			what = fmt.Sprintf(
				"so the address set of the group will hold %s as soon as Kube-OVN computes it again, and rules "+
					"that refer to the group will let that pass",
				joined(pairs),
			)
		}
		out := found{
			message: fmt.Sprintf("is in security group %s, %s", strings.Join(names, ", "), what),
			excess:  pairs,
			others:  names,
		}
		if s.column.Protected() { // all of it was granted
			out.message += "; end the grant, or remove the pod from the group"
		} else {
			out.fix = s.fixSets(pairs)
		}
		return out, true
	},
}

// meantForGroups returns what the port may put into the address sets of its groups: its identity, and the Vips that
// admission lets it share. What an exception grants has no place there.
func (s *subject) meantForGroups() (portsec.Set, error) {
	if len(s.Decision.Exceptions) > 0 || s.Decision.Level != policy.Extended {
		return portsec.IdentitySet(s.identity), nil
	}
	return wanted(s.identity, s.Decision)
}

// fixSets returns the command that takes what was not granted to the port out of the sets of its groups; "" where there
// is none of it. The column is put right by the command of OVG003.
func (s *subject) fixSets(pairs []portsec.Pair) string {
	held := s.held(pairs)
	var words []string
	for _, g := range s.Groups {
		for _, set := range g.Sets {
			for _, text := range set.Addresses {
				if !slices.Contains(held, text) {
					continue
				}
				if len(words) > 0 {
					words = append(words, "--")
				}
				words = append(words, "remove", "Address_Set", set.Name, "addresses", `"`+text+`"`)
			}
		}
	}
	if len(words) == 0 {
		return ""
	}
	return command("ovn-nbctl", words...)
}

// groups returns the security groups that the port is in: as OVN has them, and only where that is not read as the row
// names them.
func (s *subject) groups() (names []string) {
	if !s.GroupsKnown {
		if groups := s.Row.ExternalIDs[kubeovn.ExternalIDSecurityGroups]; groups != "" {
			names = strings.Split(groups, "/")
		}
		return names
	}
	for _, g := range s.Groups {
		names = append(names, g.Name)
	}
	return names
}

// held returns what the address sets of the port's groups hold of these pairs.
func (s *subject) held(pairs []portsec.Pair) (held []string) {
	for _, g := range s.Groups {
		for _, set := range g.Sets {
			for _, text := range set.Addresses {
				p := prefixOf(text)
				if !p.IsValid() || slices.Contains(s.identity.IPs, p.Addr()) && p.IsSingleIP() ||
					slices.Contains(held, text) ||
					s.shares(p) {
					continue
				}
				meets := func(e portsec.Pair) bool { return !e.Any() && e.Addresses.Overlaps(p) }
				if slices.ContainsFunc(pairs, meets) && s.accounts(text) {
					held = append(held, text)
				}
			}
		}
	}
	return held
}

// shares reports whether Vips let the port send from all of a prefix.
func (s *subject) shares(prefix netip.Prefix) bool {
	return len(s.Decision.Exceptions) == 0 && slices.ContainsFunc(s.Decision.Pairs, func(p portsec.AddressPair) bool {
		return p.Prefix.Bits() <= prefix.Bits() && p.Prefix.Contains(prefix.Addr())
	})
}

// accounts reports whether the set holds a text because of this port: Kube-OVN takes the words of its column as they
// stand.
func (s *subject) accounts(text string) bool {
	return slices.ContainsFunc(s.Row.PortSecurity, func(element string) bool {
		return strings.Contains(" "+element+" ", " "+text+" ")
	})
}

// prefixOf reads an address or a prefix; what is neither is no valid prefix.
func prefixOf(text string) netip.Prefix {
	if a, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(a, a.BitLen())
	}
	p, _ := netip.ParsePrefix(text)
	return p
}

func listed(texts []string) string {
	if more := len(texts) - pairLimit; more > 0 {
		return fmt.Sprintf("%s, %d more", strings.Join(texts[:pairLimit], ", "), more)
	}
	return strings.Join(texts, ", ")
}

// EvaluateGroup judges the address sets of a security group: whether they hold what no port of the group accounts for.
// Kube-OVN computes them when a port comes or goes, and not when a column is put right.
func EvaluateGroup(name string, strangers []inventory.UnknownMember) Result {
	result := Result{State: OutOfScope, Why: "it is a security group"}
	if len(strangers) == 0 {
		return result
	}
	texts := make([]string, len(strangers))
	words := make([]string, 0, 2*len(strangers))
	for i, s := range strangers {
		texts[i] = s.Text
		if i > 0 {
			words = append(words, "--")
		}
		words = append(words, "remove", "Address_Set", s.Set, "addresses", `"`+s.Text+`"`)
	}
	f := Finding{
		Rule: groupWidened.rule,
		Message: fmt.Sprintf(
			"the address sets of security group %s hold %s, but no port of the group has that; rules that "+
				"refer to the group let it pass",
			name,
			listed(texts),
		),
	}
	f.Evidence.Others = []string{name}
	if !slices.ContainsFunc(texts, func(text string) bool { return !prefixOf(text).IsValid() }) {
		f.Fix = command("ovn-nbctl", words...)
	}
	result.Findings = []Finding{f}
	return result
}
