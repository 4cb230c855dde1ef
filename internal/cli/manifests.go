package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/yaml"

	"github.com/ovnguard/ovnguard/internal/kube"
)

// manifest is an object that is to be applied, and where it was read.
type manifest struct {
	*unstructured.Unstructured

	file string
	// document counts from 1, and line is where it begins.
	document, line int
}

// where names the place of the manifest.
func (m *manifest) where() string { return place(m.file, m.document, m.line) }

func place(file string, document, line int) string {
	return fmt.Sprintf("%s: document %d (line %d)", file, document, line)
}

// readManifests reads the files that -f names: files, directories with all below them, and "-" for in.
func readManifests(paths []string, in io.Reader) ([]manifest, error) {
	var out []manifest
	for _, path := range paths {
		files := []string{path}
		if path != "-" {
			var err error
			if files, err = manifestFiles(path); err != nil {
				return nil, err
			}
		}
		for _, file := range files {
			var data []byte
			var err error
			if file == "-" {
				data, err = io.ReadAll(in)
			} else {
				data, err = os.ReadFile(file)
			}
			if err != nil {
				return nil, err
			}
			read, err := parseManifests(file, data)
			if err != nil {
				return nil, err
			}
			out = append(out, read...)
		}
	}
	return out, nil
}

// manifestFiles returns the file, or the manifests in the directory and below it, by name.
func manifestFiles(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	var files []string
	err = filepath.WalkDir(path, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !entry.IsDir() && slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(file)) {
			files = append(files, file)
			return regular(file)
		}
		return nil
	})
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("%s has no file *.yaml, *.yml or *.json", path)
	}
	return files, err
}

// parseManifests reads the documents of a file. Errors name the document, and the line in the file.
func parseManifests(file string, data []byte) ([]manifest, error) {
	var out []manifest
	for _, d := range kube.Documents(data) {
		// With as many lines before it as in the file, the parser's line is that of the file.
		raw, err := yaml.YAMLToJSONStrict(append(bytes.Repeat([]byte("\n"), d.Line-1), d.Text...))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", place(file, d.Number, d.Line), err)
		}
		if string(raw) == "null" {
			continue
		}
		objects, err := objectsIn(raw)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", place(file, d.Number, d.Line), err)
		}
		for _, o := range objects {
			out = append(out, manifest{o, file, d.Number, d.Line})
		}
	}
	return out, nil
}

// objectsIn returns the object of a document, or those of a list.
func objectsIn(raw []byte) ([]*unstructured.Unstructured, error) {
	var document map[string]any
	if err := json.Unmarshal(raw, &document); err != nil {
		return nil, fmt.Errorf("want an object: %w", err)
	}
	u := &unstructured.Unstructured{Object: document}
	kind, _ := document["kind"].(string)
	version, _ := document["apiVersion"].(string)
	if kind == "" || version == "" {
		return nil, errors.New("it has no kind or no apiVersion; want a manifest of Kubernetes")
	}
	items, isList := document["items"].([]any)
	if !isList {
		return []*unstructured.Unstructured{u}, checkMetadata(document, "")
	}
	var out []*unstructured.Unstructured
	for i, item := range items {
		object, ok := item.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("items[%d]: want an object", i)
		}
		if _, ok := object["kind"].(string); !ok && kind != "List" {
			object["kind"], object["apiVersion"] = strings.TrimSuffix(kind, "List"), version
		}
		kind, _ := object["kind"].(string)
		version, _ := object["apiVersion"].(string)
		if kind == "" || version == "" {
			return nil, fmt.Errorf("items[%d]: it has no kind or no apiVersion", i)
		}
		if err := checkMetadata(object, fmt.Sprintf("items[%d].", i)); err != nil {
			return nil, err
		}
		out = append(out, &unstructured.Unstructured{Object: object})
	}
	return out, nil
}

// checkMetadata makes sure that the names and the maps of the metadata are what they must be, before they are read.
func checkMetadata(object map[string]any, path string) error {
	metadata, ok := object["metadata"].(map[string]any)
	if !ok {
		return fmt.Errorf("%smetadata: want an object", path)
	}
	for _, field := range []string{"name", "namespace", "generateName"} {
		if value, there := metadata[field]; there {
			if _, ok := value.(string); !ok {
				return fmt.Errorf("%smetadata.%s: %v: want a text", path, field, value)
			}
		}
	}
	for _, field := range []string{"annotations", "labels"} {
		values, _ := metadata[field].(map[string]any)
		for key, value := range values {
			if _, ok := value.(string); !ok {
				return fmt.Errorf("%smetadata.%s[%q]: %v: want a text; put it in quotes", path, field, key, value)
			}
		}
	}
	return nil
}
