package standin

import (
	"context"
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

// annotationPatch returns the merge patch that sets annotations; an empty pointer removes a key.
func annotationPatch(set map[string]*string) ([]byte, error) {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": set}})
	if err != nil {
		return nil, fmt.Errorf("annotations: %w", err)
	}
	return patch, nil
}

// annotatePod sets annotations and returns the resulting pod; nil if it is gone.
func (c *controller) annotatePod(ctx context.Context, pod *corev1.Pod, set map[string]*string) (*corev1.Pod, error) {
	if len(set) == 0 {
		return pod, nil
	}
	patch, err := annotationPatch(set)
	if err != nil {
		return nil, fmt.Errorf("pod %s/%s: %w", pod.Namespace, pod.Name, err)
	}
	after, err := c.kube.CoreV1().
		Pods(pod.Namespace).
		Patch(ctx, pod.Name, types.MergePatchType, patch, metav1.PatchOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("annotate pod %s/%s: %w", pod.Namespace, pod.Name, err)
	}
	c.pods.wrote(after)
	return after, nil
}

// create makes a cluster-scoped object of Kube-OVN's; an existing one is no error. It reports whether it made the
// object.
func (c *controller) create(ctx context.Context, r schema.GroupVersionResource, obj any) (bool, error) {
	u, err := toUnstructured(obj)
	if err != nil {
		return false, err
	}
	_, err = c.dyn.Resource(r).Create(ctx, u, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("create %s %s: %w", r.Resource, u.GetName(), err)
	}
	return true, nil
}

// merge patches a cluster-scoped object of Kube-OVN's, or its subresource. A missing object is no error.
func (c *controller) merge(
	ctx context.Context,
	r schema.GroupVersionResource,
	name string,
	patch map[string]any,
	subresource ...string,
) error {
	text, err := json.Marshal(patch)
	if err != nil {
		return fmt.Errorf("patch %s %s: %w", r.Resource, name, err)
	}
	_, err = c.dyn.Resource(r).Patch(ctx, name, types.MergePatchType, text, metav1.PatchOptions{}, subresource...)
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("patch %s %s: %w", r.Resource, name, err)
	}
	return nil
}

// finalizers returns the patch that sets exactly these finalizers.
func finalizers(list ...string) map[string]any {
	if list == nil {
		list = []string{}
	}
	return map[string]any{"metadata": map[string]any{"finalizers": list}}
}

func toUnstructured(obj any) (*unstructured.Unstructured, error) {
	m, err := runtime.DefaultUnstructuredConverter.ToUnstructured(obj)
	if err != nil {
		return nil, fmt.Errorf("%T: %w", obj, err)
	}
	unstructured.RemoveNestedField(m, "metadata", "creationTimestamp")
	return &unstructured.Unstructured{Object: m}, nil
}
