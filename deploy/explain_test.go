package deploy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// resourceDefinitions reads what deploy/crds holds.
func resourceDefinitions(t *testing.T) []apiextensionsv1.CustomResourceDefinition {
	t.Helper()
	text := slices.Concat(ExceptionDefinition, PolicyDefinition)
	var out []apiextensionsv1.CustomResourceDefinition
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096)
	for {
		var d apiextensionsv1.CustomResourceDefinition
		if err := decoder.Decode(&d); errors.Is(err, io.EOF) {
			return out
		} else if err != nil {
			t.Fatal(err)
		}
		if d.Name != "" {
			out = append(out, d)
		}
	}
}

// kubectl explain is enough to use a field: each field of a spec says what it is, what its values and its default mean,
// and what happens without it.
func TestFieldsAreExplained(t *testing.T) {
	definitions := resourceDefinitions(t)
	if len(definitions) != 2 {
		t.Fatalf("%d definitions", len(definitions))
	}
	for _, d := range definitions {
		schema := d.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties
		spec, status := schema["spec"], schema["status"]
		explained(t, d.Spec.Names.Kind+".spec", &spec)
		for _, field := range []string{"observedGeneration", "conditions"} {
			if _, there := status.Properties[field]; !there {
				t.Errorf("%s.status has no %s", d.Spec.Names.Kind, field)
			}
		}
		if len(d.Spec.Versions[0].AdditionalPrinterColumns) < 5 || d.Spec.Versions[0].Subresources.Status == nil {
			t.Errorf("%s has too few columns, or no status of its own", d.Name)
		}
	}
}

// written are the fields that admission writes; they need not say what happens without them.
var written = []string{"requestedBy", "requestedAt", "requestID", "sharedBy", "approvedBy", "approvedRequest"}

func explained(t *testing.T, path string, s *apiextensionsv1.JSONSchemaProps) {
	t.Helper()
	if s.Items != nil {
		explained(t, path, s.Items.Schema)
	}
	for name, field := range s.Properties {
		at, text := path+"."+name, strings.Join(strings.Fields(field.Description), " ")
		if strings.HasSuffix(path, "Selector") {
			continue // Kubernetes' own
		}
		if len(text) < len("name of the owner.") {
			t.Errorf("%s: %q explains nothing", at, text)
		}
		for _, value := range field.Enum {
			if word := strings.Trim(string(value.Raw), `"`); !strings.Contains(text, word) {
				t.Errorf("%s: nothing says what %s means: %q", at, word, text)
			}
		}
		structured := field.Type == "object" || slices.Contains(s.Required, name) || slices.Contains(written, name)
		switch {
		case field.Default != nil && field.Type != "object":
			if want := "default " + strings.Trim(
				string(field.Default.Raw),
				`"`,
			); !strings.Contains(
				strings.ReplaceAll(text, `"`, ""),
				want,
			) {
				t.Errorf("%s: the text lacks %q: %q", at, want, text)
			}
		case !structured && !strings.Contains(strings.ToLower(text), "left out") && !strings.Contains(text, "Without "+
			"it"):
			t.Errorf("%s: nothing says what leaving it out does: %q", at, text)
		}
		explained(t, at, &field)
	}
	if s.Type == "object" && len(s.Properties) == 0 && s.AdditionalProperties == nil {
		t.Error(fmt.Sprint(path, " has no fields"))
	}
}
