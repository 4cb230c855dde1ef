package archtest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const threatsDoc = "docs/threats.md"

var (
	// threatRow is a row of the tables of threats: the number, the attempt, what stops it, the tests.
	threatRow = regexp.MustCompile(`(?m)^\| (T?[0-9]{2}) \| ([^|]+) \| ([^|]+) \| ([^|]*)\|$`)
	// threatTest is the name of a test that tries a numbered threat.
	threatTest = regexp.MustCompile(`^TestThreat(T?[0-9]{2})[A-Z]`)
)

// testsOf returns the tests of both modules, with any build tag.
func testsOf(t *testing.T) map[string]bool {
	t.Helper()
	found := make(map[string]bool)
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := d.Name(); d.IsDir() &&
			(name == "testdata" || name == "bin" || strings.HasPrefix(name, ".") && len(name) > 2) {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, decl := range f.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil && strings.HasPrefix(fn.Name.Name, "Test") {
				found[fn.Name.Name] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// The tables of threats are complete, name only tests that exist, and name every test of a threat in its row. A threat
// without a test is marked as out of scope.
func TestThreatsAreTried(t *testing.T) {
	doc, err := os.ReadFile(filepath.Join("../..", threatsDoc))
	if err != nil {
		t.Fatal(err)
	}
	tests := testsOf(t)
	rows := make(map[string][]string)
	var numbers []string
	for _, row := range threatRow.FindAllStringSubmatch(string(doc), -1) {
		number, named := row[1], strings.Fields(row[4])
		numbers, rows[number] = append(numbers, number), named
		for _, name := range named {
			if !tests[name] {
				t.Errorf("%s, %s: there is no test %s", threatsDoc, number, name)
			}
		}
		if len(named) == 0 && !strings.Contains(strings.ToLower(row[3]), "out of scope") {
			t.Errorf("%s, %s: no test, and not out of scope", threatsDoc, number)
		}
	}
	var want []string
	for n := range 49 {
		want = append(want, fmt.Sprintf("%02d", n+1))
	}
	for n := range 27 {
		want = append(want, fmt.Sprintf("T%02d", n+1))
	}
	for _, number := range want {
		if !slices.Contains(numbers, number) {
			t.Errorf("%s lacks row %s", threatsDoc, number)
		}
	}
	for i := 1; i < len(numbers); i++ { // later ones may skip numbers
		if numbers[i] <= numbers[i-1] {
			t.Errorf("%s has row %s behind %s", threatsDoc, numbers[i], numbers[i-1])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(tests)) {
		if !strings.HasPrefix(name, "TestThreat") || name == "TestThreatsAreTried" {
			continue
		}
		match := threatTest.FindStringSubmatch(name)
		if match == nil {
			t.Errorf(
				"%s: a test of a threat is named TestThreat, two digits with T before them where it is Kube-OVN's, "+
					"and what is tried",
				name,
			)
			continue
		}
		if !slices.Contains(rows[match[1]], name) {
			t.Errorf("%s, %s: the row does not name %s", threatsDoc, match[1], name)
		}
	}
}
