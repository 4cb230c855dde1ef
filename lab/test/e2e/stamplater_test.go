//go:build integration

package e2e

import (
	"encoding/json"
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Those who apply a Deployment together, each with fields of its own, find it as they left it: the stamp is nobody's wish, is taken from
// nobody, and brings no rollout. Who asks for something else is heard.
func TestStampsAmongAppliers(t *testing.T) {
	withPolicies(t)
	ns := namespace(t, nil)
	deployments := world.Kube.AppsV1().Deployments(ns)
	labels := map[string]string{"app": "shared"}
	// apply applies what a manager says: its annotations of the template, and for the first one what there must be.
	apply := func(manager string, annotations map[string]string, force bool) (*appsv1.Deployment, error) {
		t.Helper()
		template := map[string]any{"metadata": map[string]any{"labels": labels, "annotations": annotations}}
		spec := map[string]any{"template": template}
		if manager == "owner" {
			template["spec"] = podSpec()
			spec["replicas"], spec["selector"] = 0, map[string]any{"matchLabels": labels}
		}
		body, err := json.Marshal(map[string]any{
			"apiVersion": "apps/v1", "kind": "Deployment", "metadata": map[string]any{"name": "shared", "namespace": ns}, "spec": spec,
		})
		if err != nil {
			t.Fatal(err)
		}
		return deployments.Patch(t.Context(), "shared", types.ApplyPatchType, body, metav1.PatchOptions{FieldManager: manager, Force: &force})
	}
	for _, step := range []struct {
		manager     string
		annotations map[string]string
		generation  int64
		team        string
	}{
		{"owner", nil, 1, ""},
		{"owner", nil, 1, ""},
		{"second", map[string]string{"team": "a"}, 2, "a"},
		{"owner", nil, 2, "a"},
		{"second", map[string]string{"team": "b"}, 3, "b"},
		{"second", nil, 4, ""},
		{"owner", nil, 4, ""},
	} {
		got, err := apply(step.manager, step.annotations, false)
		if err != nil {
			t.Fatalf("%+v: %v", step, err)
		}
		annotations := got.Spec.Template.Annotations
		if !stamp(annotations) || got.Generation != step.generation || annotations["team"] != step.team {
			t.Errorf("%+v: annotations %v, generation %d", step, annotations, got.Generation)
		}
	}
	got, err := apply("owner", map[string]string{portSecurity: "false"}, true)
	if err != nil || got.Spec.Template.Annotations[portSecurity] != "false" {
		t.Errorf("asks to be open: %v, annotations %v", err, got.Spec.Template.Annotations)
	}
	got, err = apply("owner", nil, false)
	if err != nil || !stamp(got.Spec.Template.Annotations) {
		t.Errorf("asks no longer: %v, annotations %v", err, got.Spec.Template.Annotations)
	}
}

// startDeployment makes a Deployment of one ordinary pod.
func startDeployment(t *testing.T, ns, name string) *appsv1.Deployment {
	t.Helper()
	d, err := world.Kube.AppsV1().Deployments(ns).Create(t.Context(), &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: appsv1.DeploymentSpec{
			Replicas: new(int32(1)), Selector: &metav1.LabelSelector{MatchLabels: ordinary.Labels}, Template: *ordinary.DeepCopy(),
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// Going back to a template from before the stamps makes a revision with them, once, and pods that are strict.
func TestStampsAfterUndo(t *testing.T) {
	ns := namespace(t, nil)
	apps := world.Kube.AppsV1()
	first := startDeployment(t, ns, "old")
	// settled waits until the Deployment has its one pod, of that many ReplicaSets, and gives its template's annotations.
	settled := func(sets int) map[string]string {
		t.Helper()
		var annotations map[string]string
		eventually(t, "the Deployment to be rolled out", func() (bool, error) {
			d, err := apps.Deployments(ns).Get(t.Context(), "old", metav1.GetOptions{})
			if err != nil {
				return false, err
			}
			list, err := apps.ReplicaSets(ns).List(t.Context(), metav1.ListOptions{})
			if err != nil {
				return false, err
			}
			annotations = d.Spec.Template.Annotations
			return d.Status.ObservedGeneration == d.Generation && d.Status.UpdatedReplicas == 1 && d.Status.Replicas == 1 && len(list.Items) == sets, nil
		})
		return annotations
	}
	// replace writes the template as a whole, as kubectl rollout undo does.
	replace := func(template corev1.PodTemplateSpec) {
		t.Helper()
		body, err := json.Marshal([]any{map[string]any{"op": "replace", "path": "/spec/template", "value": template}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := apps.Deployments(ns).Patch(t.Context(), "old", types.JSONPatchType, body, metav1.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if got := settled(1); stamp(got) {
		t.Fatalf("stamped without the policies: %v", got)
	}
	withPolicies(t)
	next := *first.Spec.Template.DeepCopy()
	next.Spec.Containers[0].Image = "example.org/next"
	replace(next)
	if got := settled(2); !stamp(got) {
		t.Errorf("annotations %v after a rollout, want the stamp", got)
	}
	for range 2 { // the second time nothing is left to change
		replace(first.Spec.Template)
		if got := settled(3); !stamp(got) {
			t.Errorf("annotations %v after going back, want the stamp", got)
		}
	}
	pods, err := world.Kube.CoreV1().Pods(ns).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	pods.Items = slices.DeleteFunc(pods.Items, func(p corev1.Pod) bool { return p.DeletionTimestamp != nil })
	if len(pods.Items) != 1 || !stamp(pods.Items[0].Annotations) || pods.Items[0].Spec.Containers[0].Image != "example.org/nothing" {
		t.Errorf("%d pods, the first with %v", len(pods.Items), pods.Items[0].Annotations)
	}
}

// What is left without its owner and taken up by another one keeps its template and its pods, stamped or not.
func TestStampsAndAdoption(t *testing.T) {
	ns := namespace(t, nil)
	apps, pods := world.Kube.AppsV1(), world.Kube.CoreV1().Pods(ns)
	// one waits until a ReplicaSet of the Deployment has a pod, with none else of either, and gives both.
	one := func() (set appsv1.ReplicaSet, pod corev1.Pod) {
		t.Helper()
		eventually(t, "one ReplicaSet with one pod", func() (bool, error) {
			owner, err := apps.Deployments(ns).Get(t.Context(), "kept", metav1.GetOptions{})
			if err != nil {
				return false, err
			}
			sets, err := apps.ReplicaSets(ns).List(t.Context(), metav1.ListOptions{})
			if err != nil {
				return false, err
			}
			list, err := pods.List(t.Context(), metav1.ListOptions{})
			if err != nil || len(sets.Items) != 1 || len(list.Items) != 1 {
				return false, err
			}
			set, pod = sets.Items[0], list.Items[0]
			return metav1.IsControlledBy(&set, owner) && metav1.IsControlledBy(&pod, &set), nil
		})
		return set, pod
	}
	withPolicies(t)
	startDeployment(t, ns, "kept")
	set, pod := one()
	if !stamp(set.Spec.Template.Annotations) || !stamp(pod.Annotations) {
		t.Fatalf("the ReplicaSet's template has %v, its pod %v; want the stamp", set.Spec.Template.Annotations, pod.Annotations)
	}
	orphan := metav1.DeletePropagationOrphan
	leave := func() {
		t.Helper()
		if err := apps.Deployments(ns).Delete(t.Context(), "kept", metav1.DeleteOptions{PropagationPolicy: &orphan}); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the ReplicaSet to be without its owner", func() (bool, error) {
			got, err := apps.ReplicaSets(ns).Get(t.Context(), set.Name, metav1.GetOptions{})
			if err != nil || len(got.OwnerReferences) > 0 {
				return false, err
			}
			_, err = apps.Deployments(ns).Get(t.Context(), "kept", metav1.GetOptions{})
			return apierrors.IsNotFound(err), client.IgnoreNotFound(err)
		})
	}
	leave()
	startDeployment(t, ns, "kept")
	again, same := one()
	if again.UID != set.UID || same.UID != pod.UID || again.Generation != set.Generation {
		t.Errorf("ReplicaSet %s generation %d and pod %s, want %s generation %d and %s", again.Name, again.Generation, same.Name, set.Name, set.Generation, pod.Name)
	}
	// The pod itself, left by its ReplicaSet and taken up by a new one of the same name.
	leave()
	if err := apps.ReplicaSets(ns).Delete(t.Context(), set.Name, metav1.DeleteOptions{PropagationPolicy: &orphan}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the pod to be without its owner", func() (bool, error) {
		got, err := pods.Get(t.Context(), pod.Name, metav1.GetOptions{})
		if err != nil || len(got.OwnerReferences) > 0 {
			return false, err
		}
		_, err = apps.ReplicaSets(ns).Get(t.Context(), set.Name, metav1.GetOptions{})
		return apierrors.IsNotFound(err), client.IgnoreNotFound(err)
	})
	startDeployment(t, ns, "kept")
	if _, last := one(); last.UID != pod.UID || !stamp(last.Annotations) {
		t.Errorf("pod %s with %v, want %s as it was", last.Name, last.Annotations, pod.Name)
	}
}
