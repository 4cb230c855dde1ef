//go:build integration

package standin

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/lab/internal/standin/crd"
	"github.com/ovnguard/ovnguard/lab/internal/standin/upstream"
)

// TestBehaviour shows behaviour that the selected recordings do not have, according to the text in their directory.
func TestBehaviour(t *testing.T) {
	w := newWorld(t, upstream.Master)
	t.Cleanup(w.stop)
	w.start()
	for _, node := range []string{"node-a", "node-b"} {
		_, err := w.kube.CoreV1().
			Nodes().
			Create(t.Context(), &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: node}}, metav1.CreateOptions{})
		check(t, err)
	}
	w.namespace("ns", nil)
	w.make(crd.Subnets, "Subnet", "", "second", spec{"cidrBlock": "10.90.0.0/16", "provider": "nad.ns.ovn"})
	w.make(
		crd.NADs,
		"NetworkAttachmentDefinition",
		"ns",
		"nad",
		spec{"config": `{"type":"kube-ovn","provider":"nad.ns.ovn"}`},
	)
	for name, test := range map[string]func(*testing.T){
		"a missing port comes back at the inspection only": w.testInspection,
		"an allocation that the user claims":               w.testClaimed,
		"an attachment is taken off and put back":          w.testHotplug,
		"a pod of a name that has a port, and no address":  w.testWithoutAddress,
		"a pod without a node":                             w.testUnscheduled,
		"a pod that its node starts again":                 w.testRestarted,
		"a pod that takes long to stop":                    w.testTerminating,
		"an IP resource is deleted by hand":                w.testIPDeleted,
		"a StatefulSet's pod":                              w.testStatefulSet,
		"a virtual machine moves, stops, starts and goes":  w.testVirtualMachine,
		"a restart knows the addresses":                    w.testRestart,
		"subnets, routers and Vips go":                     w.testInfrastructureGoes,
		"a subnet that cannot work says why":               w.testBadSubnet,
	} {
		t.Run(name, func(t *testing.T) {
			w.t = t
			test(t)
		})
	}
	w.t = t
}

// simple makes a pod on a node and waits for its port.
func (w *world) simple(name string, annotations map[string]string, owners ...metav1.OwnerReference) *corev1.Pod {
	w.t.Helper()
	pod := w.pod(&corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name, Annotations: annotations, OwnerReferences: owners},
		Spec:       corev1.PodSpec{NodeName: "node-a"},
	})
	w.settle()
	return pod
}

// only returns the single port under a name, or fails.
func (w *world) only(base string) recordedPort {
	w.t.Helper()
	ports := w.portsNamed(base)
	if len(ports) != 1 {
		w.t.Fatalf("ports of %s: %+v", base, ports)
	}
	return ports[0]
}

func (w *world) inspect() {
	w.t.Helper()
	check(w.t, w.standin.nb.Sync(w.t.Context())) // the test's own reader may be ahead of it
	check(w.t, w.standin.inspect(w.t.Context()))
	w.settle()
}

func (w *world) testInspection(t *testing.T) {
	w.simple(
		"lost",
		map[string]string{"ovn.kubernetes.io/port_security": "true", "ovn.kubernetes.io/layer2_forward": "true"},
	)
	before := w.only("lost.ns")
	w.nbctl("lsp-del", "lost.ns")
	for _, value := range []string{"false", "true"} {
		w.annotatePod("ns", "lost", map[string]any{"ovn.kubernetes.io/port_security": value})
		w.settle()
	}
	if ports := w.portsNamed("lost.ns"); len(ports) != 0 {
		t.Fatalf("came back before the inspection: %+v", ports)
	}
	w.inspect()
	after := w.only("lost.ns")
	if !slices.Equal(after.Addresses, before.Addresses) || !slices.Equal(after.PortSecurity, before.PortSecurity) ||
		!slices.Equal(after.Groups, before.Groups) {
		t.Errorf("came back as %+v, was %+v", after, before)
	}
}

func (w *world) testClaimed(t *testing.T) {
	w.simple("claimed", map[string]string{
		"ovn.kubernetes.io/allocated":     "true",
		"ovn.kubernetes.io/routed":        "true",
		"ovn.kubernetes.io/port_security": "true",
		"ovn.kubernetes.io/ip_address":    "10.16.150.5",
		"ovn.kubernetes.io/mac_address":   "00:00:00:15:00:05",
	})
	// Routed and without an IP resource: it is looked at, but is allocated already, so nothing is made.
	if ports := w.portsNamed("claimed.ns"); len(ports) != 0 {
		t.Fatalf("made before the inspection: %+v", ports)
	}
	w.inspect()
	if got := w.only("claimed.ns").PortSecurity; !slices.Equal(got, []string{"00:00:00:15:00:05 10.16.150.5"}) {
		t.Errorf("port_security %q", got)
	}
}

