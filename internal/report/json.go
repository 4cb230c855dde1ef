package report

import (
	"io"
	"time"

	"github.com/ovnguard/ovnguard/internal/answer"
	"github.com/ovnguard/ovnguard/internal/audit"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// Kind marks a report in JSON and YAML.
const Kind = "AuditReport"

// document is the JSON form. It may grow; a field never changes its meaning or goes away.
type document struct {
	APIVersion string  `json:"apiVersion"`
	Kind       string  `json:"kind"`
	Time       string  `json:"time,omitempty"`
	Version    string  `json:"version,omitempty"`
	Filter     *Filter `json:"filter,omitempty"`
	Summary    tallies `json:"summary"`

	Ports    map[audit.State]int `json:"ports"`
	Findings []finding           `json:"findings"`
	// Permitted are the permissions of ports: one for each level of a port.
	Permitted []permission      `json:"permitted"`
	Unknown   map[string]string `json:"unknown"`
	Notes     []string          `json:"notes"`
	Changes   *changes          `json:"changes,omitempty"`
}

// tallies has the numbers that tables and charts show.
type tallies struct {
	Ports          int              `json:"ports"`
	Findings       int              `json:"findings"`
	PermittedPorts int              `json:"permittedPorts"`
	Namespaces     []NamespaceTally `json:"namespaces"`
	Rules          []RuleTally      `json:"rules"`
}

type changes struct {
	File string    `json:"file"`
	Time string    `json:"time,omitempty"`
	Came []finding `json:"came"`
	Went []finding `json:"went"`
}

type permission struct {
	Level     audit.PermittedLevel `json:"level"`
	By        []permitter          `json:"by"`
	Port      string               `json:"port"`
	Namespace string               `json:"namespace"`
	Pod       string               `json:"pod"`
	Provider  string               `json:"provider"`
}

type permitter struct {
	Source policy.Source `json:"source"`
	Name   string        `json:"name"`
}

type finding struct {
	Rule      string   `json:"rule"`
	Name      string   `json:"name"`
	Severity  string   `json:"severity"`
	Port      string   `json:"port"`
	Namespace string   `json:"namespace,omitempty"`
	Pod       string   `json:"pod,omitempty"`
	Provider  string   `json:"provider,omitempty"`
	Workload  string   `json:"workload,omitempty"`
	Message   string   `json:"message"`
	Fix       string   `json:"fix,omitempty"`
	Evidence  evidence `json:"evidence"`
}

type evidence struct {
	Switch       string   `json:"switch,omitempty"`
	PortSecurity []string `json:"portSecurity"`
	Addresses    []string `json:"addresses"`
	Identity     string   `json:"identity,omitempty"`
	IdentityFrom string   `json:"identityFrom,omitempty"`
	Excess       []string `json:"excess,omitempty"`
	Loss         []string `json:"loss,omitempty"`
	Decision     string   `json:"decision,omitempty"`
	DecisionFrom string   `json:"decisionFrom,omitempty"`
	// Expected is the column that OVN must have, and Effective what the present one lets the port send; Southbound is the
	// column in the Southbound database, and Chassis and Eras are where the port is bound and the parsers there.
	Class      audit.Class `json:"class,omitempty"`
	Expected   []string    `json:"expected,omitempty"`
	Effective  []string    `json:"effective,omitempty"`
	Southbound []string    `json:"southbound,omitempty"`
	Chassis    []string    `json:"chassis,omitempty"`
	Eras       []string    `json:"eras,omitempty"`
	// Radius says what the port could do with sources that are not its own.
	Radius string   `json:"radius,omitempty"`
	Others []string `json:"others,omitempty"`
}

// JSON writes the summary for programs.
func JSON(w io.Writer, s Summary) error { return answer.WriteJSON(w, s.document()) }

// YAML writes the summary as JSON does, as YAML.
func YAML(w io.Writer, s Summary) error { return answer.WriteYAML(w, s.document()) }

// document returns the JSON form of the summary.
func (s Summary) document() document {
	doc := document{
		APIVersion: answer.APIVersion,
		Kind:       Kind,
		Time:       rfc3339(s.Time),
		Version:    s.Version,
		Summary: tallies{
			Ports:          s.Total(),
			Findings:       len(s.Findings),
			PermittedPorts: s.PermittedPorts(),
			Namespaces:     list(s.Namespaces),
			Rules:          list(s.Rules),
		},
		Ports:     s.Ports,
		Findings:  documented(s.Findings),
		Permitted: make([]permission, 0, len(s.Permitted)),
		Unknown:   s.Unknown,
		Notes:     list(s.Notes),
	}
	if s.Filter.String() != "" {
		doc.Filter = &s.Filter
	}
	for _, p := range s.Permitted {
		by := make([]permitter, len(p.By))
		for i := range p.By {
			by[i] = permitter(p.By[i])
		}
		doc.Permitted = append(doc.Permitted, permission{
			Level: p.Level, By: by, Port: p.Port, Namespace: p.Namespace, Pod: p.Pod, Provider: string(p.Provider),
		})
	}
	if c := s.Changes; c != nil {
		doc.Changes = &changes{
			File: c.File, Time: rfc3339(c.Time), Came: documented(c.Came), Went: documented(c.Went),
		}
	}
	return doc
}

// documented returns the JSON form of findings.
func documented(findings []audit.Finding) []finding {
	out := make([]finding, len(findings))
	for i, f := range findings {
		f.Evidence.PortSecurity = list(f.Evidence.PortSecurity)
		f.Evidence.Addresses = list(f.Evidence.Addresses)
		out[i] = finding{
			Rule: f.Rule.ID, Name: f.Rule.Name, Severity: string(f.Rule.Severity),
			Port: f.Port, Namespace: f.Namespace, Pod: f.Pod, Provider: string(f.Provider),
			Workload: workload(f), Message: f.Message, Fix: f.Fix, Evidence: evidence(f.Evidence),
		}
	}
	return out
}

// workload returns kind and name of what pods are made from; "" where the finding is not about that.
func workload(f audit.Finding) string {
	if f.Workload.Name == "" {
		return ""
	}
	return f.Workload.Kind + "/" + f.Workload.Name
}

// rfc3339 returns a time in UTC; "" for none.
func rfc3339(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// list returns the items; it makes an empty list print as [] and not as null.
func list[T any](items []T) []T {
	if items == nil {
		return []T{}
	}
	return items
}
