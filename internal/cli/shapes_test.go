package cli

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The shapes of JSON documents are those of docs/json.md, which programs rely on. A field that goes away fails here;
// a new one is written to the page with `go test ./internal/cli -run TestShapes -update`.
func TestShapes(t *testing.T) {
	shapes := make(map[string]map[string]string)
	for verb, trials := range verbs(t) {
		for _, tr := range trials {
			code, out, errs := runMain(slices.Concat(strings.Fields(verb), tr.args, []string{"-o", "json"})...)
			if out == "" {
				continue
			}
			var doc map[string]any
			if strings.HasPrefix(out, "[") { // explain has written a list from the beginning
				out = `{"kind":"list","items":` + out + "}"
			}
			if err := json.Unmarshal([]byte(out), &doc); err != nil {
				t.Fatalf("%s: exit code %d, %s: %v", verb, code, errs, err)
			}
			kind := fmt.Sprint(doc["kind"], " of `ovnguard ", verb, "`")
			if shapes[kind] == nil {
				shapes[kind] = make(map[string]string)
			}
			shapeOf(shapes[kind], "", doc)
		}
	}
	var text strings.Builder
	for _, kind := range slices.Sorted(maps.Keys(shapes)) {
		fmt.Fprintf(&text, "\n## %s\n\n```\n", kind)
		paths := slices.Sorted(maps.Keys(shapes[kind]))
		for i, path := range paths {
			if i+1 < len(paths) && strings.HasPrefix(paths[i+1], path+".") { // its elements say more
				continue
			}
			fmt.Fprintf(&text, "%s %s\n", path, shapes[kind][path])
		}
		text.WriteString("```\n")
	}
	const page, mark = "../../docs/json.md", "<!-- shapes -->\n"
	data, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	prose, want, ok := strings.Cut(string(data), mark)
	if !ok {
		t.Fatalf("%s has no %q", page, mark)
	}
	if *update {
		if err := os.WriteFile(page, []byte(prose+mark+text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, text.String()); diff != "" {
		t.Errorf("documents and docs/json.md differ (-docs +got); -update adds what is new:\n%s", diff)
	}
}

// mapsOfNames finds keys that are names of the cluster's, not fields: those of maps.
var mapsOfNames = regexp.MustCompile(`^\.(unknown|permitted\[\]\.by|objects\[\]\.set|health\.webhooks\.policies|` +
	`health\.policies\.modes)$`)

// shapeOf adds the path of each field, with its type.
func shapeOf(into map[string]string, path string, value any) {
	switch v := value.(type) {
	case map[string]any:
		for key, field := range v {
			at := path + "." + key
			if mapsOfNames.MatchString(path) {
				at = path + ".NAME"
			}
			shapeOf(into, at, field)
		}
	case []any:
		if into[path+"[]"] == "" {
			into[path+"[]"] = "-"
		}
		for _, element := range v {
			shapeOf(into, path+"[]", element)
		}
	case string:
		into[path] = "string"
	case float64:
		into[path] = "number"
	case bool:
		into[path] = "boolean"
	}
}