func (w *world) testHotplug(t *testing.T) {
	w.simple("plug", map[string]string{kubeovn.Networks: "nad", "nad.ns.ovn.kubernetes.io/port_security": "true"})
	if ports := w.portsNamed("plug.ns"); len(ports) != 2 {
		t.Fatalf("ports %+v", ports)
	}
	w.annotatePod("ns", "plug", map[string]any{kubeovn.Networks: nil})
	w.settle()
	w.only("plug.ns")
	for key := range w.getPod("ns", "plug").Annotations {
		if strings.HasPrefix(key, "nad.") {
			t.Errorf("annotation %s is left", key)
		}
	}
	w.annotatePod(
		"ns",
		"plug",
		map[string]any{kubeovn.Networks: "nad", "nad.ns.ovn.kubernetes.io/port_security": "true"},
	)
	w.settle()
	second := w.only("plug.ns.nad.ns.ovn")
	if len(second.PortSecurity) != 1 {
		t.Errorf("port_security %q after it was put back", second.PortSecurity)
	}
}

// The port of the last pod of a name stays for the next one. While that pod has no address, a security update writes
// what its annotations say.
func (w *world) testWithoutAddress(t *testing.T) {
	w.make(
		crd.Subnets,
		"Subnet",
		"",
		"full",
		spec{"cidrBlock": "10.91.0.0/30", "gateway": "10.91.0.1", "excludeIps": []any{"10.91.0.2"}},
	)
	on := map[string]string{"ovn.kubernetes.io/port_security": "true"}
	w.simple("anew", on)
	before := w.only("anew.ns")
	w.stop()
	w.deletePod("ns", "anew")
	w.pod(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "anew", Annotations: map[string]string{
		"ovn.kubernetes.io/port_security": "true", "ovn.kubernetes.io/logical_switch": "full",
	}}})
	w.start()
	if diff := cmp.Diff(before, w.only("anew.ns")); diff != "" {
		t.Errorf("-before +after\n%s", diff)
	}
	w.annotatePod("ns", "anew", map[string]any{"ovn.kubernetes.io/security_groups": "none"})
	w.eventually(
		"nothing is left in port_security",
		func() bool { return slices.Equal(w.only("anew.ns").PortSecurity, []string{""}) },
	)
	w.deletePod("ns", "anew")
	w.settle()
}

func (w *world) testUnscheduled(t *testing.T) {
	w.pod(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "early"}})
	w.settle()
	if p := w.only("early.ns"); len(p.Groups) != 0 {
		t.Errorf("groups %q before the pod has a node", p.Groups)
	}
	binding := &corev1.Binding{
		ObjectMeta: metav1.ObjectMeta{Name: "early"},
		Target:     corev1.ObjectReference{Kind: "Node", Name: "node-b"},
	}
	check(t, w.kube.CoreV1().Pods("ns").Bind(t.Context(), binding, metav1.CreateOptions{}))
	w.settle()
	if diff := cmp.Diff([]string{"node.node.b", "ovn.default.node.b"}, w.only("early.ns").Groups); diff != "" {
		t.Errorf("groups -want +got\n%s", diff)
	}
}

func (w *world) testRestarted(t *testing.T) {
	w.simple("again", nil)
	before := w.only("again.ns")
	w.patchPod("ns", "again", map[string]any{"status": map[string]any{"phase": "Succeeded"}}, "status")
	w.settle()
	if diff := cmp.Diff(before, w.only("again.ns")); diff != "" {
		t.Errorf("-before +after\n%s", diff)
	}
}

