//go:build integration

package node

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/lab/internal/netns"
	"github.com/ovnguard/ovnguard/lab/internal/ovn"
	"github.com/ovnguard/ovnguard/lab/internal/process"
)

// node1 is a real node, with an agent that can be stopped and started again; only the API server is a fake.
type node1 struct {
	t      *testing.T
	nb     string
	config Config
	kube   *fake.Clientset
	nads   *dynamicfake.FakeDynamicClient
}

func newNode(t *testing.T) *node1 {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("needs root: nodes and pods are network namespaces")
	}
	dir, err := os.MkdirTemp("", "lab")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	id := fmt.Sprintf("%06x", os.Getpid())
	group := process.NewGroup(process.Options{})
	t.Cleanup(func() {
		if err := group.Stop(); err != nil {
			t.Error(err)
		}
		if err := netns.Sweep(context.Background(), id, func(string, ...any) {}); err != nil {
			t.Error(err)
		}
		if left, err := netns.List(netns.Prefix(id)); err != nil || len(left) > 0 {
			t.Errorf("left behind: %q, %v", left, err)
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	central, err := ovn.StartCentral(ctx, group, filepath.Join(dir, "ovn"))
	if err != nil {
		t.Fatal(err)
	}
	if err := ovn.StartFabric(ctx, id); err != nil {
		t.Fatal(err)
	}
	n, err := ovn.StartNode(
		ctx,
		group,
		ovn.NodeConfig{LabID: id, Name: "node1", Index: 1, Dir: filepath.Join(dir, "node1"), SB: central.SB},
	)
	if err != nil {
		t.Fatal(err)
	}
	attachments := nadv1.SchemeGroupVersion.WithResource("network-attachment-definitions")
	kinds := map[schema.GroupVersionResource]string{attachments: "NetworkAttachmentDefinitionList"}
	return &node1{
		t: t, nb: central.NB, kube: fake.NewClientset(),
		nads: dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), kinds),
		config: Config{
			LabID: id, Name: "node1", Netns: n.Netns, IP: n.IP, OVSDB: n.OVSDB, Bridge: ovn.IntegrationBridge,
			Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
		},
	}
}

// start starts the agent and returns a function that stops it.
func (n *node1) start() (stop func()) {
	n.t.Helper()
	ctx, cancel := context.WithCancel(n.t.Context())
	ready, ended := make(chan struct{}), make(chan error, 1)
	config := n.config
	config.Ready = func() { close(ready) }
	go func() { ended <- newAgent(config, n.kube, n.nads).run(ctx) }()
	select {
	case <-ready:
	case err := <-ended:
		n.t.Fatalf("the agent ended: %v", err)
	}
	return func() {
		n.t.Helper()
		cancel()
		if err := <-ended; err != nil {
			n.t.Errorf("the agent ended with %v", err)
		}
	}
}

// attachment makes a NetworkAttachmentDefinition of a CNI plugin.
func (n *node1) attachment(name, plugin string) {
	n.t.Helper()
	resource := nadv1.SchemeGroupVersion.WithResource("network-attachment-definitions")
	nad := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": nadv1.SchemeGroupVersion.String(), "kind": "NetworkAttachmentDefinition",
		"metadata": map[string]any{"namespace": "ns", "name": name},
		"spec":     map[string]any{"config": fmt.Sprintf(`{"cniVersion":"0.3.1","type":%q}`, plugin)},
	}}
	if _, err := n.nads.Resource(resource).
		Namespace("ns").
		Create(n.t.Context(), nad, metav1.CreateOptions{}); err != nil {
		n.t.Fatal(err)
	}
}

// ports makes logical switch ports.
func (n *node1) ports(names ...string) {
	n.t.Helper()
	args := []string{"--db=" + n.nb, "--timeout=10", "--may-exist", "ls-add", "sw"}
	for _, name := range names {
		args = append(args, "--", "--may-exist", "lsp-add", "sw", name, "--", "lsp-set-addresses", name, "unknown")
	}
	n.run("ovn-nbctl", args...)
}

func (n *node1) run(name string, args ...string) string {
	n.t.Helper()
	out, err := exec.CommandContext(n.t.Context(), name, args...).CombinedOutput()
	if err != nil {
		n.t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// create makes a pod, already bound to the node.
func (n *node1) create(name, uid string, change func(*corev1.Pod)) {
	n.t.Helper()
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace:   "ns",
			Name:        name,
			UID:         types.UID(uid),
			Annotations: map[string]string{},
		},
		Spec:   corev1.PodSpec{NodeName: "node1", Containers: []corev1.Container{{Name: "main", Image: "none"}}},
		Status: corev1.PodStatus{Phase: corev1.PodPending},
	}
	change(p)
	if _, err := n.kube.CoreV1().Pods("ns").Create(n.t.Context(), p, metav1.CreateOptions{}); err != nil {
		n.t.Fatal(err)
	}
}

