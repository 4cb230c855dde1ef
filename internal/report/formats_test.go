package report

import (
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"flag"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jstemmer/go-junit-report/v2/junit"
	reportsv1alpha1 "github.com/openreports/reports-api/apis/openreports.io/v1alpha1"
	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"
	"golang.org/x/net/html"
	"sigs.k8s.io/yaml"

	"github.com/ovnguard/ovnguard/internal/answer"
	"github.com/ovnguard/ovnguard/internal/audit"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/monitor"
	"github.com/ovnguard/ovnguard/internal/openreports"
	"github.com/ovnguard/ovnguard/internal/policy"
)

var update = flag.Bool("update", false, "write the golden files again")

// hostile has characters with a meaning in some format: control characters of terminals, marks that turn text around,
// ends of elements and of CDATA, formulas, code, and characters that XML does not have.
const hostile = "=cmd|'/C calc'!A0\x1b[2J\u009b1m\u202e\u200f\u2066\x00\x07\r\n# head\n" +
	"</script><script>alert(1)</script><img src=x onerror=alert(1)>]]>&amp;`code` ```\n| a | b |\t\ufffe\U000e0001 [x](javascript:1) @all \u2028"

// hostileSummary has hostile text wherever text of others goes.
func hostileSummary() Summary {
	rule := audit.Rules()[0]
	first := audit.Finding{
		Rule:      rule,
		Port:      hostile,
		Namespace: hostile,
		Pod:       hostile,
		Provider:  hostile,
		Message:   hostile,
		Fix:       "kubectl " + hostile,
		Evidence: audit.Evidence{
			Switch: hostile, PortSecurity: []string{hostile}, Addresses: []string{hostile}, Identity: hostile,
			Decision: hostile, Class: hostile, Others: []string{hostile},
		},
	}
	second := first
	second.Pod, second.Fix, second.Message = "", "", "+"+hostile
	second.Workload = policy.Owner{Kind: hostile, Name: hostile}
	permission := allowed(hostile, hostile, audit.PermittedOpen, policy.FromException, hostile)
	permission.Namespace = hostile
	s := Summarise([]Judged{
		{Verdict: monitor.Verdict{
			Port: hostile, Pod: inventory.PodKey{Namespace: hostile, Name: hostile}, PodUID: "1", Result: audit.Result{
				State:     audit.Violation,
				Findings:  []audit.Finding{first, second},
				Permitted: []audit.Permission{permission},
			},
		}},
		{Verdict: monitor.Verdict{Port: "u" + hostile, Result: audit.Result{State: audit.Unknown, Why: hostile}}},
	}, Options{Notes: []string{hostile}, Version: hostile, Time: at})
	s.Compare(hostile, Earlier{Time: at, Findings: []audit.Finding{{
		Rule: audit.Rule{ID: hostile, Name: hostile, Severity: hostile}, Port: hostile, Message: hostile, Pod: hostile,
	}}})
	return s
}

var at = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

// No format lets a character through that a terminal acts on or that turns text around.
func TestNothingHiddenIsPrinted(t *testing.T) {
	for _, f := range append(Formats(), Format{"fixes", Fixes}) {
		out := written(t, f.Write, hostileSummary())
		for i, r := range out {
			if answer.Hidden(r) && r != '\n' && (r != '\t' || f.Name != "junit") { // which is indented with tabs
				t.Errorf("%s: %U at byte %d: %q", f.Name, r, i, out[max(0, i-40):min(len(out), i+40)])
				break
			}
		}
	}
}

// Formats for programs keep each text exactly.
func TestHostileTextIsKept(t *testing.T) {
	kept := strings.ToValidUTF8(hostile, "\ufffd")
	for name, read := range map[string]func([]byte) (Earlier, error){"json": Read, "yaml": Read} {
		write := JSON
		if name == "yaml" {
			write = YAML
		}
		e, err := read([]byte(written(t, write, hostileSummary())))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(e.Findings) != 2 || e.Findings[1].Message != kept || e.Findings[1].Port != kept || !e.Time.Equal(at) {
			t.Errorf("%s: %+v", name, e)
		}
	}
	var doc document
	if err := yaml.UnmarshalStrict([]byte(written(t, YAML, hostileSummary())), &doc); err != nil {
		t.Error(err)
	}
	if doc.Unknown["u"+kept] != kept || doc.Changes == nil || len(doc.Changes.Came) != 2 || len(doc.Changes.Went) != 1 {
		t.Errorf("%+v", doc)
	}
	lines := strings.Split(strings.TrimSpace(written(t, JSONLines, hostileSummary())), "\n")
	var changes []string
	for _, text := range lines {
		var l line
		d := json.NewDecoder(strings.NewReader(text))
		d.DisallowUnknownFields()
		if err := d.Decode(&l); err != nil {
			t.Fatal(err)
		}
		if l.Port != kept {
			t.Errorf("port %q", l.Port)
		}
		changes = append(changes, l.Change)
	}
	if !slices.Equal(changes, []string{changeCame, changeCame, changeWent}) {
		t.Errorf("changes %q", changes)
	}
}

