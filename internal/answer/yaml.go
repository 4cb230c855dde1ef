package answer

import (
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"sigs.k8s.io/yaml"
)

// WriteYAML writes an object as a YAML document, with hidden characters as escapes, which mean the same. The encoder
// does not escape all of them, such as marks of direction. So each is replaced by a mark before encoding, and each mark
// by an escape afterwards. A mark begins with a control character, because the encoder always escapes these.
func WriteYAML(w io.Writer, object any) error {
	text, err := json.Marshal(object)
	if err != nil {
		return err
	}
	var tree any
	if err := json.Unmarshal(text, &tree); err != nil {
		return err
	}
	out, err := yaml.Marshal(marked(tree))
	if err != nil {
		return err
	}
	out = yamlMark.ReplaceAllFunc(out, func(mark []byte) []byte {
		r, err := strconv.ParseUint(string(yamlMark.FindSubmatch(mark)[1]), 16, 32)
		if err != nil {
			return mark // the expression matches no such
		}
		return fmt.Appendf(nil, `\U%08X`, r)
	})
	_, err = w.Write(out)
	return err
}

// yamlMark matches a mark in the text of the encoder.
var yamlMark = regexp.MustCompile(`\\x01<([0-9a-f]{1,6})>`)

// marked returns a tree of JSON in which hidden characters are marks.
func marked(tree any) any {
	switch t := tree.(type) {
	case string:
		return markedText(t)
	case []any:
		for i := range t {
			t[i] = marked(t[i])
		}
	case map[string]any:
		out := make(map[string]any, len(t))
		for key, value := range t {
			out[markedText(key)] = marked(value)
		}
		return out
	}
	return tree
}

func markedText(s string) string {
	if !strings.ContainsFunc(s, Hidden) {
		return s
	}
	var out strings.Builder
	for _, r := range s {
		if Hidden(r) {
			fmt.Fprintf(&out, "\x01<%x>", r)
		} else {
			out.WriteRune(r)
		}
	}
	return out.String()
}