// change updates a pod.
func (n *node1) change(name string, f func(*corev1.Pod)) {
	n.t.Helper()
	p, err := n.kube.CoreV1().Pods("ns").Get(n.t.Context(), name, metav1.GetOptions{})
	if err != nil {
		n.t.Fatal(err)
	}
	f(p)
	if _, err := n.kube.CoreV1().Pods("ns").Update(n.t.Context(), p, metav1.UpdateOptions{}); err != nil {
		n.t.Fatal(err)
	}
}

// remove deletes a pod at once, as a forced deletion does.
func (n *node1) remove(name string) {
	n.t.Helper()
	if err := n.kube.CoreV1().Pods("ns").Delete(n.t.Context(), name, metav1.DeleteOptions{}); err != nil {
		n.t.Fatal(err)
	}
}

// running waits until a pod runs.
func (n *node1) running(name string) *corev1.Pod {
	n.t.Helper()
	var p *corev1.Pod
	n.until("pod "+name+" runs", func() bool {
		var err error
		if p, err = n.kube.CoreV1().Pods("ns").Get(n.t.Context(), name, metav1.GetOptions{}); err != nil {
			n.t.Fatal(err)
		}
		return p.Status.Phase == corev1.PodRunning
	})
	return p
}

func (n *node1) until(what string, ok func() bool) {
	n.t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			n.t.Fatalf("never: %s", what)
		}
	}
}

// plugged returns the ports of OVN that are on the bridge.
func (n *node1) plugged() []string {
	n.t.Helper()
	out := n.run(
		"ovs-vsctl",
		"--db="+n.config.OVSDB,
		"--bare",
		"--columns=external_ids",
		"find",
		"Interface",
		`external_ids:lab-pod!=""`,
	)
	var ports []string
	for word := range strings.FieldsSeq(out) {
		if port, ok := strings.CutPrefix(word, ifaceID+"="); ok {
			ports = append(ports, port)
		}
	}
	slices.Sort(ports)
	return ports
}

// gone waits until nothing is left of a pod on the node.
func (n *node1) gone(name string) {
	n.t.Helper()
	n.until("nothing is left of pod "+name, func() bool {
		return !netns.Exists(podNetns(n.config.LabID, "node1", "ns", name)) &&
			!slices.ContainsFunc(n.plugged(), func(port string) bool { return strings.HasPrefix(port, name+".ns") })
	})
}

// withAddress returns a pod's change that allocates one NIC.
func withAddress(host int) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		allocated(p.Annotations, kubeovn.DefaultProvider, fmt.Sprintf("0a:00:00:00:00:%02x", host),
			fmt.Sprintf("10.16.0.%d,fd00:16::%d", host, host), "10.16.0.0/16,fd00:16::/112", "10.16.0.1,fd00:16::1")
	}
}

