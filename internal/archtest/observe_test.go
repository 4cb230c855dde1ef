package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ovnguard/ovnguard/internal/status"
)

const observeDoc = "docs/observe.md"

// metricName is the name of one of the program's metrics.
var metricName = regexp.MustCompile(`^ovnguard_[a-z]+(_[a-z]+)*$`)

// metricsInCode returns the names of metrics in the code. No other text has that form.
func metricsInCode(t *testing.T) []string {
	t.Helper()
	names := make(map[string]bool)
	eachFile(t, func(path string) {
		if strings.HasSuffix(path, "_test.go") || !strings.HasPrefix(path, "internal/") {
			return
		}
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join("../..", path), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				if text, err := strconv.Unquote(lit.Value); err == nil && metricName.MatchString(text) {
					names[text] = true
				}
			}
			return true
		})
	})
	if len(names) == 0 {
		t.Fatal("the code has no metrics: this rule is stale")
	}
	return slices.Sorted(maps.Keys(names))
}

// Every metric is documented, and every documented metric exists.
func TestMetricsAreDocumented(t *testing.T) {
	doc, err := os.ReadFile(filepath.Join("../..", observeDoc))
	if err != nil {
		t.Fatal(err)
	}
	documented := make(map[string]bool)
	for _, row := range regexp.MustCompile("(?m)^\\| `(ovnguard_[a-z_]+)` \\|").FindAllStringSubmatch(string(doc), -1) {
		documented[row[1]] = true
	}
	if diff := cmp.Diff(metricsInCode(t), slices.Sorted(maps.Keys(documented))); diff != "" {
		t.Errorf("%s against the code: -code +documented\n%s", observeDoc, diff)
	}
}

// reasonsInCode returns the reasons of Events that stand in the code: constants of package events with names that begin
// with Reason, and literals for the field Reason of an Event or a Notice elsewhere.
func reasonsInCode(t *testing.T) []string {
	t.Helper()
	reasons := make(map[string]bool)
	note := func(e ast.Expr) {
		if lit, ok := e.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			if text, err := strconv.Unquote(lit.Value); err == nil {
				reasons[text] = true
			}
		}
	}
	eachFile(t, func(path string) {
		if strings.HasSuffix(path, "_test.go") || !strings.HasPrefix(path, "internal/") {
			return
		}
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join("../..", path), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ValueSpec:
				for i, value := range n.Values {
					if strings.HasPrefix(path, "internal/events/") && strings.HasPrefix(n.Names[i].Name, "Reason") {
						note(value)
					}
				}
			case *ast.CompositeLit:
				if kind, ok := n.Type.(*ast.SelectorExpr); !ok ||
					kind.Sel.Name != "Event" && kind.Sel.Name != "Notice" {
					break
				}
				for _, field := range n.Elts {
					if pair, ok := field.(*ast.KeyValueExpr); ok {
						if name, ok := pair.Key.(*ast.Ident); ok && name.Name == "Reason" {
							note(pair.Value)
						}
					}
				}
			}
			return true
		})
	})
	if len(reasons) == 0 {
		t.Fatal("the code has no reasons of Events: this rule is stale")
	}
	return slices.Sorted(maps.Keys(reasons))
}

// Every reason of an Event is documented, and every reason that is documented is there.
func TestEventsAreDocumented(t *testing.T) {
	doc, err := os.ReadFile(filepath.Join("../..", observeDoc))
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(doc), "\n## Events\n")
	if !found {
		t.Fatalf("%s has no section about Events: this rule is stale", observeDoc)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	var documented []string
	row := regexp.MustCompile("(?m)^\\| `([A-Za-z]+)` \\| (?:Warning|Normal) \\|")
	for _, row := range row.FindAllStringSubmatch(section, -1) {
		documented = append(documented, row[1])
	}
	slices.Sort(documented)
	if diff := cmp.Diff(reasonsInCode(t), documented); diff != "" {
		t.Errorf("%s against the code: -code +documented\n%s", observeDoc, diff)
	}
}

// Every reason for which an exception has no effect is documented.
func TestReasonsAreDocumented(t *testing.T) {
	doc, err := os.ReadFile(filepath.Join("../..", observeDoc))
	if err != nil {
		t.Fatal(err)
	}
	for _, reason := range status.Reasons() {
		if !strings.Contains(string(doc), "`"+string(reason)+"`") {
			t.Errorf("%s says nothing of %s", observeDoc, reason)
		}
	}
}

// Every reason that policy may return is counted.
func TestReasonsAreCounted(t *testing.T) {
	f, err := parser.ParseFile(token.NewFileSet(), "../policy/exception.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var words []string
	ast.Inspect(f, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if kind, ok := spec.Type.(*ast.Ident); ok && kind.Name == "Reason" {
			for _, v := range spec.Values {
				if lit, ok := v.(*ast.BasicLit); ok {
					words = append(words, strings.Trim(lit.Value, `"`))
				}
			}
		}
		return true
	})
	var counted []string
	for _, r := range status.Reasons() {
		counted = append(counted, string(r))
	}
	slices.Sort(words)
	slices.Sort(counted)
	if diff := cmp.Diff(words, counted); diff != "" {
		t.Errorf("reasons: -policy +counted\n%s", diff)
	}
}
