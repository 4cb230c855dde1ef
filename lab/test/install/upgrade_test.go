//go:build install

package install

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"github.com/ovnguard/ovnguard/deploy"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// former is the image of the release that is upgraded.
const former = "lab.local/ovnguard:former"

// Names and paths of what people made before the upgrade.
const (
	keptNamespace = "kept"
	keptPair      = "192.0.2.96/28"
	keptPolicy    = "/apis/ovnguard.io/v1alpha1/portsecuritypolicies/kept"
	keptException = "/apis/ovnguard.io/v1alpha1/namespaces/" + keptNamespace + "/portsecurityexceptions/forwards"
)

// keptManifest is what people made: exceptions count in a namespace, and its pods have one.
const keptManifest = `
apiVersion: ovnguard.io/v1alpha1
kind: PortSecurityPolicy
metadata: {name: kept}
spec:
  namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kept}}
  repair: repair
  exceptions: {namespaces: [kept]}
---
apiVersion: ovnguard.io/v1alpha1
kind: PortSecurityException
metadata: {name: forwards, namespace: kept}
spec:
  target: {podSelector: {}}
  grant: {pairs: [{prefix: 192.0.2.96/28}]}
  reason: forwards for the tills
  owner: net@example.org
  expiresAt: %s
`

// formerRelease returns the program and the chart of the last release. The test is skipped where the clone that it runs
// in does not have that release.
func formerRelease(t *testing.T) (program, from string) {
	t.Helper()
	dir := os.Getenv("OVNGUARD_RELEASED")
	built := filepath.Join(dir, "bin", "image", "ovnguard")
	if _, err := os.Stat(built); dir == "" || err != nil {
		t.Skip("OVNGUARD_RELEASED names no release that was built: run `make test-install` in a clone with its tags")
	}
	return built, filepath.Join(dir, "charts", "ovnguard")
}

// testUpgrade upgrades the last release to the present one, rolls back, and rolls forward again, while pods are made.
// All of them are strict, and none is refused; what people made before stays, and is in effect all the time.
func testUpgrade(t *testing.T) {
	program, from := formerRelease(t)
	if err := world.Lab.AddImage(t.Context(), former, program); err != nil {
		t.Fatal(err)
	}
	deleteDefinitions(t)
	installReady(t, func(ctx context.Context, _ string) error { return installFrom(ctx, from, former) })
	testRegisteredByService(t)
	testSelfTestPasses(t)
	pod := makeKept(t)
	checkKept := keptCheck(t, pod)
	age(t)

	rollout(t, "upgrade", image, "upgrade", release, chart, "--reset-then-reuse-values",
		"--set", "image.tag=test,uninstall.ports=narrow,uninstall.keepCRDs=false")
	checkKept(t)
	checkDefinitions(t)
	rollout(t, "rollback", former, "rollback", release, "1")
	checkKept(t)
	checkDefinitions(t)
	rollout(t, "again", image, "rollback", release, "2")
	checkKept(t)
	t.Run("helm uninstall takes everything", func(t *testing.T) { testUninstallAll(t, pod) })
}

// rollout has Helm change the release while pods are made, and checks that every replica then has an image, that old
// and new ones were ready at the same time, and that all pods are strict.
func rollout(t *testing.T, name, to string, args ...string) {
	t.Helper()
	endStream := stream(t, name, map[string]string{portSecurity: "false"})
	endWatch := watchImages(t)
	begin := time.Now()
	err := helm(t.Context(), append(args, "--wait", "--timeout", waitTime.String())...)
	took := time.Since(begin)
	together, made := endWatch(), endStream()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s: it took %s, %d pods were made meanwhile, and both images were ready together for %s",
		name, took.Round(time.Millisecond), len(made), together.Round(time.Millisecond))
	if together == 0 {
		t.Errorf("%s: replicas of both versions were never ready at the same time", name)
	}
	for _, pod := range pods(t, system, appLabel) {
		if got := pod.Spec.Containers[0].Image; got != to {
			t.Errorf("%s: a replica has image %s, want %s", name, got, to)
		}
	}
	for _, pod := range made {
		if got := pod.Annotations[portSecurity]; got != kubeovn.True {
			t.Errorf("%s: pod %s asks for port_security %q", name, pod.Name, got)
		}
		ip := running(t, pod.Namespace, pod.Name).Status.PodIP
		if column := columnOf(t, pod); !strings.Contains(column, ip) {
			t.Errorf("%s: port_security of %s is %s, want its address %s", name, pod.Name, column, ip)
		}
	}
}

// watchImages looks at the replicas until end is called, which returns how long ready ones had different images.
func watchImages(t *testing.T) (end func() time.Duration) {
	const every = 100 * time.Millisecond
	stop, done := make(chan struct{}), make(chan time.Duration, 1)
	end = sync.OnceValue(func() time.Duration {
		close(stop)
		return <-done
	})
	t.Cleanup(func() { end() })
	go func() {
		var together time.Duration
		defer func() { done <- together }()
		for {
			list, err := world.Kube.CoreV1().Pods(system).List(cleanup(t), metav1.ListOptions{LabelSelector: appLabel})
			if err != nil {
				t.Error(err)
				return
			}
			images := map[string]bool{}
			for i := range list.Items {
				if ready(&list.Items[i]) {
					images[list.Items[i].Spec.Containers[0].Image] = true
				}
			}
			if len(images) > 1 {
				together += every
			}
			select {
			case <-stop:
				return
			case <-time.After(every):
			}
		}
	}()
	return end
}