func TestPodsOfAllKinds(t *testing.T) {
	n := newNode(t)
	n.attachment("blue", "kube-ovn")
	n.attachment("outside", "macvlan")
	n.ports("full.ns", "full.ns.blue.ns.ovn")
	defer n.start()()

	n.create("host", "1", func(p *corev1.Pod) { p.Spec.HostNetwork = true })
	if p := n.running("host"); p.Status.PodIP != n.config.IP || p.Annotations[NetnsAnnotation] != n.config.Netns {
		t.Errorf(
			"a pod on the node's network has address %s and namespace %s",
			p.Status.PodIP,
			p.Annotations[NetnsAnnotation],
		)
	}

	// The second NIC is allocated after the first.
	n.create("full", "2", func(p *corev1.Pod) {
		withAddress(5)(p)
		p.Annotations[kubeovn.Networks] = "outside,blue@data0"
		p.Annotations["ovn.kubernetes.io/routes"] = `[{"dst":"192.0.2.0/24","gw":"10.16.0.9"}]`
	})
	n.change("full", func(p *corev1.Pod) {
		allocated(p.Annotations, "blue.ns.ovn", "0a:00:00:00:01:05", "10.44.0.5", "10.44.0.0/24", "10.44.0.1")
	})
	p := n.running("full")
	if want := []corev1.PodIP{
		{IP: "10.16.0.5"},
		{IP: "fd00:16::5"},
	}; !slices.Equal(p.Status.PodIPs, want) ||
		p.Status.PodIP != want[0].IP {
		t.Errorf("addresses %v, want %v", p.Status.PodIPs, want)
	}
	if !saidRunning(p) || len(p.Status.ContainerStatuses) != 1 || !p.Status.ContainerStatuses[0].Ready {
		t.Errorf("status %+v", p.Status)
	}
	if got, want := n.plugged(), []string{"full.ns", "full.ns.blue.ns.ovn"}; !slices.Equal(got, want) {
		t.Errorf("plugged %q, want %q", got, want)
	}
	n.shows(p, "link", "link/ether 0a:00:00:00:00:05", "link/ether 0a:00:00:00:01:05", "eth0@", "data0@")
	n.shows(p, "addr", "10.16.0.5/16", "fd00:16::5/112", "10.44.0.5/24")
	n.shows(
		p,
		"route",
		"default via 10.16.0.1 dev eth0",
		"192.0.2.0/24 via 10.16.0.9 dev eth0",
		"10.44.0.0/24 dev data0",
	)
	n.shows(p, "-6 route", "default via fd00:16::1 dev eth0")
	if up := n.run(
		"ovn-nbctl",
		"--db="+n.nb,
		"--timeout=10",
		"get",
		"Logical_Switch_Port",
		"full.ns",
		"up",
	); up != "true" {
		t.Errorf("the port is up: %s", up)
	}

	// A pod that ends frees its network; a pod that is deleted gracefully goes after that.
	n.ports("job.ns", "last.ns")
	n.create("job", "3", withAddress(6))
	n.running("job")
	n.change("job", func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded })
	n.gone("job")
	n.create("last", "4", withAddress(7))
	n.running("last")
	n.change("last", func(p *corev1.Pod) {
		now, grace := metav1.Now(), int64(30)
		p.DeletionTimestamp, p.DeletionGracePeriodSeconds = &now, &grace
	})
	n.gone("last")
	n.until("the deletion is confirmed", func() bool {
		_, err := n.kube.CoreV1().Pods("ns").Get(t.Context(), "last", metav1.GetOptions{})
		return apierrors.IsNotFound(err)
	})
	if !netns.Exists(podNetns(n.config.LabID, "node1", "ns", "full")) {
		t.Error("a pod went with another")
	}
}

// shows checks what ip(8) says inside a pod.
func (n *node1) shows(p *corev1.Pod, command string, parts ...string) {
	n.t.Helper()
	out := n.run("ip", append([]string{"-netns", p.Annotations[NetnsAnnotation]}, strings.Fields(command)...)...)
	for _, part := range parts {
		if !strings.Contains(out, part) {
			n.t.Errorf("ip %s does not show %q:\n%s", command, part, out)
		}
	}
}

func TestAnAgentTakesOverFromAnother(t *testing.T) {
	n := newNode(t)
	n.ports("stays.ns", "goes.ns", "changes.ns", "half.ns", "late.ns")
	stop := n.start()
	for i, name := range []string{"stays", "goes", "changes", "half"} {
		n.create(name, name, withAddress(10+i))
		n.running(name)
	}
	stop()

	// A mark inside identifies a namespace: the kernel may reuse the inode of a removed namespace for the next one.
	for _, name := range []string{"stays", "changes", "half"} {
		n.run("ip", "-netns", podNetns(n.config.LabID, "node1", "ns", name), "link", "set", "lo", "alias", "first")
	}
	marked := func(name string) bool {
		out := n.run("ip", "-netns", podNetns(n.config.LabID, "node1", "ns", name), "link", "show", "lo")
		return strings.Contains(out, "alias first")
	}
	n.remove("goes")
	n.remove("changes")
	n.create("changes", "another", withAddress(20))
	n.change(
		"half",
		func(p *corev1.Pod) { p.Status = corev1.PodStatus{Phase: corev1.PodPending} },
	) // as if the agent had died in the middle
	empty := podNetns(n.config.LabID, "node1", "ns", "empty")
	if err := netns.Ensure(t.Context(), empty); err != nil {
		t.Fatal(err)
	}
	other := podNetns(n.config.LabID, "node10", "ns", "goes") // a namespace of another node's agent
	if err := netns.Ensure(t.Context(), other); err != nil {
		t.Fatal(err)
	}

	defer n.start()()
	n.gone("goes")
	p := n.running("changes")
	n.running("half")
	n.create("late", "late", withAddress(30))
	n.running("late")
	if !marked("stays") {
		t.Error("a pod that ran was plugged again")
	}
	if marked("changes") || p.Status.PodIP != "10.16.0.20" {
		t.Errorf("a pod that took another's name has that one's namespace, or address %s", p.Status.PodIP)
	}
	if marked("half") {
		t.Error("a pod that was not called running was taken over as it was")
	}
	if netns.Exists(empty) {
		t.Error("the namespace of a pod that is gone stayed")
	}
	if !netns.Exists(other) {
		t.Error("the namespace of another node's pod was removed")
	}
	if got, want := n.plugged(), []string{"changes.ns", "half.ns", "late.ns", "stays.ns"}; !slices.Equal(got, want) {
		t.Errorf("plugged %q, want %q", got, want)
	}
}

