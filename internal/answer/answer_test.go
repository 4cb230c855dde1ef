package answer

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
	"sigs.k8s.io/yaml"
)

// hostile has characters with a meaning in some format.
const hostile = "=cmd|'/C calc'!A0\x1b[2J\u009b1m\u202e\u2066\x00\x07\r\n# head\n" +
	"</script><script>alert(1)</script><img src=x onerror=alert(1)>&amp;`code` ```\n| a | b |\t\ufffe [x](javascript:1) @all"

func sample(text string) Answer {
	return Answer{
		Title: text, Document: map[string]string{"text": text}, Notes: []string{text},
		Sections: []Section{
			{Title: text, Rows: []Row{NewRow(text, text)}, After: []string{text}},
			{
				Columns: append(Columns("Name", "Count", "What"), WideColumns("More")...),
				Rows:    []Row{NewRow(text, 7, []string{text, "second"}, "far"), NewRow("", 0, []string{}, "")},
				After:   []string{text},
			},
		},
	}
}

func written(t *testing.T, format string, a Answer) string {
	t.Helper()
	formats := Formats()
	i := slices.IndexFunc(formats, func(f Format) bool { return f.Name == format })
	var out strings.Builder
	if err := formats[i].Write(&out, a); err != nil {
		t.Fatalf("%s: %v", format, err)
	}
	return out.String()
}

func TestTable(t *testing.T) {
	const want = `text:
  text  text
  text

NAME  COUNT  WHAT
text  7      text
             second
-     0      -
text
note: text
`
	if got := written(t, "table", sample("text")); got != want {
		t.Errorf("%s", got)
	}
	if got := written(t, "wide", sample("text")); !strings.Contains(got, "WHAT    MORE\ntext  7      text    far\n") {
		t.Errorf("%s", got)
	}
}

// No format lets a character through that a terminal acts on or that turns text around.
func TestNothingHiddenIsPrinted(t *testing.T) {
	for _, f := range Formats() {
		out := written(t, f.Name, sample(hostile))
		for i, r := range out {
			if Hidden(r) && r != '\n' {
				t.Errorf("%s: %U at byte %d: %q", f.Name, r, i, out[max(0, i-40):min(len(out), i+40)])
				break
			}
		}
	}
}

// Formats for programs keep each text exactly.
func TestHostileTextIsKept(t *testing.T) {
	for format, read := range map[string]func([]byte, any) error{
		"json": json.Unmarshal,
		"yaml": func(text []byte, into any) error { return yaml.UnmarshalStrict(text, into) },
	} {
		var got map[string]string
		if err := read([]byte(written(t, format, sample(hostile))), &got); err != nil || got["text"] != hostile {
			t.Errorf("%s: %v, %q", format, err, got)
		}
	}
}

// CSV has the first table, each row with all columns, and no formula.
func TestCSV(t *testing.T) {
	rows, err := csv.NewReader(strings.NewReader(written(t, "csv", sample(hostile)))).ReadAll()
	if err != nil || len(rows) != 3 || !slices.Equal(rows[0], []string{"name", "count", "what", "more"}) {
		t.Fatalf("%v, %q", err, rows)
	}
	if !strings.HasPrefix(rows[1][0], "'=cmd") || rows[1][1] != "7" || !strings.HasSuffix(rows[1][2], "; second") {
		t.Errorf("%q", rows[1])
	}
}

// A page has no element that a text made.
func TestHTML(t *testing.T) {
	tokens := html.NewTokenizer(strings.NewReader(written(t, "html", sample(hostile))))
	cells := 0
	for tokens.Next() != html.ErrorToken {
		switch token := tokens.Token(); token.Data {
		case "script", "img":
			t.Errorf("element %s", token)
		case "td":
			if token.Type == html.StartTagToken {
				cells++
			}
		}
	}
	if err := tokens.Err(); !errors.Is(err, io.EOF) || cells != 10 {
		t.Errorf("%d cells, %v", cells, err)
	}
}

// Each row of a table in Markdown has as many cells as its head.
func TestMarkdown(t *testing.T) {
	out := written(t, "markdown", sample(hostile))
	if strings.Contains(out, "<img") || strings.Contains(out, "\n# head") || strings.Contains(out, "[x](") {
		t.Errorf("%s", out)
	}
	rows := 0
	for line := range strings.Lines(out) {
		if !strings.HasPrefix(line, "|") {
			continue
		}
		rows++
		cells := strings.Count(line, "|") - strings.Count(line, `\|`) - 1
		if cells != 2 && cells != 4 {
			t.Errorf("%d cells: %s", cells, line)
		}
	}
	if rows != 7 {
		t.Errorf("%d rows:\n%s", rows, out)
	}
}
