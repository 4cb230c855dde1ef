package cli

import (
	"crypto/sha1"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ovnguard/ovnguard/internal/report"
)

// recordedFiles returns the arguments for an audit of a recorded cluster, from files alone.
func recordedFiles(t *testing.T) []string {
	t.Helper()
	isolate(t)
	return []string{
		"--nb", unpack(t, recordedDatabase),
		"--kubernetes", unpack(t, recordedCluster),
	}
}

// runAudit runs an audit with these arguments.
func runAudit(files []string, args ...string) (code int, stdout, stderr string) {
	return runMain(append(append([]string{"audit"}, files...), args...)...)
}

// The exit code does not depend on the format.
func TestExitCodeIsTheSameInEachFormat(t *testing.T) {
	findings := recordedFiles(t)
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
		return []string{"--nb", db, "--kubernetes", write(name, `{"apiVersion":"v1","kind":"List","items":[`+
			`{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"ns"}},`+
			`{"apiVersion":"v1","kind":"Pod","metadata":{"namespace":"ns","name":"p"},"spec":{`+spec+`}}]}`)}
	}
	clean, unknown := pod("clean.json", `"hostNetwork":true`), pod("unknown.json", `"nodeName":"n"`)
	for name, c := range map[string]struct {
		files, args []string
		code        int
	}{
		"clean":                       {clean, nil, exitOK},
		"clean, fails on info":        {clean, []string{"--fail-on", "info"}, exitFindings},
		"clean, no info":              {clean, []string{"--fail-on", "info", "--severity", "low"}, exitOK},
		"findings":                    {findings, nil, exitFindings},
		"findings, fail on critical":  {findings, []string{"--fail-on", "critical"}, exitFindings},
		"findings, never":             {findings, []string{"--fail-on", "never"}, exitIncomplete},
		"findings, never, incomplete": {findings, []string{"--fail-on", "never", "--accept-incomplete"}, exitOK},
		"findings of another rule":    {findings, []string{"-n", "t-drift", "--rule", "OVG030"}, exitOK},
		"unknown":                     {unknown, nil, exitIncomplete},
		"unknown, accepted":           {unknown, []string{"--accept-incomplete"}, exitOK},
	} {
		for _, f := range report.Formats() {
			code, out, errs := runAudit(c.files, append(c.args, "-o", f.Name)...)
			if code != c.code || out == "" && f.Name != "openreports" && f.Name != "jsonl" {
				t.Errorf("%s, %s: exit code %d, want %d; %d bytes, said %q", name, f.Name, code, c.code, len(out), errs)
			}
		}
	}
}

