//go:build integration

package standin

import (
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/lab/internal/standin/crd"
	"github.com/ovnguard/ovnguard/lab/internal/standin/upstream"
)

// casesNotModelled lists the worked cases that the stand-in does not cover, with the reason.
var casesNotModelled = map[string]string{
	"sys-mcast-querier": "subnets do no multicast snooping here, so nothing makes a querier's port",
	"sys-ovn-eip-lsp":   "there is no external gateway and no OvnEip here; the port carries no pod's traffic",
}

// workedCase is one case of testdata/cases.json: a pod, and its row under the controller's rules.
type workedCase struct {
	Name, Phase, Since string
	Pod                struct {
		Namespace, Name string
		Owner           *metav1.OwnerReference
	}
	PodAnnotations       map[string]string `json:"pod_annotations"`
	NamespaceAnnotations map[string]string `json:"namespace_annotations"`
	Provider             kubeovn.Provider
	Subnet               string
	Protocol             string            `json:"subnet_protocol"`
	Resolved             map[string]string `json:"resolved_inputs"`
	PortName             string            `json:"expected_lsp_name"`
	PortType             string            `json:"expected_lsp_type"`
	Addresses            []string          `json:"expected_addresses"`
	PortSecurity         []string          `json:"expected_port_security"`
	ExternalIDs          map[string]string `json:"expected_external_ids"`
	Flags                map[string]bool   `json:"controller_flags"`
	Resources            []struct {
		Kind, Name   string
		Spec, Status map[string]any
	} `json:"custom_resources"`
}

// in reports whether a release line behaves as the case says.
func (c *workedCase) in(v upstream.Version) bool {
	switch c.Since {
	case "1.16", "main":
		return v == upstream.Master
	case "1.15":
		return v != upstream.V1_14
	}
	return true
}

// TestWorkedCases runs the cases one after the other, each on every release line that it holds for.
func TestWorkedCases(t *testing.T) {
	text, err := os.ReadFile("testdata/cases.json")
	check(t, err)
	var list []workedCase
	check(t, json.Unmarshal(text, &list))
	stale := maps.Clone(casesNotModelled)
	w := newWorld(t, upstream.Master)
	t.Cleanup(w.stop)
	w.start()
	w.makeCaseCluster()
	comparisons, modelled := 0, 0
	for _, v := range []upstream.Version{upstream.V1_14, upstream.V1_15, upstream.Master} {
		t.Run(string(v), func(t *testing.T) {
			w.restart(v, false)
			for _, c := range list {
				if !c.in(v) {
					continue
				}
				t.Run(c.Name, func(t *testing.T) {
					if reason := casesNotModelled[c.Name]; reason != "" {
						delete(stale, c.Name)
						t.Logf("not modelled: %s", reason)
						return
					}
					if c.Flags["non-primary-cni-mode"] {
						w.restart(v, true)
						defer w.restart(v, false)
					}
					r := &run{translation: translation{}}
					w.playCase(t, r, &c)
					for _, d := range r.differences {
						t.Error(d)
					}
					if r.comparisons == 0 {
						t.Error("nothing was compared")
					}
					comparisons += r.comparisons
					if v == upstream.Master {
						modelled++
					}
				})
			}
		})
	}
	for name := range stale {
		t.Errorf("casesNotModelled lists %s, which is no case", name)
	}
	t.Logf(
		"%d worked cases: %d modelled with %d comparisons on three release lines, %d not modelled for a listed reason",
		len(list),
		modelled,
		comparisons,
		len(casesNotModelled),
	)
}

func (w *world) restart(v upstream.Version, nonPrimary bool) {
	w.t.Helper()
	w.stop()
	w.version, w.nonPrimary = v, nonPrimary
	w.start()
}

