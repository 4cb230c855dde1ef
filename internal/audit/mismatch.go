package audit

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/portsec"
)

// identityMismatch finds ports of which OVN, or the pod, says another MAC or other addresses than Kube-OVN's address management.
var identityMismatch = check{
	rule: Rule{ID: "OVG010", Name: "identity-mismatch", Severity: High, Settle: settle, Summary: "the row's addresses, or the pod's annotations, are not what Kube-OVN's address management gave to the port"},
	find: func(s *subject) (found, bool) {
		if s.Pod == nil || s.Record == nil || s.identityErr != nil || s.Pod.Terminating {
			return found{}, false
		}
		if s.passes() {
			for _, element := range s.Row.Addresses {
				if element == string(s.own) || sameIdentity(element, s.identity) {
					continue
				}
				f := found{message: fmt.Sprintf("addresses holds %q; the %s gives %s", element, s.identityFrom, s.own)}
				if len(s.Row.Addresses) == 1 || len(s.Row.Addresses) == 2 && slices.Contains(s.Row.Addresses, kubeovn.AddressUnknown) {
					words := []string{"lsp-set-addresses", s.nameForNbctl(), string(s.own)}
					if slices.Contains(s.Row.Addresses, kubeovn.AddressUnknown) {
						words = append(words, kubeovn.AddressUnknown)
					}
					f.fix = command("ovn-nbctl", words...)
				}
				return f, true
			}
		}
		mac, ips := s.Pod.Annotations[s.Provider.Key(kubeovn.MACAddress)], s.Pod.Annotations[s.Provider.Key(kubeovn.IPAddress)]
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
				message: fmt.Sprintf("the pod's annotations say %q; the %s gives %s, and Kube-OVN builds port_security from the annotations", text, s.identityFrom, s.own),
				fix: command("kubectl", "annotate", "pod", "-n", s.Pod.Namespace, s.Pod.Name, "--overwrite", "--as="+kubeovn.ControllerAccount,
					s.Provider.Key(kubeovn.MACAddress)+"="+s.identity.MAC.String(), s.Provider.Key(kubeovn.IPAddress)+"="+strings.Join(texts, ",")),
			}, true
		}
		return found{}, false
	},
}

// written tells that the annotations say an identity to the letter, as those of nearly all pods do.
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

// sameIdentity tells that an element of addresses, "MAC IP...", names this identity. Elements without a MAC name nobody.
func sameIdentity(element string, identity portsec.Identity) bool {
	words := strings.Fields(element)
	if len(words) == 0 || !strings.Contains(words[0], ":") {
		return true
	}
	if !strings.EqualFold(words[0], identity.MAC.String()) {
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
	slices.SortFunc(ips, netip.Addr.Compare)
	want := slices.Clone(identity.IPs)
	slices.SortFunc(want, netip.Addr.Compare)
	return slices.Equal(ips, want)
}