func TestAuditFlagsAreChecked(t *testing.T) {
	files := recordedFiles(t)
	notReport := filepath.Join(t.TempDir(), "list.json")
	if err := os.WriteFile(notReport, []byte(`{"kind":"List","items":[]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		says []string
	}{
		"format":             {[]string{"-o", "xml"}, []string{"--output", `"xml"`, "table", "sarif", "openreports"}},
		"severity":           {[]string{"--severity", "bad"}, []string{"--severity", `"bad"`, "critical, high"}},
		"no severity":        {[]string{"--severity", ""}, []string{"--severity", `""`}},
		"fail on":            {[]string{"--fail-on", "always"}, []string{"--fail-on", `"always"`, "info or never"}},
		"class":              {[]string{"--class", "machine"}, []string{"--class", `"machine"`, "vm, vm-migrating"}},
		"rule":               {[]string{"--rule", "OVG001,OVG099"}, []string{"--rule", `"OVG099"`, "OVG009"}},
		"check for rule":     {[]string{"--rule", "OVGA01"}, []string{"--rule", `"OVGA01"`}},
		"no rule":            {[]string{"--rule", ""}, []string{"--rule", "OVG003"}},
		"namespace":          {[]string{"-n", "a b"}, []string{"--namespace", `"a b"`}},
		"no namespace":       {[]string{"-n", ""}, []string{"--namespace", `""`}},
		"unknown namespace":  {[]string{"-n", "nosuch"}, []string{"--namespace", `"nosuch"`, "no such namespace"}},
		"all and one":        {[]string{"-A", "-n", "t-drift"}, []string{"--namespace", "--all-namespaces"}},
		"provider":           {[]string{"--provider", "A b"}, []string{"--provider", `"A b"`, "ATTACHMENT.NAMESPACE.ovn"}},
		"unknown provider":   {[]string{"--provider", "x.y.ovn"}, []string{"--provider", `"x.y.ovn"`, "nad1.t-nad.ovn"}},
		"since nothing":      {[]string{"--since", "/nonexistent"}, []string{"--since", "/nonexistent"}},
		"since no report":    {[]string{"--since", notReport}, []string{"--since", notReport, "kind", "-o json"}},
		"output file":        {[]string{"--output-file", "/nonexistent/x"}, []string{"--output-file", "/nonexistent/x"}},
		"output directory":   {[]string{"--output-file", t.TempDir()}, []string{"--output-file"}},
		"fixes as JSON":      {[]string{"--fixes-only", "-o", "json"}, []string{"--fixes-only", "-o json"}},
		"several at a time":  {[]string{"--class", "x", "--severity", "y"}, []string{"--class", "--severity"}},
		"value of no format": {[]string{"-o", ""}, []string{"--output", `""`}},
	} {
		code, out, errs := runAudit(files, c.args...)
		if code != exitUsage || out != "" {
			t.Errorf("%s: exit code %d, %d bytes", name, code, len(out))
		}
		for _, part := range c.says {
			if !strings.Contains(errs, part) {
				t.Errorf("%s: %q is missing from %q", name, part, errs)
			}
		}
	}
}

// Filters by name and by ID lead to the same report, and each finding matches them.
func TestAuditFilters(t *testing.T) {
	files := recordedFiles(t)
	_, byID, _ := runAudit(files, "-n", "t-drift", "--rule", "ovg001,OVG003", "-o", "csv")
	_, byName, _ := runAudit(files, "-n", "t-drift", "--rule", "open", "--rule", "wider-than-identity", "-o", "csv")
	if byID != byName || !strings.Contains(byID, "d01-d.t-drift") {
		t.Errorf("by ID\n%s\nby name\n%s", byID, byName)
	}
	_, out, _ := runAudit(files, "--provider", "nad1.t-nad.ovn", "--severity", "high", "--class", "pod", "-o", "json")
	var doc struct {
		Filter   map[string]any
		Ports    map[string]int
		Summary  struct{ Ports int }
		Findings []struct{ Provider, Severity string }
	}
	if err := json.Unmarshal([]byte(out), &doc); err != nil {
		t.Fatal(err)
	}
	if doc.Filter["provider"] != "nad1.t-nad.ovn" || doc.Filter["severity"] != "high" || doc.Filter["class"] != "pod" ||
		len(doc.Findings) == 0 || doc.Summary.Ports == 0 ||
		doc.Ports["compliant"]+doc.Ports["violation"]+doc.Ports["unknown"] != doc.Summary.Ports {
		t.Errorf("%+v", doc)
	}
	for _, f := range doc.Findings {
		if f.Provider != "nad1.t-nad.ovn" || f.Severity != "high" && f.Severity != "critical" {
			t.Errorf("%+v is not selected", f)
		}
	}
}

// A second audit of the same says that nothing came and nothing went; of another state it says what.
func TestAuditSince(t *testing.T) {
	files := recordedFiles(t)
	path := filepath.Join(t.TempDir(), "report")
	for _, format := range []string{"json", "yaml"} {
		if _, out, errs := runAudit(files, "-o", format, "--output-file", path); out != "" || errs != "" {
			t.Fatalf("%s%s", out, errs)
		}
		_, out, _ := runAudit(files, "--since", path)
		if !strings.Contains(out, "\nsince "+path+" (20") || !strings.Contains(out, ": 0 findings came, 0 went\n") {
			t.Errorf("%s: %s", format, out[:min(len(out), 3000)])
		}
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.ReplaceAll(string(data), "port: d01-d.t-drift", "port: other.t-drift")
	if err := os.WriteFile(path, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	_, out, _ := runAudit(files, "--since", path, "-n", "t-drift", "--rule", "open")
	for _, part := range []string{": 1 findings came, 1 went\n", "  + OVG001 open", "  - OVG001 open"} {
		if !strings.Contains(out, part) {
			t.Errorf("%q is missing from\n%s", part, out)
		}
	}
	// The file may be the one that is written.
	if _, _, errs := runAudit(files, "--since", path, "-o", "json", "--output-file", path); errs != "" {
		t.Error(errs)
	}
	if data, err = os.ReadFile(path); err != nil || !strings.Contains(string(data), `"changes": {`) {
		t.Errorf("%v, %d bytes", err, len(data))
	}
}

// --fixes-only writes a script: each line is a command of a finding, or a comment.
func TestFixesOnlyIsAScript(t *testing.T) {
	files := recordedFiles(t)
	_, table, _ := runAudit(files)
	code, out, _ := runAudit(files, "--fixes-only")
	if code != exitFindings {
		t.Errorf("exit code %d", code)
	}
	seen := make(map[string]bool)
	for line := range strings.Lines(out) {
		line = strings.TrimSuffix(line, "\n")
		switch program, _, _ := strings.Cut(line, " "); program {
		case "", "#":
			continue
		case "kubectl", "ovn-nbctl":
			if seen[line] || !strings.Contains(table, "\n  "+line+"\n") {
				t.Errorf("a command is there twice, or not in the table: %s", line)
			}
			seen[line] = true
		default:
			t.Errorf("no command: %s", line)
		}
	}
	if len(seen) < 100 {
		t.Errorf("%d commands", len(seen))
	}
}