func (w *world) testTerminating(t *testing.T) {
	defer w.restart(upstream.Master, false) // also after a failure: the other tests are about master
	for _, c := range []struct {
		version upstream.Version
		kept    bool
	}{{upstream.Master, true}, {upstream.V1_14, false}} {
		w.restart(c.version, false)
		name := "slow-" + strings.ReplaceAll(string(c.version), ".", "-")
		end := w.stopping(name, 3) // the API server cuts the end to whole seconds, so that at least two are left
		if c.kept {
			time.Sleep(time.Until(end) + 500*time.Millisecond)
			w.settle()
			w.only(name + ".ns")
		} else {
			w.eventually(
				"the port goes at the end of the grace period",
				func() bool { return len(w.portsNamed(name+".ns")) == 0 },
			)
			if now := time.Now(); now.Before(end) {
				t.Errorf("%s: the port went %v before the end of the grace period", c.version, end.Sub(now))
			}
		}
		w.deletePod("ns", name)
		w.settle()
		if ports := w.portsNamed(name + ".ns"); len(ports) != 0 {
			t.Errorf("%s: left %+v", c.version, ports)
		}
	}
}

// stopping makes a pod and deletes it with that many seconds to stop, returns the end of that time, and checks that its
// port is not changed meanwhile. If the check took longer than that, it makes the pod again with more time.
func (w *world) stopping(name string, grace int64) (end time.Time) {
	w.simple(name, map[string]string{"ovn.kubernetes.io/port_security": "true"})
	before := w.only(name + ".ns")
	check(w.t, w.kube.CoreV1().Pods("ns").Delete(w.t.Context(), name, metav1.DeleteOptions{GracePeriodSeconds: &grace}))
	end = w.getPod("ns", name).DeletionTimestamp.Time
	w.annotatePod("ns", name, map[string]any{"ovn.kubernetes.io/port_security": "false"})
	w.settle()
	ports := w.portsNamed(name + ".ns")
	if !time.Now().Before(end) && grace < 60 {
		w.deletePod("ns", name)
		w.settle()
		return w.stopping(name, 4*grace)
	}
	if diff := cmp.Diff([]recordedPort{before}, ports); diff != "" {
		w.t.Errorf("the port of %s, which stops, changed -before +after\n%s", name, diff)
	}
	return end
}

func (w *world) testIPDeleted(t *testing.T) {
	w.simple("noip", nil)
	before := w.only("noip.ns")
	check(t, w.dyn.Resource(crd.IPs).Delete(t.Context(), "noip.ns", metav1.DeleteOptions{}))
	w.eventually("the port goes", func() bool { return len(w.portsNamed("noip.ns")) == 0 })
	w.inspect()
	if diff := cmp.Diff(before, w.only("noip.ns")); diff != "" {
		t.Errorf("-before +after\n%s", diff)
	}
	if _, err := w.dyn.Resource(crd.IPs).Get(t.Context(), "noip.ns", metav1.GetOptions{}); err != nil {
		t.Error(err)
	}
}

func (w *world) testStatefulSet(t *testing.T) {
	labels := map[string]string{"app": "set"}
	set, err := w.kube.AppsV1().StatefulSets("ns").Create(t.Context(), &appsv1.StatefulSet{
		ObjectMeta: metav1.ObjectMeta{Name: "set"},
		Spec: appsv1.StatefulSetSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "none"}}},
			},
		},
	}, metav1.CreateOptions{})
	check(t, err)
	owner := metav1.OwnerReference{APIVersion: "apps/v1", Kind: "StatefulSet", Name: "set", UID: set.UID}
	w.simple("set-0", map[string]string{"ovn.kubernetes.io/port_security": "true"}, owner)
	first := w.only("set-0.ns")
	w.deletePod("ns", "set-0")
	w.settle()
	if parked := w.only("set-0.ns"); len(parked.Groups) != 0 || !slices.Equal(parked.PortSecurity, first.PortSecurity) {
		t.Errorf("kept port %+v", parked)
	}
	w.simple("set-0", nil, owner)
	second := w.only("set-0.ns")
	if !slices.Equal(second.Addresses, first.Addresses) || len(second.PortSecurity) != 0 {
		t.Errorf("the next pod got %+v, want the addresses of %+v and its own port security", second, first)
	}
	w.simple("set-1", nil, owner)
	w.deletePod("ns", "set-1") // its number is above the set's one replica
	w.settle()
	if ports := w.portsNamed("set-1.ns"); len(ports) != 0 {
		t.Errorf("left %+v", ports)
	}
}

