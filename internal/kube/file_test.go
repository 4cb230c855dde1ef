package kube

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ovnguard/ovnguard/internal/inventory"
)

const (
	namespaceYAML = "apiVersion: v1\nkind: Namespace\nmetadata: {name: ns}\n"
	podYAML       = "apiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: ns}\nspec: {}\n"
	ipJSON        = `{"apiVersion":"kubeovn.io/v1","kind":"IP","metadata":{"name":"p.ns"},"spec":{"macAddress":"0a:00:00:00:00:01","v4IpAddress":"10.0.0.1"}}`
)

func TestFillFromFile(t *testing.T) {
	for name, text := range map[string]string{
		"YAML documents": namespaceYAML + "---\n" + podYAML + "---\n\n---\n" + "apiVersion: v1\nkind: " +
			"Secret\nmetadata: {name: s}\n---\n" + ipJSON + "\n",
		"JSON documents": `{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"ns"}}` + "\n" +
			`{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p","namespace":"ns"}}` + "\n" + ipJSON,
		"a list": `{"apiVersion":"v1","kind":"List","items":[{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"ns"}},{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p","namespace":"ns"}},` + ipJSON + `]}`,
		"lists of one kind": `{"apiVersion":"v1","kind":"NamespaceList","items":[{"metadata":{"name":"ns"}}]}` +
			`{"apiVersion":"v1","kind":"PodList","items":[{"metadata":{"name":"p","namespace":"ns"}}]}` +
			`{"apiVersion":"kubeovn.io/v1","kind":"IPList","items":[` + ipJSON + `]}`,
	} {
		t.Run(name, func(t *testing.T) {
			inv := inventory.New()
			filled, err := FillFromFile([]byte(text), inv)
			if err != nil {
				t.Fatal(err)
			}
			want := map[string]int{
				"Namespace":                   1,
				"PortSecurityPolicy":          0,
				"PortSecurityException":       0,
				"NetworkAttachmentDefinition": 0,
				"IP":                          1,
				"Vip":                         0,
				"Pod":                         1,
			}
			if diff := cmp.Diff(want, filled.Objects); diff != "" {
				t.Errorf("objects (-want +got):\n%s", diff)
			}
			var absent []string
			for _, s := range filled.Absent {
				absent = append(absent, s.Kind.Kind)
			}
			slices.Sort(absent)
			if diff := cmp.Diff(
				[]string{"NetworkAttachmentDefinition", "PortSecurityException", "PortSecurityPolicy", "Vip"},
				absent,
			); diff != "" {
				t.Errorf("absent (-want +got):\n%s", diff)
			}
			p := inv.Port("p.ns", time.Time{})
			if p.Pod == nil || p.Record == nil || p.Record.MAC != "0a:00:00:00:00:01" ||
				!slices.Equal(p.Record.IPs, []string{"10.0.0.1"}) {
				t.Errorf("port %+v", p)
			}
		})
	}
}

func TestFillFromFileErrors(t *testing.T) {
	for name, c := range map[string]struct{ text, say string }{
		"empty":         {"", "no Namespace"},
		"no pods":       {namespaceYAML, "no Pod"},
		"not an object": {namespaceYAML + "---\n- 1\n", "document 2"},
		"no kind":       {`{"items":[]}`, "no kind"},
		"odd item":      {`{"apiVersion":"v1","kind":"List","items":[1]}`, "items[0]"},
		"wrong type": {
			`{"apiVersion":"v1","kind":"List","items":[{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p"},"spec":{"hostNetwork":"maybe"}}]}`,
			"Pod p",
		},
		"no name":  {"apiVersion: v1\nkind: Pod\nmetadata: {}\n", "metadata.name"},
		"not YAML": {"a: [", "document 1"},
		"cut JSON": {`{"apiVersion":"v1"`, "document 1"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := FillFromFile(
				[]byte(c.text),
				inventory.New(),
			); err == nil ||
				!strings.Contains(err.Error(), c.say) {
				t.Errorf("error %v, want one with %q", err, c.say)
			}
		})
	}
}
