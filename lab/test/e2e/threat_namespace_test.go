//go:build integration

package e2e

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ovnguard/ovnguard/deploy"
	"github.com/ovnguard/ovnguard/internal/admission"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// Kube-OVN puts the pods of a namespace on the networks in the namespace's annotations, which it writes itself. A user
// who may write the namespace cannot use them to move pods elsewhere.
func TestThreatT17NamespacePlacement(t *testing.T) {
	user, owner := granted(t, namespaceRights)
	const path = "/api/v1/namespaces/" + tenantNamespace
	for _, suffix := range []kubeovn.Suffix{kubeovn.LogicalSwitch, kubeovn.IPPool, kubeovn.CIDR, "exclude_ips"} {
		key := kubeovn.DefaultProvider.Key(suffix)
		elsewhere := map[string]any{"metadata": map[string]any{"annotations": map[string]string{key: "join"}}}
		for _, sub := range []string{"", "/status"} {
			_, err := owner.do(t.Context(), http.MethodPatch, path+sub, elsewhere)
			mustRefuse(t, key+" by namespaces"+sub, err, user)
			mustRefuse(t, key+" by namespaces"+sub, err, key)
		}
		_, err := owner.CoreV1().
			Namespaces().
			Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
				Name:        unique("e2e"),
				Annotations: map[string]string{key: "join"},
			}}, metav1.CreateOptions{})
		mustRefuse(t, "a new namespace with "+key, err, key)
		kubeOVN := as(t, kubeovn.ControllerAccount, "system:masters")
		if _, err := kubeOVN.do(t.Context(), http.MethodPatch, path+dryRun, elsewhere); err != nil {
			t.Errorf("%s by Kube-OVN: %v", key, err)
		}
	}
	after, err := world.Kube.CoreV1().Namespaces().Get(t.Context(), tenantNamespace, metav1.GetOptions{})
	if err != nil || slices.Contains(slices.Collect(maps.Values(after.Annotations)), "join") {
		t.Errorf("the namespace was changed: %v, %v", after.Annotations, err)
	}
	pod := allocatedPod(t, tenant(t), nil)
	if got := pod.Annotations[kubeovn.DefaultProvider.Key(kubeovn.LogicalSwitch)]; got != "ovn-default" {
		t.Errorf("a new pod is on %s", got)
	}
}

// Nobody may use names that form the name of another pod's port: for pods, namespaces, Vips and OvnEips, and the
// deletion of the latter two would delete the port.
func TestThreatT21NamesOfPorts(t *testing.T) {
	p := tenant(t)
	victim := allocatedPod(t, p, nil)
	port := kubeovn.PortName(victim.Name, victim.Namespace, kubeovn.DefaultProvider)
	before := portSecurityOf(t, port)
	for _, name := range []string{"a.tenant.blue.tenant.ovn", victim.Name + ".tenant.blue.lab.ovn"} {
		wish{name: name, podName: name, refused: "without dots"}.tryPod(t, p)
	}
	for _, name := range []string{"ovn", "net1", "eth0"} {
		_, owner := granted(t, namespaceRights)
		_, err := owner.CoreV1().
			Namespaces().
			Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
		mustRefuse(t, "namespace "+name, err, "reserved")
	}
	_, author := granted(t, vipRights)
	vip := vipFor(tenantNamespace)
	vip["metadata"] = map[string]any{"name": port}
	_, err := author.do(t.Context(), http.MethodPost, vipsPath, vip)
	mustRefuse(t, "a Vip named like a port", err, "without dots")
	if _, err := author.do(t.Context(), http.MethodDelete, vipsPath+"/"+port, nil); !apierrors.IsNotFound(err) {
		t.Errorf("the Vip that was refused: %v", err)
	}
	// Names without dots, of existing ports: of routers' links and of nodes.
	nodes, err := world.Kube.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
	if err != nil || len(nodes.Items) == 0 {
		t.Fatalf("no node: %v", err)
	}
	links := map[string]string{
		"ovn-default-ovn-cluster":                 "the link between subnet ovn-default",
		"join-ovn-cluster":                        "the link between subnet join",
		"ovn-cluster-join":                        "the link between subnet join",
		kubeovn.NodePortName(nodes.Items[0].Name): "a node's port",
		kubeovn.NodePortName("later"):             "a node's port",
	}
	for name, whose := range links {
		vip["metadata"] = map[string]any{"name": name}
		_, err := author.do(t.Context(), http.MethodPost, vipsPath, vip)
		mustRefuse(t, "a Vip named "+name, err, whose)
	}
	for _, name := range []string{"ovn-default-ovn-cluster", "join-ovn-cluster"} {
		if kind, err := world.Nbctl(
			t.Context(),
			"get",
			"logical_switch_port",
			name,
			"type",
		); err != nil ||
			strings.TrimSpace(kind) != "router" {
			t.Errorf("port %s: %s, %v", name, kind, err)
		}
	}
	const eips = "/apis/kubeovn.io/v1/ovn-eips"
	define(t, "kubeovn.io", "Cluster", map[string]string{"ovn-eips": "OvnEip"})
	_, gateways := granted(
		t,
		rbacv1.PolicyRule{
			APIGroups: []string{"kubeovn.io"},
			Resources: []string{"ovn-eips"},
			Verbs:     []string{"get", "create", "patch"},
		},
	)
	eip := func(kind string) map[string]any {
		return map[string]any{
			"apiVersion": "kubeovn.io/v1",
			"kind":       "OvnEip",
			"metadata":   map[string]any{"name": port},
			"spec":       map[string]any{"type": kind},
		}
	}
	_, err = gateways.do(t.Context(), http.MethodPost, eips, eip("lsp"))
	mustRefuse(t, "an OvnEip named like a port", err, "without dots")
	for name, whose := range links {
		o := eip("lsp")
		o["metadata"] = map[string]any{"name": name}
		_, err := gateways.do(t.Context(), http.MethodPost, eips, o)
		mustRefuse(t, "an OvnEip named "+name, err, whose)
	}
	if _, err := gateways.do(t.Context(), http.MethodPost, eips, eip("nat")); err != nil {
		t.Errorf("an OvnEip that makes no port: %v", err)
	}
	_, err = gateways.do(t.Context(), http.MethodPatch, eips+"/"+port, eip("lsp"))
	mustRefuse(t, "one that becomes a port", err, "without dots")
	if after := portSecurityOf(t, port); after != before {
		t.Errorf("the port has %s, had %s", after, before)
	}
}

