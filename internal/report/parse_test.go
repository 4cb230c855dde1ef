package report

import (
	"bytes"
	"strings"
	"testing"
)

// What JSON has written is read as it was, and every format but OpenReports' writes the same of it.
func TestParse(t *testing.T) {
	for name, s := range map[string]Summary{"usual": summary(), "hostile": hostileSummary()} {
		s.Changes = nil // only the command line compares
		var text, again bytes.Buffer
		if err := JSON(&text, s); err != nil {
			t.Fatal(err)
		}
		parsed, err := Parse(text.Bytes())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := JSON(&again, parsed); err != nil || again.String() != text.String() {
			t.Errorf("%s: %v\n%s\n%s", name, err, text.String(), again.String())
		}
		if name == "hostile" {
			continue // its rules do not exist
		}
		for _, f := range Formats() {
			if f.Name == "openreports" {
				continue
			}
			if got, want := written(t, f.Write, parsed), written(t, f.Write, s); got != want {
				t.Errorf("%s: %s\n%s", f.Name, got, want)
			}
		}
	}
	for _, bad := range []string{
		``, `[]`, `{}`, `{"apiVersion":"v1","kind":"AuditReport"}`,
		`{"apiVersion":"report.ovnguard.io/v1alpha1","kind":"AuditReport"}`,
		`{"apiVersion":"report.ovnguard.io/v1alpha1","kind":"AuditReport","time":"x","ports":{},"findings":[]}`,
	} {
		if s, err := Parse([]byte(bad)); err == nil || strings.Contains(err.Error(), "\x1b") {
			t.Errorf("%s is read as %+v", bad, s)
		}
	}
}
