//go:build integration

package e2e

import (
	"net/http"
	"os/exec"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ovnguard/ovnguard/deploy"
	"github.com/ovnguard/ovnguard/lab/internal/controlplane"
)

// With the program gone and its registrations removed, pods start again, unguarded; when it is back, they are guarded.
func TestUnregister(t *testing.T) {
	if err := guard.Stop(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := guard.Start(cleanup(t)); err != nil {
			t.Error(err)
			return
		}
		awaitWebhook(t)
		answer, err := http.Get(guard.Ready + "/webhook")
		if err != nil {
			t.Error(err)
			return
		}
		if err := answer.Body.Close(); err != nil || answer.StatusCode != http.StatusOK {
			t.Errorf("the webhook's own readiness: %s, %v", answer.Status, err)
		}
	})
	p := tenant(t)
	if _, err := p.dryRun(t.Context(), tenantNamespace, nil); err == nil {
		t.Error("a pod passed while the webhook was registered and away")
	}
	cmd := exec.CommandContext(
		t.Context(),
		binary,
		"controller",
		"--unregister",
		"--kubeconfig",
		world.Lab.Info().Kubeconfigs[controlplane.AdminIdentity],
	)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	eventually(t, "pods to start without the program", func() (bool, error) {
		pod, err := p.dryRun(t.Context(), tenantNamespace, nil)
		return err == nil && pod.Annotations[portSecurity] == "", nil
	})
}

// The program may check whether its Service has endpoints.
func TestRightToSeeEndpoints(t *testing.T) {
	p := as(t, deploy.Account, "system:serviceaccounts", "system:serviceaccounts:ovnguard-system")
	if _, err := p.DiscoveryV1().EndpointSlices("ovnguard-system").List(t.Context(), metav1.ListOptions{}); err != nil {
		t.Error(err)
	}
}
