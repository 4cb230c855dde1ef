//go:build integration

package controlplane

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/ovnguard/ovnguard/lab/internal/process"
	"github.com/ovnguard/ovnguard/lab/internal/state"
)

// TestDataSurvivesARestart also shows that the API server alone is useful without controllers: tests of other packages
// rely on that.
func TestDataSurvivesARestart(t *testing.T) {
	dir, err := state.NewDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := dir.Prepare(false); err != nil {
		t.Fatal(err)
	}
	binary, err := FindBinary()
	if err != nil {
		t.Fatal(err)
	}
	cp, err := New(Config{Dir: dir, Binary: binary})
	if err != nil {
		t.Fatal(err)
	}
	group := process.NewGroup(
		process.Options{Env: []string{dir.Marker()}, OnExit: func(e *process.ExitError) { t.Error(e) }},
	)
	t.Cleanup(func() {
		if err := group.Stop(); err != nil {
			t.Error(err)
		}
	})
	begin := time.Now()
	server, err := cp.StartAPIServer(t.Context(), group)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("kube-apiserver was ready after %s", time.Since(begin))

	config, err := cp.Admin()
	if err != nil {
		t.Fatal(err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	made, err := client.CoreV1().
		Namespaces().
		Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "kept"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	version, err := client.Discovery().ServerVersion()
	if err != nil {
		t.Fatal(err)
	}
	if version.GitVersion != "v1.37.2" {
		t.Errorf(
			"server says it is %q, want v1.37.2: the binary must be built with the version set, see the Makefile",
			version.GitVersion,
		)
	}
	if _, err := client.AdmissionregistrationV1().
		MutatingAdmissionPolicies().
		List(t.Context(), metav1.ListOptions{}); err != nil {
		t.Errorf("MutatingAdmissionPolicy v1 is not served: %v", err)
	}

	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	got, err := client.CoreV1().Namespaces().Get(t.Context(), "kept", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got.UID != made.UID {
		t.Errorf("namespace has UID %s after the restart, had %s", got.UID, made.UID)
	}
}
