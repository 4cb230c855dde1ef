//go:build integration

package e2e

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// Values that a tenant writes, and the annotations that the API server stores.
func TestValues(t *testing.T) {
	p := tenant(t)
	strict := map[string]string{portSecurity: "true"}
	cases := map[string]struct {
		write, want map[string]string
		warning     string // part of the only warning, "" for none
	}{
		"nothing":         {want: strict},
		"empty":           {write: map[string]string{portSecurity: ""}, want: strict},
		"true":            {write: strict, want: strict},
		"True":            {write: map[string]string{portSecurity: "True"}, want: strict},
		"1":               {write: map[string]string{portSecurity: "1"}, want: strict},
		"yes with blanks": {write: map[string]string{portSecurity: " yes "}, want: strict},
		"on":              {write: map[string]string{portSecurity: "on"}, want: strict},
		"false": {
			write:   map[string]string{portSecurity: "false"},
			want:    strict,
			warning: portSecurity + `="false" was not applied`,
		},
		"0": {
			write:   map[string]string{portSecurity: "0"},
			want:    strict,
			warning: portSecurity + `="0" was not applied`,
		},
		"layer-2 forwarding": {
			write:   map[string]string{layer2Forward: "true"},
			want:    strict,
			warning: layer2Forward + `="true" was not applied`,
		},
		"layer-2 forwarding declined": {
			write: map[string]string{layer2Forward: "false"},
			want:  map[string]string{portSecurity: "true", layer2Forward: "false"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			p.warnings.Take()
			pod, err := p.dryRun(t.Context(), tenantNamespace, c.write)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, keys(pod)); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
			got := p.warnings.Take()
			switch {
			case c.warning == "" && len(got) > 0:
				t.Errorf("warned: %q", got)
			case c.warning != "" && (len(got) != 1 || !strings.Contains(got[0], c.warning)):
				t.Errorf("warnings %q, want one with %q", got, c.warning)
			}
		})
	}
}

// An unreadable value is refused; the message names the key and what to write instead.
func TestGarbageIsRefused(t *testing.T) {
	p := tenant(t)
	for _, key := range []string{portSecurity, layer2Forward} {
		for _, value := range []string{"tru", "2", "true,false", "\"true\""} {
			_, err := p.dryRun(t.Context(), tenantNamespace, map[string]string{key: value})
			if !apierrors.IsForbidden(err) {
				t.Errorf("%s=%s: %v, want it refused", key, value, err)
				continue
			}
			for _, part := range []string{key, `"true"`, `"false"`, "metadata.annotations"} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%s=%s: the message lacks %s: %v", key, value, part, err)
				}
			}
		}
	}
	_, err := p.dryRun(t.Context(), tenantNamespace, map[string]string{kubeovn.Networks: "[null]"})
	if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), kubeovn.Networks) {
		t.Errorf("networks [null]: %v, want it refused with the key", err)
	}
}

// Namespaces decide in both directions, each NIC by its own key. An invalid value never gets into a namespace.
func TestNamespaces(t *testing.T) {
	p := admin(t)
	cases := map[string]struct {
		namespace, write, want map[string]string
		warning                string
	}{
		"open": {
			namespace: map[string]string{portSecurity: "false"},
			want:      map[string]string{portSecurity: "false"},
		},
		"open, spelled otherwise": {
			namespace: map[string]string{portSecurity: "Off"},
			want:      map[string]string{portSecurity: "false"},
		},
		"strict": {
			namespace: map[string]string{portSecurity: "true"},
			write:     map[string]string{portSecurity: "false"},
			want:      map[string]string{portSecurity: "true"},
			warning:   "a pod may only tighten",
		},
		"open, the pod tightens": {
			namespace: map[string]string{portSecurity: "false"},
			write:     map[string]string{portSecurity: "True"},
			want:      map[string]string{portSecurity: "true"},
		},
		"forwarding is allowed": {
			namespace: map[string]string{layer2Forward: "true"},
			write:     map[string]string{layer2Forward: "1"},
			want:      map[string]string{portSecurity: "true", layer2Forward: "true"},
		},
		"forwarding is not forced": {
			namespace: map[string]string{layer2Forward: "true"},
			want:      map[string]string{portSecurity: "true"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			ns := namespace(t, c.namespace)
			p.warnings.Take()
			pod, err := p.dryRun(t.Context(), ns, c.write)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, keys(pod)); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
			got := p.warnings.Take()
			if (c.warning == "") != (len(got) == 0) || len(got) > 1 ||
				!strings.Contains(strings.Join(got, ""), c.warning) {
				t.Errorf("warnings %q, want %q", got, c.warning)
			}
		})
	}
}

