//go:build integration

package e2e

import (
	"encoding/json"
	"net/http"
	"testing"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// loose are annotations and labels that an attacker would add to a pod by a path that looks harmless.
var loose = map[string]any{
	"annotations": map[string]string{
		portSecurity: "false",
		ipAddress:    "0.0.0.0/0",
		kubeovn.DefaultProvider.Key(kubeovn.Allocated): "false",
	},
	"labels": map[string]string{"app": "till"},
}

// podWithoutGrant returns a pod of the tenant's namespace that the exception there is not for; that is for pods
// labelled app=till. Its requests can be resized.
func podWithoutGrant(t *testing.T) *corev1.Pod {
	t.Helper()
	honourExceptions(t, tenantNamespace)
	grantIn(t, tenantNamespace, func(s *v1alpha1.PortSecurityExceptionSpec) {
		s.Target.PodSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": "till"}}
		s.Grant.Pairs = []v1alpha1.AddressPair{{Prefix: "10.120.0.0/28"}}
	})
	t.Cleanup(func() {
		path := "/apis/ovnguard.io/v1alpha1/namespaces/" + tenantNamespace + "/portsecurityexceptions/" + exceptionIn(
			tenantNamespace,
		).Name
		if _, err := admin(t).do(cleanup(t), http.MethodDelete, path, nil); err != nil {
			t.Error(err)
		}
	})
	return allocatedPod(t, tenant(t), nil, func(pod *corev1.Pod) {
		pod.Spec.Containers[0].Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("10m")}
	})
}

// honourExceptions makes a policy for one namespace that lets exceptions count without approval, up to any level.
func honourExceptions(t *testing.T, ns string) {
	t.Helper()
	name := unique("policy")
	p := &v1alpha1.PortSecurityPolicy{
		TypeMeta: metav1.TypeMeta{
			APIVersion: v1alpha1.GroupVersion.String(),
			Kind:       "PortSecurityPolicy",
		},
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1alpha1.PortSecurityPolicySpec{
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: ns}},
			Exceptions:        &v1alpha1.ExceptionRules{Namespaces: []string{ns}},
			Limits:            v1alpha1.Limits{MaxLevel: v1alpha1.LevelOpen},
		},
	}
	if _, err := admin(t).do(t.Context(), http.MethodPost, policiesPath, p); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := admin(t).do(cleanup(t), http.MethodDelete, policiesPath+"/"+name, nil); err != nil {
			t.Error(err)
		}
	})
}

// The subresources that let nobody change metadata do their job, and leave keys, labels and the port alone, even where
// an exception waits for a label.
func TestThreat06EphemeralContainersAndResize(t *testing.T) {
	p := mayWrite(t, "patch", "pods/ephemeralcontainers", "pods/resize")
	pod := podWithoutGrant(t)
	for subresource, spec := range map[string]any{
		"ephemeralcontainers": map[string]any{"ephemeralContainers": []any{map[string]any{
			"name": "raw", "image": "example.org/nothing",
			"securityContext": map[string]any{"capabilities": map[string]any{"add": []string{"NET_RAW"}}},
		}}},
		"resize": map[string]any{
			"containers": []any{
				map[string]any{
					"name": "main", "resources": map[string]any{"requests": map[string]string{"cpu": "20m"}},
				},
			},
		},
	} {
		body, err := json.Marshal(map[string]any{"metadata": loose, "spec": spec})
		if err != nil {
			t.Fatal(err)
		}
		got, err := p.CoreV1().
			Pods(pod.Namespace).
			Patch(t.Context(), pod.Name, types.StrategicMergePatchType, body, metav1.PatchOptions{}, subresource)
		if err != nil {
			t.Fatalf("%s: %v", subresource, err)
		}
		switch subresource {
		case "resize":
			if cpu := got.Spec.Containers[0].Resources.Requests[corev1.ResourceCPU]; cpu.Cmp(
				resource.MustParse("20m"),
			) != 0 {
				t.Errorf("resize did nothing: %v", got.Spec.Containers[0].Resources)
			}
		default:
			if len(got.Spec.EphemeralContainers) != 1 {
				t.Errorf("no container was added: %v", got.Spec.EphemeralContainers)
			}
		}
		unchanged(t, pod)
	}
}

