package report

import (
	"encoding/json"
	"io"

	"github.com/ovnguard/ovnguard/internal/answer"
	"github.com/ovnguard/ovnguard/internal/audit"
)

// Values of the field and the column that say how a finding differs from an earlier report.
const (
	changeCame = "came"
	changeWent = "went"
)

// line is a line of JSONLines.
type line struct {
	finding
	Change string `json:"change,omitempty"`
}

// JSONLines writes the findings, each as JSON on a line of its own. Those that went since an earlier report come last.
func JSONLines(w io.Writer, s Summary) error {
	enc := json.NewEncoder(answer.VisibleJSON{To: w})
	return s.each(func(f audit.Finding, change string) error {
		return enc.Encode(line{documented([]audit.Finding{f})[0], change})
	})
}

// each calls do with each finding, and with those that went since an earlier report. change is changeCame, changeWent
// or "".
func (s Summary) each(do func(f audit.Finding, change string) error) error {
	came := s.came()
	for _, f := range s.Findings {
		change := ""
		if came[identityOf(&f)] {
			change = changeCame
		}
		if err := do(f, change); err != nil {
			return err
		}
	}
	if s.Changes == nil {
		return nil
	}
	for _, f := range s.Changes.Went {
		if err := do(f, changeWent); err != nil {
			return err
		}
	}
	return nil
}
