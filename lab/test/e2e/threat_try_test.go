//go:build integration

package e2e

import (
	"context"
	"encoding/json"
	"maps"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// The tests named after threats try each known way around port security, with the rights of an attacker. Pods that
// nothing can schedule are enough: Kube-OVN makes their ports all the same.

// wish is what a tenant writes into a new pod, with the required result.
type wish struct {
	name string
	// namespace is the tenant's own if it is empty.
	namespace   string
	annotations map[string]string
	labels      map[string]string
	owners      []metav1.OwnerReference
	podName     string
	// refused is part of the refusal. If it is empty, the pod is made, and must match keeps.
	refused string
	// keeps are annotations that the pod must have; an empty value means none.
	keeps map[string]string
}

func (w wish) template() corev1.PodTemplateSpec {
	spec := podSpec()
	spec.NodeSelector = map[string]string{"example.org/nowhere": "true"}
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Annotations: w.annotations, Labels: w.labels},
		Spec:       spec,
	}
}

// try makes such a pod as the tenant, directly and through workloads, and checks the results.
func (w wish) try(t *testing.T, p person) {
	t.Helper()
	if w.namespace == "" {
		w.namespace = tenantNamespace
	}
	t.Run(w.name, func(t *testing.T) {
		w.tryPod(t, p)
		if w.podName == "" && len(w.owners) == 0 {
			w.tryReplicaSet(t, p)
			w.tryJob(t, p)
		}
	})
}

func (w wish) tryPod(t *testing.T, p person) {
	t.Helper()
	if w.namespace == "" {
		w.namespace = tenantNamespace
	}
	pod := &corev1.Pod{ObjectMeta: w.template().ObjectMeta, Spec: w.template().Spec}
	if pod.Name = w.podName; pod.Name == "" {
		pod.Name = unique("threat")
	}
	pod.OwnerReferences = w.owners
	got, err := p.CoreV1().Pods(w.namespace).Create(t.Context(), pod, metav1.CreateOptions{})
	if err == nil {
		defer deletePod(t, got)
	}
	if w.refused != "" {
		mustRefuse(t, "a pod", err, w.refused)
		return
	}
	if err != nil {
		t.Errorf("a pod: %v, want it made harmless", err)
		return
	}
	w.check(t, "a pod", got)
}

func (w wish) tryReplicaSet(t *testing.T, p person) {
	t.Helper()
	name, one := unique("rs"), int32(1)
	label := map[string]string{"threat": name}
	rs := &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: appsv1.ReplicaSetSpec{
		Replicas: &one, Selector: &metav1.LabelSelector{MatchLabels: label}, Template: w.labelled(label),
	}}
	if _, err := p.AppsV1().ReplicaSets(w.namespace).Create(t.Context(), rs, metav1.CreateOptions{}); err != nil {
		t.Errorf("a ReplicaSet: %v; its pods are what counts", err)
		return
	}
	defer w.remove(t, func(ctx context.Context, o metav1.DeleteOptions) error {
		return world.Kube.AppsV1().ReplicaSets(w.namespace).Delete(ctx, name, o)
	}, label)
	w.watch(t, "a ReplicaSet's pod", label, func() string {
		got, err := world.Kube.AppsV1().ReplicaSets(w.namespace).Get(t.Context(), name, metav1.GetOptions{})
		if err != nil {
			return ""
		}
		for _, c := range got.Status.Conditions {
			if c.Type == appsv1.ReplicaSetReplicaFailure && c.Status == corev1.ConditionTrue {
				return c.Message
			}
		}
		return ""
	})
}

func (w wish) tryJob(t *testing.T, p person) {
	t.Helper()
	name := unique("job")
	label := map[string]string{"threat": name}
	template := w.labelled(label)
	template.Spec.RestartPolicy = corev1.RestartPolicyNever
	job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: batchv1.JobSpec{Template: template}}
	if _, err := p.BatchV1().Jobs(w.namespace).Create(t.Context(), job, metav1.CreateOptions{}); err != nil {
		t.Errorf("a Job: %v; its pods are what counts", err)
		return
	}
	defer w.remove(t, func(ctx context.Context, o metav1.DeleteOptions) error {
		return world.Kube.BatchV1().Jobs(w.namespace).Delete(ctx, name, o)
	}, label)
	w.watch(t, "a Job's pod", label, func() string {
		events, err := world.Kube.CoreV1().
			Events(w.namespace).
			List(t.Context(), metav1.ListOptions{FieldSelector: "involvedObject.name=" + name + ",reason=FailedCreate"})
		if err != nil || len(events.Items) == 0 {
			return ""
		}
		return events.Items[0].Message
	})
}

