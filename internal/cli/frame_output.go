package cli

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/ovnguard/ovnguard/internal/answer"
)

// judgedFrame is the document about one frame. It may grow; a field never changes its meaning or goes away.
type judgedFrame struct {
	answer.Meta
	frameVerdict
}

// writeOne writes the verdict on one frame.
func (o *frameOptions) writeOne(out io.Writer, v frameVerdict) error {
	document := judgedFrame{answer.Of("FrameVerdict"), v}
	switch o.output.format {
	case textFormat:
		return o.output.putText(out, func(w io.Writer) error {
			if err := v.line(w); err != nil || len(v.Eras) < 2 {
				return err
			}
			for _, e := range v.Eras {
				if _, err := fmt.Fprintf(w, "  %s  %-5s  %s (%s)\n", e.Era, e.Verdict, e.Reason, e.Rule); err != nil {
					return err
				}
			}
			return nil
		})
	case "json":
		return o.output.putText(out, func(w io.Writer) error { return json.NewEncoder(w).Encode(document) })
	}
	a := answer.Answer{Title: "ovnguard frame", Document: document, Sections: []answer.Section{{
		Columns: answer.Columns("Verdict", "Rule", "Reason"),
		Rows:    []answer.Row{answer.NewRow(v.Verdict, v.Rule, v.Reason)},
	}}}
	if len(v.Eras) > 1 {
		eras := answer.Section{Title: "by era of OVN", Columns: answer.Columns("Era", "Verdict", "Rule", "Reason")}
		for _, e := range v.Eras {
			eras.Rows = append(eras.Rows, answer.NewRow(e.Era, e.Verdict, e.Rule, e.Reason))
		}
		a.Sections = append(a.Sections, eras)
	}
	return o.output.put(out, a)
}

// line writes the verdict as a line of text.
func (v *frameVerdict) line(w io.Writer) error {
	at := ""
	if v.Frame > 0 {
		at = fmt.Sprintf("frame %d: ", v.Frame)
	}
	_, err := fmt.Fprintf(w, "%s%s: %s (%s)\n", at, v.Verdict, v.Reason, v.Rule)
	return err
}

// writeAll writes the verdicts on the frames of a capture.
func (o *frameOptions) writeAll(out io.Writer, verdicts []frameVerdict) error {
	if o.output.format == textFormat {
		return o.output.putText(out, func(w io.Writer) error {
			for i := range verdicts {
				if err := verdicts[i].line(w); err != nil {
					return err
				}
			}
			return nil
		})
	}
	s := answer.Section{Columns: answer.Columns("Frame", "Verdict", "Rule", "Reason")}
	for _, v := range verdicts {
		s.Rows = append(s.Rows, answer.NewRow(v.Frame, v.Verdict, v.Rule, v.Reason))
	}
	return putLines(o, out, verdicts, s)
}

// writeVectors writes the verdicts on vectors.
func (o *frameOptions) writeVectors(out io.Writer, verdicts []frameVectorVerdict) error {
	s := answer.Section{Columns: answer.Columns("Vector", "Verdict", "Expected", "Rule", "Reason")}
	for _, v := range verdicts {
		s.Rows = append(s.Rows, answer.NewRow(v.ID, v.Verdict, v.Expected, v.Rule, v.Reason))
	}
	return putLines(o, out, verdicts, s)
}

// putLines writes a document for each verdict: as text and as JSON one on a line, so that any number can be read one by
// one, and else all of them as a table.
func putLines[T any](o *frameOptions, out io.Writer, verdicts []T, s answer.Section) error {
	if o.output.format != textFormat && o.output.format != "json" {
		return o.output.put(out, answer.Answer{
			Title: "ovnguard frame", Document: append([]T{}, verdicts...), Sections: []answer.Section{s},
		})
	}
	return o.output.putText(out, func(w io.Writer) error {
		encoder := json.NewEncoder(w)
		for i := range verdicts {
			if err := encoder.Encode(verdicts[i]); err != nil {
				return err
			}
		}
		return nil
	})
}