// An attempt to plug a pod may end after each of its steps. Its remains are removed, even if the kernel keeps them
// because a process is in the pod's namespace.
func TestAHalfMadePodIsPluggedAnew(t *testing.T) {
	n := newNode(t)
	defer n.start()() // it removes remains when it starts
	node := n.config.Netns
	ip := func(namespace string, args ...string) { n.run("ip", append([]string{"-netns", namespace}, args...)...) }
	vsctl := func(args ...string) {
		n.run("ovs-vsctl", append([]string{"--db=" + n.config.OVSDB, "--timeout=10"}, args...)...)
	}
	steps := []struct {
		name string
		do   func(pod, peer, ids string)
	}{
		{"namespace", func(pod, _, _ string) { n.run("ip", "netns", "add", pod) }},
		{"veth", func(pod, peer, _ string) {
			ip(node, "link", "add", peer, "type", "veth", "peer", "name", "eth0", "netns", pod)
		}},
		{"address", func(pod, _, _ string) { ip(pod, "addr", "add", "10.16.0.99/16", "dev", "eth0") }},
		{"up", func(_, peer, _ string) { ip(node, "link", "set", peer, "up") }},
		{"port", func(_, peer, _ string) { vsctl("add-port", n.config.Bridge, peer) }},
		{"iface-id", func(_, peer, ids string) {
			vsctl("set", "Interface", peer, "external_ids:"+ifaceID+"="+ids+".ns", "external_ids:"+idPod+"=ns/"+ids,
				"external_ids:"+idPodUID+"="+ids)
		}},
	}
	var names []string
	for i := range steps {
		for _, held := range []bool{false, true} {
			name := fmt.Sprintf("p%d", len(names))
			pod, peer := podNetns(n.config.LabID, "node1", "ns", name), peerName(name, "eth0")
			for _, step := range steps[:i+1] {
				step.do(pod, peer, name)
			}
			if held {
				inside := exec.CommandContext(t.Context(), "ip", "netns", "exec", pod, "sleep", "300")
				if err := inside.Start(); err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() {
					_ = inside.Process.Kill()
					_ = inside.Wait()
				})
				n.until("a process is in "+pod, func() bool { return n.run("ip", "netns", "pids", pod) != "" })
			}
			n.ports(name + ".ns")
			names = append(names, name)
		}
	}
	for i, name := range names {
		n.create(name, name, withAddress(10+i))
	}
	for i, name := range names {
		p := n.running(name)
		n.shows(p, "addr", fmt.Sprintf("10.16.0.%d/16", 10+i))
		if out := n.run("ip", "-netns", p.Annotations[NetnsAnnotation], "addr"); strings.Contains(out, "10.16.0.99") {
			t.Errorf("after %s: the pod has what was left: %s", steps[i/2].name, out)
		}
	}
}

func TestANodeThatWasGivenUpComesBack(t *testing.T) {
	n := newNode(t)
	a := newAgent(n.config, n.kube, n.nads)
	if err := a.register(t.Context()); err != nil {
		t.Fatal(err)
	}
	ready := func() bool {
		got, err := n.kube.CoreV1().Nodes().Get(t.Context(), "node1", metav1.GetOptions{})
		return err == nil && isReady(got)
	}
	got, err := n.kube.CoreV1().Nodes().Get(t.Context(), "node1", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	got.Status.Conditions[0].Status = corev1.ConditionUnknown
	if _, err := n.kube.CoreV1().Nodes().UpdateStatus(t.Context(), got, metav1.UpdateOptions{}); err != nil || ready() {
		t.Fatalf("the node is still ready, or %v", err)
	}
	if err := a.heartbeat(t.Context()); err != nil || !ready() {
		t.Errorf("after a heartbeat: ready %v, %v", ready(), err)
	}
	if err := n.kube.CoreV1().Nodes().Delete(t.Context(), "node1", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := a.heartbeat(t.Context()); err != nil || !ready() {
		t.Errorf("after the node was deleted: ready %v, %v", ready(), err)
	}
}