func (w *world) makeCaseCluster() {
	w.t.Helper()
	for _, name := range []string{"vpc1", "tenant-b"} {
		w.make(crd.VPCs, "Vpc", "", name, spec{})
	}
	w.make(crd.Vlans, "Vlan", "", "vlan10", spec{"id": int64(10), "provider": "pn"})
	for name, s := range map[string]spec{
		"attach":        {"cidrBlock": "10.20.0.0/16", "provider": "attach.default.ovn"},
		"vpc1-net":      {"cidrBlock": "10.30.0.0/24", "vpc": "vpc1"},
		"tenant-a-net":  {"cidrBlock": "10.98.0.0/24"},
		"tenant-b-net":  {"cidrBlock": "10.99.0.0/24", "vpc": "tenant-b"},
		"underlay-dhcp": {"vlan": "vlan10"},
		"vlan-net":      {"cidrBlock": "172.20.0.0/16", "vlan": "vlan10"},
		"macvlan":       {"cidrBlock": "10.92.0.0/16", "provider": "macvlan.default"},
	} {
		w.make(crd.Subnets, "Subnet", "", name, s)
	}
	for _, name := range []string{"default", "kube-system"} {
		sa := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "default"}}
		w.existing(name)
		_, err := w.kube.CoreV1().ServiceAccounts(name).Create(w.t.Context(), sa, metav1.CreateOptions{})
		check(w.t, err)
	}
	w.make(
		crd.NADs,
		"NetworkAttachmentDefinition",
		"default",
		"attach",
		spec{"config": `{"type":"kube-ovn","provider":"attach.default.ovn"}`},
	)
	w.make(
		crd.NADs,
		"NetworkAttachmentDefinition",
		"default",
		"macvlan",
		spec{"config": `{"type":"macvlan","ipam":{"type":"kube-ovn","provider":"macvlan.default"}}`},
	)
	w.make(
		crd.NADs,
		"NetworkAttachmentDefinition",
		"kube-system",
		"ovn-vpc-external-network",
		spec{"config": `{"type":"macvlan","master":"eth1"}`},
	)
	_, err := w.kube.CoreV1().
		Nodes().
		Create(w.t.Context(), &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "worker1"}}, metav1.CreateOptions{})
	check(w.t, err)
}

// existing waits for a namespace that the API server makes by itself.
func (w *world) existing(name string) {
	w.t.Helper()
	for end := time.Now().Add(settleTimeout); ; time.Sleep(10 * time.Millisecond) {
		if _, err := w.kube.CoreV1().Namespaces().Get(w.t.Context(), name, metav1.GetOptions{}); err == nil {
			return
		} else if time.Now().After(end) {
			w.t.Fatal(err)
		}
	}
}

// prepare changes the default subnet and the namespace as the case needs, and waits until the stand-in knows.
func (w *world) prepare(t *testing.T, c *workedCase) {
	t.Helper()
	cidr := DefaultCIDR
	if c.Subnet == DefaultSubnet {
		switch c.Protocol {
		case "Dual":
			cidr += ",fd00:10:16::/64"
		case "IPv6":
			cidr = "fd00:10:16::/64"
		}
	}
	patch := fmt.Sprintf(`{"spec":{"cidrBlock":%q,"gateway":"","excludeIps":[]}}`, cidr)
	_, err := w.dyn.Resource(crd.Subnets).
		Patch(t.Context(), DefaultSubnet, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	check(t, err)
	set := map[string]any{"ovn.kubernetes.io/port_security": nil, "ovn.kubernetes.io/logical_switch": DefaultSubnet}
	if c.Provider == kubeovn.DefaultProvider && c.PodAnnotations["ovn.kubernetes.io/logical_switch"] == "" {
		set["ovn.kubernetes.io/logical_switch"] = c.Subnet // nothing else would bring the pod there
	}
	for key, value := range c.NamespaceAnnotations {
		set[key] = value
	}
	text, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": set}})
	check(t, err)
	ns, err := w.kube.CoreV1().
		Namespaces().
		Patch(t.Context(), c.Pod.Namespace, types.MergePatchType, text, metav1.PatchOptions{})
	check(t, err)
	for _, r := range c.Resources {
		s := r.Spec
		for _, key := range []string{"v4ip", "v6ip"} {
			if value, ok := r.Status[key]; ok {
				s[key] = value
			}
		}
		w.make(crd.Vips, r.Kind, "", r.Name, s)
	}
	for end := time.Now().Add(settleTimeout); ; time.Sleep(time.Millisecond) {
		subnet, ok := w.standin.subnets.get("", DefaultSubnet)
		seen, known := w.standin.namespaces.get("", ns.Name)
		ready := ok && subnet.Spec.CIDRBlock == cidr && len(subnet.Gateways()) == len(subnet.CIDRs()) && known &&
			seen.ResourceVersion == ns.ResourceVersion
		for _, r := range c.Resources {
			v, ok := w.standin.vips.get("", r.Name)
			ready = ready && ok && v.Status.MAC != ""
		}
		if ready && w.standin.queue.idle() {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the stand-in does not see the case's surroundings: subnet %+v", subnet)
		}
	}
}

func (w *world) playCase(t *testing.T, r *run, c *workedCase) {
	if c.Phase == "system" {
		w.playSystemCase(t, r, c)
		return
	}
	w.prepare(t, c)
	given := maps.Clone(c.PodAnnotations)
	port := c.Provider.Key(kubeovn.PortSecurity)
	if c.Phase == "update" { // the case has the annotations after the change
		given[port] = "true"
		if c.PodAnnotations[port] == "true" {
			given[port] = "false"
		}
	}
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: c.Pod.Namespace, Name: c.Pod.Name, Annotations: given},
		Spec:       corev1.PodSpec{NodeName: "worker1"},
	}
	if c.Pod.Owner != nil {
		c.Pod.Owner.UID = "owner"
		pod.OwnerReferences = []metav1.OwnerReference{*c.Pod.Owner}
	}
	w.pod(pod)
	defer func() {
		w.deletePod(c.Pod.Namespace, c.Pod.Name)
		for _, res := range c.Resources {
			check(t, w.dyn.Resource(crd.Vips).Delete(t.Context(), res.Name, metav1.DeleteOptions{}))
		}
		w.settle()
		for end := time.Now().Add(settleTimeout); len(w.standin.vips.list()) > 0; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("a Vip is left")
			}
		}
		if left := w.portsNamed(c.Pod.Name + "." + c.Pod.Namespace); len(left) > 0 {
			t.Errorf("ports are left after the pod went: %+v", left)
		}
	}()
	w.settle()
	if c.Phase == "update" {
		if want, ok := c.PodAnnotations[port]; ok {
			w.annotatePod(c.Pod.Namespace, c.Pod.Name, map[string]any{port: want})
		} else {
			w.annotatePod(c.Pod.Namespace, c.Pod.Name, map[string]any{port: nil})
		}
		w.settle()
	}
	if c.PortName == "" {
		_, ok := w.port(kubeovn.PortName(c.Pod.Name, c.Pod.Namespace, c.Provider))
		r.diff("a port exists", false, ok)
		_, err := w.dyn.Resource(crd.IPs).
			Get(t.Context(), kubeovn.PortName(c.Pod.Name, c.Pod.Namespace, c.Provider), metav1.GetOptions{})
		r.diff("the ip resource is missing", nil, err)
		return
	}
	now := w.getPod(c.Pod.Namespace, c.Pod.Name).Annotations
	asked, err := json.Marshal(c.PodAnnotations)
	check(t, err)
	r.learn(map[string]string{
		c.Provider.Key(kubeovn.IPAddress): c.Resolved["ip"], c.Provider.Key(kubeovn.MACAddress): c.Resolved["mac"],
	}, now, string(asked))
	w.compareCase(t, r, c)
	if c.Flags["non-primary-cni-mode"] || c.PodAnnotations[kubeovn.DefaultNetwork] != "" {
		_, ok := w.port(kubeovn.PortName(c.Pod.Name, c.Pod.Namespace, kubeovn.DefaultProvider))
		r.diff("the default network has a port", false, ok)
	}
}

