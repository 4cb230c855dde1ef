package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ovnguard/ovnguard/internal/answer"
	"github.com/ovnguard/ovnguard/internal/audit"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// Parse reads a report that JSON has written, for another format to write. It has no ports without findings, so that
// OpenReports cannot be written from it as a whole.
func Parse(data []byte) (Summary, error) {
	var doc document
	if err := json.Unmarshal(data, &doc); err != nil {
		return Summary{}, err
	}
	if doc.APIVersion != answer.APIVersion || doc.Kind != Kind {
		return Summary{}, fmt.Errorf(
			"apiVersion %q, kind %q: want %s, %s",
			doc.APIVersion,
			doc.Kind,
			answer.APIVersion,
			Kind,
		)
	}
	if doc.Ports == nil || doc.Findings == nil {
		return Summary{}, errors.New("it has no ports and findings")
	}
	s := Summary{
		Options: Options{Notes: doc.Notes, Version: doc.Version},
		Ports:   doc.Ports, Namespaces: doc.Summary.Namespaces, Rules: doc.Summary.Rules, Unknown: doc.Unknown,
	}
	if doc.Filter != nil {
		s.Filter = *doc.Filter
	}
	if doc.Time != "" {
		var err error
		if s.Time, err = time.Parse(time.RFC3339, doc.Time); err != nil {
			return Summary{}, fmt.Errorf("time: %w", err)
		}
	}
	rules := audit.Rules()
	for i := range doc.Findings {
		f := doc.Findings[i].read()
		if at := slices.IndexFunc(rules, func(r audit.Rule) bool { return r.ID == f.Rule.ID }); at >= 0 {
			severity := f.Rule.Severity
			f.Rule = rules[at]
			f.Rule.Severity = severity
		}
		s.Findings = append(s.Findings, f)
	}
	for i := range doc.Permitted {
		s.Permitted = append(s.Permitted, doc.Permitted[i].read())
	}
	return s, nil
}

// read returns the permission of a document.
func (p *permission) read() audit.Permission {
	out := audit.Permission{
		Level: p.Level, Port: p.Port, Namespace: p.Namespace, Pod: p.Pod, Provider: kubeovn.Provider(p.Provider),
	}
	for _, by := range p.By {
		out.By = append(out.By, audit.Permitter(by))
	}
	return out
}
