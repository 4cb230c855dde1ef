package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// gap stands in a message, and in an entry of the page, for text that differs from case to case.
const gap = "…"

// formatAt says for the functions that make errors, or what stands for them, which argument is the message. A function
// without a package is the product's own.
var formatAt = map[string]int{
	"fmt.Errorf": 0,
	"errors.New": 0,
	"bad":        0, // wrong flags that are told together; where a flag comes first, it is a part of the message
	"fault":      1, // answers of the API
	"unclear":    0, // what is not known of Kube-OVN's layout
	"Deny":       0, // refusals of what governs ports; those of pods have IDs, and pages of their own
	"Warn":       0, // warnings of admission
}

// message is a text that users can meet, as it stands in the code.
type message struct {
	text string // verbs are gaps
	at   string // file and line
	// needed means that the page must have it: it is an error, or a line of the log that tells of trouble. What is not
	// needed may be on the page.
	needed bool
}

// source is one package of the product, parsed.
type source struct {
	set    *token.FileSet
	files  []*ast.File
	consts map[string]string
}

// sources returns the packages below internal, portsec and api, without their tests.
func sources(t *testing.T) map[string]*source {
	t.Helper()
	found := make(map[string]*source)
	eachFile(t, func(path string) {
		top, _, _ := strings.Cut(path, "/")
		if strings.HasSuffix(path, "_test.go") || top != "internal" && top != "portsec" && top != "api" {
			return
		}
		dir := filepath.Dir(path)
		s := found[dir]
		if s == nil {
			s = &source{set: token.NewFileSet(), consts: make(map[string]string)}
			found[dir] = s
		}
		f, err := parser.ParseFile(s.set, filepath.Join("../..", path), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		s.files = append(s.files, f)
		constants(f, s.consts)
	})
	return found
}

// constants adds the constants of texts that are declared below a node.
func constants(below ast.Node, to map[string]string) {
	ast.Inspect(below, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && len(spec.Names) == len(spec.Values) {
			for i, v := range spec.Values {
				if text, ok := literal(v); ok {
					to[spec.Names[i].Name] = text
				}
			}
		}
		return true
	})
}

// literal returns the text of a literal, or of a sum with a literal in it; other parts are gaps.
func literal(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		return text, err == nil && e.Kind == token.STRING
	case *ast.ParenExpr:
		return literal(e.X)
	case *ast.BinaryExpr:
		left, isLeft := literal(e.X)
		right, isRight := literal(e.Y)
		if !isLeft {
			left = gap
		}
		if !isRight {
			right = gap
		}
		return left + right, e.Op == token.ADD && (isLeft || isRight)
	case *ast.CallExpr: // fmt.Sprintf within errors.New, or as an argument
		if called(e) == "fmt.Sprintf" && len(e.Args) > 0 {
			return literal(e.Args[0])
		}
	}
	return "", false
}

// called returns the name of the function that is called: fmt.Errorf, or fault for the function or method of that name.
func called(c *ast.CallExpr) string {
	switch f := c.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		if x, ok := f.X.(*ast.Ident); ok && (x.Name == "fmt" || x.Name == "errors") {
			return x.Name + "." + f.Sel.Name
		}
		return f.Sel.Name
	}
	return ""
}

var (
	verb  = regexp.MustCompile(`%[-+#0-9.]*[a-zA-Z]|%%`)
	gaps  = regexp.MustCompile(gap + "+")
	blank = regexp.MustCompile(`\s+`)
	word  = regexp.MustCompile(`[A-Za-z]{2,}`)
	// flagName is the name of a flag without the dashes.
	flagName = regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`)
	flag     = regexp.MustCompile(`--[a-z…][a-z-]*`)
)

// normalised returns a format on one line, with gaps for its verbs and without backquotes.
func normalised(format string) string {
	text := verb.ReplaceAllStringFunc(format, func(v string) string {
		if v == "%%" {
			return "%"
		}
		return gap
	})
	text = blank.ReplaceAllString(strings.ReplaceAll(text, "`", ""), " ")
	return strings.TrimSpace(gaps.ReplaceAllString(text, gap))
}

// continues reports whether a format begins with the text of another error: that one has an entry.
func continues(format string) bool { return strings.HasPrefix(format, "%w") }

// leads reports whether a message only says where something is: a flag, a name or one word, and a gap at its end. What
// stands in the gap has an entry.
func leads(text string) bool {
	return !says(text) && (strings.HasSuffix(text, ": "+gap) || strings.HasSuffix(text, gap) && !word.MatchString(text))
}

// says reports whether there are two words or more in a message, besides flags.
func says(text string) bool { return len(word.FindAllString(flag.ReplaceAllString(text, ""), -1)) > 1 }

// errorText returns the message of an error that is made at n; nil where none is. before comes first in it.
func errorText(n ast.Node) (before string, format ast.Expr) {
	switch n := n.(type) {
	case *ast.CallExpr:
		at, ok := formatAt[called(n)]
		if !ok || at >= len(n.Args) {
			return "", nil
		}
		if text, ok := literal(n.Args[at]); ok && called(n) == "bad" && flagName.MatchString(text) {
			return "--" + text + ": ", n.Args[at+1]
		}
		return "", n.Args[at]
	case *ast.CompositeLit:
		name, ok := n.Type.(*ast.Ident)
		if ok && len(n.Elts) > 1 && (name.Name == "httpError" || name.Name == "Problem") {
			return "", n.Elts[1]
		}
	}
	return "", nil
}