// Each path to a pod's metadata, used by somebody with the right to it and no other, ends in a refusal or leaves the
// metadata as it was.
func TestThreatT25OtherPaths(t *testing.T) {
	only := func(group, verb, resource string) person {
		return mayDo(
			t,
			rbacv1.PolicyRule{APIGroups: []string{group}, Resources: []string{resource}, Verbs: []string{verb, "get"}},
		)
	}
	pod := podWithoutGrant(t)
	base := "/api/v1/namespaces/" + pod.Namespace + "/"
	labels := map[string]any{"metadata": map[string]any{"labels": map[string]string{"app": "till"}}}
	binding := func(metadata map[string]any) any {
		metadata["name"] = pod.Name
		return map[string]any{
			"apiVersion": "v1",
			"kind":       "Binding",
			"metadata":   metadata,
			"target":     map[string]string{"kind": "Node", "name": "node1"},
		}
	}
	whole := pod.DeepCopy()
	whole.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}
	whole.ResourceVersion, whole.Annotations[portSecurity] = "", "false"
	status, updater, binder, poster := only(
		"",
		"patch",
		"pods/status",
	), only(
		"",
		"update",
		"pods/status",
	), only(
		"",
		"create",
		"pods/binding",
	), only(
		"",
		"create",
		"bindings",
	)
	for name, try := range map[string]struct {
		p          person
		verb, path string
		body       any
		says       string
	}{
		"annotations by status": {
			status, http.MethodPatch, "pods/" + pod.Name + "/status",
			map[string]any{"metadata": map[string]any{"annotations": loose["annotations"]}},
			portSecurity,
		},
		"labels by status": {
			status, http.MethodPatch, "pods/" + pod.Name + "/status", labels, "metadata.labels",
		},
		"the whole by status": {
			updater, http.MethodPut, "pods/" + pod.Name + "/status", whole, portSecurity,
		},
		"annotations by binding": {
			binder, http.MethodPost, "pods/" + pod.Name + "/binding",
			binding(map[string]any{"annotations": loose["annotations"]}), portSecurity,
		},
		"labels by binding": {
			binder, http.MethodPost, "pods/" + pod.Name + "/binding",
			binding(map[string]any{"labels": loose["labels"]}), "metadata.labels",
		},
		"annotations by the old binding": {
			poster, http.MethodPost, "bindings", binding(map[string]any{"annotations": loose["annotations"]}),
			portSecurity,
		},
	} {
		_, err := try.p.do(t.Context(), try.verb, base+try.path, try.body)
		mustRefuse(t, name, err, try.says)
		unchanged(t, pod)
	}
	tenants := tenant(t)
	_, err := tenants.do(t.Context(), http.MethodPatch, base+"pods/"+pod.Name, labels)
	mustRefuse(t, "labels by the pod itself", err, "metadata.labels")
	unchanged(t, pod)

	evictor := only("", "create", "pods/eviction")
	err = evictor.CoreV1().Pods(pod.Namespace).EvictV1(t.Context(), &policyv1.Eviction{
		ObjectMeta: metav1.ObjectMeta{
			Name:        pod.Name,
			Annotations: map[string]string{portSecurity: "false"},
			Labels:      map[string]string{"app": "till"},
		},
		DeleteOptions: &metav1.DeleteOptions{DryRun: []string{metav1.DryRunAll}},
	})
	if err != nil {
		t.Errorf("an eviction: %v", err)
	}
	unchanged(t, pod)
}

// Kube-OVN's own webhook ignores pods with its label; here the label changes nothing, on pods and on their namespace.
func TestThreatT19UpstreamsSelfExemptLabel(t *testing.T) {
	p := tenant(t)
	labels := map[string]string{"app": "kube-ovn-webhook", "app.kubernetes.io/name": "kube-ovn-webhook"}
	wish{
		name:        "off",
		labels:      labels,
		annotations: map[string]string{portSecurity: "false"},
		keeps:       map[string]string{portSecurity: "true"},
	}.try(
		t,
		p,
	)
	wish{
		name:        "a gateway's address",
		labels:      labels,
		annotations: map[string]string{ipAddress: "10.16.0.1"},
		refused:     ipAddress,
	}.tryPod(
		t,
		p,
	)
	pod := allocatedPod(t, p, nil)
	if _, err := p.do(
		t.Context(),
		http.MethodPatch,
		"/api/v1/namespaces/"+pod.Namespace+"/pods/"+pod.Name,
		map[string]any{"metadata": map[string]any{"labels": labels}},
	); err != nil {
		t.Fatal(err)
	}
	mustRefuse(t, "off afterwards", p.patch(t.Context(), pod, map[string]any{portSecurity: "false"}), portSecurity)
	strictInOVN(t, pod.Namespace, pod.Name)
}

// A pod is no gateway because it claims to be one: not by Kube-OVN's labels, its annotation or the owner of its
// gateways.
func TestThreatT20GatewayByLabel(t *testing.T) {
	p := tenant(t)
	w := wish{
		labels: map[string]string{
			"ovn.kubernetes.io/vpc-nat-gw":         "true",
			"ovn.kubernetes.io/vpc-egress-gateway": "gw",
			"app":                                  "vpc-egress-gateway",
		},
		annotations: map[string]string{portSecurity: "false", "ovn.kubernetes.io/vpc_nat_gw": "gw"},
		keeps:       map[string]string{portSecurity: "true"},
	}
	w.name = "by label and annotation"
	w.try(t, p)
	w.name, w.owners = "by owner", []metav1.OwnerReference{
		{
			APIVersion: "kubeovn.io/v1",
			Kind:       "VpcEgressGateway",
			Name:       "gw",
			UID:        "7b1f6d4e-0000-4000-8000-000000000003",
		},
	}
	w.tryPod(t, p)
}
