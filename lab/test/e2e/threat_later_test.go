//go:build integration

package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// tryEveryWay changes annotations of a running pod in each way that the API server knows, and checks that each is
// refused with the key, and that pod and port are as before. A nil value removes the annotation.
func (p person) tryEveryWay(t *testing.T, pod *corev1.Pod, key string, annotations map[string]any) {
	t.Helper()
	pods := p.CoreV1().Pods(pod.Namespace)
	send := func(kind types.PatchType, body any) error {
		text, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		options := metav1.PatchOptions{}
		if kind == types.ApplyPatchType {
			options.FieldManager, options.Force = "threat", new(true)
		}
		_, err = pods.Patch(t.Context(), pod.Name, kind, text, options)
		return err
	}
	merge := map[string]any{"metadata": map[string]any{"annotations": annotations}}
	operations, whole, applied := []map[string]any{}, pod.DeepCopy(), map[string]string{}
	for k, value := range annotations {
		path := "/metadata/annotations/" + jsonPointer(k)
		if value == nil {
			operations = append(operations, map[string]any{"op": "remove", "path": path})
			delete(whole.Annotations, k)
			continue
		}
		operations = append(operations, map[string]any{"op": "add", "path": path, "value": value})
		whole.Annotations[k], applied[k] = fmt.Sprint(value), fmt.Sprint(value)
	}
	mustRefuse(t, "a merge patch", send(types.MergePatchType, merge), key)
	mustRefuse(t, "a strategic merge patch", send(types.StrategicMergePatchType, merge), key)
	mustRefuse(t, "a JSON patch", send(types.JSONPatchType, operations), key)
	whole.ResourceVersion = "" // so that a concurrent write does not matter
	_, err := pods.Update(t.Context(), whole, metav1.UpdateOptions{})
	mustRefuse(t, "the whole pod", err, key)
	if len(applied) > 0 {
		mustRefuse(t, "server-side apply", send(types.ApplyPatchType, map[string]any{
			"apiVersion": "v1",
			"kind":       "Pod",
			"metadata":   map[string]any{"name": pod.Name, "namespace": pod.Namespace, "annotations": applied},
		}), key)
	}
	unchanged(t, pod)
}

// jsonPointer returns a key in the form of the path of a JSON patch.
func jsonPointer(key string) string {
	out := ""
	for _, r := range key {
		switch r {
		case '~':
			out += "~0"
		case '/':
			out += "~1"
		default:
			out += string(r)
		}
	}
	return out
}