func (w *world) compareCase(t *testing.T, r *run, c *workedCase) {
	t.Helper()
	row, ok := w.port(c.PortName)
	if !ok {
		t.Fatalf("no port %s", c.PortName)
	}
	r.diff("type", c.PortType, row.Type)
	r.diff("addresses", r.list(c.Addresses), sortedCopy(row.Addresses))
	r.diff("port_security", r.list(c.PortSecurity), sortedCopy(row.PortSecurity))
	if c.ExternalIDs != nil {
		r.diff("external_ids", c.ExternalIDs, row.ExternalIDs)
	}
}

// playSystemCase compares a port of the infrastructure.
func (w *world) playSystemCase(t *testing.T, r *run, c *workedCase) {
	kinds := map[string]string{"sys-switch-lb-vip": crd.VipSwitchLB, "sys-kube-host-vm-vip": crd.VipHostVM}
	if kind, ok := kinds[c.Name]; ok {
		w.prepare(t, c)
		w.make(
			crd.Vips,
			"Vip",
			"",
			c.Pod.Name,
			spec{"namespace": c.Pod.Namespace, "subnet": c.Subnet, "type": kind, "v4ip": c.Resolved["ip"]},
		)
		defer func() { check(t, w.dyn.Resource(crd.Vips).Delete(t.Context(), c.Pod.Name, metav1.DeleteOptions{})) }()
	}
	for end := time.Now().Add(settleTimeout); ; time.Sleep(time.Millisecond) {
		if row, ok := w.port(c.PortName); ok {
			for i, word := range strings.Fields(strings.Join(row.Addresses, " ")) { // MAC, then address
				want := []string{c.Resolved["mac"], c.Resolved["ip"]}[min(i, 1)]
				_, err := net.ParseMAC(word)
				isIP := net.ParseIP(word) != nil
				if want != "" && (i == 0 && err == nil || i == 1 && isIP) {
					r.translation[want] = word
				}
			}
			w.compareCase(t, r, c)
			break
		}
		if time.Now().After(end) {
			t.Fatalf("no port %s", c.PortName)
		}
	}
	if c.Name == "sys-switch-lb-vip" {
		row, _ := w.port(c.PortName)
		r.diff("options", map[string]string{"arp_proxy": "true"}, row.Options)
		lrp, ok, err := w.reader.RouterPort(t.Context(), "ovn-cluster-ovn-default")
		check(t, err)
		r.diff(
			"the gateway's MAC",
			true,
			ok && slices.ContainsFunc(row.Addresses, func(a string) bool { return strings.HasPrefix(a, lrp.MAC+" ") }),
		)
	}
}
