// Package examples holds manifests to start from.
package examples

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
	"github.com/ovnguard/ovnguard/internal/kube"
	"github.com/ovnguard/ovnguard/internal/policy"
)

func read(t *testing.T, file string, into any) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalStrict(text, into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

// No example cuts off what runs, or refuses pods that have NICs outside OVN: an exception for them may still be
// missing.
func TestNoExampleCutsAnybodyOff(t *testing.T) {
	var p v1alpha1.PortSecurityPolicy
	read(t, "policy.yaml", &p)
	if p.Spec.Repair == v1alpha1.RepairOn || p.Spec.OtherNetworks == v1alpha1.Forbid {
		t.Errorf("repair %s, otherNetworks %s", p.Spec.Repair, p.Spec.OtherNetworks)
	}
}

// There is an example of every class, and each of them would count under the example policy.
func TestExceptions(t *testing.T) {
	var p v1alpha1.PortSecurityPolicy
	read(t, "policy.yaml", &p)
	compiled := kube.PolicyOf(&p)
	if compiled.Err != nil || compiled.Repair == policy.RepairOn || compiled.Mode != policy.Enforce ||
		!compiled.Approval {
		t.Fatalf("%+v", compiled)
	}
	compiled.Limits.Owner = false
	files, err := filepath.Glob("*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var classes []policy.Class
	for _, file := range files {
		if file == "policy.yaml" {
			continue
		}
		var o v1alpha1.PortSecurityException
		read(t, file, &o)
		classes = append(classes, policy.Class(o.Spec.Class))
		asked := metav1.NewTime(o.Spec.ExpiresAt.Add(-24 * time.Hour))
		o.Spec.RequestedAt = &asked
		e := kube.ExceptionOf(&o)
		if reason, why := e.Admissible(&compiled); reason != policy.InEffect {
			t.Errorf("%s: %s: %s", file, reason, why)
		}
		if file != string(e.Class)+".yaml" {
			t.Errorf("%s is of class %s", file, e.Class)
		}
	}
	for _, c := range policy.Classes() {
		if !slices.Contains(classes, c) {
			t.Errorf("no example of class %s", c)
		}
	}
}
