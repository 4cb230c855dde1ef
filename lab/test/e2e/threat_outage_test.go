//go:build integration

package e2e

import (
	"context"
	"encoding/json"
	"maps"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ovnguard/ovnguard/internal/admissionpolicy"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// createGenerated asks for a pod with a generated name, as controllers do.
func (p person) createGenerated(t *testing.T, annotations map[string]string) (*corev1.Pod, error) {
	t.Helper()
	return p.createGeneratedIn(t, tenantNamespace, annotations)
}

func (p person) createGeneratedIn(t *testing.T, ns string, annotations map[string]string) (*corev1.Pod, error) {
	t.Helper()
	template := wish{annotations: annotations}.template()
	pod := &corev1.Pod{ObjectMeta: template.ObjectMeta, Spec: template.Spec}
	pod.GenerateName = "web-"
	return p.CoreV1().Pods(ns).Create(t.Context(), pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
}

// withPolicies makes the program keep admission policies in the API server for the rest of the test, and waits until
// they take effect.
func withPolicies(t *testing.T) {
	t.Helper()
	if err := guard.Restart(t.Context(), "--admission-policies"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := guard.Restart(cleanup(t)); err != nil {
			t.Error(err)
		}
		eventually(t, "the admission policies to be gone", func() (bool, error) {
			list, err := world.Kube.AdmissionregistrationV1().
				ValidatingAdmissionPolicies().
				List(cleanup(t), metav1.ListOptions{LabelSelector: admissionpolicy.Label + "=" + admissionpolicy.LabelValue})
			return err == nil && len(list.Items) == 0, err
		})
		eventually(t, "the webhooks to be registered for all new pods again", func() (bool, error) {
			registered, err := guard.Registration(cleanup(t))
			return err == nil &&
				!strings.Contains(registered.Webhooks[0].MatchConditions[0].Expression, policy.RecordAnnotation), err
		})
		awaitWebhook(t)
		awaitNoPolicies(t)
	})
	p := tenant(t)
	eventually(t, "the admission policies to be in force", func() (bool, error) {
		// The webhook would do the same to an ordinary pod; but the API server does not ask it about a pod that the policy
		// has changed.
		before := reviews(t)
		got, err := p.createGenerated(t, nil)
		return err == nil && got.Annotations[policy.RecordAnnotation] == admissionpolicy.Record &&
			maps.Equal(reviews(t), before), nil
	})
	awaitPolicies(t)
}

// awaitPolicies waits until the API server applies the floor.
func awaitPolicies(t *testing.T) {
	t.Helper()
	p := tenant(t)
	eventually(t, "the floor to be in force", func() (bool, error) {
		_, err := p.createGenerated(t, map[string]string{kubeovn.DefaultProvider.Key(kubeovn.Allocated): "true"})
		return err != nil && strings.Contains(err.Error(), admissionpolicy.FloorName), nil
	})
}

// setZone puts all nodes into a zone for the rest of the test, as in most clusters.
func setZone(t *testing.T, zone string) {
	t.Helper()
	nodes := world.Kube.CoreV1().Nodes()
	label := func(ctx context.Context, value any) {
		list, err := nodes.List(ctx, metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		body, err := json.Marshal(
			map[string]any{"metadata": map[string]any{"labels": map[string]any{corev1.LabelTopologyZone: value}}},
		)
		if err != nil {
			t.Fatal(err)
		}
		for i := range list.Items {
			if _, err := nodes.Patch(
				ctx,
				list.Items[i].Name,
				types.MergePatchType,
				body,
				metav1.PatchOptions{},
			); err != nil {
				t.Fatal(err)
			}
		}
	}
	label(t.Context(), zone)
	t.Cleanup(func() { label(cleanup(t), nil) })
}

// With the program killed, an ordinary pod is still made, and strict; and everything that would loosen a port is still
// refused.
func TestThreat29WebhookDown(t *testing.T) {
	withPolicies(t)
	p := tenant(t)
	pod := allocatedPod(t, p, nil)
	setZone(t, "here")
	// An owner's name does not make a pod the owner's, even if the pod asks for nothing else and has the record of an
	// ordinary one.
	for name, annotations := range map[string]map[string]string{
		"plain": nil, "with the note": {portSecurity: "true", policy.RecordAnnotation: admissionpolicy.Record},
	} {
		yes := true
		forged := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{GenerateName: "web-", Annotations: annotations},
			Spec:       podSpec(),
		}
		forged.OwnerReferences = []metav1.OwnerReference{
			{
				APIVersion: "apps/v1",
				Kind:       "ReplicaSet",
				Name:       "router",
				UID:        "7b1f6d4e-0000-4000-8000-000000000002",
				Controller: &yes,
			},
		}
		_, err := p.CoreV1().
			Pods(tenantNamespace).
			Create(t.Context(), forged, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		mustRefuseByFloor(t, "a pod with another's owner, "+name, err, admissionpolicy.FloorName)
	}
	if err := guard.Kill(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := guard.Start(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	got, err := p.createGenerated(t, nil)
	if err != nil {
		t.Fatalf("an ordinary pod: %v", err)
	}
	if got.Annotations[portSecurity] != "true" {
		t.Errorf("an ordinary pod has annotations %v", got.Annotations)
	}
	// Kube-OVN writes the addresses on it, which no webhook need review: the pod has its port, and a strict one.
	made := allocatedPod(t, p, nil, func(pod *corev1.Pod) {
		pod.Name, pod.GenerateName, pod.Spec.NodeSelector = "", "web-", map[string]string{
			corev1.LabelTopologyZone: "here",
		}
	})
	strictInOVN(t, made.Namespace, made.Name)
	// They need not review its binding to a node either; the API server then copies the node's zone to the pod.
	eventually(t, "the pod to run", func() (bool, error) {
		got, err := world.Kube.CoreV1().Pods(made.Namespace).Get(t.Context(), made.Name, metav1.GetOptions{})
		return err == nil && got.Status.Phase == corev1.PodRunning &&
			got.Labels[corev1.LabelTopologyZone] == "here", err
	})
	for name, annotations := range map[string]map[string]string{
		"off": {portSecurity: "false"}, "forwarding": {layer2Forward: "true"}, "an address": {ipAddress: "10.16.0.1"},
		"a VIP": {portVIPs: "10.16.0.1"},
	} {
		if got, err := p.createGenerated(t, annotations); err == nil {
			t.Errorf("%s was allowed: %v", name, got.Annotations)
		}
	}
	for name, annotations := range laterEdits {
		if err := p.patch(t.Context(), pod, annotations); err == nil {
			t.Errorf("%s was allowed", name)
		}
	}
	// The API server says what was refused and who can help, as the webhooks would.
	err = p.patch(t.Context(), pod, map[string]any{portSecurity: "false"})
	for _, word := range []string{
		"ovnguard-floor", `metadata.annotations["` + portSecurity + `"]`, "PortSecurityException", "verb exempt",
	} {
		if err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%v, want it refused with %q", err, word)
		}
	}
	eventually(t, "the audit log to say so as well", func() (bool, error) {
		line, found := lastAudited(t, "pods", pod.Name)
		return found &&
			strings.Contains(
				line.Annotations["validation.policy.admission.k8s.io/validation_failure"],
				`"policy":"ovnguard-floor"`,
			), nil
	})
	strictInOVN(t, pod.Namespace, pod.Name)
	if err := p.patch(t.Context(), pod, map[string]any{"example.org/harmless": "1"}); err != nil {
		t.Errorf("an edit that means nothing to Kube-OVN: %v", err)
	}
}

// With the webhooks' registration removed as well, the floor stays: the API server applies it itself.
func TestThreat32RegistrationGone(t *testing.T) {
	withPolicies(t)
	p := tenant(t)
	pod := allocatedPod(t, p, nil)
	// A namespace with harmless values keeps its floor, in any spelling of them.
	harmless := map[string]string{
		layer2Forward + " false": namespace(t, map[string]string{layer2Forward: "false"}),
		portSecurity + " True":   namespace(t, map[string]string{portSecurity: "True"}),
		"an empty level":         namespace(t, nil),
	}
	body, err := json.Marshal(
		map[string]any{"metadata": map[string]any{"labels": map[string]string{policy.LevelLabel: ""}}},
	)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := admin(
		t,
	).CoreV1().
		Namespaces().
		Patch(t.Context(), harmless["an empty level"], types.MergePatchType, body, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := guard.Kill(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := guard.Start(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	api := world.Kube.AdmissionregistrationV1()
	if err := api.MutatingWebhookConfigurations().Delete(t.Context(), "ovnguard", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := api.ValidatingWebhookConfigurations().
		Delete(t.Context(), "ovnguard", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the API server to forget the webhooks", func() (bool, error) {
		return p.patch(t.Context(), pod, map[string]any{"example.org/harmless": "2"}) == nil, nil
	})
	for name, ns := range harmless {
		eventually(t, "the floor to stay on in a namespace with "+name, func() (bool, error) {
			_, err := admin(t).dryRun(t.Context(), ns, map[string]string{portSecurity: "false"})
			return err != nil && strings.Contains(err.Error(), admissionpolicy.FloorName), nil
		})
	}
	got, err := p.createGenerated(t, nil)
	if err != nil || got.Annotations[portSecurity] != "true" {
		t.Errorf("an ordinary pod: %v, %v", got.Annotations, err)
	}
	if got, err := p.createGenerated(t, map[string]string{portSecurity: "false"}); err == nil {
		t.Errorf("off was allowed: %v", got.Annotations)
	}
	for _, name := range []string{"T02 off", "T02 look-alike", "T02 taken away", "T03 address", "T03 MAC", "T04 " +
		"allocated", "T04 routed", "T05 forwarding", "T09 switch", "T09 networks", "T10 virtual machine", "T11 " +
		"migration"} {
		if err := p.patch(t.Context(), pod, laterEdits[name]); err == nil {
			t.Errorf("%s was allowed", name)
		}
	}
	// docs/admission.md lists what the floor leaves to the webhooks; these keys it judges itself.
	for _, key := range []string{"ovn.kubernetes.io/eip", "ovn.kubernetes.io/snat", "ovn.kubernetes.io/north_gateway"} {
		if err := p.patch(t.Context(), pod, map[string]any{key: "203.0.113.7"}); err == nil {
			t.Errorf("%s was allowed", key)
		}
		if got, err := p.createGenerated(t, map[string]string{key: "203.0.113.7"}); err == nil {
			t.Errorf("%s was allowed on a new pod: %v", key, got.Annotations)
		}
	}
	for _, key := range []string{kubeovn.MigrationJob, kubeovn.DefaultNetwork} {
		if err := p.patch(t.Context(), pod, map[string]any{key: ""}); err == nil {
			t.Errorf("an empty %s was allowed", key)
		}
	}
	owner := []any{
		map[string]any{"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachineInstance", "name": "vm", "uid": "1"},
	}
	body, err = json.Marshal(map[string]any{"metadata": map[string]any{"ownerReferences": owner}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.CoreV1().
		Pods(pod.Namespace).
		Patch(t.Context(), pod.Name, types.MergePatchType, body, metav1.PatchOptions{}); err == nil ||
		!strings.Contains(err.Error(), "ovnguard-floor") {
		t.Errorf("an owner that is a machine: %v", err)
	}
	strictInOVN(t, pod.Namespace, pod.Name)
}
