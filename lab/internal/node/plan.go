package node

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/multus"
	"github.com/ovnguard/ovnguard/lab/internal/netns"
)

// vmiKind is the kind of owner that makes a pod a KubeVirt VM's launcher, whose ports bear the VM's name.
const vmiKind = "VirtualMachineInstance"

// nic is one NIC to plug.
type nic struct {
	// port is the name of the Logical_Switch_Port.
	port string
	// link is the interface's name in the pod, peer that in the node.
	link string
	peer string
	mac  string
	// prefixes are the addresses with the length of their subnets.
	prefixes []netip.Prefix
	// gateways are the default routes' next hops; only the first NIC has them.
	gateways []netip.Addr
}

// plan gives the NICs of a pod once Kube-OVN has allocated all of them. ready is false while it has not.
func plan(pod *corev1.Pod, kind func(kubeovn.Attachment) kubeovn.AttachmentKind) (nics []nic, ready bool, err error) {
	networks, err := multus.Parse(pod.Namespace, pod.Annotations)
	if err != nil {
		return nil, false, err
	}
	type wish struct {
		provider kubeovn.Provider
		link     string
	}
	wishes := []wish{{kubeovn.DefaultProvider, "eth0"}}
	if d := networks.Default; d != nil {
		wishes[0].provider = kubeovn.AttachmentProvider(d.Namespace, d.Name)
	}
	for i, a := range networks.Attachments {
		if kind(a) != kubeovn.KindOVN {
			continue
		}
		link := a.Interface
		if link == "" {
			link = fmt.Sprintf("net%d", i+1)
		}
		provider := kubeovn.AttachmentProvider(a.Namespace, a.Name)
		// Where an attachment is listed more than once, newer releases of Kube-OVN allocate for each interface.
		if perInterface := provider + kubeovn.Provider("."+a.Interface); pod.Annotations[perInterface.Key(kubeovn.Allocated)] == kubeovn.True {
			provider = perInterface
		}
		wishes = append(wishes, wish{provider, link})
	}
	for i, w := range wishes {
		if pod.Annotations[w.provider.Key(kubeovn.Allocated)] != kubeovn.True {
			return nil, false, nil
		}
		n, err := nicOf(pod, w.provider, w.link, i == 0)
		if err != nil {
			return nil, false, fmt.Errorf("NIC %s: %w", w.provider, err)
		}
		nics = append(nics, n)
	}
	return nics, true, nil
}

// nicOf reads what Kube-OVN wrote on the pod for one NIC.
func nicOf(pod *corev1.Pod, p kubeovn.Provider, link string, first bool) (nic, error) {
	value := func(s kubeovn.Suffix) string { return pod.Annotations[p.Key(s)] }
	n := nic{
		port: kubeovn.PortName(owner(pod), pod.Namespace, p), link: link,
		peer: peerName(string(pod.UID), link), mac: value(kubeovn.MACAddress),
	}
	var subnets []netip.Prefix
	for _, text := range list(value(kubeovn.CIDR)) {
		s, err := netip.ParsePrefix(text)
		if err != nil {
			return nic{}, fmt.Errorf("subnet: %w", err)
		}
		subnets = append(subnets, s)
	}
	for _, text := range list(value(kubeovn.IPAddress)) {
		ip, err := netip.ParseAddr(text)
		if err != nil {
			return nic{}, fmt.Errorf("address: %w", err)
		}
		bits := ip.BitLen()
		for _, s := range subnets {
			if s.Contains(ip) {
				bits = s.Bits()
			}
		}
		n.prefixes = append(n.prefixes, netip.PrefixFrom(ip, bits))
	}
	if !first {
		return n, nil
	}
	for _, text := range list(value(kubeovn.Gateway)) {
		ip, err := netip.ParseAddr(text)
		if err != nil {
			return nic{}, fmt.Errorf("gateway: %w", err)
		}
		n.gateways = append(n.gateways, ip)
	}
	return n, nil
}

// commands are the ip(8) commands that set the NIC up inside the pod's namespace.
func (n nic) commands() []string {
	out := []string{fmt.Sprintf("link set %s address %s", n.link, n.mac), fmt.Sprintf("link set %s up", n.link)}
	for _, p := range n.prefixes {
		add := fmt.Sprintf("addr replace %s dev %s", p, n.link)
		if p.Addr().Is6() {
			add += " nodad" // the addresses are Kube-OVN's, nobody else has them
		}
		out = append(out, add)
	}
	for _, g := range n.gateways {
		out = append(out, fmt.Sprintf("route replace default via %s dev %s", g, n.link))
	}
	return out
}

// owner is the name in the pod's ports.
func owner(pod *corev1.Pod) string {
	for _, o := range pod.OwnerReferences {
		if o.Kind == vmiKind && strings.HasPrefix(o.APIVersion, "kubevirt.io/") {
			return o.Name
		}
	}
	return pod.Name
}

// podNetns gives the name of a pod's network namespace. A namespace's name has no dot in it, so no two pods share one.
func podNetns(labID, namespace, name string) string {
	full := netns.Prefix(labID) + namespace + "." + name
	if len(full) <= maxFileName {
		return full
	}
	sum := sha256.Sum256([]byte(full))
	return full[:maxFileName-17] + "-" + hex.EncodeToString(sum[:8])
}

// maxFileName is the longest name of a file, in bytes.
const maxFileName = 255

// peerName gives the name of a NIC's end in the node: at most 15 bytes, the same for the same pod and NIC.
func peerName(uid, link string) string {
	sum := sha256.Sum256([]byte(uid + "/" + link))
	return "v" + hex.EncodeToString(sum[:7])
}

func list(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, ",")
}
