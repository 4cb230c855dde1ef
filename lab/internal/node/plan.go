package node

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/multus"
	"github.com/ovnguard/ovnguard/lab/internal/netns"
)

// nic is one NIC to plug.
type nic struct {
	// port is the name of the Logical_Switch_Port.
	port string
	// link is the interface's name in the pod, peer its name in the node.
	link string
	peer string
	mac  string
	// prefixes are the addresses with the length of their subnets.
	prefixes []netip.Prefix
	// gateways are the default routes' next hops; only the first NIC has them.
	gateways []netip.Addr
	routes   []route
}

// plan returns the NICs of a pod once Kube-OVN has allocated all of them. ready is false until then. kind returns the
// kind of an attachment. With nonPrimary, the default network is another CNI's.
func plan(
	pod *corev1.Pod,
	nonPrimary bool,
	kind func(kubeovn.Attachment) (kubeovn.AttachmentKind, error),
) (nics []nic, ready bool, err error) {
	networks, err := multus.Parse(pod.Namespace, pod.Annotations)
	if err != nil {
		return nil, false, err
	}
	allocated := func(p kubeovn.Provider) bool { return pod.Annotations[p.Key(kubeovn.Allocated)] == kubeovn.True }
	first := kubeovn.DefaultProvider
	if d := networks.Default; d != nil {
		first = kubeovn.AttachmentProvider(d.Namespace, d.Name)
	}
	another := nonPrimary && networks.Default == nil
	if !another && !allocated(first) {
		return nil, false, nil
	}
	add := func(p kubeovn.Provider, link string) error {
		n, err := nicOf(pod, p, link, len(nics) == 0)
		if err != nil {
			return fmt.Errorf("NIC %s: %w", p, err)
		}
		nics = append(nics, n)
		return nil
	}
	if !another {
		if err := add(first, "eth0"); err != nil {
			return nil, false, err
		}
	}
	plugged := map[kubeovn.Provider]bool{first: true}
	for i, a := range networks.Attachments {
		k, err := kind(a)
		if err != nil {
			return nil, false, err
		}
		if !k.OnOVN() {
			continue
		}
		provider := kubeovn.AttachmentProvider(a.Namespace, a.Name)
		// Where an attachment is listed more than once, newer releases of Kube-OVN allocate for each interface.
		if perInterface := provider + kubeovn.Provider("."+a.Interface); allocated(perInterface) {
			provider = perInterface
		}
		if plugged[provider] {
			continue // older releases have one port for all of them
		}
		plugged[provider] = true
		if !allocated(provider) {
			return nil, false, nil
		}
		link := a.Interface
		if link == "" {
			link = fmt.Sprintf("net%d", i+1)
		}
		if err := add(provider, link); err != nil {
			return nil, false, err
		}
	}
	return nics, true, nil
}

// nicOf reads Kube-OVN's annotations of the pod for one NIC. It checks all of them: anyone who may edit the pod can
// write them, and they end up in commands.
func nicOf(pod *corev1.Pod, p kubeovn.Provider, link string, first bool) (nic, error) {
	value := func(s kubeovn.Suffix) string { return pod.Annotations[p.Key(s)] }
	if !linkName.MatchString(link) {
		return nic{}, fmt.Errorf("interface %q: give 1 to 15 letters, digits, dashes, dots and underscores", link)
	}
	mac, err := net.ParseMAC(value(kubeovn.MACAddress))
	if err != nil {
		return nic{}, fmt.Errorf("annotation %s: %w", p.Key(kubeovn.MACAddress), err)
	}
	n := nic{
		port: kubeovn.PortName(owner(pod), pod.Namespace, p), link: link,
		peer: peerName(string(pod.UID), link), mac: mac.String(),
	}
	subnets, err := parseList(value(kubeovn.CIDR), netip.ParsePrefix)
	if err != nil {
		return nic{}, fmt.Errorf("annotation %s: %w", p.Key(kubeovn.CIDR), err)
	}
	addresses, err := parseList(value(kubeovn.IPAddress), parseAddr)
	if err != nil {
		return nic{}, fmt.Errorf("annotation %s: %w", p.Key(kubeovn.IPAddress), err)
	}
	for _, ip := range addresses {
		bits := ip.BitLen()
		for _, s := range subnets {
			if s.Contains(ip) {
				bits = s.Bits()
			}
		}
		n.prefixes = append(n.prefixes, netip.PrefixFrom(ip, bits))
	}
	if first {
		if n.gateways, err = parseList(value(kubeovn.Gateway), parseAddr); err != nil {
			return nic{}, fmt.Errorf("annotation %s: %w", p.Key(kubeovn.Gateway), err)
		}
	}
	if n.routes, err = parseRoutes(value(routesSuffix)); err != nil {
		return nic{}, fmt.Errorf("annotation %s: %w", p.Key(routesSuffix), err)
	}
	return n, nil
}

