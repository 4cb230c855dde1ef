//go:build integration

package e2e

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// Pods that controllers make inherit from their namespace like any other, whatever their template says, and their ports
// in OVN match the annotation.
func TestWorkloads(t *testing.T) {
	for name, c := range map[string]struct{ namespace, template, want string }{
		"strict by default":   {template: "false", want: "true"},
		"open by namespace":   {namespace: "false", want: "false"},
		"tightened by itself": {namespace: "false", template: "1", want: "true"},
	} {
		t.Run(name, func(t *testing.T) {
			ns := namespace(t, valueOf(c.namespace))
			createWorkloads(t, ns, valueOf(c.template))
			for _, pod := range workloadPods(t, ns) {
				if got := pod.Annotations[portSecurity]; got != c.want {
					t.Errorf("pod %s: port_security %q, want %q", pod.Name, got, c.want)
				}
				column := portSecurityOf(t, kubeovn.PortName(pod.Name, ns, kubeovn.DefaultProvider))
				identity := pod.Annotations[macAddress] + " " + pod.Annotations[ipAddress]
				if want := map[string]string{"true": `["` + identity + `"]`, "false": "[]"}[c.want]; column != want {
					t.Errorf("pod %s: OVN has port_security %s, want %s", pod.Name, column, want)
				}
			}
		})
	}
}

func valueOf(portSecurityValue string) map[string]string {
	if portSecurityValue == "" {
		return nil
	}
	return map[string]string{portSecurity: portSecurityValue}
}

// portSecurityOf returns the column of a port as ovn-nbctl prints it.
func portSecurityOf(t *testing.T, port string) string {
	t.Helper()
	out, err := world.Nbctl(t.Context(), "get", "logical_switch_port", port, "port_security")
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// createWorkloads makes one workload of every kind that makes pods.
func createWorkloads(t *testing.T, ns string, annotations map[string]string) {
	t.Helper()
	template := func(kind string) corev1.PodTemplateSpec {
		spec := podSpec()
		if kind == "job" {
			spec.RestartPolicy = corev1.RestartPolicyNever
		}
		return corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": kind}, Annotations: annotations},
			Spec:       spec,
		}
	}
	selector := func(kind string) *metav1.LabelSelector {
		return &metav1.LabelSelector{MatchLabels: map[string]string{"app": kind}}
	}
	meta := metav1.ObjectMeta{Name: "web"}
	var errs []error
	made := func(_ any, err error) { errs = append(errs, err) }
	apps := world.Kube.AppsV1()
	made(apps.Deployments(ns).Create(t.Context(), &appsv1.Deployment{
		ObjectMeta: meta,
		Spec:       appsv1.DeploymentSpec{Selector: selector("deployment"), Template: template("deployment")},
	}, metav1.CreateOptions{}))
	made(apps.StatefulSets(ns).Create(t.Context(), &appsv1.StatefulSet{
		ObjectMeta: meta,
		Spec:       appsv1.StatefulSetSpec{Selector: selector("statefulset"), Template: template("statefulset")},
	}, metav1.CreateOptions{}))
	made(apps.DaemonSets(ns).Create(t.Context(), &appsv1.DaemonSet{
		ObjectMeta: meta, Spec: appsv1.DaemonSetSpec{Selector: selector("daemonset"), Template: template("daemonset")},
	}, metav1.CreateOptions{}))
	made(world.Kube.BatchV1().Jobs(ns).Create(t.Context(), &batchv1.Job{
		ObjectMeta: meta, Spec: batchv1.JobSpec{Template: template("job")},
	}, metav1.CreateOptions{}))
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// workloadPods returns a pod of each kind of workload, all of them running.
func workloadPods(t *testing.T, ns string) []corev1.Pod {
	t.Helper()
	var pods []corev1.Pod
	eventually(t, "a running pod of each workload in "+ns, func() (bool, error) {
		list, err := world.Kube.CoreV1().Pods(ns).List(t.Context(), metav1.ListOptions{})
		if err != nil {
			return false, err
		}
		kinds := make(map[string]bool)
		pods = list.Items
		for _, pod := range pods {
			kinds[pod.Labels["app"]] = pod.Status.Phase == corev1.PodRunning
		}
		return kinds["deployment"] && kinds["statefulset"] && kinds["daemonset"] && kinds["job"], nil
	})
	return pods
}
