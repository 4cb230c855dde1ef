package cli

import (
	"crypto/sha1"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"golang.org/x/net/html"
	"sigs.k8s.io/yaml"

	"github.com/ovnguard/ovnguard/internal/answer"
)

// trial is one way to run a verb: the words after it, and the exit code.
type trial struct {
	code int
	args []string
}

// verbs returns for each verb that looks how it comes to each of its exit codes.
func verbs(t *testing.T) map[string][]trial {
	t.Helper()
	isolate(t)
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	schema := emptySchema + "\n"
	db := write("nb.db", fmt.Sprintf("OVSDB JSON %d %x\n%s", len(schema), sha1.Sum([]byte(schema)), schema))
	pod := func(name, spec string) []string {
		return []string{"--nb", db, "--from", write(name, `{"apiVersion":"v1","kind":"List","items":[`+
			`{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"ns"}},`+
			`{"apiVersion":"v1","kind":"Pod","metadata":{"namespace":"ns","name":"p"},"spec":{`+spec+`}}]}`)}
	}
	with := func(files []string, args ...string) []string { return append(slices.Clone(args), files...) }
	files, clean, unknown := recorded(t), pod("clean.json", `"hostNetwork":true`), pod("unknown.json", `"nodeName":"n"`)
	away := []string{"--kubeconfig", write("config", unreachableConfig)}
	const branch, mine = "testdata/branch.yaml", "0a:00:00:00:00:01 10.16.0.5"
	const nowhere = "unix:/nonexistent/nb.sock"
	silent := []string{"--from", files[1], "--nb", nowhere, "--timeout", "300ms"}
	good := write("good.yaml", `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p"},"spec":{}}`)
	vip := write("vip.yaml", `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p","annotations":`+
		`{"ovn.kubernetes.io/aaps":"v1"}},"spec":{}}`)
	return map[string][]trial{
		"audit": {
			{exitOK, clean},
			{exitFindings, files},
			{exitUsage, files[:2]},
			{exitUsage, with(files, "--rule", "OVG999")},
			{exitUnreachable, away},
			{exitUnreachable, silent},
			{exitIncomplete, unknown},
		},
		"status": {
			{exitOK, clean},
			{exitFindings, files},
			{exitUsage, files[:2]},
			{exitUnreachable, away},
			{exitUnreachable, silent},
			{exitIncomplete, unknown},
		},
		"doctor": {
			{exitOK, files},
			{exitUsage, with(files[:2], "--nb", "http://x")},
			{exitUnreachable, away},
			{exitUnreachable, silent},
			{exitIncomplete, files[:2]},
		},
		"check": {
			{exitOK, []string{"-f", good, "--from", checkCluster}},
			{exitFindings, []string{"-f", "testdata/web.yaml", "--from", checkCluster}},
			{exitUsage, []string{"--from", checkCluster}},
			{exitUnreachable, with(away, "-f", good)},
			{exitIncomplete, with(clean[2:], "-f", vip, "-n", "ns")},
		},
		"explain": {
			{exitOK, with(files, "pod/h03-ps", "-n", "t-nsann")},
			{exitFindings, with(files, "t-nsann/h01-none")},
			{exitFindings, with(files, "pod/nobody")},
			{exitOK, with(files, "ip/10.16.0.5")},
			{exitUsage, with(files, "ip/felix")},
			{exitUnreachable, with(away, "pod/x")},
			{exitUnreachable, with(silent, "pod/x")},
		},
		"reach": {
			{exitOK, with(files, "t-np-a/client-a", "t-np-a/db-1")},
			{exitFindings, with(files, "pod/nobody", "t-np-a/db-1", "-n", "t-np-a")},
			{exitUsage, with(files, "t-np-a/client-a")},
			{exitUsage, with(files, "-n", "t-np-a", "--port", "felix")},
			{exitUnreachable, with(away, "-n", "x")},
			{exitUnreachable, with(silent, "-n", "x")},
		},
		"journal": {
			{exitOK, []string{"--from", "testdata/journal.json"}},
			{exitUsage, []string{"--from", files[1]}},
			{exitUsage, []string{"--from", "testdata/journal.json", "--since", "x"}},
			{exitUnreachable, away},
		},
		"exception list": {
			{exitOK, []string{"--from", checkCluster, "-n", "t"}},
			{exitFindings, []string{"--from", branch}},
			{exitUsage, []string{"--from", branch, "--expiring", "soon"}},
			{exitUnreachable, away},
		},
		"exception prune": {
			{exitOK, []string{"--from", checkCluster, "-n", "t"}},
			{exitFindings, []string{"--from", branch}},
			{exitUsage, []string{"--from", branch, "x"}},
			{exitUnreachable, away},
		},
		"upgrade-check": {
			{exitOK, with(clean, "--to-ovn", "25.03.4", "--ovn-version", "25.03.4")},
			{exitFindings, with(files, "--to-ovn", "25.03.4")},
			{exitUsage, files},
			{exitUsage, with(files, "--to-ovn", "x")},
			{exitUnreachable, with(away, "--to-ovn", "25.03.4")},
			{exitUnreachable, with(silent, "--to-ovn", "25.03.4")},
		},
		"plan": {
			{exitOK, with(files, "-f", "testdata/strict.yaml", "--fail-on", "never", "-n", "t-vpc")},
			{exitFindings, with(files, "-f", "testdata/strict.yaml")},
			{exitUsage, files},
			{exitUnreachable, with(away, "-f", "testdata/strict.yaml")},
			{exitUnreachable, with(silent, "-f", "testdata/strict.yaml")},
		},
		"repair": {
			{exitOK, with(files, "--dry-run")},
			{exitUsage, files},
			{exitUnreachable, with(away, "--dry-run")},
			{exitUnreachable, with(silent, "--dry-run")},
		},
		"frame": {
			{exitOK, []string{"--port-security", mine, "--src-mac", "0a:00:00:00:00:01", "--src-ip", "10.16.0.6"}},
			{exitUsage, []string{"--hex", "zz"}},
		},
		"portsec explain": {
			{exitOK, []string{"--identity", mine, "0a:00:00:00:00:01 10.16.0.0/16", "x\u202e"}},
			{exitUsage, []string{"--era", "E9", "x"}},
		},
		"rules":   {{exitOK, nil}, {exitOK, []string{"OVG003"}}, {exitUsage, []string{"OVG999"}}},
		"version": {{exitOK, nil}, {exitUsage, []string{"x"}}},
	}
}

