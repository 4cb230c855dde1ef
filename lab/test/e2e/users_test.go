//go:build integration

package e2e

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/lab/internal/controlplane"
	"github.com/ovnguard/ovnguard/lab/internal/scene"
)

// Keys of the default network.
var (
	portSecurity  = kubeovn.DefaultProvider.Key(kubeovn.PortSecurity)
	layer2Forward = kubeovn.DefaultProvider.Key(kubeovn.Layer2Forward)
	ipAddress     = kubeovn.DefaultProvider.Key(kubeovn.IPAddress)
	macAddress    = kubeovn.DefaultProvider.Key(kubeovn.MACAddress)
	portVIPs      = kubeovn.DefaultProvider.Key(kubeovn.PortVIPs)
)

// tenantNamespace is the namespace in which the tenant may work.
const tenantNamespace = controlplane.TenantNamespace

// person is a user of the API server, and the warnings for that user.
type person struct {
	kubernetes.Interface
	warnings *scene.Warnings
}

func as(t *testing.T, user string, groups ...string) person {
	t.Helper()
	config, err := world.Lab.RESTConfig(user, groups...)
	if err != nil {
		t.Fatal(err)
	}
	return with(t, config)
}

func with(t *testing.T, config *rest.Config) person {
	t.Helper()
	p := person{warnings: &scene.Warnings{}}
	config.WarningHandler = p.warnings
	config.QPS = -1
	var err error
	if p.Interface, err = kubernetes.NewForConfig(config); err != nil {
		t.Fatal(err)
	}
	return p
}

// tenant returns a plain user, who may edit in tenantNamespace and nothing elsewhere.
func tenant(t *testing.T) person { t.Helper(); return as(t, "tenant") }

// admin returns a user who may do everything.
func admin(t *testing.T) person { t.Helper(); return as(t, "admin", "system:masters") }

var counter atomic.Int64

// unique returns a name that no test had before.
func unique(prefix string) string { return fmt.Sprintf("%s-%d", prefix, counter.Add(1)) }

// podSpec returns the smallest spec of a pod.
func podSpec() corev1.PodSpec {
	now := int64(0)
	return corev1.PodSpec{
		TerminationGracePeriodSeconds: &now,
		Containers:                    []corev1.Container{{Name: "main", Image: "example.org/nothing"}},
	}
}

// restrictedSpec returns a spec that Pod Security allows in the program's own namespace.
func restrictedSpec() corev1.PodSpec {
	spec := podSpec()
	spec.SecurityContext = &corev1.PodSecurityContext{
		RunAsNonRoot: new(true), SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	}
	spec.Containers[0].SecurityContext = &corev1.SecurityContext{
		AllowPrivilegeEscalation: new(false), Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
	}
	return spec
}

// dryRun asks the API server for the result of making a pod with these annotations; webhooks are called as for a real
// pod.
func (p person) dryRun(ctx context.Context, namespace string, annotations map[string]string) (*corev1.Pod, error) {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: unique("dry"), Annotations: annotations},
		Spec:       restrictedSpec(),
	}
	return p.CoreV1().Pods(namespace).Create(ctx, pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
}

// namespace makes a namespace with these annotations, which is deleted at the end of the test.
func namespace(t *testing.T, annotations map[string]string) string {
	t.Helper()
	name := unique("e2e")
	if err := world.Namespace(t.Context(), name, annotations); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { deleteNamespace(t, name) })
	return name
}

func deleteNamespace(t *testing.T, name string) {
	t.Helper()
	err := world.Kube.CoreV1().Namespaces().Delete(cleanup(t), name, metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		t.Error(err)
	}
}

// run makes a pod, as the tenant in the tenant's namespace, and waits until it runs. It is deleted at the end of the
// test.
func run(t *testing.T, namespace string, annotations map[string]string) *corev1.Pod {
	t.Helper()
	pod, err := world.Pod(t.Context(), namespace, unique("pod"), annotations)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { deletePod(t, pod) })
	return pod
}

// deletePod deletes a pod at once and waits until it is gone.
func deletePod(t *testing.T, pod *corev1.Pod) {
	t.Helper()
	ctx := cleanup(t)
	pods, now := world.Kube.CoreV1().Pods(pod.Namespace), int64(0)
	if err := pods.Delete(
		ctx,
		pod.Name,
		metav1.DeleteOptions{GracePeriodSeconds: &now},
	); err != nil &&
		!apierrors.IsNotFound(err) {
		t.Error(err)
	}
}

// annotate merges annotations into a pod; an empty value removes the annotation.
func (p person) annotate(t *testing.T, pod *corev1.Pod, annotations map[string]string) {
	t.Helper()
	body, err := annotationPatch(annotations)
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.CoreV1().
		Pods(pod.Namespace).
		Patch(t.Context(), pod.Name, types.MergePatchType, body, metav1.PatchOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

// keys returns the annotations of a pod with keys that end like port_security and layer2_forward.
func keys(pod *corev1.Pod) map[string]string {
	out := make(map[string]string)
	for key, value := range pod.Annotations {
		if _, suffix, ok := kubeovn.SplitKey(
			key,
		); ok &&
			slices.Contains([]kubeovn.Suffix{kubeovn.PortSecurity, kubeovn.Layer2Forward}, suffix) {
			out[key] = value
		}
	}
	return out
}
