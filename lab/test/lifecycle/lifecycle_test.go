//go:build integration

package lifecycle

import (
	"os"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ovnguard/ovnguard/lab/internal/controlplane"
	"github.com/ovnguard/ovnguard/lab/internal/status"
)

func TestOneLabPerDirectoryAndDown(t *testing.T) {
	dir := t.TempDir()
	l := startLab(t, dir)
	report, code := l.status()
	if code != 0 || !report.Running() || report.Holder != l.up.Process.Pid {
		t.Errorf("status of a running lab: exit code %d, %+v", code, report)
	}

	output, code := l.command("up")
	if code != 1 || !strings.Contains(output, "already running there as PID") {
		t.Errorf("second up: exit code %d, %s", code, output)
	}
	if report, code = l.status(); code != 0 {
		t.Errorf("the second up disturbed the first: %+v", report)
	}

	if output, code = l.command("down"); code != 0 {
		t.Errorf("down: exit code %d, %s", code, output)
	}
	<-l.done
	if l.err != nil {
		t.Errorf("up ended with %v after down:\n%s", l.err, l.output)
	}
	l.checkNothingLeft()
	if report, code = l.status(); code != 1 || report.Phase != status.Stopped {
		t.Errorf("status after down: exit code %d, %+v", code, report)
	}
	for range 2 {
		if output, code = l.command("down"); code != 0 || !strings.Contains(output, "no lab runs") {
			t.Errorf("down without a lab: exit code %d, %s", code, output)
		}
	}
}

func TestKilledLabIsSwept(t *testing.T) {
	dir := t.TempDir()
	first := startLab(t, dir)
	url := first.info().APIServer
	kubeconfig, err := os.ReadFile(first.info().Kubeconfigs[controlplane.AdminIdentity])
	if err != nil {
		t.Fatal(err)
	}
	copied := dir + ".kubeconfig"
	if err := os.WriteFile(copied, kubeconfig, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.Remove(copied); err != nil {
			t.Error(err)
		}
	})
	namespaces := first.client(controlplane.AdminIdentity).CoreV1().Namespaces()
	if _, err := namespaces.Create(
		t.Context(),
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "remember"}},
		metav1.CreateOptions{},
	); err != nil {
		t.Fatal(err)
	}
	pod := runPod(t, first.client(controlplane.TenantIdentity), "kept", "node1")

	first.kill()
	if report, code := first.status(); code != 1 || report.Phase != status.Stopped {
		t.Errorf("status of a killed lab: exit code %d, %+v", code, report)
	}
	second := startLab(t, dir, "--keep-data")
	if got := second.info().APIServer; got != url {
		t.Errorf("API server is at %s, was at %s", got, url)
	}
	client := clientFrom(t, copied)
	if _, err := client.CoreV1().Namespaces().Get(t.Context(), "remember", metav1.GetOptions{}); err != nil {
		t.Errorf("with --keep-data and a kubeconfig of the first lab: %v", err)
	}
	other := runPod(t, second.client(controlplane.TenantIdentity), "other", "node1")
	if err := exchange(t.Context(), other, pod); err != nil {
		t.Errorf("with --keep-data a pod of the first lab is not reached: %v", err)
	}

	second.kill()
	third := startLab(t, dir)
	_, err = third.client(controlplane.AdminIdentity).
		CoreV1().
		Namespaces().
		Get(t.Context(), "remember", metav1.GetOptions{})
	if !apierrors.IsNotFound(err) {
		t.Errorf("without --keep-data: got %v, want not found", err)
	}
	third.stop()
	third.checkNothingLeft()

	// A killed lab can also be cleaned up without starting another.
	fourth := startLab(t, dir)
	fourth.kill()
	if output, code := fourth.command("down"); code != 0 {
		t.Errorf("down after kill: exit code %d, %s", code, output)
	}
	fourth.checkNothingLeft()
}

func TestTwoLabsAtOnce(t *testing.T) {
	one, two := startLab(t, t.TempDir()), startLab(t, t.TempDir())
	if one.info().APIServer == two.info().APIServer || one.info().ID == two.info().ID {
		t.Fatalf("two labs are the same: %+v, %+v", one.info(), two.info())
	}
	one.stop()
	one.checkNothingLeft()
	if report, code := two.status(); code != 0 {
		t.Errorf("stopping one lab disturbed the other: %+v", report)
	}
}

func TestControllers(t *testing.T) {
	l := startLab(t, t.TempDir())
	t.Run("ReplicaSet makes pods", func(t *testing.T) { testReplicaSet(t, l) })
	t.Run("namespace deletion finishes", func(t *testing.T) { testNamespaceDeletion(t, l) })
	t.Run("tenant is kept to its namespace", func(t *testing.T) { testTenant(t, l) })
	t.Run("kubeconfig for anybody", func(t *testing.T) { testKubeconfig(t, l) })
	t.Run("dead component shows", func(t *testing.T) { testDeadComponent(t, l) })
}
