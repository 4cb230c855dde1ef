//go:build install

package install

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ovnguard/ovnguard/lab/internal/controlplane"
)

// chart is the directory of the chart, and release the name under which it is installed.
const (
	chart   = "../../../charts/ovnguard"
	release = "ovnguard"
)

// helm runs Helm with the rights of the cluster's administrator.
func helm(ctx context.Context, args ...string) error {
	program := os.Getenv("HELM")
	if program == "" {
		return errors.New("HELM does not name the program of Helm: run `make test-install`")
	}
	cmd := exec.CommandContext(ctx, program, append(args, "--namespace", system)...)
	info := world.Lab.Info()
	cmd.Env = append(os.Environ(), "KUBECONFIG="+info.Kubeconfigs[controlplane.AdminIdentity])
	for _, kind := range []string{"CACHE", "CONFIG", "DATA"} {
		cmd.Env = append(cmd.Env, "HELM_"+kind+"_HOME="+filepath.Join(info.StateDir, "helm"))
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("helm %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
}

func installChart(ctx context.Context, image string) error { return installFrom(ctx, chart, image) }

// installFrom installs the release from a chart, with this image and further arguments for Helm.
func installFrom(ctx context.Context, chart, image string, args ...string) error {
	registry, name, _ := strings.Cut(image, "/")
	repository, tag, _ := strings.Cut(name, ":")
	return helm(ctx, append([]string{
		"install", release, chart, "--create-namespace", "--set", "global.registry.address=" + registry,
		"--set", "image.repository=" + repository, "--set", "image.tag=" + tag,
	}, args...)...)
}

func deleteChart(ctx context.Context, binary string) error {
	return errors.Join(
		helm(ctx, "uninstall", release, "--ignore-not-found", "--wait", "--timeout", waitTime.String()),
		deleteManifests(ctx, binary),
	)
}

// testChart tries what Helm does with the release once it is installed, and what becomes of it without Helm. Each part
// begins with what the one before left.
func testChart(t *testing.T) {
	t.Run("helm test passes", func(t *testing.T) {
		if err := helm(t.Context(), "test", release); err != nil {
			t.Error(err)
		}
	})
	t.Run("a node is drained", testDrain)
	t.Run("helm uninstall", testHelmUninstall)
	t.Run("another release is upgraded", testUpgrade)
	t.Run("the bundle is installed from a registry", testBundle)
	t.Run("the namespace is deleted", testNamespaceDeleted)
}

// stream has the tenant make pods until end is called, which returns those that were made. A pod that is refused fails
// the test. The pods' node has no kubelet: each runs within a moment.
func stream(t *testing.T, name string, annotations map[string]string) (end func() []*corev1.Pod) {
	tenant, stop, done := tenantPods(t), make(chan struct{}), make(chan []*corev1.Pod, 1)
	end = sync.OnceValue(func() []*corev1.Pod {
		close(stop)
		return <-done
	})
	t.Cleanup(func() {
		end() // where the test failed before
		err := tenant.DeleteCollection(
			cleanup(t),
			metav1.DeleteOptions{},
			metav1.ListOptions{LabelSelector: "app=" + name},
		)
		if err != nil {
			t.Error(err)
		}
	})
	go func() {
		var made []*corev1.Pod
		defer func() { done <- made }()
		for i := 0; ; i++ {
			pod := root(fmt.Sprintf("%s-%d", name, i), node3, annotations)
			pod.Labels = map[string]string{"app": name}
			begin := time.Now()
			pod, err := tenant.Create(cleanup(t), pod, metav1.CreateOptions{})
			if err != nil {
				t.Errorf("pod %d of the stream was refused after %s: %v", i, time.Since(begin), err)
			} else {
				made = append(made, pod)
			}
			select {
			case <-stop:
				return
			case <-time.After(200 * time.Millisecond):
			}
		}
	}()
	return end
}

// testDrain drains a node: its replica moves to the other node, and the one that is there may not leave meanwhile.
func testDrain(t *testing.T) {
	cordon := func(ctx context.Context, is bool) {
		patch := fmt.Appendf(nil, `{"spec":{"unschedulable":%t}}`, is)
		_, err := world.Kube.CoreV1().
			Nodes().
			Patch(ctx, node1, types.StrategicMergePatchType, patch, metav1.PatchOptions{})
		if err != nil {
			t.Fatal(err)
		}
	}
	evict := func(pod *corev1.Pod) error {
		return world.Kube.PolicyV1().Evictions(system).Evict(t.Context(), &policyv1.Eviction{
			ObjectMeta: metav1.ObjectMeta{Namespace: system, Name: pod.Name},
		})
	}
	before := pods(t, system, appLabel)
	if before[node1] == nil || before[node2] == nil {
		t.Fatalf("replicas are on %v, want one each on %s and %s", before, node1, node2)
	}
	cordon(t.Context(), true)
	defer cordon(cleanup(t), false)
	begin := time.Now()
	eventually(t, "the eviction of the replica on "+node1, func() (bool, error) {
		err := evict(before[node1])
		return err == nil, unlessRefused(err)
	})
	if err := evict(before[node2]); !apierrors.IsTooManyRequests(err) {
		t.Errorf("the eviction of the other replica gives %v, want that the budget refuses it", err)
	}
	eventually(t, "two ready replicas on "+node2, func() (bool, error) {
		list, err := world.Kube.CoreV1().Pods(system).List(t.Context(), metav1.ListOptions{LabelSelector: appLabel})
		if err != nil {
			return false, err
		}
		there := 0
		for i := range list.Items {
			if ready(&list.Items[i]) && list.Items[i].Spec.NodeName == node2 {
				there++
			}
		}
		return there == 2, nil
	})
	t.Logf("the replica was ready on the other node after %s", time.Since(begin).Round(time.Millisecond))
	if pods(t, system, appLabel)[node1] != nil {
		t.Errorf("a replica is still on %s", node1)
	}
}

// unlessRefused returns nil for the error that a budget allows no eviction yet.
func unlessRefused(err error) error {
	if apierrors.IsTooManyRequests(err) {
		return nil
	}
	return err
}

// testHelmUninstall shows that the hook takes away what the program made before Helm takes away the program, and that
// pods can be made all the time.
func testHelmUninstall(t *testing.T) {
	end := stream(t, "left", nil)
	begin := time.Now()
	err := helm(t.Context(), "uninstall", release, "--wait", "--timeout", waitTime.String())
	took := time.Since(begin)
	made := end()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("helm uninstall took %s; %d pods were made meanwhile", took.Round(time.Millisecond), len(made))
	checkUnguarded(t)
	tenantPod(t, "after", node1)
	checkLeft(t,
		"customresourcedefinitions portsecurityexceptions.ovnguard.io",
		"customresourcedefinitions portsecuritypolicies.ovnguard.io",
		"namespaces "+system,
	)
}

// openTime is how long new pods may still be changed after the namespace was deleted.
const openTime = 30 * time.Second

// testNamespaceDeleted shows that pods can be made all the time when the namespace alone is deleted, and that ovnguard
// uninstall then removes the rest, for which Helm has no release any more.
func testNamespaceDeleted(t *testing.T) {
	if len(pods(t, system, appLabel)) == 0 { // there is no bundle
		installReady(t, installChart)
	}
	testRegisteredByService(t)
	testSelfTestPasses(t)
	open := deleteNamespace(t)
	if open > openTime {
		t.Errorf("new pods were changed for %s, want at most %s", open, openTime)
	}
	checkUnguarded(t)
	tenantPod(t, "later", node1)

	if output, code, err := world.Run(t.Context(), program(t), "uninstall", "--yes"); err != nil || code != 0 {
		t.Fatalf("ovnguard uninstall ends with code %d, %v: %s", code, err, output)
	}
	eventually(t, "the end of the namespace of the self-test", func() (bool, error) {
		_, err := world.Kube.CoreV1().Namespaces().Get(t.Context(), selfTest, metav1.GetOptions{})
		return apierrors.IsNotFound(err), unlessGone(err)
	})
	checkLeft(t)
}

// deleteNamespace deletes the namespace of the program under a stream of pods, waits for its end, and returns after how
// long pods were made as they are written.
func deleteNamespace(t *testing.T) (open time.Duration) {
	t.Helper()
	end := stream(t, "orphaned", nil)
	begin := time.Now()
	if err := world.Kube.CoreV1().Namespaces().Delete(t.Context(), system, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	tenant := tenantPods(t)
	eventually(t, "pods to be made as they are written", func() (bool, error) {
		pod, err := tenant.Create(t.Context(), root("free", node1, map[string]string{portSecurity: "false"}),
			metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return err == nil && pod.Annotations[portSecurity] == "false", unlessForbidden(err)
	})
	open = time.Since(begin)
	eventually(t, "the end of the namespace", func() (bool, error) {
		_, err := world.Kube.CoreV1().Namespaces().Get(t.Context(), system, metav1.GetOptions{})
		return apierrors.IsNotFound(err), unlessGone(err)
	})
	t.Logf("the namespace was gone after %s, pods were as written after %s, and %d were made meanwhile",
		time.Since(begin).Round(time.Millisecond), open.Round(time.Millisecond), len(end()))
	return open
}

// unlessForbidden returns nil for the error that an admission policy refuses a pod.
func unlessForbidden(err error) error {
	if apierrors.IsForbidden(err) || apierrors.IsInvalid(err) {
		return nil
	}
	return err
}

// checkLeft checks that nothing of ovnguard is in the cluster but these objects.
func checkLeft(t *testing.T, want ...string) {
	t.Helper()
	left, err := world.Named(t.Context(), "ovnguard", system, selfTest)
	if err != nil {
		t.Fatal(err)
	}
	left = slices.DeleteFunc(left, func(object string) bool { return strings.Contains(object, " ovnguard-lab:") })
	slices.Sort(left)
	if !slices.Equal(left, want) {
		t.Errorf("there is still\n%s\nwant\n%s", strings.Join(left, "\n"), strings.Join(want, "\n"))
	}
}