func (w *world) testVirtualMachine(t *testing.T) {
	for resource, kind := range map[string]string{
		"virtualmachines": "VirtualMachine", "virtualmachineinstances": "VirtualMachineInstance",
		"virtualmachineinstancemigrations": "VirtualMachineInstanceMigration",
	} {
		w.defineKubeVirt(resource, kind)
	}
	w.eventually("KubeVirt is watched", func() bool { return w.standin.virt.definitions.HasSynced() })
	owner := metav1.OwnerReference{APIVersion: "kubevirt.io/v1", Kind: "VirtualMachineInstance", Name: "vm", UID: "vm"}
	w.make(crd.VMs, "VirtualMachine", "ns", "vm", spec{})
	w.make(crd.VMIs, "VirtualMachineInstance", "ns", "vm", spec{})
	w.simple("launcher-1", map[string]string{"ovn.kubernetes.io/port_security": "true"}, owner)
	first := w.only("vm.ns")
	if first.ExternalIDs["pod"] != "ns/vm" || len(first.PortSecurity) != 1 {
		t.Errorf("port %+v", first)
	}
	w.pod(&corev1.Pod{ // the pod that the migration makes, without the annotation: the shared row follows it
		ObjectMeta: metav1.ObjectMeta{
			Namespace:       "ns",
			Name:            "launcher-2",
			OwnerReferences: []metav1.OwnerReference{owner},
			Annotations:     map[string]string{kubeovn.MigrationJob: "job"},
		},
		Spec: corev1.PodSpec{NodeName: "node-b"},
	})
	w.settle()
	moved := w.only("vm.ns")
	if !slices.Equal(moved.Addresses, first.Addresses) || len(moved.PortSecurity) != 0 {
		t.Errorf("port %+v, want the same addresses and no port security", moved)
	}
	w.setStatus(crd.VMIs, "vm", spec{"migrationState": spec{"sourceNode": "node-a", "targetNode": "node-b"}})
	w.make(crd.Migrations, "VirtualMachineInstanceMigration", "ns", "move", spec{"vmiName": "vm"})
	for _, step := range []struct {
		phase string
		want  map[string]string
	}{
		{"Scheduling", map[string]string{"requested-chassis": "node-a,node-b", "activation-strategy": "rarp"}},
		{"Succeeded", map[string]string{"requested-chassis": "node-b"}},
	} {
		w.setStatus(crd.Migrations, "move", spec{"phase": step.phase})
		w.eventually(step.phase, func() bool { return cmp.Equal(step.want, w.only("vm.ns").Options) })
	}
	w.deletePod("ns", "launcher-1")
	w.settle()
	if after := w.only(
		"vm.ns",
	); len(after.Options) != 0 ||
		!slices.Equal(after.Groups, []string{"node.node.b", "ovn.default.node.b"}) {
		t.Errorf("after the move: %+v", after)
	}
	w.deletePod("ns", "launcher-2")
	check(t, w.dyn.Resource(crd.VMIs).Namespace("ns").Delete(t.Context(), "vm", metav1.DeleteOptions{}))
	w.settle()
	if stopped := w.only("vm.ns"); !slices.Equal(stopped.Addresses, first.Addresses) {
		t.Errorf("stopped: %+v", stopped)
	}
	check(t, w.dyn.Resource(crd.VMs).Namespace("ns").Delete(t.Context(), "vm", metav1.DeleteOptions{}))
	w.eventually("the port goes with its VM", func() bool { return len(w.portsNamed("vm.ns")) == 0 })
}

func (w *world) testInfrastructureGoes(t *testing.T) {
	w.make(crd.VPCs, "Vpc", "", "vpc", spec{})
	w.make(crd.Subnets, "Subnet", "", "going", spec{"cidrBlock": "10.77.0.0/24", "vpc": "vpc", "enableDHCP": true})
	w.make(crd.Vips, "Vip", "", "shared", spec{"namespace": "ns", "subnet": "going"})
	w.eventually("the Vip has its port", func() bool { _, ok := w.port("shared"); return ok })
	w.simple("guest", map[string]string{"ovn.kubernetes.io/logical_switch": "going"})
	if p := w.only("guest.ns"); p.Switch != "going" || p.DHCPv4 == "" {
		t.Errorf("port %+v", p)
	}
	drop := func(r schema.GroupVersionResource, name string) {
		check(t, w.dyn.Resource(r).Delete(t.Context(), name, metav1.DeleteOptions{}))
	}
	gone := func(r schema.GroupVersionResource, name string) func() bool {
		return func() bool {
			_, err := w.dyn.Resource(r).Get(t.Context(), name, metav1.GetOptions{})
			return apierrors.IsNotFound(err)
		}
	}
	drop(crd.Vips, "shared")
	w.eventually("the Vip goes", gone(crd.Vips, "shared"))
	drop(crd.VPCs, "vpc")
	drop(crd.Subnets, "going")
	w.settle()
	if gone(crd.Subnets, "going")() {
		t.Fatal("a subnet went although a pod is on it")
	}
	w.deletePod("ns", "guest")
	w.eventually("the subnet goes", gone(crd.Subnets, "going"))
	w.eventually("the router goes", gone(crd.VPCs, "vpc"))
	check(t, w.reader.Sync(t.Context())) // it hears of rows after the stand-in
	_, ok, err := w.reader.Switch(t.Context(), "going")
	if err != nil || ok {
		t.Errorf("logical switch is left: %v, %v", ok, err)
	}
	if _, ok, err := w.reader.Router(t.Context(), "vpc"); err != nil || ok {
		t.Errorf("logical router is left: %v, %v", ok, err)
	}
	if ports := w.portsNamed("shared"); len(ports) != 0 {
		t.Errorf("left: %+v", ports)
	}
}