// podRights allows making pods everywhere.
var podRights = rbacv1.PolicyRule{
	APIGroups: []string{""},
	Resources: []string{"pods"},
	Verbs:     []string{"get", "create"},
}

// unscheduled returns a pod that asks to be open and that nothing can run; its port is made all the same.
func unscheduled(name string) *corev1.Pod {
	template := wish{annotations: map[string]string{portSecurity: "false"}}.template()
	pod := &corev1.Pod{ObjectMeta: template.ObjectMeta, Spec: template.Spec}
	pod.Name = name
	return pod
}

// Pods that are made at the same moment as their namespace, before its annotations could be set, are strict.
func TestThreat28NewNamespace(t *testing.T) {
	_, p := granted(t, podRights)
	var wg sync.WaitGroup
	for range 6 {
		name := unique("e2e")
		t.Cleanup(func() { deleteNamespace(t, name) })
		wg.Go(func() {
			_, err := world.Kube.CoreV1().
				Namespaces().
				Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
			if err != nil {
				t.Error(err)
				return
			}
			ctx, cancel := context.WithTimeout(t.Context(), waitTime)
			defer cancel()
			for ctx.Err() == nil { // until the pods' service account exists
				pod, err := p.CoreV1().Pods(name).Create(ctx, unscheduled("first"), metav1.CreateOptions{})
				if err != nil && strings.Contains(err.Error(), "service account") {
					continue
				}
				if err != nil || pod.Annotations[portSecurity] != "true" {
					t.Errorf("the first pod of %s: %v, %v", name, err, pod.Annotations)
				}
				return
			}
			t.Errorf("no pod could be made in %s", name)
		})
	}
	wg.Wait()
}

// While a namespace is tightened, pods are made all the time. Once one is strict, so are all that are requested
// afterwards; and the audit names each of the pods that were rightly open until then.
func TestThreat28NamespaceTightened(t *testing.T) {
	ns := namespace(t, map[string]string{portSecurity: "false"})
	_, p := granted(t, podRights)
	var (
		wg         sync.WaitGroup
		stop       atomic.Bool
		mu         sync.Mutex
		since      time.Time // when the first strict pod was seen
		made, open []string
	)
	for range 3 {
		wg.Go(func() {
			for !stop.Load() {
				begin := time.Now()
				pod, err := p.CoreV1().
					Pods(ns).
					Create(t.Context(), unscheduled(unique("racer")), metav1.CreateOptions{})
				mu.Lock()
				switch {
				// The old annotation changes it, or the new one refuses it.
				case err != nil && strings.Contains(err.Error(), "would leave the NIC without protection"):
				case err != nil:
					t.Error(err)
					stop.Store(true)
				case pod.Annotations[portSecurity] == "true":
					if made = append(made, pod.Name); since.IsZero() {
						since = time.Now()
					}
				default:
					made, open = append(made, pod.Name), append(open, pod.Name)
					if !since.IsZero() && begin.After(since) {
						t.Errorf("%s was made open after another was strict", pod.Name)
					}
				}
				mu.Unlock()
			}
		})
	}
	count := func(what *[]string, n int) func() (bool, error) {
		return func() (bool, error) {
			mu.Lock()
			defer mu.Unlock()
			return len(*what) >= n || stop.Load(), nil
		}
	}
	eventually(t, "pods that are open by right", count(&open, 3))
	if _, err := admin(
		t,
	).do(t.Context(), http.MethodPatch, "/api/v1/namespaces/"+ns,
		map[string]any{
			"metadata": map[string]any{"annotations": map[string]string{portSecurity: "true"}},
		}); err != nil {
		t.Error(err)
	}
	eventually(t, "pods that are strict", func() (bool, error) {
		mu.Lock()
		defer mu.Unlock()
		return len(made) >= len(open)+6 || stop.Load(), nil
	})
	stop.Store(true)
	wg.Wait()
	slices.Sort(open)
	var named []string
	eventually(t, "the audit to name the pods that are open", func() (bool, error) {
		out, err := world.Nbctl(t.Context(), "--bare", "--columns=name", "list", "logical_switch_port")
		ports := slices.DeleteFunc(
			strings.Fields(out),
			func(port string) bool { return !strings.HasSuffix(port, "."+ns) },
		)
		if err != nil || len(ports) != len(made) {
			return false, err
		}
		named = nil
		for _, f := range audit(t).Findings {
			if f.Rule == "OVG001" && f.Namespace == ns {
				named = append(named, f.Pod)
			}
		}
		slices.Sort(named)
		return slices.Equal(named, open), nil
	})
	t.Logf("%d of %d pods were made before", len(open), len(made))
}