// A pod that is made right after its namespace gets the namespace's level, and not the strict default of a namespace
// that the cache does not know yet.
func TestNamespaceMadeJustNow(t *testing.T) {
	p := admin(t)
	for range 10 {
		name := unique("fresh")
		ns := &corev1.Namespace{
			ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{portSecurity: "false"}},
		}
		if _, err := p.CoreV1().Namespaces().Create(t.Context(), ns, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { deleteNamespace(t, name) })
		account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "default"}}
		if _, err := p.CoreV1().
			ServiceAccounts(name).
			Create(t.Context(), account, metav1.CreateOptions{}); err != nil &&
			!apierrors.IsAlreadyExists(err) {
			t.Fatal(err)
		}
		pod, err := p.dryRun(t.Context(), name, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := pod.Annotations[portSecurity]; got != "false" {
			t.Errorf(
				"namespace %s, made just now: port_security %q, want false; warnings %q",
				name,
				got,
				p.warnings.Take(),
			)
		}
	}
}

// networks are attachments of every sort in one namespace.
const networks = `
apiVersion: k8s.cni.cncf.io/v1
kind: NetworkAttachmentDefinition
metadata: {name: blue, namespace: NAMESPACE}
spec: {config: '{"cniVersion":"0.3.1","type":"kube-ovn","provider":"blue.NAMESPACE.ovn"}'}
---
apiVersion: k8s.cni.cncf.io/v1
kind: NetworkAttachmentDefinition
metadata: {name: chained, namespace: NAMESPACE}
spec: {config: '{"cniVersion":"0.3.1","plugins":[{"type":"kube-ovn","provider":"chained.NAMESPACE.ovn"},{"type":"tuning"}]}'}
---
apiVersion: k8s.cni.cncf.io/v1
kind: NetworkAttachmentDefinition
metadata: {name: outside, namespace: NAMESPACE}
spec: {config: '{"cniVersion":"0.3.1","type":"macvlan","master":"eth0"}'}
`

