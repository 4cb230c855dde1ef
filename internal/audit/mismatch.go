package audit

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/portsec"
)

// identityMismatch finds ports for which OVN, or the pod, has another MAC or other addresses than Kube-OVN's address
// management.
var identityMismatch = check{
	rule: Rule{
		ID:       "OVG010",
		Name:     "identity-mismatch",
		Severity: High,
		Settle:   settle,
		Summary: "the row's addresses, or the pod's annotations, differ from the identity that Kube-OVN gave " +
			"the NIC",
	},
	find: func(s *subject) (found, bool) {
		if s.Pod == nil || s.Record == nil || s.identityErr != nil {
			return found{}, false
		}
		if s.passes() && !s.holdsOwn() {
			out := found{excess: s.excess(), loss: s.loss(), fix: s.fixAddresses()}
			switch {
			case s.disputed():
				out.message = fmt.Sprintf(
					"addresses%s is %s, the same as in the pod's annotations, but the %s says %s; check on the "+
						"machine which one it uses before you change the other, or the machine loses its "+
						"network%s. When the pod is created again, Kube-OVN writes all of them alike",
					s.andPortSecurity(),
					quoted(s.Row.Addresses),
					s.identityFrom,
					s.own,
					s.repairWaits(),
				)
			case s.stated != nil:
				out.message = fmt.Sprintf(
					"addresses and port_security are for %s, but the %s says %s, and the port cannot send from "+
						"that",
					identityText(*s.stated),
					s.identityFrom,
					s.own,
				)
				out.fix = s.fixRow()
			default:
				out.message = fmt.Sprintf("addresses %s; the %s says %s", s.addressesText(), s.identityFrom, s.own)
			}
			return out, true
		}
		mac, ips := s.Pod.Annotations[s.Provider.Key(kubeovn.MACAddress)],
			s.Pod.Annotations[s.Provider.Key(kubeovn.IPAddress)]
		if mac == "" || s.Pod.Annotations[s.Provider.Key(kubeovn.Allocated)] != kubeovn.True {
			return found{}, false
		}
		if written(s.own, mac, ips) {
			return found{}, false
		}
		if text := mac + " " + strings.ReplaceAll(ips, ",", " "); !sameIdentity(strings.TrimSpace(text), s.identity) {
			texts := make([]string, len(s.identity.IPs))
			for i, ip := range s.identity.IPs {
				texts[i] = ip.String()
			}
			return found{
				message: fmt.Sprintf(
					"the pod's annotations say %q, but the %s says %s; Kube-OVN builds port_security from the "+
						"annotations",
					text,
					s.identityFrom,
					s.own,
				),
				fix: command(
					"kubectl",
					"annotate",
					"pod",
					"-n",
					s.Pod.Namespace,
					s.Pod.Name,
					"--overwrite",
					"--as="+s.controller(),
					s.Provider.Key(
						kubeovn.MACAddress,
					)+"="+s.identity.MAC.String(),
					s.Provider.Key(kubeovn.IPAddress)+"="+strings.Join(texts, ","),
				),
			}, true
		}
		return found{}, false
	},
}

// andPortSecurity names port_security beside addresses, where both are the same other identity's.
func (s *subject) andPortSecurity() string {
	if s.stated == nil {
		return ""
	}
	return ", with port_security,"
}

// repairWaits says that repair writes nothing where policy would have it write.
func (s *subject) repairWaits() string {
	if s.Decision.Mode != policy.Enforce || s.Decision.Repair != policy.RepairOn {
		return ""
	}
	return "; repair does not write the row"
}

// excess returns what a row that is another identity's as a whole lets the port send, and loss what it does not let it
// send.
func (s *subject) excess() []portsec.Pair {
	return s.differences(func(r portsec.Reading) []portsec.Pair { return r.Excess })
}

func (s *subject) loss() []portsec.Pair {
	return s.differences(func(r portsec.Reading) []portsec.Pair { return r.Loss })
}

func (s *subject) differences(of func(portsec.Reading) []portsec.Pair) []portsec.Pair {
	if s.stated == nil {
		return nil
	}
	var pairs []portsec.Pair
	for _, r := range s.column.Readings {
		for _, p := range of(r) {
			if !slices.ContainsFunc(pairs, func(o portsec.Pair) bool { return o.String() == p.String() }) {
				pairs = append(pairs, p)
			}
		}
	}
	return pairs
}

