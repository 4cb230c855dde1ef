package cli

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/ovnguard/ovnguard/internal/admissionpolicy"
)

const renderedPolicies = `
apiVersion: v1
kind: List
items:
- apiVersion: ovnguard.io/v1alpha1
  kind: PortSecurityPolicy
  metadata: {name: gateways}
  spec:
    namespaceSelector: {matchLabels: {team: gateways}}
    level: mac
    exceptions: {namespaces: [edge]}
---
apiVersion: ovnguard.io/v1alpha1
kind: PortSecurityPolicy
metadata: {name: rest}
spec: {level: strict}
`

// render returns the objects of the output, as text by kind and name.
func render(t *testing.T, args ...string) map[string]string {
	t.Helper()
	var stdout, stderr strings.Builder
	if code := Main(append([]string{"render", "admission-policies"}, args...), &stdout, &stderr); code != exitOK {
		t.Fatalf("code %d: %s", code, &stderr)
	}
	out := make(map[string]string)
	decoder := yaml.NewYAMLOrJSONDecoder(strings.NewReader(stdout.String()), 4096)
	for {
		var u unstructured.Unstructured
		err := decoder.Decode(&u.Object)
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := u.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		if u.GetAPIVersion() != "admissionregistration.k8s.io/v1" {
			t.Errorf("%s %s is of %s", u.GetKind(), u.GetName(), u.GetAPIVersion())
		}
		out[u.GetKind()+" "+u.GetName()] = string(text)
	}
}

// The output can be applied as it is: each policy with its binding, made from the policies in the file and for the
// accounts in the flags.
func TestRenderAdmissionPolicies(t *testing.T) {
	path := filepath.Join(t.TempDir(), "policies.yaml")
	if err := os.WriteFile(path, []byte(renderedPolicies), 0o600); err != nil {
		t.Fatal(err)
	}
	written := render(
		t,
		"--policies",
		path,
		"--kube-ovn-accounts",
		"system:serviceaccount:network:ovn",
		"--namespace",
		"guards",
	)
	for kind, names := range map[string][]string{
		"MutatingAdmissionPolicy":   admissionpolicy.MutatingNames,
		"ValidatingAdmissionPolicy": admissionpolicy.ValidatingNames,
	} {
		for _, name := range names {
			if written[kind+" "+name] == "" ||
				!strings.Contains(written[kind+"Binding "+name], `"policyName":"`+name+`"`) {
				t.Errorf("%s %s is not there with its binding", kind, name)
			}
		}
	}
	if want := 2 * len(
		slices.Concat(admissionpolicy.MutatingNames, admissionpolicy.ValidatingNames),
	); len(
		written,
	) != want {
		t.Errorf("%d objects, want %d", len(written), want)
	}
	for _, part := range []string{
		"system:serviceaccount:network:ovn", "'gateways'", "in ['edge']", "request.namespace == 'guards'",
		"serviceAccountName.orValue('') in ['ovnguard']",
	} {
		if !strings.Contains(written["ValidatingAdmissionPolicy "+admissionpolicy.FloorName], part) {
			t.Errorf("the floor lacks %s", part)
		}
	}
	if plain := render(t); strings.Contains(plain["ValidatingAdmissionPolicy "+admissionpolicy.FloorName], "gateways") {
		t.Error("what was not asked for is there")
	}
}

func TestRenderUsage(t *testing.T) {
	for name, c := range map[string]struct{ text, says string }{
		"another kind":       {"{kind: Pod}", "document 1 is a Pod"},
		"another kind in it": {"{kind: List, items: [{kind: Pod}]}", "items[0] is a Pod"},
		"no YAML":            {"{", "document 1"},
		"an operator unheard": {"{kind: PortSecurityPolicy, metadata: {name: p}, spec: {level: open, " +
			"namespaceSelector: {matchExpressions: [{key: a, operator: Near}]}}}", "PortSecurityPolicy p"},
		"a file that is not":   {"", "no such file"},
		"another type of spec": {"{kind: PortSecurityPolicy, spec: 1}", "document 1"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "policies.yaml")
			if c.text != "" {
				if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			var stdout, stderr strings.Builder
			if code := Main(
				[]string{"render", "admission-policies", "--policies", path},
				&stdout,
				&stderr,
			); code != exitUsage || !strings.Contains(stderr.String(), c.says) ||
				!strings.Contains(stderr.String(), "--policies") {
				t.Errorf("code %d: %s", code, &stderr)
			}
		})
	}
}