// unformatted are the verbs that change something, serve, or write one thing in its own form, and so have no -o.
var unformatted = []string{
	"bundle",
	"completion",
	"controller",
	"definitions",
	"exception",
	"exception approve",
	"exception create",
	"exception generate",
	"exception renew",
	"export",
	"help",
	"portsec",
	"reach suggest",
	"render admission-policies",
	"repair confirm",
	"selftest",
	"undo",
	"uninstall",
}

// leaves returns the names of all verbs that do something.
func leaves(cmd *cobra.Command, above string) (names []string) {
	for _, sub := range cmd.Commands() {
		name := strings.TrimSpace(above + " " + sub.Name())
		if sub.HasSubCommands() && sub.Name() != "completion" {
			names = append(names, leaves(sub, name)...)
		}
		if sub.Runnable() {
			names = append(names, name)
		}
	}
	return names
}

// The exit code never depends on the format, each format can be read by what reads it, and wrong usage leaves standard
// output empty.
func TestEveryVerbInEveryFormat(t *testing.T) {
	all := verbs(t)
	for _, name := range leaves(newRootCommand("ovnguard"), "") {
		if _, ok := all[name]; !ok && !slices.Contains(unformatted, name) {
			t.Errorf("verb %s is not tried", name)
		}
	}
	for verb, trials := range all {
		for i, tr := range trials {
			for _, f := range formats {
				args := slices.Concat(strings.Fields(verb), tr.args, []string{"-o", f})
				code, out, errs := runMain(args...)
				at := fmt.Sprintf("%s, trial %d, %s", verb, i, f)
				if code != tr.code {
					t.Errorf("%s: exit code %d, want %d; says %q", at, code, tr.code, errs)
				}
				switch {
				case code == exitUsage && out != "":
					t.Errorf("%s: wrong usage, and an answer: %.80q", at, out)
				case code == exitUsage && errs == "", code == exitUnreachable && errs == "":
					t.Errorf("%s: exit code %d, and nothing is said", at, code)
				case code == exitOK && out == "":
					t.Errorf("%s: no answer", at)
				case out != "":
					if err := readable(f, out); err != nil {
						t.Errorf("%s: %v:\n%.300s", at, err, out)
					}
				}
			}
		}
		code, out, errs := runMain(slices.Concat(strings.Fields(verb), trials[0].args, []string{"-o", "xml"})...)
		if code != exitUsage || out != "" || !strings.Contains(errs, "--output") {
			t.Errorf("%s -o xml: exit code %d, says %q", verb, code, errs)
		}
	}
}

// readable returns what is wrong with an answer in a format.
func readable(format, text string) error {
	for _, r := range text {
		if answer.Hidden(r) && r != '\n' {
			return fmt.Errorf("has %U", r)
		}
	}
	switch format {
	case "json", "yaml":
		if strings.HasPrefix(text, "[") ||
			strings.HasPrefix(text, "- ") { // explain has written a list from the beginning
			return yaml.Unmarshal([]byte(text), new([]any))
		}
		var doc answer.Meta
		read := json.Unmarshal
		if format == "yaml" {
			read = func(data []byte, into any) error { return yaml.Unmarshal(data, into) }
		}
		if err := read([]byte(text), &doc); err != nil {
			return err
		}
		if doc.APIVersion != answer.APIVersion || doc.Kind == "" {
			return fmt.Errorf("apiVersion %q, kind %q", doc.APIVersion, doc.Kind)
		}
	case "csv":
		if _, err := csv.NewReader(strings.NewReader(text)).ReadAll(); err != nil {
			return err
		}
	case "html":
		root, err := html.Parse(strings.NewReader(text))
		if err != nil {
			return err
		}
		for n := range root.Descendants() {
			if n.Type == html.ElementNode && (n.Data == "script" || n.Data == "img" || n.Data == "a") {
				return fmt.Errorf("has element %s", n.Data)
			}
		}
	case "markdown":
		if !strings.HasPrefix(text, "#") {
			return errors.New("has no heading")
		}
	}
	return nil
}
