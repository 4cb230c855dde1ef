package archtest

import (
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/ovnguard/ovnguard"

// deps returns every package that pkg links, except itself.
func deps(t *testing.T, pkg string) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", pkg)
	cmd.Dir = "../.."
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list -deps %s: %v", pkg, err)
	}
	all := strings.Fields(string(out))
	if len(all) == 0 || all[len(all)-1] != pkg {
		t.Fatalf("go list -deps %s does not end with it; is the package still there?", pkg)
	}
	return all[:len(all)-1]
}

// standard reports whether a package is of the standard library: its first path element has no dot.
func standard(pkg string) bool {
	first, _, _ := strings.Cut(pkg, "/")
	return !strings.Contains(first, ".")
}

// Judgement is pure: it knows no client, no network and no log, so that webhook, audit and command line can all use it,
// and tables and fuzzers can test it. The list here has everything that it may link in addition to the standard
// library.
func TestJudgementIsPure(t *testing.T) {
	const ordered = "github.com/tidwall/btree" // it links the standard library alone
	pure := map[string][]string{
		module + "/portsec":             {module + "/portsec"},
		module + "/internal/kubeovn":    {},
		module + "/internal/layout":     {module + "/internal/kubeovn"},
		module + "/internal/policy":     {module + "/internal/kubeovn", module + "/portsec"},
		module + "/internal/persistent": {},
		module + "/internal/inventory": {
			module + "/internal/acl",
			module + "/internal/ovnmatch",
			module + "/internal/kubeovn",
			module + "/internal/policy",
			module + "/internal/persistent",
			module + "/portsec",
			ordered,
		},
		module + "/internal/audit": {
			module + "/internal/acl",
			module + "/internal/ovnmatch",
			module + "/internal/kubeovn",
			module + "/internal/policy",
			module + "/internal/persistent",
			module + "/internal/inventory",
			module + "/portsec",
			ordered,
		},
		module + "/internal/repair": {
			module + "/internal/acl",
			module + "/internal/ovnmatch",
			module + "/internal/kubeovn",
			module + "/internal/policy",
			module + "/internal/persistent",
			module + "/internal/inventory",
			module + "/internal/audit",
			module + "/portsec",
			ordered,
		},
	}
	for pkg, allowed := range pure {
		for _, dep := range deps(t, pkg) {
			switch {
			case dep == "net/http" || dep == "log" || dep == "log/slog" || dep == "os/exec":
				t.Errorf("%s links %s: judgement has no side effects", pkg, dep)
			case standard(dep):
			case !slices.ContainsFunc(allowed, func(a string) bool {
				return dep == a || strings.HasPrefix(dep, module+"/portsec/") && a == module+"/portsec"
			}):
				t.Errorf(
					"%s links %s: judgement stands on the standard library and the packages above it alone",
					pkg,
					dep,
				)
			}
		}
	}
}

// docs/architecture.md says for every package of the product which packages it may import.
func TestImportsAreAsWritten(t *testing.T) {
	text, err := os.ReadFile("../../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	name := regexp.MustCompile("`([^`]+)`")
	written := make(map[string][]string)
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		pkg := name.FindStringSubmatch(cells[0])
		if !strings.HasPrefix(line, "| `") || len(cells) != 3 || pkg == nil {
			continue
		}
		written[pkg[1]] = []string{}
		for _, m := range name.FindAllStringSubmatch(cells[2], -1) {
			written[pkg[1]] = append(written[pkg[1]], m[1])
		}
	}
	cmd := exec.CommandContext(t.Context(), "go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`,
		"./cmd/...", "./portsec/...", "./api/...", "./internal/...")
	cmd.Dir, cmd.Stderr = "../..", os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(strings.ReplaceAll(line, module+"/", "./"))
		pkg, imports := strings.TrimPrefix(words[0], "./"), []string{}
		for _, w := range words[1:] {
			if own, ok := strings.CutPrefix(w, "./"); ok {
				imports = append(imports, strings.TrimPrefix(own, "internal/"))
			}
		}
		want, listed := written[pkg]
		slices.Sort(imports)
		slices.Sort(want)
		if !listed || !slices.Equal(imports, want) {
			t.Errorf("docs/architecture.md: %s imports %q, and its row says %q", pkg, imports, want)
		}
		delete(written, pkg)
	}
	for pkg := range written {
		t.Errorf("docs/architecture.md: there is no package %s", pkg)
	}
}

