package upstream

import (
	"net"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/lab/internal/standin/ipam"
)

// Requests returns the requests to the address manager, in the order to try them; the first that succeeds counts.
// namespacePool is the namespace's own pool, used if the pod asks for nothing.
func Requests(v Version, pod *corev1.Pod, n NIC, namespacePool string) []ipam.Request {
	owner := OwnerOf(pod)
	base := ipam.Request{
		NIC:   kubeovn.PortName(owner.Name, pod.Namespace, n.Provider),
		NoMAC: n.IPAMOnly,
		MAC:   wish(v, pod, n, kubeovn.MACAddress, n.MAC),
	}
	// For attachments, a live migration's target may have the addresses that its source still has.
	_, migrated := pod.Annotations[kubeovn.MigrationJob]
	base.AllowConflict = migrated && n.Provider != kubeovn.DefaultProvider
	if v.HonoursFamily() {
		switch pod.Annotations[n.Provider.Key(IPFamily)] {
		case "ipv4":
			base.Family = ipam.OnlyIPv4
		case "ipv6":
			base.Family = ipam.OnlyIPv6
		}
	}
	var requests []ipam.Request
	for _, s := range n.Subnets {
		base.Subnet = s.Name
		if static := splitList(wish(v, pod, n, kubeovn.IPAddress, strings.Join(n.Addresses, ","))); len(static) > 0 {
			r := base
			r.Static = static
			requests = append(requests, r)
			continue
		}
		pool := pod.Annotations[n.Provider.Key(IPPool)]
		if pool == "" && n.Provider == kubeovn.DefaultProvider {
			pool = namespacePool
		}
		requests = append(requests, fromPool(base, owner, pool)...)
	}
	return requests
}

// wish returns the requested address or MAC: from the key for one interface, or else from the entry of the networks
// annotation, or else from the provider's own key.
func wish(v Version, pod *corev1.Pod, n NIC, s kubeovn.Suffix, asked string) string {
	if v.providerPerInterface() && n.Interface != "" {
		key := kubeovn.Provider(n.Attachment).Key(s + kubeovn.Suffix("."+n.Interface))
		if text := pod.Annotations[key]; text != "" {
			return text
		}
	}
	if asked != "" {
		return asked
	}
	return pod.Annotations[n.Provider.Key(s)]
}

// fromPool parses an ip_pool annotation: the name of a pool, or a list of addresses. A StatefulSet's pod takes the
// address at its number, and any other pod the first free one.
func fromPool(base ipam.Request, owner Owner, pool string) []ipam.Request {
	if pool == "" {
		return []ipam.Request{base}
	}
	items := poolItems(pool)
	if len(items) == 1 && net.ParseIP(strings.Split(items[0], ",")[0]) == nil {
		base.Pool = items[0]
		return []ipam.Request{base}
	}
	if owner.StatefulSet != "" {
		if owner.Ordinal >= len(items) {
			base.Static = []string{pool} // it is no address, and the error says so
			return []ipam.Request{base}
		}
		items = items[owner.Ordinal : owner.Ordinal+1]
	}
	var requests []ipam.Request
	for _, item := range items {
		r := base
		r.Static = splitList(item)
		requests = append(requests, r)
	}
	return requests
}

// poolItems splits the list: at ";" if there is one, else at ",". Two addresses of different families are one
// dual-stack address.
func poolItems(pool string) []string {
	if strings.Contains(pool, ";") {
		return trimmed(strings.Split(pool, ";"))
	}
	items := trimmed(strings.Split(pool, ","))
	if len(items) == 2 && isV6(items[0]) != isV6(items[1]) {
		return []string{strings.Join(items, ",")}
	}
	return items
}

func isV6(text string) bool { return strings.Contains(text, ":") }
