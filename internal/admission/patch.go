package admission

import (
	"maps"
	"slices"
	"strings"

	"gomodules.xyz/jsonpatch/v2"
)

const annotationsPath = "/metadata/annotations"

// pointerEscape escapes a key for use in a JSON pointer (RFC 6901, section 3).
var pointerEscape = strings.NewReplacer("~", "~0", "/", "~1")

// AnnotationPath returns the JSON pointer of an annotation in an object.
func AnnotationPath(key string) string { return annotationsPath + "/" + pointerEscape.Replace(key) }

// Patch returns the change as JSON Patch operations (RFC 6902) for an object whose annotations are as given. It names
// only the annotations that change, so that whatever else the object holds, known to this program or not, is left as it
// was.
func (c Change) Patch(annotations map[string]string) []jsonpatch.Operation {
	var ops []jsonpatch.Operation
	if len(annotations) == 0 && len(c.Set) > 0 {
		return append(ops, jsonpatch.NewOperation("add", annotationsPath, c.Set))
	}
	for _, key := range c.Remove {
		if _, ok := annotations[key]; ok {
			ops = append(ops, jsonpatch.NewOperation("remove", AnnotationPath(key), nil))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(c.Set)) {
		ops = append(ops, jsonpatch.NewOperation("add", AnnotationPath(key), c.Set[key]))
	}
	return ops
}