// logText returns the message of a line of the log that tells of trouble: it has an error or a reason, or is a warning;
// nil where n logs nothing, or what is usual.
func logText(n ast.Node) ast.Expr {
	if pair, ok := n.(*ast.KeyValueExpr); ok { // what a publisher logs while it fails
		if name, ok := pair.Key.(*ast.Ident); ok && name.Name == "Failing" {
			return pair.Value
		}
	}
	c, ok := n.(*ast.CallExpr)
	if !ok || len(c.Args) == 0 {
		return nil
	}
	f, ok := c.Fun.(*ast.SelectorExpr)
	if !ok {
		return nil
	}
	if x, ok := f.X.(*ast.CallExpr); ok && called(x) == "V" { // lines for developers
		return nil
	}
	switch text, _ := literal(c.Args[0]); {
	case f.Sel.Name == "Error" && len(c.Args) > 1:
		return c.Args[1]
	case f.Sel.Name == "Info" && strings.HasPrefix(text, "WARNING"):
		return c.Args[0]
	case f.Sel.Name == "Info":
		for _, arg := range c.Args[1:] {
			if key, _ := literal(arg); key == "reason" {
				return c.Args[0]
			}
		}
	}
	return nil
}

// messages returns the texts in the code that users can meet.
func messages(t *testing.T) []message {
	t.Helper()
	var all []message
	for _, s := range sources(t) {
		all = append(all, s.messages()...)
	}
	return all
}

// messages returns the texts in one package.
func (s *source) messages() []message {
	var all []message
	note := func(before string, e ast.Expr, needed bool) {
		text, ok := literal(e)
		if text = before + text; !ok || needed && continues(text) {
			return
		}
		if text = normalised(text); text != gap && (!needed || !leads(text)) {
			at := s.set.Position(e.Pos())
			path := strings.TrimPrefix(filepath.ToSlash(at.Filename), "../../")
			all = append(all, message{text, path + ":" + strconv.Itoa(at.Line), needed})
		}
	}
	for _, f := range s.files {
		ast.Inspect(f, func(n ast.Node) bool {
			if before, format := errorText(n); format != nil {
				note(before, format, true)
			} else if format := logText(n); format != nil {
				note("", format, true)
			}
			if e, ok := n.(ast.Expr); ok {
				note("", e, false)
			}
			return true
		})
	}
	return all
}

// Texts in code become messages as these do, and what has no row of its own has none for a reason.
func TestTextsOfMessages(t *testing.T) {
	for code, want := range map[string]string{
		`fmt.Errorf("--for: %s: it lasts until %s already", a, b)`:    "--for: …: it lasts until … already",
		`fmt.Errorf("read the " + what + ": %w", err)`:                "read the …: …",
		`fmt.Errorf("%d%% of %q\n%s", a, b, c)`:                       "…% of … …",
		`errors.New("a " + "b")`:                                      "a b",
		"errors.New(\"see `ovnguard rules`\")":                        "see ovnguard rules",
		`bad("webhook-service", "%q: want namespace/name", o)`:        "--webhook-service: …: want namespace/name",
		`fault(400, "?limit=%s: want a number", text)`:                "?limit=…: want a number",
		`&httpError{429, fmt.Sprintf("user %q may ask", name), 1}`:    "user … may ask",
		`log.Info("a port could not be put right", "reason", why)`:    "a port could not be put right",
		`log.Error(err, "workloads are not followed")`:                "workloads are not followed",
		`r.Log.Info("WARNING: nobody is registered", "namespace", n)`: "WARNING: nobody is registered",
		`loop{Failing: "an Event could not be written"}`:              "an Event could not be written",

		`log.Info("the webhook is served", "address", a)`:        "",
		`log.V(1).Info("a connection failed", "reason", text)`:   "",
		`fmt.Errorf("--nb: %s: %w", path, err)`:                  "",
		`fmt.Errorf("document %d: %w", n, err)`:                  "",
		`fmt.Errorf("%w; an administrator can grant it", err)`:   "",
		`errors.New(strings.Join(lacking, ", and "))`:            "",
		`fmt.Sprintf("no error, though the text looks like it")`: "",
	} {
		e, err := parser.ParseExpr(code)
		if err != nil {
			t.Fatalf("%s: %v", code, err)
		}
		s := source{set: token.NewFileSet(), files: []*ast.File{{
			Name:  ast.NewIdent("p"),
			Decls: []ast.Decl{&ast.GenDecl{Specs: []ast.Spec{&ast.ValueSpec{Values: []ast.Expr{e}}}}},
		}}}
		var got []string
		for _, m := range s.messages() {
			if m.needed {
				got = append(got, m.text)
			}
		}
		if text := strings.Join(got, " AND "); text != want {
			t.Errorf("%s: %q, want %q", code, text, want)
		}
	}
}
