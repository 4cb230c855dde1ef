//go:build install

package install

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/lab/internal/controlplane"
)

// healthPort is where a replica serves its health checks.
const healthPort = "8081"

// Installed in a cluster, ovnguard registers its webhooks through its Service, says that pods are guarded, and keeps
// what a tenant's container forges off the wire.
func TestInstalled(t *testing.T) {
	for name, how := range ways {
		t.Run(name, func(t *testing.T) {
			t.Cleanup(func() { checkUnguarded(t) })
			installed(t, how)
			t.Run("the webhooks are reached through the Service", testRegisteredByService)
			t.Run("the self-test passes", testSelfTestPasses)
			t.Run("a tenant's container cannot forge", testTenantIsStrict)
			t.Run("a replica ends", testReplicaEnds)
			if how.also != nil {
				how.also(t)
			}
		})
	}
}

// checkUnguarded checks that a tenant's pod is made, and as it was written, after ovnguard is gone.
func checkUnguarded(t *testing.T) {
	t.Helper()
	pod, err := world.Kube.CoreV1().Pods(controlplane.TenantNamespace).Create(cleanup(t), root("free", node1, nil),
		metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	if err != nil || pod.Annotations[portSecurity] != "" {
		t.Errorf("after the removal a pod gets annotations %v, %v", pod.Annotations, err)
	}
}

func testRegisteredByService(t *testing.T) {
	eventually(t, "the registrations", func() (bool, error) {
		mutating, err := world.Kube.AdmissionregistrationV1().
			MutatingWebhookConfigurations().
			Get(t.Context(), "ovnguard", metav1.GetOptions{})
		if err != nil || len(mutating.Webhooks) == 0 {
			return false, nil //nolint:nilerr // it is not there yet
		}
		for _, w := range mutating.Webhooks {
			if s := w.ClientConfig.Service; s == nil || s.Namespace != system || s.Name != "ovnguard" {
				return false, fmt.Errorf("webhook %s is called at %+v, want the Service", w.Name, w.ClientConfig)
			}
		}
		return true, nil
	})
}

// testSelfTestPasses also shows that the API server really calls the webhooks: the self-test asks it to create pods.
func testSelfTestPasses(t *testing.T) {
	for node, pod := range pods(t, system, appLabel) {
		var said string
		eventually(t, "the self-test of the replica on "+node+" to pass", func() (bool, error) {
			data, err := world.Kube.CoreV1().
				Pods(system).
				ProxyGet("http", pod.Name, healthPort, "/readyz/selftest", nil).
				DoRaw(t.Context())
			said = string(data)
			return err == nil, nil
		})
		t.Logf("%s: %s", node, said)
	}
}

// tenantPods returns the pods of the tenant's namespace, with the tenant's rights.
func tenantPods(t *testing.T) typedcorev1.PodInterface {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", world.Lab.Info().Kubeconfigs[controlplane.TenantIdentity])
	if err != nil {
		t.Fatal(err)
	}
	config.WarningHandler = rest.NoWarnings{}
	tenant, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return tenant.CoreV1().Pods(controlplane.TenantNamespace)
}

// tenantPod has the tenant make a pod that asks for no port security, and returns it.
func tenantPod(t *testing.T, name, node string) *corev1.Pod {
	t.Helper()
	pods := tenantPods(t)
	if _, err := pods.Create(t.Context(), root(name, node, map[string]string{portSecurity: "false"}),
		metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := pods.Delete(cleanup(t), name, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	return running(t, controlplane.TenantNamespace, name)
}

func testTenantIsStrict(t *testing.T) {
	from, to := tenantPod(t, "from", node1), tenantPod(t, "to", node2)
	if got := from.Annotations[portSecurity]; got != kubeovn.True {
		t.Errorf("the pod asks for port_security %q, want what ovnguard decided", got)
	}
	column, err := world.Nbctl(t.Context(), "get", "logical_switch_port",
		kubeovn.PortName(from.Name, from.Namespace, kubeovn.DefaultProvider), "port_security")
	if err != nil || !strings.Contains(column, from.Status.PodIP) {
		t.Errorf("port_security is %s, %v", column, err)
	}
	checkFrames(t, from, to, false)
}

// testReplicaEnds shows that one replica is enough: pods are made, and guarded, while the other one is replaced.
func testReplicaEnds(t *testing.T) {
	before := pods(t, system, appLabel)
	if err := world.Kube.CoreV1().
		Pods(system).
		Delete(t.Context(), before[node1].Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	made := 0
	eventually(t, "a new replica", func() (bool, error) {
		pod, err := world.Kube.CoreV1().Pods(controlplane.TenantNamespace).Create(t.Context(),
			root("try", node1, map[string]string{portSecurity: "false"}),
			metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if err != nil {
			return false, err
		}
		if got := pod.Annotations[portSecurity]; got != kubeovn.True {
			return false, fmt.Errorf("a pod would have port_security %q", got)
		}
		made++
		now := pods(t, system, appLabel)
		return len(now) == 2 && now[node1].UID != before[node1].UID, nil
	})
	t.Logf("%d pods were admitted meanwhile", made)
}
