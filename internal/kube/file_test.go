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

// fill enters what a file with the text has.
func fill(text string, inv *inventory.Inventory) (Filled, error) {
	f := NewFiles(func([]byte) {})
	if err := f.Read(strings.NewReader(text)); err != nil {
		return Filled{}, err
	}
	return f.Fill(inv)
}

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
		"kind after the items": `{"apiVersion":"v1","items":[{"metadata":{"name":"ns"}}],"kind":"NamespaceList"}` +
			`{"items":[{"metadata":{"name":"p","namespace":"ns"}}],"kind":"PodList","apiVersion":"v1"}` + ipJSON,
		"an array": `[{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"ns"}},` +
			`{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p","namespace":"ns"}},` + ipJSON + `]`,
		"lists of lists": `{"apiVersion":"v1","kind":"List","items":[{"apiVersion":"v1","kind":"List","items":[` +
			`{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"ns"}}]},` +
			`{"apiVersion":"v1","kind":"PodList","items":[{"metadata":{"name":"p","namespace":"ns"}}]},` + ipJSON + `]}`,
		"YAML lists": "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Namespace\n  metadata: {name: ns}\n" +
			"---\napiVersion: v1\nkind: PodList\nitems:\n- metadata: {name: p, namespace: ns}\n---\n" + ipJSON,
	} {
		t.Run(name, func(t *testing.T) {
			inv := inventory.New()
			filled, err := fill(text, inv)
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
		"not YAML":      {"a: [", "document 1"},
		"cut JSON":      {`{"apiVersion":"v1"`, "document 1"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := fill(c.text, inventory.New()); err == nil ||
				!strings.Contains(err.Error(), c.say) {
				t.Errorf("error %v, want one with %q", err, c.say)
			}
		})
	}
}

// An object that cannot be read is named, and the others are read. Errors of a whole file name document and line.
func TestBadObjects(t *testing.T) {
	pod := func(name, spec string) string {
		return `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"` + name + `","namespace":"ns"},"spec":` + spec + `}`
	}
	inv := inventory.New()
	filled, err := fill(
		`{"apiVersion":"v1","kind":"List","items":[`+pod("bad", `{"hostNetwork":"maybe"}`)+`,`+pod("p", `{}`)+
			`,{"apiVersion":"v1","kind":"Pod","metadata":{}},{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"ns"}}]}`,
		inv,
	)
	if err != nil {
		t.Fatal(err)
	}
	if len(filled.Bad) != 2 || filled.Bad[0].Kind.Kind != "Pod" ||
		!strings.Contains(filled.Bad[0].Err.Error(), "Pod bad") ||
		!strings.Contains(filled.Bad[1].Err.Error(), "metadata.name") {
		t.Errorf("bad objects %v", filled.Bad)
	}
	if p := inv.Port("p.ns", time.Time{}); p.Pod == nil {
		t.Error("the other pod was not read")
	}
	for name, c := range map[string]struct{ text, say string }{
		"JSON": {
			"{\n\"apiVersion\":\"v1\",\"kind\":\"List\",\"items\":[\n" + pod("a", "{}") + ",\n{]\n",
			"document 1 (line 4): items[1]",
		},
		"JSON, next": {pod("a", "{}") + "\n\n" + pod("b", "{}") + "\nkind: x", "document 3 (line 4)"},
		"YAML":       {namespaceYAML + "---\n# more\n" + podYAML + "---\na: [\n", "document 3 (line 11)"},
		"a dump":     {` {"caption":"T table"}`, "--nb"},
		"database":   {"OVSDB JSON 1 2\n", "--nb"},
	} {
		if _, err := fill(c.text, inventory.New()); err == nil || !strings.Contains(err.Error(), c.say) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.say)
		}
	}
}

// FuzzFiles reads arbitrary files: they may only cause errors, and what is no error is the same however often it is
// read.
func FuzzFiles(f *testing.F) {
	for _, text := range []string{
		namespaceYAML + "---\n" + podYAML, `{"apiVersion":"v1","kind":"List","items":[` + ipJSON + `]}`,
		`[` + ipJSON + `]`, `{"items":[{"metadata":{"name":"x"}}],"kind":"PodList","apiVersion":"v1"}`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		count := func() (n, bad int, failed bool) {
			files := NewFiles(func([]byte) {})
			err := files.Read(strings.NewReader(text))
			for _, objects := range files.objects {
				n += len(objects)
			}
			return n, len(files.bad), err != nil
		}
		n, bad, failed := count()
		if again, badAgain, failedAgain := count(); n != again || bad != badAgain || failed != failedAgain {
			t.Fatalf("%d, %d, %t and then %d, %d, %t", n, bad, failed, again, badAgain, failedAgain)
		}
	})
}