// Each NIC is governed by its own key. An attachment's definition can be different when the pod starts, so the NIC is
// strict whatever it says now.
func TestAttachments(t *testing.T) {
	p := admin(t)
	ns := unique("nics")
	key := func(name string, s kubeovn.Suffix) string { return kubeovn.AttachmentProvider(ns, name).Key(s) }
	if err := world.Namespace(
		t.Context(),
		ns,
		map[string]string{key("chained", kubeovn.PortSecurity): "false"},
	); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { deleteNamespace(t, ns) })
	if err := world.Apply(t.Context(), []byte(strings.ReplaceAll(networks, "NAMESPACE", ns))); err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct{ write, want map[string]string }{
		"of every sort": {
			write: map[string]string{
				kubeovn.Networks:                     "blue, chained, outside, broken, missing",
				key("blue", kubeovn.PortSecurity):    "0",
				key("blue", kubeovn.Layer2Forward):   "true",
				key("missing", kubeovn.PortSecurity): "FALSE",
			},
			want: map[string]string{
				portSecurity:                         "true",
				key("blue", kubeovn.PortSecurity):    "true",
				key("chained", kubeovn.PortSecurity): "false",
				key("outside", kubeovn.PortSecurity): "true",
				key("broken", kubeovn.PortSecurity):  "true",
				key("missing", kubeovn.PortSecurity): "true",
			},
		},
		"as JSON": {
			write: map[string]string{kubeovn.Networks: `[{"name":"blue","namespace":"` + ns + `","interface":"net7"}]`},
			want:  map[string]string{portSecurity: "true", key("blue", kubeovn.PortSecurity): "true"},
		},
		"in place of the default network": {
			write: map[string]string{kubeovn.DefaultNetwork: ns + "/blue"},
			want:  map[string]string{key("blue", kubeovn.PortSecurity): "true"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			pod, err := p.dryRun(t.Context(), ns, c.write)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, keys(pod)); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
	if _, err := p.dryRun(
		t.Context(),
		ns,
		map[string]string{kubeovn.Networks: "blue", key("blue", kubeovn.PortSecurity): "ture"},
	); !apierrors.IsForbidden(
		err,
	) ||
		!strings.Contains(err.Error(), key("blue", kubeovn.PortSecurity)) {
		t.Errorf("garbage for a second NIC: %v, want it refused with the key", err)
	}
}

// Pods without an OVN port are not the webhook's business; but a tenant cannot pass for one by the mirror annotation.
func TestPodsWithoutPort(t *testing.T) {
	p := tenant(t)
	create := func(p person, change func(*corev1.Pod)) (*corev1.Pod, error) {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: unique("pod")}, Spec: podSpec()}
		change(pod)
		return p.CoreV1().
			Pods(tenantNamespace).
			Create(t.Context(), pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	}
	onHost, err := create(p, func(pod *corev1.Pod) { pod.Spec.HostNetwork = true })
	if err != nil {
		t.Fatal(err)
	}
	if len(onHost.Annotations) > 0 {
		t.Errorf("a pod on the host's network was given annotations: %v", onHost.Annotations)
	}

	mirror := func(pod *corev1.Pod) {
		pod.Annotations = map[string]string{corev1.MirrorPodAnnotationKey: "0123456789abcdef", portSecurity: "false"}
		pod.Spec.NodeName = "node1"
	}
	trick, err := create(p, mirror)
	if err != nil {
		t.Fatal(err)
	}
	if got := trick.Annotations[portSecurity]; got != "true" {
		t.Errorf("a tenant's pod that says it is a mirror has port_security %q, want true", got)
	}

	node, err := world.Kube.CoreV1().Nodes().Get(t.Context(), "node1", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	real, err := create(as(t, "system:node:node1", "system:nodes"), func(pod *corev1.Pod) {
		mirror(pod)
		pod.OwnerReferences = []metav1.OwnerReference{
			{APIVersion: "v1", Kind: "Node", Name: "node1", UID: node.UID, Controller: new(true)},
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, decided := real.Annotations[policy.RecordAnnotation]; decided {
		t.Errorf("the mirror that a node makes of its static pod went through the webhook: %v", real.Annotations)
	}
}

// The readable record is JSON, and has for each NIC the decision and its reason.
func TestDecisionRecord(t *testing.T) {
	ns := namespace(t, map[string]string{layer2Forward: "true"})
	pod, err := admin(t).dryRun(t.Context(), ns, map[string]string{kubeovn.Networks: "gone"})
	if err != nil {
		t.Fatal(err)
	}
	type decision struct{ Level, From, Layer2Forward, Layer2ForwardFrom string }
	var got map[string]decision
	if err := json.Unmarshal([]byte(pod.Annotations[policy.RecordAnnotation]), &got); err != nil {
		t.Fatalf("%q: %v", pod.Annotations[policy.RecordAnnotation], err)
	}
	want := map[string]decision{
		"ovn":                 {"strict", "default", "allow", "namespace"},
		"gone." + ns + ".ovn": {"strict", "default", "forbid", "default"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// A pod's own words are never believed, not even the record of an earlier decision.
func TestForgedRecord(t *testing.T) {
	pod, err := tenant(t).dryRun(t.Context(), tenantNamespace, map[string]string{
		portSecurity: "false", policy.RecordAnnotation: `{"ovn":{"level":"open","from":"namespace"}}`,
	})
	if err != nil {
		t.Fatal(err)
	}
	if pod.Annotations[portSecurity] != "true" || strings.Contains(pod.Annotations[policy.RecordAnnotation], "open") {
		t.Errorf("annotations %v", pod.Annotations)
	}
}
