package kube

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"
)

// ErrDump means that a file holds rows of a database and no objects of Kubernetes.
var ErrDump = errors.New("it holds rows of a database; give it by --nb or --sb")

// Read takes the objects of a file, as JSON or YAML: objects, lists, lists of lists and arrays of them, one or several
// after the other. JSON is read piece by piece, so that a file may be larger than the memory. Errors name the document
// and the line.
func (f *Files) Read(in io.Reader) error {
	counted := &lineCounter{in: in}
	buffered := bufio.NewReaderSize(counted, 64<<10)
	begin, err := buffered.Peek(512)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	begin = bytes.TrimLeft(begin, " \t\r\n\ufeff")
	for _, member := range []string{`{"caption":`, `{"headings":`, `{"data":`, "OVSDB "} {
		if bytes.HasPrefix(begin, []byte(member)) {
			return ErrDump
		}
	}
	if isJSON(begin) {
		return f.readJSON(buffered, counted)
	}
	return f.readYAML(buffered)
}

// isJSON reports whether a text begins as JSON does, and not as YAML in braces.
func isJSON(begin []byte) bool {
	if len(begin) == 0 || begin[0] != '{' && begin[0] != '[' {
		return false
	}
	rest := bytes.TrimLeft(begin[1:], " \t\r\n")
	return len(rest) == 0 || bytes.IndexByte([]byte("\"{[]}"), rest[0]) >= 0
}

// lineCounter counts the lines that were read.
type lineCounter struct {
	in    io.Reader
	lines int
}

// Read implements io.Reader.
func (l *lineCounter) Read(p []byte) (int, error) {
	n, err := l.in.Read(p)
	l.lines += bytes.Count(p[:n], []byte("\n"))
	return n, err
}

// jsonReader reads the values of one file.
type jsonReader struct {
	files *Files
	*jsontext.Decoder

	buffered *bufio.Reader
	counted  *lineCounter
}

func (f *Files) readJSON(buffered *bufio.Reader, counted *lineCounter) error {
	r := &jsonReader{f, jsontext.NewDecoder(buffered), buffered, counted}
	for n := 1; ; n++ {
		kind := r.PeekKind()
		if kind == 0 {
			if _, err := r.ReadToken(); errors.Is(err, io.EOF) {
				return nil
			}
		}
		if err := r.value(kind, schema.GroupVersionKind{}); err != nil {
			return fmt.Errorf("document %d (line %d): %w", n, r.line(), err)
		}
	}
}

// line returns the line up to which was read.
func (r *jsonReader) line() int {
	unread := r.UnreadBuffer()
	rest := bytes.TrimLeft(unread, " \t\r\n,") // what is wrong stands behind these
	ahead := bytes.Count(rest, []byte("\n"))
	if more, err := r.buffered.Peek(r.buffered.Buffered()); err == nil {
		ahead += bytes.Count(more, []byte("\n"))
	}
	return r.counted.lines - ahead + 1
}

// value reads an object, or an array of them.
func (r *jsonReader) value(kind jsontext.Kind, of schema.GroupVersionKind) error {
	switch kind {
	case '{':
		return r.object()
	case '[':
		return r.array("", of)
	}
	if _, err := r.ReadValue(); err != nil {
		return err
	}
	return errors.New("want an object")
}

// array reads objects of the same kind, where of says one.
func (r *jsonReader) array(path string, of schema.GroupVersionKind) error {
	if _, err := r.ReadToken(); err != nil {
		return err
	}
	for n := 0; r.PeekKind() != ']'; n++ {
		raw, err := r.ReadValue()
		if err == nil {
			err = r.files.item(raw, of)
		}
		if err != nil {
			return fmt.Errorf("%s[%d]: %w", path, n, err)
		}
	}
	_, err := r.ReadToken()
	return err
}