// unchanged checks that a pod has the annotations and labels that it had, and that its port is still strict.
func unchanged(t *testing.T, pod *corev1.Pod) {
	t.Helper()
	now, err := world.Kube.CoreV1().Pods(pod.Namespace).Get(t.Context(), pod.Name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, had := pod.Annotations[kubeovn.DefaultProvider.Key(kubeovn.Routed)]; !had {
		delete(now.Annotations, kubeovn.DefaultProvider.Key(kubeovn.Routed)) // Kube-OVN's last annotation on a new pod
	}
	if !maps.Equal(now.Annotations, pod.Annotations) || !maps.Equal(now.Labels, pod.Labels) {
		t.Errorf(
			"pod %s has annotations %v and labels %v, had %v and %v",
			pod.Name,
			now.Annotations,
			now.Labels,
			pod.Annotations,
			pod.Labels,
		)
	}
	strictInOVN(t, pod.Namespace, pod.Name)
}

// Kube-OVN removes the protection as soon as the annotation is anything else than "true", or gone.
func TestThreatT02ChangedLater(t *testing.T) {
	p := tenant(t)
	pod := allocatedPod(t, p, nil)
	for _, value := range []any{"false", "True", "", nil} {
		p.tryEveryWay(t, pod, portSecurity, map[string]any{portSecurity: value})
	}
}

// A tenant who writes an address or a MAC of their choice, and then makes Kube-OVN build the port again from it, fails
// at the first step: the second step alone leaves the port as it was.
func TestThreatT03ArbitraryIdentity(t *testing.T) {
	p := tenant(t)
	pod := allocatedPod(t, p, nil)
	for key, value := range map[string]string{ipAddress: "0.0.0.0/0", macAddress: "0a:00:00:00:00:01"} {
		p.tryEveryWay(t, pod, key, map[string]any{key: value})
	}
	before := portSecurityOf(t, kubeovn.PortName(pod.Name, pod.Namespace, kubeovn.DefaultProvider))
	if err := p.patch(
		t.Context(),
		pod,
		map[string]any{kubeovn.DefaultProvider.Key(kubeovn.SecurityGroups): "sg1"},
	); err != nil {
		t.Fatalf("a security group for a strict port: %v", err)
	}
	awaitKubeOVN(t)
	if after := portSecurityOf(t, kubeovn.PortName(pod.Name, pod.Namespace, kubeovn.DefaultProvider)); after != before {
		t.Errorf("port_security became %s, was %s", after, before)
	}
}

// A value that looks like a plain list of addresses may contain somebody else's, or one word that makes a later OVN
// check nothing any more.
func TestThreatT06VIPsLater(t *testing.T) {
	p := tenant(t)
	pod, neighbour := allocatedPod(t, p, nil), allocatedPod(t, p, nil)
	for name, value := range map[string]string{
		"the gateway": "10.16.0.1", "a neighbour": neighbour.Annotations[ipAddress], "poison": "10.16.0.9,x",
		"a range": "10.16.0.0/16", "mapped": "::ffff:10.16.0.9",
	} {
		if err := p.patch(t.Context(), pod, map[string]any{portVIPs: value}); err == nil {
			t.Errorf("%s was allowed", name)
		} else {
			mustRefuse(t, name, err, portVIPs)
		}
	}
	p.tryEveryWay(t, pod, portVIPs, map[string]any{portVIPs: neighbour.Annotations[ipAddress]})
}

// NetworkPolicies are sets of the addresses in pods' annotations, selected by labels: a tenant may change the labels,
// but not the addresses.
func TestThreatT12LabelsAndAddress(t *testing.T) {
	p := tenant(t)
	pod, victim := allocatedPod(t, p, nil), allocatedPod(t, p, nil)
	path := "/api/v1/namespaces/" + pod.Namespace + "/pods/" + pod.Name
	_, err := p.do(t.Context(), http.MethodPatch, path, map[string]any{"metadata": map[string]any{
		"labels": map[string]any{
			"role": "client",
		},
		"annotations": map[string]any{ipAddress: victim.Annotations[ipAddress]},
	}})
	mustRefuse(t, "labels and an address", err, ipAddress)
	unchanged(t, pod)
	if _, err := p.do(
		t.Context(),
		http.MethodPatch,
		path,
		map[string]any{"metadata": map[string]any{"labels": map[string]any{"role": "client"}}},
	); err != nil {
		t.Errorf("labels alone: %v", err)
	}
	mustRefuse(
		t,
		"the address afterwards",
		p.patch(t.Context(), pod, map[string]any{ipAddress: victim.Annotations[ipAddress]}),
		ipAddress,
	)
	strictInOVN(t, pod.Namespace, pod.Name)
}

// With a webhook that comes after ours and loosens again, no pod is made or changed: the validating webhook decides
// after all of them.
func TestThreat31LaterMutator(t *testing.T) {
	again := admissionregistrationv1.IfNeededReinvocationPolicy
	for name, c := range map[string]struct{ patch, key string }{
		"off": {
			`[{"op":"add","path":"/metadata/annotations/ovn.kubernetes.io~1port_security","value":"false"}]`,
			portSecurity,
		},
		"taken away": {
			`[{"op":"remove","path":"/metadata/annotations/ovn.kubernetes.io~1port_security"}]`, portSecurity,
		},
		"forwarding": {
			`[{"op":"add","path":"/metadata/annotations/ovn.kubernetes.io~1layer2_forward","value":"true"}]`,
			layer2Forward,
		},
		"an address": {
			`[{"op":"add","path":"/metadata/annotations/ovn.kubernetes.io~1ip_address","value":"10.16.0.1"}]`,
			ipAddress,
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := tenant(t)
			pod := allocatedPod(t, p, nil)
			laterWebhook(t, tenantNamespace, c.patch, func(w *admissionregistrationv1.MutatingWebhook) {
				w.ReinvocationPolicy = &again
				w.Rules[0].Operations = append(w.Rules[0].Operations, admissionregistrationv1.Update)
			})
			wish{name: "made", refused: c.key}.tryPod(t, p)
			mustRefuse(
				t,
				"an edit that means nothing",
				p.patch(t.Context(), pod, map[string]any{"example.org/harmless": "1"}),
				c.key,
			)
			unchanged(t, pod)
		})
	}
}
