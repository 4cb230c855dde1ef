package archtest

import (
	"go/ast"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const troubleDoc = "docs/troubleshooting.md"

// Heads of the tables of the page. The first column of a table has entries of the kind that its head names.
const (
	headMessage  = "message"
	headExit     = "exit code"
	headCheck    = "check of doctor"
	headEvent    = "Event"
	headReadyz   = "check of readiness"
	headWait     = "reason to wait"
	headSelftest = "reason of a self-test"
)

// entries returns the code spans in the first columns of the page's tables, by the heads of these.
func entries(t *testing.T) map[string][]string {
	t.Helper()
	doc, err := os.ReadFile(filepath.Join("../..", troubleDoc))
	if err != nil {
		t.Fatal(err)
	}
	span := regexp.MustCompile("`([^`]+)`")
	found := make(map[string][]string)
	head := ""
	for line := range strings.Lines(string(doc)) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if !strings.HasPrefix(line, "|") {
			head = ""
			continue
		}
		if len(cells) != 5 {
			t.Errorf("%s: want three cells in %q", troubleDoc, line)
			continue
		}
		first, cause, cure := strings.TrimSpace(cells[1]), strings.TrimSpace(cells[2]), strings.TrimSpace(cells[3])
		if cause == "" || cure == "" {
			t.Errorf("%s: want a cause and a cure in %q", troubleDoc, line)
		}
		spans := span.FindAllStringSubmatch(first, -1)
		switch {
		case head == "":
			head = first
		case strings.HasPrefix(first, "---"):
		case len(spans) == 0 && head != "symptom":
			t.Errorf("%s: want a code span in the first cell of %q", troubleDoc, line)
		}
		for _, s := range spans {
			found[head] = append(found[head], s[1])
		}
	}
	return found
}

// pattern returns what an entry matches: a gap in it stands for any text.
func pattern(entry string) *regexp.Regexp {
	return regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(entry), gap, ".*") + "$")
}

// Every message that users can meet has an entry in a table of messages, and every entry is a message of the program.
// An error that only says where it is has none of its own, nor does one that begins with the error that it wraps. An
// entry that is not a message word for word has two words or a flag: it could be anything otherwise.
func TestMessagesAreExplained(t *testing.T) {
	patterns := make(map[string]*regexp.Regexp)
	for _, entry := range entries(t)[headMessage] {
		if patterns[entry] != nil {
			t.Errorf("%s: %q is there twice", troubleDoc, entry)
		}
		patterns[entry] = pattern(entry)
	}
	used, needed := make(map[string]bool), 0
	lacking := make(map[string][]string)
	for _, m := range messages(t) {
		explained := false
		for entry, p := range patterns {
			if m.text == entry || p.MatchString(m.text) && (says(entry) || flag.MatchString(entry)) {
				explained, used[entry] = true, true
			}
		}
		if m.needed {
			needed++
			if !explained {
				lacking[m.text] = append(lacking[m.text], m.at)
			}
		}
	}
	if needed < 100 {
		t.Fatalf("the code has %d messages: this rule is stale", needed)
	}
	for _, text := range slices.Sorted(maps.Keys(lacking)) {
		t.Errorf("%s lacks a row (from %s):\n| `%s` | CAUSE | CURE |",
			troubleDoc, strings.Join(lacking[text], ", "), text)
	}
	for _, entry := range slices.Sorted(maps.Keys(patterns)) {
		if !used[entry] {
			t.Errorf("%s: the program has no message %q", troubleDoc, entry)
		}
	}
}

// namesBelow returns the constants of texts with a name that begins so in one package.
func namesBelow(s *source, prefix string) []string {
	var found []string
	for name, text := range s.consts {
		if strings.HasPrefix(name, prefix) {
			found = append(found, text)
		}
	}
	return found
}