// A program that lost the right to ask for rights lets nobody use them, and goes on protecting.
func TestThreat30RightsLost(t *testing.T) {
	_, owner := granted(t, vipRights, rbacv1.PolicyRule{
		APIGroups: []string{
			"kubeovn.io",
		},
		Resources:     []string{"subnets"},
		ResourceNames: []string{"ovn-default"},
		Verbs:         []string{"update"},
	})
	attempt := func(ctx context.Context) error {
		_, err := owner.do(ctx, http.MethodPost, vipsPath+dryRun, vipFor(""))
		return err
	}
	if err := attempt(t.Context()); err != nil {
		t.Fatalf("with the right: %v", err)
	}
	t.Cleanup(func() {
		if err := world.Apply(cleanup(t), deploy.RBAC); err != nil {
			t.Error(err)
		}
		eventually(
			t,
			"the program to have its rights back",
			func() (bool, error) { return attempt(cleanup(t)) == nil, nil },
		)
	})
	roles := world.Kube.RbacV1().ClusterRoles()
	role, err := roles.Get(t.Context(), "ovnguard", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	role.Rules = slices.DeleteFunc(
		role.Rules,
		func(r rbacv1.PolicyRule) bool { return slices.Contains(r.Resources, "subjectaccessreviews") },
	)
	if _, err := roles.Update(t.Context(), role, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	var said error
	eventually(t, "the right to be gone", func() (bool, error) {
		said = attempt(t.Context())
		return said != nil, nil
	})
	if !strings.Contains(said.Error(), "so the request is refused") {
		t.Errorf("a Vip about which nobody could be asked: %v", said)
	}

	// The API server's own check needs no such right.
	ns := namespace(t, nil)
	_, exempt := granted(t, namespaceRights, exemptRights(ns))
	open := map[string]any{"metadata": map[string]any{"annotations": map[string]string{portSecurity: "false"}}}
	if _, err := exempt.do(t.Context(), http.MethodPatch, "/api/v1/namespaces/"+ns+dryRun, open); err != nil {
		t.Errorf("a loosening by who has the verb exempt: %v", err)
	}
	wish{
		name:        "a pod",
		annotations: map[string]string{portSecurity: "false"},
		keeps:       map[string]string{portSecurity: "true"},
	}.tryPod(
		t,
		tenant(t),
	)
}

// A namespace has thousands of annotations about NICs, all without effect. Others still write to it, and it can be
// deleted: the API server's own policies only look at changes.
func TestThreat33NamespaceOfManyAnnotations(t *testing.T) {
	withPolicies(t)
	annotations := make(map[string]string)
	for i := range 4200 {
		annotations[kubeovn.AttachmentProvider("x", fmt.Sprintf("n%d", i)).Key(kubeovn.PortSecurity)] = ""
	}
	ns := unique("e2e")
	made := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns, Annotations: annotations}}
	if _, err := admin(t).CoreV1().Namespaces().Create(t.Context(), made, metav1.CreateOptions{}); err == nil {
		t.Error("more annotations than are looked at were allowed")
	}
	// It may be from before ovnguard; requests of Kube-OVN's account are not reviewed.
	kubeOVN := as(t, admission.DefaultAccounts().KubeOVN[0], "system:masters")
	if _, err := kubeOVN.CoreV1().Namespaces().Create(t.Context(), made, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { deleteNamespace(t, ns) })
	if _, err := admin(t).do(t.Context(), http.MethodPatch, "/api/v1/namespaces/"+ns,
		map[string]any{"metadata": map[string]any{"labels": map[string]string{"team": "x"}}}); err != nil {
		t.Errorf("a label: %v", err)
	}
	deletePod(t, run(t, ns, nil))
	deleteNamespace(t, ns)
	eventually(t, "the namespace to be gone", func() (bool, error) {
		_, err := world.Kube.CoreV1().Namespaces().Get(t.Context(), ns, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return true, nil
		}
		return false, err
	})
}
