//go:build integration

package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
)

// What plan says of a policy is what comes of it: the port of a pod that runs open is written as foretold.
func TestPlanForetellsWhatRepairWrites(t *testing.T) {
	ns, _ := unenforcedNamespace(t, v1alpha1.ModeWarn)
	pod := run(t, ns, nil)
	port := portOf(pod)
	spec := v1alpha1.PortSecurityPolicySpec{Priority: 1000, Repair: v1alpha1.RepairOn, Level: v1alpha1.LevelStrict}
	asWritten := spec
	asWritten.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: ns}}
	text, err := yaml.Marshal(map[string]any{
		"apiVersion": v1alpha1.GroupVersion.String(), "kind": "PortSecurityPolicy",
		"metadata": map[string]any{"name": unique("planned")}, "spec": asWritten,
	})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	stdout, stderr, code := ovnguard(t, "plan", "-f", file, "-n", ns, "-o", "json")
	var r struct {
		Workloads []struct {
			Ports []struct {
				Port, When    string
				Before, After struct{ PortSecurity []string }
				Lost          []string
			}
		}
	}
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		t.Fatalf("ovnguard plan ended with %d: %v\n%s%s", code, err, stdout, stderr)
	}
	if code != 1 || len(r.Workloads) != 1 || len(r.Workloads[0].Ports) != 1 {
		t.Fatalf("code %d, want 1 and one port:\n%s%s", code, stdout, stderr)
	}
	p := r.Workloads[0].Ports[0]
	if p.Port != port || p.When != "now" || len(p.Before.PortSecurity) > 0 || len(p.After.PortSecurity) == 0 ||
		!slices.Equal(p.Lost, []string{"any MAC with any address"}) {
		t.Fatalf("foretold is %+v", p)
	}
	if is := strings.Trim(portSecurityOf(t, port), `[]"`); is != "" {
		t.Fatalf("the port has %q although nothing was applied", is)
	}
	policyOver(t, ns, spec)
	eventually(t, "the port to be as foretold", func() (bool, error) {
		rows, err := portsOf(t.Context(), ns, pod.Name)
		return err == nil && len(rows) == 1 && slices.Equal(rows[0].PortSecurity, p.After.PortSecurity), err
	})
}
