package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// passed finds the times in answers that differ from day to day.
var passed = regexp.MustCompile(`, \S+( days)? ago|changed \d\S+Z`)

// Every example of docs/cli.md prints what the page says, and the page names every command.
func TestExamplesOfTheCommandLine(t *testing.T) {
	isolate(t)
	text, err := os.ReadFile("../../docs/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, from := range map[string]string{
		"cluster.json": unpack(t, recordedCluster),
		"ovnnb_db.db":  unpack(t, recordedDatabase),
		"town.yaml":    "testdata/check-cluster.yaml", "web.yaml": "testdata/web.yaml",
		"edge.yaml": "testdata/explain-cluster.yaml", "journal.json": "testdata/journal.json",
		"branch.yaml": "testdata/branch.yaml",
		"strict.yaml": "testdata/strict.yaml",
	} {
		data, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	page := string(text)
	for _, sub := range newRootCommand("ovnguard").Commands() {
		if name := sub.Name(); name != "help" && !strings.Contains(page, "`"+name) {
			t.Errorf("docs/cli.md does not name %s", name)
		}
	}
	shown, err := os.ReadFile("testdata/web.yaml")
	if err != nil || !strings.Contains(page, "```yaml\n"+string(shown)+"```") {
		t.Errorf("docs/cli.md does not have testdata/web.yaml as it is: %v", err)
	}
	t.Chdir(dir)
	examples := 0
	for block := range strings.SplitSeq(page, "```\n") {
		command, want, ok := strings.Cut(block, "\n")
		words, is := strings.CutPrefix(command, "$ ovnguard ")
		if !ok || !is {
			continue
		}
		examples++
		_, out, errs := runMain(strings.Fields(words)...)
		lines := func(s string) []string { return strings.Split(passed.ReplaceAllString(s, ""), "\n") }
		got, expected := lines(out), lines(want)
		expected = slices.DeleteFunc(expected, func(l string) bool { return strings.Contains(l, "ovnguard unknown") })
		got = slices.DeleteFunc(got, func(l string) bool { return strings.Contains(l, "ovnguard "+version) })
		if diff := cmp.Diff(expected, got); diff != "" {
			t.Errorf("%s (-docs +got): %s\n%s", command, errs, diff)
		}
	}
	if examples < 4 {
		t.Errorf("%d examples were found", examples)
	}
}