// object reads an object, which may be a list. The items of a list are read one by one;
// the members of anything else are put together again.
func (r *jsonReader) object() error {
	if _, err := r.ReadToken(); err != nil {
		return err
	}
	whole := []byte{'{'}
	isList := false
	// Where items come before the kind of their list, those that need it wait for it.
	var bare [][]byte
	var h header
	for r.PeekKind() != '}' {
		name, err := r.ReadValue()
		if err != nil {
			return err
		}
		member, err := jsontext.AppendUnquote(nil, name)
		if err != nil {
			return err
		}
		quoted := bytes.Clone(name)
		if string(member) == "items" && r.PeekKind() == '[' {
			isList = true
			if err := r.items(h, &bare); err != nil {
				return err
			}
			continue
		}
		value, err := r.ReadValue()
		if err != nil {
			return err
		}
		switch string(member) {
		case "kind":
			h.Kind = unquoted(value)
		case "apiVersion":
			h.APIVersion = unquoted(value)
		}
		if len(whole) > 1 {
			whole = append(whole, ',')
		}
		whole = append(append(append(whole, quoted...), ':'), value...)
	}
	if _, err := r.ReadToken(); err != nil {
		return err
	}
	if !isList {
		return r.files.item(append(whole, '}'), schema.GroupVersionKind{})
	}
	of, err := r.files.list(h)
	if err != nil {
		return err
	}
	for _, raw := range bare {
		if err := r.files.item(raw, of); err != nil {
			return fmt.Errorf("items: %w", err)
		}
	}
	return nil
}

// items reads the items of a list.
func (r *jsonReader) items(list header, bare *[][]byte) error {
	if of, err := r.files.list(list); err == nil {
		return r.array("items", of)
	}
	if _, err := r.ReadToken(); err != nil {
		return err
	}
	for n := 0; r.PeekKind() != ']'; n++ {
		raw, err := r.ReadValue()
		if err != nil {
			return fmt.Errorf("items[%d]: %w", n, err)
		}
		switch err := r.files.item(raw, schema.GroupVersionKind{}); {
		case errors.Is(err, errNoKind):
			*bare = append(*bare, bytes.Clone(raw))
		case err != nil:
			return fmt.Errorf("items[%d]: %w", n, err)
		}
	}
	_, err := r.ReadToken()
	return err
}

func unquoted(value jsontext.Value) string {
	text, err := jsontext.AppendUnquote(nil, value)
	if err != nil {
		return "" // it is no text
	}
	return string(text)
}

// list takes the kind of a list and returns that of its items; none for a List of several kinds.
func (f *Files) list(h header) (schema.GroupVersionKind, error) {
	if h.Kind == "" || h.APIVersion == "" {
		return schema.GroupVersionKind{}, errNoKind
	}
	kind := h.groupVersionKind()
	kind.Kind = strings.TrimSuffix(kind.Kind, "List")
	if kind.Kind == "" {
		return schema.GroupVersionKind{}, nil
	}
	f.listed[kind] = true
	return kind, nil
}

// item takes an object, or the objects of a list, as JSON.
func (f *Files) item(raw []byte, of schema.GroupVersionKind) error {
	var h header
	if err := json.Unmarshal(raw, &h); err != nil {
		return fmt.Errorf("want an object: %w", err)
	}
	if h.Items.Kind() != '[' {
		return f.add(raw, h, of)
	}
	r := &jsonReader{files: f, Decoder: jsontext.NewDecoder(bytes.NewBuffer(raw))}
	return r.object()
}

// readYAML reads documents of YAML.
func (f *Files) readYAML(in io.Reader) error {
	data, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	for _, d := range Documents(data) {
		raw, err := yaml.YAMLToJSON(d.Text)
		if err == nil && string(raw) != "null" {
			err = f.document(raw)
		}
		if err != nil {
			return fmt.Errorf("document %d (line %d): %w", d.Number, d.Line, err)
		}
	}
	return nil
}

// document takes what one document has, as JSON.
func (f *Files) document(raw []byte) error {
	r := &jsonReader{files: f, Decoder: jsontext.NewDecoder(bytes.NewBuffer(raw))}
	return r.value(r.PeekKind(), schema.GroupVersionKind{})
}