// fixRow returns the command that makes addresses and port_security what they must be, both at once; "" where they are
// not known.
func (s *subject) fixRow() string {
	words, column := expectedAddresses(&s.Port, s.identity, s.identityErr), s.ownColumn()
	if len(words) == 0 || column == nil ||
		slices.ContainsFunc(words, func(a string) bool { return strings.HasPrefix(a, "-") }) {
		return ""
	}
	line := append([]string{"lsp-set-addresses", s.nameForNbctl()}, words...)
	return command(
		"ovn-nbctl",
		slices.Concat(line, []string{"--", "lsp-set-port-security", s.nameForNbctl()}, column)...)
}

// holdsOwn reports whether addresses holds the identity, and besides it nothing but "unknown".
func (s *subject) holdsOwn() bool {
	if len(s.Row.Addresses) == 1 && s.Row.Addresses[0] == string(s.own) {
		return true // as nearly all do
	}
	return holdsOnly(s.Row.Addresses, s.identity)
}

// addressesText says in words what addresses holds instead of the identity.
func (s *subject) addressesText() string {
	switch rest := stations(s.Row.Addresses); {
	case len(s.Row.Addresses) == 0:
		return "is empty, so the port has no address of its own in OVN"
	case len(rest) == 0:
		return fmt.Sprintf("holds only %q, so the port has no address of its own in OVN", kubeovn.AddressUnknown)
	case len(rest) == 1:
		return fmt.Sprintf("holds %q", rest[0])
	default:
		return fmt.Sprintf("holds %q, but Kube-OVN writes one element", rest)
	}
}

// disputed reports whether the row and the pod's annotations agree on another identity than the IP resource gives.
// Kube-OVN builds the row from the annotations, so that either somebody changed these, or the IP resource.
func (s *subject) disputed() bool {
	if s.Pod == nil || s.Row == nil || s.Record == nil ||
		s.Pod.Annotations[s.Provider.Key(kubeovn.Allocated)] != kubeovn.True {
		return false
	}
	a := s.Pod.Annotations
	said, err := parseIdentity(a[s.Provider.Key(kubeovn.MACAddress)], splitList(a[s.Provider.Key(kubeovn.IPAddress)]))
	return err == nil && holdsOnly(s.Row.Addresses, said) &&
		(s.identityErr != nil || !holdsOnly(s.Row.Addresses, s.identity))
}

// written reports whether the annotations say an identity to the letter, as those of nearly all pods do.
func written(own []byte, mac, ips string) bool {
	if len(own) != len(mac)+1+len(ips) || string(own[:len(mac)]) != mac {
		return false
	}
	for i, b := range own[len(mac)+1:] {
		if b != ips[i] && (b != ' ' || ips[i] != ',') {
			return false
		}
	}
	return true
}

// stations returns the elements of addresses beside "unknown".
func stations(addresses []string) []string {
	return slices.DeleteFunc(slices.Clone(addresses), func(a string) bool { return a == kubeovn.AddressUnknown })
}

// holdsOnly reports whether addresses holds one element beside "unknown", and that is this identity.
func holdsOnly(addresses []string, identity portsec.Identity) bool {
	seen := false
	for _, a := range addresses {
		if a == kubeovn.AddressUnknown {
			continue
		}
		if seen || !sameIdentity(a, identity) {
			return false
		}
		seen = true
	}
	return seen
}

// sameIdentity reports whether an element of addresses, "MAC IP...", is this identity. Elements without a MAC are
// nobody's.
func sameIdentity(element string, identity portsec.Identity) bool {
	words := strings.Fields(element)
	if len(words) == 0 || !strings.EqualFold(words[0], identity.MAC.String()) {
		return false
	}
	ips := make([]netip.Addr, 0, len(words))
	for _, w := range words[1:] {
		a, err := netip.ParseAddr(w)
		if err != nil {
			return false
		}
		ips = append(ips, a)
	}
	return sameAddresses(ips, identity.IPs)
}

// sameAddresses reports whether two lists hold the same addresses, in whatever order.
func sameAddresses(a, b []netip.Addr) bool {
	inOrder := func(list []netip.Addr) []netip.Addr {
		return slices.SortedFunc(slices.Values(list), netip.Addr.Compare)
	}
	return slices.Equal(inOrder(a), inOrder(b))
}
