//go:build install

package install

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ovnguard/ovnguard/lab/internal/scene"
	"github.com/ovnguard/ovnguard/lab/internal/up"
)

// webManifest is a Deployment with a pod on each node that runs containers, as a careful tenant writes it, and its
// Service. Its names are the namespace and the image.
const webManifest = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: %[1]s}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 5
      topologySpreadConstraints:
        - maxSkew: 1
          topologyKey: kubernetes.io/hostname
          whenUnsatisfiable: DoNotSchedule
          nodeTaintsPolicy: Honor
          labelSelector: {matchLabels: {app: web}}
      securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
      containers:
        - name: web
          image: %[2]s
          args: [serve]
          ports: [{name: http, containerPort: 8080}]
          resources: {limits: {memory: 64Mi}}
          securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
          readinessProbe: {httpGet: {path: /, port: http}, periodSeconds: 1}
          livenessProbe: {exec: {command: [/ovnguard-lab-pod, get, "http://127.0.0.1:8080/"]}, periodSeconds: 5}
          lifecycle: {preStop: {sleep: {seconds: 1}}}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: %[1]s}
spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: http}]}
`

// startWeb makes the Deployment in a namespace of its own and returns its pods by node.
func startWeb(t *testing.T, name string) (ns string, byNode map[string]*corev1.Pod) {
	t.Helper()
	ns = namespace(t, name)
	if err := world.Apply(t.Context(), fmt.Appendf(nil, webManifest, ns, up.PodImage)); err != nil {
		t.Fatal(err)
	}
	took := eventually(t, "two ready pods of the Deployment", func() (bool, error) {
		byNode = pods(t, ns, "app=web")
		return len(byNode) == 2, nil
	})
	t.Logf("the Deployment was ready after %s", took.Round(time.Millisecond))
	return ns, byNode
}

// fetch has a container of a pod fetch a page, and returns status and content.
func fetch(t *testing.T, pod *corev1.Pod, url string) (status, content string) {
	t.Helper()
	status, content, err := tryFetch(t.Context(), pod, url)
	if err != nil {
		t.Fatal(err)
	}
	return status, content
}

func tryFetch(ctx context.Context, pod *corev1.Pod, url string) (status, content string, err error) {
	out, err := world.Exec(ctx, pod, scene.PodProgram, "get", url)
	status, content, _ = strings.Cut(out, "\n")
	return status, strings.TrimSpace(content), err
}

// Containers with probes become ready on both nodes, and reach each other, Services and the API server over OVN.
func TestContainersTalkOverOVN(t *testing.T) {
	ns, byNode := startWeb(t, "talk")
	one, two := byNode[node1], byNode[node2]
	if one == nil || two == nil {
		t.Fatalf("the pods are on %v, want one each on %s and %s", byNode, node1, node2)
	}
	if status, content := fetch(t, one, "http://"+two.Status.PodIP+":8080/"); status != "200" || content != two.Name {
		t.Errorf("a pod on the other node answers %s %q, want its name %q", status, content, two.Name)
	}
	service, err := world.Kube.CoreV1().Services(ns).Get(t.Context(), "web", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var answered []string
	eventually(t, "both pods to answer through the Service", func() (bool, error) {
		status, content, err := tryFetch(t.Context(), one, "http://"+service.Spec.ClusterIP+"/")
		if err != nil {
			return false, nil //nolint:nilerr // kube-proxy does not know the pods yet
		}
		if status != "200" {
			return false, fmt.Errorf("the Service answers %s %q", status, content)
		}
		if !slices.Contains(answered, content) {
			answered = append(answered, content)
		}
		return len(answered) == 2, nil
	})
	status, content := fetch(t, two, "https://10.96.0.1/api/v1/namespaces/"+ns+"/pods")
	if status != "403" || !strings.Contains(content, "system:serviceaccount:"+ns+":default") {
		t.Errorf("the API server answers %s %q, want that the pod's account may not list pods", status, content)
	}

	logs, err := world.Kube.CoreV1().Pods(ns).GetLogs(one.Name, &corev1.PodLogOptions{}).Stream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(logs)
	if err != nil {
		t.Fatal(err)
	}
	if err := logs.Close(); err != nil {
		t.Error(err)
	}
	if want := one.Name + " serves on :8080\n"; string(text) != want {
		t.Errorf("the log is %q, want %q", text, want)
	}
}

// The API server reaches pods through a Service, as it reaches a webhook.
func TestServerReachesService(t *testing.T) {
	ns, byNode := startWeb(t, "proxied")
	var got string
	eventually(t, "the Service to answer", func() (bool, error) {
		data, err := world.Kube.CoreV1().Services(ns).ProxyGet("http", "web", "http", "/", nil).DoRaw(t.Context())
		got = strings.TrimSpace(string(data))
		return err == nil, nil
	})
	if got != byNode[node1].Name && got != byNode[node2].Name {
		t.Errorf("the Service answers %q, want the name of a pod", got)
	}
}

// Nothing is put on a node without a kubelet unless it asks for that, and what is there is on the same network.
func TestNodesOfBothKinds(t *testing.T) {
	ns, byNode := startWeb(t, "mixed")
	if pod := byNode[node3]; pod != nil {
		t.Errorf("%s is on a node that runs no containers", pod.Name)
	}
	light, err := world.Kube.CoreV1().Pods(ns).Create(t.Context(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "light"},
		Spec:       corev1.PodSpec{NodeName: node3, Containers: []corev1.Container{{Name: "main", Image: "none"}}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if light, err = world.Running(t.Context(), ns, light.Name); err != nil {
		t.Fatal(err)
	}
	real := actor(t, byNode[node1])
	from := actor(t, light)
	probes, err := scene.Probes(from, real, real)
	if err != nil {
		t.Fatal(err)
	}
	if passed, err := probes[0].Send(t.Context(), from, real); err != nil || !passed {
		t.Errorf("%s of a pod without a container: passed %v, %v", probes[0].Name, passed, err)
	}
}