func (w wish) labelled(label map[string]string) corev1.PodTemplateSpec {
	template := w.template()
	template.Labels = make(map[string]string)
	maps.Copy(template.Labels, w.labels)
	maps.Copy(template.Labels, label)
	return template
}

// watch waits until a workload made its pod or reported why it could not, and checks which.
func (w wish) watch(t *testing.T, what string, label map[string]string, failure func() string) {
	t.Helper()
	var pod *corev1.Pod
	var message string
	eventually(t, what, func() (bool, error) {
		list, err := world.Kube.CoreV1().
			Pods(w.namespace).
			List(t.Context(), metav1.ListOptions{LabelSelector: labelText(label)})
		if err != nil {
			return false, err
		}
		if len(list.Items) > 0 {
			pod = &list.Items[0]
			return true, nil
		}
		message = failure()
		return message != "", nil
	})
	switch {
	case pod != nil && w.refused != "":
		t.Errorf("%s was made: %v", what, pod.Annotations)
	case pod != nil:
		w.check(t, what, pod)
	case w.refused == "":
		t.Errorf("%s was refused: %s", what, message)
	case !strings.Contains(message, w.refused):
		t.Errorf("%s was refused without %q: %s", what, w.refused, message)
	}
}

func (w wish) remove(t *testing.T, del func(context.Context, metav1.DeleteOptions) error, label map[string]string) {
	t.Helper()
	background := metav1.DeletePropagationBackground
	if err := del(cleanup(t), metav1.DeleteOptions{PropagationPolicy: &background}); err != nil {
		t.Error(err)
	}
	now := int64(0)
	err := world.Kube.CoreV1().
		Pods(w.namespace).
		DeleteCollection(cleanup(t), metav1.DeleteOptions{GracePeriodSeconds: &now},
			metav1.ListOptions{LabelSelector: labelText(label)})
	if err != nil {
		t.Error(err)
	}
}

// check compares the pod with the expected one, and its port in OVN with its identity.
func (w wish) check(t *testing.T, what string, pod *corev1.Pod) {
	t.Helper()
	for key, want := range w.keeps {
		if got := pod.Annotations[key]; got != want {
			t.Errorf("%s has %s=%q, want %q", what, key, got, want)
		}
	}
	strictInOVN(t, pod.Namespace, pod.Name)
}

// mustRefuse checks that a request was refused by ovnguard, with the part in its message.
func mustRefuse(t *testing.T, what string, err error, part string) {
	t.Helper()
	switch {
	case err == nil:
		t.Errorf("%s was allowed", what)
	case !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "ovnguard"):
		t.Errorf("%s: %v, want it refused by ovnguard", what, err)
	case !strings.Contains(err.Error(), part):
		t.Errorf("%s: the refusal lacks %q: %v", what, part, err)
	}
}

// allocatedPod makes a pod of the tenant that is then attacked by its annotations; its port is strict.
func allocatedPod(t *testing.T, p person, annotations map[string]string, edits ...func(*corev1.Pod)) *corev1.Pod {
	t.Helper()
	template := wish{annotations: annotations}.template()
	pod := &corev1.Pod{ObjectMeta: template.ObjectMeta, Spec: template.Spec}
	pod.Name = unique("victim")
	for _, edit := range edits {
		edit(pod)
	}
	pod, err := p.CoreV1().Pods(tenantNamespace).Create(t.Context(), pod, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { deletePod(t, pod) })
	var got *corev1.Pod
	eventually(t, "Kube-OVN to allocate "+pod.Name, func() (bool, error) {
		var err error
		got, err = world.Kube.CoreV1().Pods(tenantNamespace).Get(t.Context(), pod.Name, metav1.GetOptions{})
		return err == nil && got.Annotations[kubeovn.DefaultProvider.Key(kubeovn.Allocated)] == kubeovn.True, err
	})
	return got
}

// patch merges annotations into a pod by one of its paths; a nil value removes the annotation.
func (p person) patch(ctx context.Context, pod *corev1.Pod, annotations map[string]any, subresources ...string) error {
	body, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": annotations}})
	if err != nil {
		return err
	}
	_, err = p.CoreV1().
		Pods(pod.Namespace).
		Patch(ctx, pod.Name, types.MergePatchType, body, metav1.PatchOptions{}, subresources...)
	return err
}

func labelText(label map[string]string) string {
	return metav1.FormatLabelSelector(&metav1.LabelSelector{MatchLabels: label})
}

// awaitKubeOVN waits until Kube-OVN has handled all writes to pods so far, however busy it is: it handles them in turn,
// and a pod that is made now has its port. Work of another of its goroutines gets a moment more.
func awaitKubeOVN(t *testing.T) {
	t.Helper()
	run(t, tenantNamespace, nil)
	time.Sleep(200 * time.Millisecond)
}
