//go:build integration

package e2e

import (
	"context"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// Workloads name their pods after themselves, with a suffix: whatever the name of a ReplicaSet, a Job or a StatefulSet,
// none of its pods gets a port with the name of another pod's NIC, and the NIC's port is left alone.
func TestThreatT21NamesByWorkloads(t *testing.T) {
	p, attached := tenant(t), newNetwork(t)
	victim := allocatedPod(t, p, map[string]string{kubeovn.Networks: attached.name})
	// A pod of this name would have the port of a NIC with the namespace's name as its interface.
	name := kubeovn.PortName(victim.Name, victim.Namespace, attached.provider)
	wish{name: "the pod itself", podName: name, refused: "without dots"}.tryPod(t, p)
	// The API server cuts a name that is too long for the suffix, here after a dot (k8s.io/apiserver, storage/names).
	cut := strings.Repeat("a.", (longestPrefix-len(name)-2)/2) + name + "."
	cut = strings.Repeat("b", longestPrefix-len(cut)) + cut + "cut"
	before := rowsOfPod(t, victim)
	for kind, make := range map[string]func(w wish, name string, label map[string]string) (delete func(context.Context,
		string, metav1.DeleteOptions) error, err error){
		"a ReplicaSet": func(w wish, name string, label map[string]string) (func(context.Context, string,
			metav1.DeleteOptions) error, error,
		) {
			_, err := p.AppsV1().ReplicaSets(tenantNamespace).Create(t.Context(), &appsv1.ReplicaSet{
				ObjectMeta: metav1.ObjectMeta{Name: name},
				Spec: appsv1.ReplicaSetSpec{
					Replicas: new(int32(1)), Selector: &metav1.LabelSelector{MatchLabels: label},
					Template: w.labelled(label),
				},
			}, metav1.CreateOptions{})
			return world.Kube.AppsV1().ReplicaSets(tenantNamespace).Delete, err
		},
		"a Job": func(w wish, name string, label map[string]string) (func(context.Context, string,
			metav1.DeleteOptions) error, error,
		) {
			template := w.labelled(label)
			template.Spec.RestartPolicy = corev1.RestartPolicyNever
			_, err := p.BatchV1().Jobs(tenantNamespace).Create(t.Context(),
				&batchv1.Job{
					ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: batchv1.JobSpec{Template: template},
				}, metav1.CreateOptions{})
			return world.Kube.BatchV1().Jobs(tenantNamespace).Delete, err
		},
		"a StatefulSet": func(w wish, name string, label map[string]string) (func(context.Context, string,
			metav1.DeleteOptions) error, error,
		) {
			_, err := p.AppsV1().StatefulSets(tenantNamespace).Create(t.Context(), &appsv1.StatefulSet{
				ObjectMeta: metav1.ObjectMeta{Name: name},
				Spec: appsv1.StatefulSetSpec{
					Selector: &metav1.LabelSelector{MatchLabels: label}, Template: w.labelled(label),
				},
			}, metav1.CreateOptions{})
			return world.Kube.AppsV1().StatefulSets(tenantNamespace).Delete, err
		},
	} {
		for _, name := range []string{name, cut} {
			t.Run(kind+" "+name, func(t *testing.T) {
				w, label := wish{namespace: tenantNamespace}, map[string]string{"threat": unique("named")}
				remove, err := make(w, name, label)
				if apierrors.IsInvalid(err) {
					t.Logf("the API server makes no such thing: %v", err)
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				defer w.remove(
					t,
					func(ctx context.Context, o metav1.DeleteOptions) error { return remove(ctx, name, o) },
					label,
				)
				pod, refused := outcomeOf(t, name, label)
				if pod == nil {
					t.Logf("refused: %s", refused)
					return
				}
				if kubeovn.MayNameAnotherPort(pod.Name, pod.Namespace) {
					t.Errorf("pod %s was made", pod.Name)
				}
				strictInOVN(t, pod.Namespace, pod.Name)
			})
		}
	}
	if after := rowsOfPod(t, victim); !slices.Equal(after, before) {
		t.Errorf("the victim's ports are now %q, were %q", after, before)
	}
	strictInOVN(t, victim.Namespace, victim.Name, attached.provider)
}

// longestPrefix is the length to which the API server cuts a name before it adds five characters.
const longestPrefix = 58

// rowsOfPod returns all of OVN's columns of a pod's ports.
func rowsOfPod(t *testing.T, pod *corev1.Pod) []string {
	t.Helper()
	return slices.DeleteFunc(
		northboundRows(t),
		func(row string) bool { return !strings.Contains(row, pod.Name+"."+pod.Namespace) },
	)
}

// outcomeOf waits until a workload made its pod, or reported why it could not.
func outcomeOf(t *testing.T, name string, label map[string]string) (pod *corev1.Pod, refused string) {
	t.Helper()
	eventually(t, "a pod of "+name, func() (bool, error) {
		list, err := world.Kube.CoreV1().
			Pods(tenantNamespace).
			List(t.Context(), metav1.ListOptions{LabelSelector: labelText(label)})
		if err != nil {
			return false, err
		}
		if len(list.Items) > 0 {
			pod = &list.Items[0]
			return true, nil
		}
		events, err := world.Kube.CoreV1().
			Events(tenantNamespace).
			List(t.Context(), metav1.ListOptions{FieldSelector: "involvedObject.name=" + name + ",reason=FailedCreate"})
		if err != nil || len(events.Items) == 0 {
			return false, err
		}
		refused = events.Items[0].Message
		return true, nil
	})
	return pod, refused
}