// Only one package knows the client library of the OVN databases, and everything else knows that package. The benchmark
// compares the two, and is the only place that knows both.
func TestLibovsdbIsWrappedOnce(t *testing.T) {
	const library, wrapper, benchmark = "github.com/ovn-kubernetes/libovsdb", "internal/ovn", "test/bench/ovn"
	found := false
	eachImport(t, func(file, path string) {
		if !strings.HasPrefix(path, library) {
			return
		}
		found = true
		if !strings.HasPrefix(file, wrapper+"/") && !strings.HasPrefix(file, benchmark+"/") {
			t.Errorf("%s imports %s: only %s may", file, path, wrapper)
		}
	})
	if !found {
		t.Errorf("nobody imports %s: this rule is stale", library)
	}
}

// The program does not carry test code. libovsdb's client would bring it in: it ships a model for its own tests that
// links testing and testify.
func TestNothingShipsTestCode(t *testing.T) {
	for _, dep := range deps(t, module+"/cmd/ovnguard") {
		if dep == "testing" || strings.HasPrefix(dep, "github.com/stretchr/testify") {
			t.Errorf("the program links %s", dep)
		}
	}
}

// Kubernetes itself and etcd belong to the lab's module.
func TestProductDoesNotCarryTheControlPlane(t *testing.T) {
	for _, dep := range deps(t, module+"/cmd/ovnguard") {
		if strings.HasPrefix(dep, "k8s.io/kubernetes") || strings.HasPrefix(dep, "go.etcd.io/") ||
			strings.HasPrefix(dep, module+"/lab") {
			t.Errorf("the program links %s", dep)
		}
	}
}

// Properties try the same cases wherever they run: a test that fails now and then says nothing about the change under
// test.
func TestPropertiesHaveASeed(t *testing.T) {
	const library, seed = "pgregory.net/rapid", module + "/test/sameseed"
	uses, seeded := make(map[string]bool), make(map[string]bool)
	eachImport(t, func(file, path string) {
		switch path {
		case library:
			uses[filepath.Dir(file)] = true
		case seed:
			seeded[filepath.Dir(file)] = true
		}
	})
	for dir := range uses {
		if !seeded[dir] && module+"/"+dir != seed {
			t.Errorf("%s uses %s: one of its tests must import %s", dir, library, seed)
		}
	}
	if len(seeded) == 0 {
		t.Errorf("nobody imports %s: this rule is stale", seed)
	}
}

// Every package has a doc comment.
func TestEveryPackageHasADoc(t *testing.T) {
	documented := map[string]bool{}
	eachFile(t, func(path string) {
		if strings.HasSuffix(path, "_test.go") {
			return
		}
		dir := filepath.Dir(path)
		f, err := parser.ParseFile(
			token.NewFileSet(),
			filepath.Join("../..", path),
			nil,
			parser.PackageClauseOnly|parser.ParseComments,
		)
		if err != nil {
			t.Fatal(err)
		}
		documented[dir] = documented[dir] || f.Doc != nil
	})
	for dir, ok := range documented {
		if !ok {
			t.Errorf("package %s has no doc comment", dir)
		}
	}
}

func eachImport(t *testing.T, do func(file, path string)) {
	t.Helper()
	eachFile(t, func(path string) {
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join("../..", path), nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range f.Imports {
			do(path, strings.Trim(i.Path.Value, `"`))
		}
	})
}

// eachFile walks the Go files of the product's module; the lab is another module with rules of its own.
func eachFile(t *testing.T, do func(path string)) {
	t.Helper()
	err := filepath.WalkDir("../..", func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel("../..", path)
		if err != nil {
			return err
		}
		if d.IsDir() &&
			(rel == "lab" || rel == "tools" || rel == "bin" || d.Name() == "testdata" || strings.HasPrefix(d.Name(),
				".") && rel != ".") {
			return filepath.SkipDir
		}
		if !d.IsDir() && strings.HasSuffix(path, ".go") {
			do(rel)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