// linkName is the form of interface names in the lab; the kernel allows more.
var linkName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,14}$`)

// routesSuffix ends the annotation with a user's further routes inside the pod; Kube-OVN's CNI reads it.
const routesSuffix kubeovn.Suffix = "routes"

// route is one entry of that annotation.
type route struct {
	// Destination is a prefix, or empty for a default route.
	Destination string `json:"dst"`
	Gateway     string `json:"gw"`
}

func parseRoutes(text string) ([]route, error) {
	if text == "" {
		return nil, nil
	}
	var routes []route
	if err := json.Unmarshal([]byte(text), &routes); err != nil {
		return nil, fmt.Errorf(`%w: give a list such as [{"dst":"192.0.2.0/24","gw":"10.16.0.1"}]`, err)
	}
	for i, r := range routes {
		gateway, err := parseAddr(r.Gateway)
		if err != nil {
			return nil, fmt.Errorf("gw of entry %d: %w", i, err)
		}
		if r.Destination == "" {
			r.Destination = "0.0.0.0/0"
			if gateway.Is6() {
				r.Destination = "::/0"
			}
		}
		p, err := netip.ParsePrefix(r.Destination)
		if err != nil {
			return nil, fmt.Errorf("dst of entry %d: %w", i, err)
		}
		routes[i] = route{Destination: p.Masked().String(), Gateway: gateway.String()}
	}
	return routes, nil
}

// parseAddr parses an address without a zone, because a zone may contain anything.
func parseAddr(text string) (netip.Addr, error) {
	ip, err := netip.ParseAddr(text)
	if err == nil && ip.Zone() != "" {
		err = fmt.Errorf("address %q: leave out the zone", text)
	}
	return ip, err
}

// parseList parses the parts of a comma list.
func parseList[T any](text string, parse func(string) (T, error)) ([]T, error) {
	if text == "" {
		return nil, nil
	}
	var all []T
	for part := range strings.SplitSeq(text, ",") {
		one, err := parse(part)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}

// commands returns the ip(8) commands that set the NIC up inside the pod's namespace.
func (n nic) commands() []string {
	out := []string{fmt.Sprintf("link set %s address %s", n.link, n.mac), fmt.Sprintf("link set %s up", n.link)}
	for _, p := range n.prefixes {
		add := fmt.Sprintf("addr replace %s dev %s", p, n.link)
		if p.Addr().Is6() {
			add += " nodad" // only Kube-OVN assigns the addresses, so there are no duplicates
		}
		out = append(out, add)
	}
	for _, g := range n.gateways {
		out = append(out, fmt.Sprintf("route replace default via %s dev %s", g, n.link))
	}
	for _, r := range n.routes {
		out = append(out, fmt.Sprintf("route replace %s via %s dev %s", r.Destination, r.Gateway, n.link))
	}
	return out
}

// owner returns the pod's name in the names of its ports.
func owner(pod *corev1.Pod) string {
	for _, o := range pod.OwnerReferences {
		if kubeovn.OwnsLauncher(o.APIVersion, o.Kind) {
			return o.Name
		}
	}
	return pod.Name
}

// podPrefix returns the beginning of the names of the network namespaces of a node's pods. The node is part of them
// because a pod that was forced off one node may start on another before the first has cleaned up.
func podPrefix(labID, node string) string { return netns.Prefix(labID) + node + "." }

// podNetns returns the name of a pod's network namespace. A Kubernetes namespace has no dot in its name, so no two pods
// share one.
func podNetns(labID, node, namespace, name string) string {
	full := podPrefix(labID, node) + namespace + "." + name
	if len(full) <= maxFileName {
		return full
	}
	sum := sha256.Sum256([]byte(full))
	return full[:maxFileName-17] + "-" + hex.EncodeToString(sum[:8])
}

// maxFileName is the longest name of a file, in bytes.
const maxFileName = 255

// peerName returns the name of a NIC's end in the node: at most 15 bytes, the same for the same pod and NIC.
func peerName(uid, link string) string {
	sum := sha256.Sum256([]byte(uid + "/" + link))
	return "v" + hex.EncodeToString(sum[:7])
}
