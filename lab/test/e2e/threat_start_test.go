//go:build integration

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ovnguard/ovnguard/deploy"
	"github.com/ovnguard/ovnguard/lab/internal/scene"
)

// A program that has lost the right to read the holders of addresses, and is started again, takes no address for free:
// a pod that asks for one is refused with the kind that cannot be read, and ordinary pods are still made strict.
func TestThreat28StartedWithoutRights(t *testing.T) {
	victim := run(t, namespace(t, nil), nil)
	p := tenant(t)
	roles := world.Kube.RbacV1().ClusterRoles()
	role, err := roles.Get(t.Context(), "ovnguard", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range role.Rules {
		role.Rules[i].Resources = slices.DeleteFunc(role.Rules[i].Resources, func(r string) bool { return r == "ips" })
	}
	if err := guard.Stop(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := world.Apply(cleanup(t), deploy.RBAC); err != nil {
			t.Error(err)
		}
		if err := guard.Restart(cleanup(t)); err != nil {
			t.Error(err)
		}
		awaitWebhook(t)
	})
	if _, err := roles.Update(t.Context(), role, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := guard.Launch(); err != nil {
		t.Fatal(err)
	}
	wanted := map[string]string{ipAddress: victim.Annotations[ipAddress]}
	var said error
	eventually(t, "an address to be refused by the program itself", func() (bool, error) {
		_, said = p.createGenerated(t, wanted)
		if said == nil {
			return false, fmt.Errorf("the address of %s was given away", victim.Name)
		}
		return strings.Contains(said.Error(), ipAddress), nil
	})
	mustRefuse(t, "a neighbour's address", said, "IP.kubeovn.io")
	ordinary, err := p.createGenerated(t, nil)
	if err != nil || ordinary.Annotations[portSecurity] != "true" {
		t.Errorf("an ordinary pod: %v, annotations %v", err, ordinary.Annotations)
	}
	eventually(t, "the audit to say what it may not read", func() (bool, error) {
		_, err := scene.Get(t.Context(), guard.Ready+"/audit")
		return err != nil && strings.Contains(err.Error(), "ips.kubeovn.io"), nil
	})
	eventually(t, "the webhook to be ready all the same", func() (bool, error) {
		_, err := scene.Get(t.Context(), guard.Ready+"/webhook")
		return err == nil, nil
	})
}