// checksOfDoctor returns the names of the checks that `ovnguard doctor` makes.
func checksOfDoctor(t *testing.T, s *source) []string {
	t.Helper()
	var found []string
	for _, f := range s.files {
		for _, decl := range f.Decls {
			local := make(map[string]string)
			constants(decl, local)
			ast.Inspect(decl, func(n ast.Node) bool {
				c, ok := n.(*ast.CallExpr)
				if !ok || len(c.Args) < 3 {
					return true
				}
				f, ok := c.Fun.(*ast.SelectorExpr)
				if !ok || f.Sel.Name != "notReached" && (f.Sel.Name != "add" || len(c.Args) < 4) {
					return true
				}
				text, ok := literal(c.Args[0])
				if name, isName := c.Args[0].(*ast.Ident); isName {
					text, ok = local[name.Name]
				}
				if ok {
					found = append(found, text)
				}
				return true
			})
		}
	}
	return found
}

// readinessChecks returns the names of the checks that the controller serves.
func readinessChecks(s *source) []string {
	var found []string
	for _, f := range s.files {
		ast.Inspect(f, func(n ast.Node) bool {
			lit, ok := n.(*ast.CompositeLit)
			if !ok {
				return true
			}
			kind, ok := lit.Type.(*ast.MapType)
			if !ok {
				return true
			}
			if value, ok := kind.Value.(*ast.SelectorExpr); !ok || value.Sel.Name != "Checker" {
				return true
			}
			for _, e := range lit.Elts {
				if pair, ok := e.(*ast.KeyValueExpr); ok {
					if text, ok := literal(pair.Key); ok {
						found = append(found, text)
					}
				}
			}
			return true
		})
	}
	return found
}

// typed returns the constants of a type of texts.
func typed(s *source, kind string) []string {
	var found []string
	for _, f := range s.files {
		ast.Inspect(f, func(n ast.Node) bool {
			if spec, ok := n.(*ast.ValueSpec); ok {
				if name, ok := spec.Type.(*ast.Ident); ok && name.Name == kind && len(spec.Values) == 1 {
					if text, ok := literal(spec.Values[0]); ok {
						found = append(found, text)
					}
				}
			}
			return true
		})
	}
	return found
}

// exitCodes returns the exit codes of the commands but 0.
func exitCodes(s *source) []string {
	var found []string
	for _, f := range s.files {
		ast.Inspect(f, func(n ast.Node) bool {
			if spec, ok := n.(*ast.ValueSpec); ok && len(spec.Values) == 1 &&
				strings.HasPrefix(spec.Names[0].Name, "exit") {
				if code, ok := spec.Values[0].(*ast.BasicLit); ok {
					found = append(found, code.Value)
				}
			}
			return true
		})
	}
	return found
}

// warnings returns the reasons of Events that docs/observe.md calls warnings; another test holds that page complete.
func warnings(t *testing.T) []string {
	t.Helper()
	doc, err := os.ReadFile(filepath.Join("../..", observeDoc))
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, row := range regexp.MustCompile("(?m)^\\| `([A-Za-z]+)` \\| Warning \\|").FindAllStringSubmatch(string(doc), -1) {
		found = append(found, row[1])
	}
	return found
}

// Everything else that has a name when something is wrong has a row: exit codes, checks, Events, reasons.
func TestNamesOfTroubleAreExplained(t *testing.T) {
	in, written := sources(t), entries(t)
	for head, names := range map[string][]string{
		headExit:   exitCodes(in["internal/cli"]),
		headCheck:  checksOfDoctor(t, in["internal/cli"]),
		headEvent:  warnings(t),
		headReadyz: readinessChecks(in["internal/controller"]),
		headWait:   namesBelow(in["internal/repair/apply"], "state"),
		headSelftest: slices.DeleteFunc(typed(in["internal/selftest"], "reason"), func(r string) bool {
			return r == "pass"
		}),
	} {
		slices.Sort(names)
		names = slices.Compact(names)
		slices.Sort(written[head])
		if len(names) == 0 {
			t.Errorf("the code has no %s: this rule is stale", head)
		}
		if diff := cmp.Diff(names, written[head]); diff != "" {
			t.Errorf("%s, table of %q: -code +page\n%s", troubleDoc, head, diff)
			for _, name := range names {
				if !slices.Contains(written[head], name) {
					t.Errorf("| `%s` | CAUSE | CURE |", name)
				}
			}
		}
		delete(written, head)
	}
	delete(written, headMessage)
	delete(written, "symptom")
	if len(written) > 0 {
		t.Errorf("%s: no rule knows tables of %q", troubleDoc, slices.Sorted(maps.Keys(written)))
	}
}
