//go:build integration

package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"
)

// suggests is how fixes begin that print a policy to review.
const suggests = "ovnguard reach suggest "

// applySuggested makes the policy that a fix prints. A policy selects pods by labels, so that the pod gets one first,
// as the command asks of a pod that has none.
func applySuggested(t *testing.T, fix string) {
	t.Helper()
	words := strings.Fields(fix)
	name, ns := strings.TrimPrefix(words[3], "pod/"), words[len(words)-1]
	labelPod(t, ns, name, name)
	manifest, stderr, code := ovnguard(t, words[1:]...)
	if code != 0 {
		t.Fatalf("%s ended with %d: %s", fix, code, stderr)
	}
	var policy networkingv1.NetworkPolicy
	if err := yaml.UnmarshalStrict([]byte(manifest), &policy); err != nil {
		t.Fatalf("%s: %v\n%s", fix, err, manifest)
	}
	createPolicy(t, &policy)
}

// labelPod sets a pod's label app.
func labelPod(t *testing.T, ns, name, app string) {
	t.Helper()
	label := fmt.Appendf(nil, `{"metadata":{"labels":{"app":%q}}}`, app)
	_, err := world.Kube.CoreV1().Pods(ns).
		Patch(t.Context(), name, types.MergePatchType, label, metav1.PatchOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

// createPolicy makes a NetworkPolicy, and returns how to take it away.
func createPolicy(t *testing.T, policy *networkingv1.NetworkPolicy) (remove func()) {
	t.Helper()
	policies := world.Kube.NetworkingV1().NetworkPolicies(policy.Namespace)
	if _, err := policies.Create(t.Context(), policy, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	remove = func() {
		err := policies.Delete(cleanup(t), policy.Name, metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			t.Error(err)
		}
	}
	t.Cleanup(remove)
	return remove
}

// onlyFriends makes two pods and a policy by which one admits the other, and returns the policy's name as findings have
// it, its port group in OVN, and how to take the policy away.
func onlyFriends(t *testing.T) (policy, group string, remove func()) {
	t.Helper()
	ns := namespace(t, nil)
	for app, pod := range map[string]*corev1.Pod{"db": run(t, ns, nil), "web": run(t, ns, nil)} {
		labelPod(t, ns, pod.Name, app)
	}
	selects := func(app string) metav1.LabelSelector {
		return metav1.LabelSelector{MatchLabels: map[string]string{"app": app}}
	}
	web := selects("web")
	remove = createPolicy(t, &networkingv1.NetworkPolicy{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "friends"},
		Spec: networkingv1.NetworkPolicySpec{
			PodSelector: selects("db"), PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress},
			Ingress: []networkingv1.NetworkPolicyIngressRule{
				{From: []networkingv1.NetworkPolicyPeer{{PodSelector: &web}}},
			},
		},
	})
	group = "friends." + strings.ReplaceAll(ns, "-", ".")
	ctx, cancel := context.WithTimeout(t.Context(), waitTime)
	defer cancel()
	if err := world.AwaitGroup(ctx, group, 1); err != nil {
		t.Fatal(err)
	}
	return "NetworkPolicy " + ns + "/friends", group, remove
}
