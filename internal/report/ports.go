package report

import (
	"io"
	"time"

	"github.com/ovnguard/ovnguard/internal/answer"
	"github.com/ovnguard/ovnguard/internal/audit"
	"github.com/ovnguard/ovnguard/internal/monitor"
)

// PortsKind marks a list of ports in JSON.
const PortsKind = "PortList"

// Ports is a part of the list of all ports.
type Ports struct {
	Time    time.Time
	Version string
	Items   []Port
	// Continue is what the next part is asked for with; "" where there is none.
	Continue string
	Notes    []string
}

// Port is a port with the facts that its verdict rests on.
type Port struct {
	monitor.Verdict
	Evidence audit.Evidence
}

// portList is the JSON form of Ports. It may grow; a field never changes its meaning or goes away.
type portList struct {
	APIVersion string     `json:"apiVersion"`
	Kind       string     `json:"kind"`
	Time       string     `json:"time"`
	Version    string     `json:"version"`
	Items      []portItem `json:"items"`
	Continue   string     `json:"continue,omitempty"`
	Notes      []string   `json:"notes"`
}

type portItem struct {
	Port      string `json:"port"`
	Namespace string `json:"namespace,omitempty"`
	Pod       string `json:"pod,omitempty"`
	Provider  string `json:"provider,omitempty"`
	// State says whether the port is as was decided, and Why says why it is unknown or out of scope. Protection is what
	// the port may send, in the words of status.
	State      audit.State      `json:"state"`
	Why        string           `json:"why,omitempty"`
	Protection audit.Protection `json:"protection"`
	Policy     string           `json:"policy,omitempty"`
	Exceptions []string         `json:"exceptions"`
	// Rules are the IDs of the findings.
	Rules    []string `json:"rules"`
	Evidence evidence `json:"evidence"`
}

// PortsJSON writes a part of the list of all ports.
func PortsJSON(w io.Writer, p Ports) error {
	doc := portList{
		APIVersion: answer.APIVersion, Kind: PortsKind, Time: rfc3339(p.Time), Version: p.Version,
		Items: make([]portItem, 0, len(p.Items)), Continue: p.Continue, Notes: list(p.Notes),
	}
	for i := range p.Items {
		v, e := &p.Items[i].Verdict, p.Items[i].Evidence
		e.PortSecurity, e.Addresses = list(e.PortSecurity), list(e.Addresses)
		item := portItem{
			Port: v.Port, Namespace: v.Pod.Namespace, Pod: v.Pod.Name, Provider: string(v.Provider),
			State: v.State, Why: v.Why, Protection: v.Protection(), Policy: v.Policy,
			Exceptions: list(v.Exceptions), Rules: []string{}, Evidence: evidence(e),
		}
		for _, f := range v.Findings {
			item.Rules = append(item.Rules, f.Rule.ID)
		}
		doc.Items = append(doc.Items, item)
	}
	return answer.WriteJSON(w, doc)
}