func TestCSVHasNoFormula(t *testing.T) {
	rows, err := csv.NewReader(strings.NewReader(written(t, CSV, hostileSummary()))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 4 || !slices.Equal(rows[0], csvHeader) {
		t.Fatalf("%d rows: %q", len(rows), rows)
	}
	for _, row := range rows[1:] {
		for i, c := range row {
			if c != "" && strings.ContainsAny(c[:1], "=+-@\t\r") {
				t.Errorf("%s is a formula: %q", csvHeader[i], c)
			}
		}
	}
	for text, want := range map[string]string{
		"": "", "a=1": "a=1", "=1": "'=1", "+1": "'+1", "-1": "'-1", "@x": "'@x", "\t=1": "'?=1", "\r=1": "'?=1",
	} {
		if got := answer.CSVCell(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// A browser gets no element and no attribute out of the names that a report shows.
func TestHTMLHasNothingButText(t *testing.T) {
	page := written(t, HTML, hostileSummary())
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	elements := strings.Fields(
		"html head meta title style body h1 h2 h3 p strong svg text rect table thead tbody tr th td pre ul li",
	)
	attributes := strings.Fields(
		"lang charset name content http-equiv class viewbox viewBox width height role aria-label x y",
	)
	seen := 0
	for n := range root.Descendants() {
		if n.Type == html.TextNode && strings.Contains(n.Data, "<script>alert(1)</script>") {
			seen++
		}
		if n.Type != html.ElementNode {
			continue
		}
		if !slices.Contains(elements, n.Data) {
			t.Errorf("element %s", n.Data)
		}
		for _, a := range n.Attr {
			if !slices.Contains(attributes, a.Key) {
				t.Errorf("attribute %s of %s", a.Key, n.Data)
			}
		}
	}
	if seen < 10 {
		t.Errorf("the text is there %d times", seen)
	}
	for _, outside := range []string{"src=\"", "href=", "url(", "@import"} {
		if strings.Contains(page, outside) {
			t.Errorf("the page loads something: %s", outside)
		}
	}
	if !strings.Contains(page, "default-src &#39;none&#39;") && !strings.Contains(page, "default-src 'none'") {
		t.Error("the page allows scripts")
	}
}

// Each row of a table in Markdown has the columns of its header, and no text is code or a heading.
func TestMarkdownTables(t *testing.T) {
	columns, rows, fence := 0, 0, ""
	for line := range strings.Lines(written(t, Markdown, hostileSummary())) {
		line = strings.TrimSpace(line)
		if marks := line[:len(line)-len(strings.TrimLeft(line, "`"))]; fence == "" && len(marks) > 2 {
			fence = marks
			continue
		} else if fence != "" {
			if line == fence {
				fence = ""
			}
			continue
		}
		cells := 0
		for i := range line {
			if line[i] == '|' && (i == 0 || line[i-1] != '\\') {
				cells++
			}
		}
		switch {
		case cells == 0:
			columns = 0
		case columns == 0:
			columns = cells
		case cells != columns:
			t.Errorf("%d columns, want %d: %s", cells-1, columns-1, line)
		default:
			rows++
		}
		for _, mark := range []string{"<", "`code", " [x]"} {
			if strings.Contains(strings.ReplaceAll(line, `\`+mark, ""), mark) {
				t.Errorf("%q means something in %s", mark, line)
			}
		}
	}
	if fence != "" || rows < 8 {
		t.Errorf("fence %q is open, %d rows", fence, rows)
	}
}

func TestSARIFIsValid(t *testing.T) {
	for name, s := range map[string]Summary{
		"hostile": hostileSummary(), "ordinary": summary(), "empty": Summarise(nil, Options{}),
	} {
		text := written(t, SARIF, s)
		r, err := sarif.FromString(text)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := r.Validate(); err != nil {
			t.Errorf("%s: %v\n%s", name, err, text)
		}
		run := r.Runs[0]
		if name != "hostile" && len(run.Tool.Driver.Rules) != len(audit.Rules()) {
			t.Errorf("%s: %d rules", name, len(run.Tool.Driver.Rules))
		}
		for _, result := range run.Results {
			if *run.Tool.Driver.Rules[result.RuleIndex].ID != *result.RuleID || len(result.Locations) != 1 {
				t.Errorf("%s: %+v", name, result)
			}
		}
	}
	r, err := sarif.FromString(written(t, SARIF, hostileSummary()))
	if err != nil {
		t.Fatal(err)
	}
	var states []string
	for _, result := range r.Runs[0].Results {
		states = append(states, *result.BaselineState)
	}
	if !slices.Equal(states, []string{"new", "new", "absent"}) {
		t.Errorf("states %q", states)
	}
}

// The anchors by which SARIF names a rule's page are those of its headings.
func TestRulesHaveAnchors(t *testing.T) {
	text, err := os.ReadFile("../../docs/audit.md")
	if err != nil {
		t.Fatal(err)
	}
	headings := strings.NewReplacer(" ", "-", "(", "", ")", "").Replace(strings.ToLower(string(text)))
	for _, r := range audit.Rules() {
		if !strings.Contains(headings, "###-"+anchor(r)+"\n") {
			t.Errorf("docs/audit.md has no heading with the anchor %s", anchor(r))
		}
	}
}

func TestJUnitCounts(t *testing.T) {
	for name, c := range map[string]struct {
		s                                Summary
		failures, skipped, errors, tests int
	}{
		"ordinary": {summary(), 3, 0, 1, 3 + 1 + len(audit.Rules()) - 3},
		"hostile":  {hostileSummary(), 2, 0, 1, 2 + 1 + len(audit.Rules()) - 1},
		"empty":    {Summarise(nil, Options{}), 0, 0, 0, len(audit.Rules())},
		"never fails": {
			Summarise(judged(map[string]audit.Result{"a": {State: audit.Violation, Findings: []audit.Finding{
				{Rule: audit.Rules()[0], Port: "a"},
			}}}), Options{FailOn: Never, Filter: Filter{Rules: []string{audit.Rules()[0].ID}}}), 0, 1, 0, 1,
		},
	} {
		var suites junit.Testsuites
		if err := xml.Unmarshal([]byte(written(t, JUnit, c.s)), &suites); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got := []int{suites.Failures, suites.Skipped, suites.Errors, suites.Tests}
		if want := []int{c.failures, c.skipped, c.errors, c.tests}; !slices.Equal(got, want) {
			t.Errorf("%s: failures, skipped, errors and tests %v, want %v", name, got, want)
		}
	}
}

// The controller writes the same objects into the cluster.
func TestOpenReportsAreThoseOfTheController(t *testing.T) {
	for name, s := range map[string]Summary{"hostile": hostileSummary(), "ordinary": summary()} {
		documents := strings.Split(strings.TrimPrefix(written(t, OpenReports, s), "---\n"), "\n---\n")
		if len(documents) != 1 {
			t.Fatalf("%s: %d documents", name, len(documents))
		}
		var got reportsv1alpha1.Report
		if err := yaml.UnmarshalStrict([]byte(documents[0]), &got); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, documents[0])
		}
		if got.APIVersion != "openreports.io/v1alpha1" || got.Kind != "Report" {
			t.Errorf("%s: %s %s", name, got.APIVersion, got.Kind)
		}
		book := openreports.NewBook()
		for _, j := range s.judged {
			book.Judged(monitor.Verdict{Port: j.Port}, j.Verdict)
		}
		want, _ := openreports.Object(got.Namespace, book.Failures(got.Namespace), nil, s.Time)
		got.APIVersion, got.Kind = "", ""
		if diff := cmp.Diff(want, any(&got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// example is a small report with everything in it.
func example() Summary {
	s := summary()
	all := s.judged
	info := audit.Finding{
		Rule: audit.Rule{ID: "OVG024", Name: "outside-ovn", Severity: audit.Info}, Namespace: "apps", Pod: "agent",
		Message: "is on its node's network, where OVN checks nothing",
	}
	all = append(all, Judged{Verdict: monitor.Verdict{
		Port: "pod apps/agent", Pod: inventory.PodKey{Namespace: "apps", Name: "agent"},
		Result: audit.Result{State: audit.OutOfScope, Findings: []audit.Finding{info}},
	}})
	s = Summarise(all, Options{Notes: s.Notes, Time: at, Version: "v0.1.0"})
	gone := s.Findings[0]
	gone.Port, gone.Pod = "gone.ns", "gone"
	s.Compare("monday.json", Earlier{
		Time: at.Add(-24 * time.Hour), Findings: append([]audit.Finding{gone}, s.Findings[1:]...),
	})
	return s
}

// quiet matches the suite of a rule without findings.
var quiet = regexp.MustCompile(`\t<testsuite .*\n\t\t<testcase name="no findings" .*\n\t</testsuite>\n`)

// The golden files are examples of each format (go test ./internal/report -run Golden -update).
func TestGolden(t *testing.T) {
	for _, f := range append(Formats(), Format{"fixes", Fixes}) {
		path := "testdata/" + f.Name + ".golden"
		got := written(t, f.Write, example())
		switch f.Name { // without the rules that have no findings
		case "sarif":
			_, got, _ = strings.Cut(got, `"results": [`)
			got, _, _ = strings.Cut(got, `"tool": {`)
		case "junit":
			got = quiet.ReplaceAllString(got, "")
		}
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", f.Name, diff)
		}
	}
}