// columnOf returns the column port_security of a pod's port.
func columnOf(t *testing.T, pod *corev1.Pod) string {
	t.Helper()
	column, err := world.Nbctl(t.Context(), "get", "logical_switch_port",
		kubeovn.PortName(pod.Name, pod.Namespace, kubeovn.DefaultProvider), "port_security")
	if err != nil {
		t.Fatal(err)
	}
	return column
}

// makeKept makes what an upgrade must not touch, and returns a pod with a grant when its port has it.
func makeKept(t *testing.T) *corev1.Pod {
	t.Helper()
	namespace(t, keptNamespace)
	manifest := fmt.Appendf(nil, keptManifest, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	eventually(t, "the policy and the exception to be taken", func() (bool, error) {
		// Admission follows the policy in a moment.
		return world.Apply(t.Context(), manifest) == nil, nil
	})
	pod := rootPod(t, keptNamespace, "forwards", node1, nil)
	eventually(t, "the grant to reach the port", func() (bool, error) {
		return strings.Contains(columnOf(t, pod), keptPair), nil
	})
	return pod
}

// keptCheck returns a function that checks that what people made is as it is now.
func keptCheck(t *testing.T, pod *corev1.Pod) func(*testing.T) {
	t.Helper()
	type state struct {
		UIDs   []types.UID
		Specs  []any
		Column string
	}
	now := func(t *testing.T) (s state) {
		t.Helper()
		for _, path := range []string{keptPolicy, keptException} {
			var object struct {
				Metadata struct{ UID types.UID }
				Spec     any
			}
			data, err := world.Kube.CoreV1().RESTClient().Get().AbsPath(path).DoRaw(t.Context())
			if err == nil {
				err = json.Unmarshal(data, &object)
			}
			if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			s.UIDs, s.Specs = append(s.UIDs, object.Metadata.UID), append(s.Specs, object.Spec)
		}
		is := running(t, pod.Namespace, pod.Name)
		s.UIDs, s.Column = append(s.UIDs, is.UID), columnOf(t, is)
		return s
	}
	before := now(t)
	return func(t *testing.T) {
		t.Helper()
		if diff := cmp.Diff(before, now(t)); diff != "" {
			t.Errorf("what people made has changed:\n%s", diff)
		}
	}
}

// definitions are the resource definitions of the present version by their paths.
var definitions = map[string][]byte{
	definitionPath + "portsecuritypolicies.ovnguard.io":   deploy.PolicyDefinition,
	definitionPath + "portsecurityexceptions.ovnguard.io": deploy.ExceptionDefinition,
}

const definitionPath = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/"

// deleteDefinitions deletes the definitions, which helm uninstall keeps: those of a release are installed with it.
func deleteDefinitions(t *testing.T) {
	t.Helper()
	client := world.Kube.CoreV1().RESTClient()
	for path := range definitions {
		if err := unlessGone(client.Delete().AbsPath(path).Do(t.Context()).Error()); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the end of "+path, func() (bool, error) {
			err := client.Get().AbsPath(path).Do(t.Context()).Error()
			return apierrors.IsNotFound(err), unlessGone(err)
		})
	}
}

// age has the definitions differ from the present ones, whatever the last release had.
func age(t *testing.T) {
	t.Helper()
	patch := []byte(`[{"op":"replace","path":"/spec/versions/0/schema/openAPIV3Schema/description","value":"former"}]`)
	for path := range definitions {
		err := world.Kube.CoreV1().RESTClient().Patch(types.JSONPatchType).AbsPath(path).Body(patch).
			Do(t.Context()).Error()
		if err != nil {
			t.Fatal(err)
		}
	}
}

// checkDefinitions checks that the schemas in the cluster are those of the present version.
func checkDefinitions(t *testing.T) {
	t.Helper()
	type definition struct {
		Spec struct {
			Versions []struct {
				Name   string
				Schema any
			}
		}
	}
	for path, text := range definitions {
		var want, got definition
		if err := yaml.Unmarshal(text, &want); err != nil {
			t.Fatal(err)
		}
		data, err := world.Kube.CoreV1().RESTClient().Get().AbsPath(path).DoRaw(t.Context())
		if err == nil {
			err = json.Unmarshal(data, &got)
		}
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s is not the present one:\n%s", path, diff)
		}
	}
}

// testUninstallAll shows that helm uninstall takes away what exceptions granted to a pod, and then all that people
// wrote, where the values say so.
func testUninstallAll(t *testing.T, pod *corev1.Pod) {
	begin := time.Now()
	if err := helm(t.Context(), "uninstall", release, "--wait", "--timeout", waitTime.String()); err != nil {
		t.Fatal(err)
	}
	t.Logf("helm uninstall took %s", time.Since(begin).Round(time.Millisecond))
	if column := columnOf(t, pod); strings.Contains(column, keptPair) || !strings.Contains(column, pod.Status.PodIP) {
		t.Errorf("port_security is %s, want the pod's own address and nothing that was granted", column)
	}
	checkUnguarded(t)
	checkLeft(t, "namespaces "+system)
}
