package report

import (
	"encoding/json"
	"io"

	"github.com/ovnguard/ovnguard/internal/audit"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// APIVersion is the version of all shapes of JSON here.
const APIVersion = "report.ovnguard.io/v1alpha1"

// document is the JSON form. It may grow; a field never changes its meaning or goes away.
type document struct {
	Ports    map[audit.State]int `json:"ports"`
	Findings []finding           `json:"findings"`
	// Permitted are the permissions of ports: one for each level of a port.
	Permitted []permission      `json:"permitted"`
	Unknown   map[string]string `json:"unknown"`
	Notes     []string          `json:"notes"`
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
	Others     []string    `json:"others,omitempty"`
}

// JSON writes the summary for programs.
func JSON(w io.Writer, s Summary) error {
	doc := document{
		Ports:     s.Ports,
		Findings:  make([]finding, 0, len(s.Findings)),
		Permitted: make([]permission, 0, len(s.Permitted)),
		Unknown:   s.Unknown,
		Notes:     list(s.Notes),
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
	for _, f := range s.Findings {
		f.Evidence.PortSecurity = list(f.Evidence.PortSecurity)
		f.Evidence.Addresses = list(f.Evidence.Addresses)
		workload := ""
		if f.Workload.Name != "" {
			workload = f.Workload.Kind + "/" + f.Workload.Name
		}
		doc.Findings = append(doc.Findings, finding{
			Rule: f.Rule.ID, Name: f.Rule.Name, Severity: string(f.Rule.Severity),
			Port: f.Port, Namespace: f.Namespace, Pod: f.Pod, Provider: string(f.Provider),
			Workload: workload, Message: f.Message, Fix: f.Fix, Evidence: evidence(f.Evidence),
		})
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(doc)
}

// list returns the words; it makes an empty list print as [] and not as null.
func list(words []string) []string {
	if words == nil {
		return []string{}
	}
	return words
}
