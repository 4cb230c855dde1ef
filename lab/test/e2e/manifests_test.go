//go:build integration

package e2e

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	yamlutil "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/ovnguard/ovnguard/lab/internal/scene"
)

// helm returns the path of Helm: the value of $HELM, or what `make manifests` builds.
func helm(t *testing.T) string {
	t.Helper()
	path := os.Getenv("HELM")
	if path == "" {
		path = "../../../bin/helm"
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("helm is not built: run `make bin/helm`, or name it with HELM: %v", err)
	}
	return path
}

// documents returns the objects of a YAML text.
func documents(t *testing.T, text []byte) (out []*unstructured.Unstructured) {
	t.Helper()
	reader := yamlutil.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return out
		}
		o := &unstructured.Unstructured{}
		if err := errors.Join(err, yaml.Unmarshal(document, &o.Object)); err != nil {
			t.Fatal(err)
		}
		if len(o.Object) > 0 {
			out = append(out, o)
		}
	}
}

// A real API server takes every manifest and every object of the chart, read strictly, and warns of nothing: no field
// is misspelt, no value is wrong, and every pod meets the standard of Pod Security in its namespace.
func TestManifestsAreStrict(t *testing.T) {
	config, err := world.Lab.RESTConfig("admin", "system:masters")
	if err != nil {
		t.Fatal(err)
	}
	seen := &scene.Warnings{}
	config.WarningHandler = seen
	c, err := client.New(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	try := func(o *unstructured.Unstructured) error {
		return c.Patch(
			t.Context(),
			o,
			client.Apply, //nolint:staticcheck // what it is deprecated for cannot have fields read strictly
			client.FieldOwner("e2e"),
			client.ForceOwnership,
			client.DryRunAll,
			client.FieldValidation(metav1.FieldValidationStrict),
		)
	}
	all := make(map[string][]*unstructured.Unstructured)
	files, err := filepath.Glob("../../../deploy/*.yaml")
	if err != nil || len(files) < 4 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all[filepath.Base(file)] = documents(t, text)
	}
	for name, set := range map[string]string{
		"chart": "policy.mode=enforce",
		"chart with everything": "metrics.enabled=true,metrics.dashboard.enabled=true,priorityClassQuota.create=true," +
			"uninstall.ports=narrow,uninstall.keepCRDs=false,clientCA.configMap=x,imagePullSecrets={mine}",
	} {
		cmd := exec.CommandContext(t.Context(), helm(t), "template", "guard", "../../../charts/ovnguard",
			"--namespace", ownNamespace, "--include-crds", "--set", set)
		text, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		all[name] = documents(t, text)
	}
	for name, objects := range all {
		for _, o := range objects {
			if o.GetKind() == "Pod" { // its account is not there under a dry run
				if err := unstructured.SetNestedField(o.Object, "ovnguard", "spec", "serviceAccountName"); err != nil {
					t.Fatal(err)
				}
			}
			if err := try(o); err != nil {
				t.Errorf("%s: %s %s: %v", name, o.GetKind(), o.GetName(), err)
			}
			if texts := seen.Take(); len(texts) > 0 {
				t.Errorf(
					"%s: %s %s: the API server warns: %s",
					name,
					o.GetKind(),
					o.GetName(),
					strings.Join(texts, "; "),
				)
			}
		}
	}

	// What is tried is read strictly indeed.
	i := slices.IndexFunc(
		all["controller.yaml"],
		func(o *unstructured.Unstructured) bool { return o.GetKind() == "Deployment" },
	)
	wrong := all["controller.yaml"][i].DeepCopy()
	wrong.SetManagedFields(nil)
	if err := unstructured.SetNestedField(wrong.Object, "x", "spec", "template", "spec", "nodeSelectr"); err != nil {
		t.Fatal(err)
	}
	if err := try(wrong); err == nil || !strings.Contains(err.Error(), "nodeSelectr") {
		t.Errorf("a misspelt field: %v", err)
	}
}
