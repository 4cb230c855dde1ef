// Package charts tests the chart: it is rendered by Helm's own library, without a cluster.
package charts

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	"helm.sh/helm/v4/pkg/strvals"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// namespace is the only one in which the chart is installed.
const namespace = "ovnguard-system"

// options say how the chart is rendered.
type options struct {
	// set are values as in helm --set.
	set []string
	// namespace is that of the release; empty for the right one.
	namespace string
	// version is that of Kubernetes; empty for Helm's default.
	version string
	// cluster answers lookups; nil where there is none.
	cluster engine.ClientProvider
}

// render returns the rendered templates by their names.
func render(o options) (map[string]string, error) {
	chart, err := loader.LoadDir("ovnguard")
	if err != nil {
		return nil, err
	}
	values := make(map[string]any)
	for _, s := range o.set {
		if err := strvals.ParseInto(s, values); err != nil {
			return nil, err
		}
	}
	capabilities := common.DefaultCapabilities.Copy()
	if o.version != "" {
		v, err := common.ParseKubeVersion(o.version)
		if err != nil {
			return nil, err
		}
		capabilities.KubeVersion = *v
	}
	release := common.ReleaseOptions{Name: "guard", Namespace: namespace, Revision: 1, IsInstall: true}
	if o.namespace != "" {
		release.Namespace = o.namespace
	}
	all, err := util.ToRenderValues(chart, values, release, capabilities)
	if err != nil {
		return nil, err
	}
	if o.cluster != nil {
		return engine.RenderWithClientProvider(chart, all, o.cluster)
	}
	return engine.Render(chart, all)
}

// rendered is render for values that must be right, as one text in the order of the templates' names.
func rendered(t *testing.T, o options) string {
	t.Helper()
	files, err := render(o)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if strings.HasSuffix(name, ".yaml") {
			text.WriteString("\n---\n" + files[name])
		}
	}
	return text.String()
}

// objects are the objects of a rendered text.
func objects(t *testing.T, text string) []*unstructured.Unstructured {
	t.Helper()
	var out []*unstructured.Unstructured
	for document := range strings.SplitSeq(text, "\n---") {
		o := &unstructured.Unstructured{}
		if err := yaml.UnmarshalStrict([]byte(document), &o.Object); err != nil {
			t.Fatalf("%v in\n%s", err, document)
		}
		if len(o.Object) > 0 {
			out = append(out, o)
		}
	}
	return out
}

// find returns the object of a kind and name.
func find(t *testing.T, all []*unstructured.Unstructured, kind, name string) *unstructured.Unstructured {
	t.Helper()
	for _, o := range all {
		if o.GetKind() == kind && o.GetName() == name {
			return o
		}
	}
	t.Fatalf("no %s %s", kind, name)
	return nil
}
