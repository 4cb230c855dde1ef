package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/ovnguard/ovnguard/internal/answer"
	"github.com/ovnguard/ovnguard/internal/audit"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// Changes are the differences between the findings of an earlier report and those of this one.
type Changes struct {
	// File is the file of the earlier report, and Time is when it was made; zero where it does not say so.
	File string
	Time time.Time
	// Came are the findings that the earlier report has not, and Went those that this one has not.
	Came, Went []audit.Finding
}

// Earlier is an earlier report.
type Earlier struct {
	Time     time.Time
	Filter   Filter
	Findings []audit.Finding
}

// Read reads the JSON or the YAML of an earlier report, from any release.
func Read(data []byte) (Earlier, error) {
	var doc document
	if err := json.Unmarshal(data, &doc); err != nil {
		doc = document{}
		if err := yaml.Unmarshal(data, &doc); err != nil {
			return Earlier{}, err
		}
	}
	switch {
	case doc.APIVersion != "" && doc.APIVersion != answer.APIVersion:
		return Earlier{}, fmt.Errorf("apiVersion is %q, and this program reads %s", doc.APIVersion, answer.APIVersion)
	case doc.Kind != "" && doc.Kind != Kind:
		return Earlier{}, fmt.Errorf("kind is %q, want %s", doc.Kind, Kind)
	case doc.Findings == nil || doc.Ports == nil:
		return Earlier{}, errors.New("it has no ports and findings")
	}
	e := Earlier{}
	if doc.Time != "" {
		at, err := time.Parse(time.RFC3339, doc.Time)
		if err != nil {
			return Earlier{}, fmt.Errorf("time: %w", err)
		}
		e.Time = at
	}
	if doc.Filter != nil {
		e.Filter = *doc.Filter
	}
	for i := range doc.Findings {
		e.Findings = append(e.Findings, doc.Findings[i].read())
	}
	return e, nil
}

// read returns the finding of a document.
func (f *finding) read() audit.Finding {
	kind, name, _ := strings.Cut(f.Workload, "/")
	return audit.Finding{
		Rule:      audit.Rule{ID: f.Rule, Name: f.Name, Severity: audit.Severity(f.Severity)},
		Port:      f.Port,
		Namespace: f.Namespace,
		Pod:       f.Pod,
		Provider:  kubeovn.Provider(f.Provider),
		Workload:  policy.Owner{Kind: kind, Name: name},
		Message:   f.Message,
		Fix:       f.Fix,
		Evidence:  audit.Evidence(f.Evidence),
	}
}

// Compare enters the differences to an earlier report, as far as the filter selects its findings.
func (s *Summary) Compare(file string, e Earlier) {
	c := &Changes{File: file, Time: e.Time}
	if is, was := s.Filter.String(), e.Filter.String(); was != "" && was != is {
		s.Notes = append(s.Notes, fmt.Sprintf(
			"%s was made with %s: findings that this left out seem to have come", file, was,
		))
	}
	had := make(map[string]int)
	for i := range e.Findings {
		had[identityOf(&e.Findings[i])]++
	}
	for i := range s.Findings {
		if id := identityOf(&s.Findings[i]); had[id] > 0 {
			had[id]--
		} else {
			c.Came = append(c.Came, s.Findings[i])
		}
	}
	for i := range e.Findings {
		f := &e.Findings[i]
		if id := identityOf(f); had[id] > 0 {
			had[id]--
			if s.Filter.finding(f) {
				c.Went = append(c.Went, *f)
			}
		}
	}
	order(c.Went)
	s.Changes = c
}

// since returns the file of the earlier report, with its time.
func (c *Changes) since() string {
	if c.Time.IsZero() {
		return c.File
	}
	return fmt.Sprintf("%s (%s)", c.File, c.Time.UTC().Format(time.RFC3339))
}

// identityOf returns a text that is the same for the same finding in each run. It has the message only for a finding
// without port, pod and workload.
func identityOf(f *audit.Finding) string {
	text := ""
	if f.Port == "" && f.Pod == "" && f.Workload.Name == "" {
		text = f.Message
	}
	workload := f.Workload.Kind + "/" + f.Workload.Name
	return strings.Join([]string{f.Rule.ID, f.Port, f.Namespace, f.Pod, string(f.Provider), workload, text}, "\x00")
}

// came returns the identities of the findings that came since the earlier report.
func (s Summary) came() map[string]bool {
	out := make(map[string]bool)
	if s.Changes != nil {
		for i := range s.Changes.Came {
			out[identityOf(&s.Changes.Came[i])] = true
		}
	}
	return out
}
