package repair

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// identical tells that the row's addresses are the MAC and the addresses that Kube-OVN's address management gave to the port, beside
// "unknown". Kube-OVN writes them as one element, "MAC IP...".
func identical(addresses []string, record *inventory.Record) bool {
	seen := false
	for _, element := range addresses {
		if element == kubeovn.AddressUnknown {
			continue
		}
		words := strings.Fields(element)
		if seen || len(words) == 0 || !strings.EqualFold(words[0], record.MAC) {
			return false
		}
		seen = true
		if !slices.Equal(parsed(words[1:]), parsed(record.IPs)) {
			return false
		}
	}
	return seen
}

// parsed gives the addresses in order; those that cannot be read are the zero address.
func parsed(texts []string) []netip.Addr {
	out := make([]netip.Addr, len(texts))
	for i, text := range texts {
		out[i], _ = netip.ParseAddr(text)
	}
	slices.SortFunc(out, netip.Addr.Compare)
	return out
}
