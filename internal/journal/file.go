package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// document is as much of what kubectl printed as the journal needs: a ConfigMap, or a list with some.
type document struct {
	corev1.ConfigMap

	Items []json.RawMessage `json:"items"`
}

// FromFile returns the changes in the ConfigMaps of what `kubectl get -o json` or `-o yaml` printed, the oldest first.
// found is false where there is no ConfigMap of the journal. Where some lines cannot be read, it gives the others with
// an error.
func FromFile(data []byte) (entries []Entry, found bool, err error) {
	if !bytes.Contains(data, []byte(Label)) {
		return nil, false, nil // it may be large, and has none
	}
	var all []corev1.ConfigMap
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(data), 4096)
	for n := 1; ; n++ {
		var d document
		err := decoder.Decode(&d)
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = d.collect(&all)
		}
		if err != nil {
			return nil, false, fmt.Errorf("document %d: %w", n, err)
		}
	}
	slices.SortFunc(all, func(a, b corev1.ConfigMap) int { return number(&a) - number(&b) })
	entries, err = parseAll(all)
	return entries, len(all) > 0, err
}

// collect adds the ConfigMaps of the journal to all.
func (d *document) collect(all *[]corev1.ConfigMap) error {
	if d.isJournal() {
		*all = append(*all, d.ConfigMap)
	}
	for i, raw := range d.Items {
		if !bytes.Contains(raw, []byte(Label)) {
			continue
		}
		var item document
		if err := json.Unmarshal(raw, &item); err != nil {
			return fmt.Errorf("items[%d]: %w", i, err)
		}
		if item.Kind == "" { // the API server leaves it out in the list of one kind
			item.Kind = strings.TrimSuffix(d.Kind, "List")
		}
		if item.isJournal() {
			*all = append(*all, item.ConfigMap)
		}
	}
	return nil
}

func (d *document) isJournal() bool { return d.Kind == "ConfigMap" && d.Labels[Label] != "" }