func (w *world) testBadSubnet(t *testing.T) {
	w.make(crd.Subnets, "Subnet", "", "bad", spec{"cidrBlock": "10.78.0.0"})
	w.eventually("the status says why", func() bool {
		s, ok := w.standin.subnets.get("", "bad")
		return ok && len(s.Status.Conditions) == 1 && s.Status.Conditions[0].Status == "False" &&
			strings.Contains(s.Status.Conditions[0].Message, `spec.cidrBlock: "10.78.0.0" is not a prefix`)
	})
	if _, ok, err := w.reader.Switch(t.Context(), "bad"); err != nil || ok {
		t.Errorf("a logical switch was made: %v, %v", ok, err)
	}
	check(t, w.dyn.Resource(crd.Subnets).Delete(t.Context(), "bad", metav1.DeleteOptions{}))
}

func (w *world) testRestart(t *testing.T) {
	w.simple("old", nil)
	before := w.only("old.ns")
	w.restart(upstream.Master, false)
	w.simple("new", nil)
	if diff := cmp.Diff(before, w.only("old.ns")); diff != "" {
		t.Errorf("-before +after the restart\n%s", diff)
	}
	seen := map[string]string{}
	pods, err := w.kube.CoreV1().Pods("ns").List(t.Context(), metav1.ListOptions{})
	check(t, err)
	for _, pod := range pods.Items {
		address := pod.Annotations["ovn.kubernetes.io/ip_address"]
		if other := seen[address]; other != "" {
			t.Errorf("%s and %s both have %q", pod.Name, other, address)
		}
		seen[address] = pod.Name
	}
}

// eventually waits for an effect of a watch that settle does not wait for.
func (w *world) eventually(what string, is func() bool) {
	w.t.Helper()
	for end := time.Now().Add(settleTimeout); !is(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			w.t.Fatalf("not within %v: %s", settleTimeout, what)
		}
	}
}

// defineKubeVirt defines one of KubeVirt's resources, without a schema.
func (w *world) defineKubeVirt(resource, kind string) {
	w.t.Helper()
	d := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
		"metadata": map[string]any{"name": resource + ".kubevirt.io"},
		"spec": map[string]any{
			"group": "kubevirt.io", "scope": "Namespaced",
			"names": map[string]any{"plural": resource, "singular": strings.ToLower(kind), "kind": kind},
			"versions": []any{
				map[string]any{
					"name":    "v1",
					"served":  true,
					"storage": true,
					"schema": map[string]any{
						"openAPIV3Schema": map[string]any{
							"type":                                 "object",
							"x-kubernetes-preserve-unknown-fields": true,
						},
					},
				},
			},
		},
	}}
	_, err := w.dyn.Resource(crd.Definitions).Create(w.t.Context(), d, metav1.CreateOptions{})
	check(w.t, err)
	w.eventually(resource+" is served", func() bool {
		d, err := w.dyn.Resource(crd.Definitions).Get(w.t.Context(), resource+".kubevirt.io", metav1.GetOptions{})
		return err == nil && crd.IsEstablished(d)
	})
}

func (w *world) setStatus(r schema.GroupVersionResource, name string, status map[string]any) {
	w.t.Helper()
	text, err := json.Marshal(map[string]any{"status": status})
	check(w.t, err)
	_, err = w.dyn.Resource(r).
		Namespace("ns").
		Patch(w.t.Context(), name, types.MergePatchType, text, metav1.PatchOptions{})
	check(w.t, err)
}
