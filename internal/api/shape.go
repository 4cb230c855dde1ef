// Package api is the read-only API that the controller serves to people and to the command line: what there is to ask,
// who may know what, and the client. Answers have the JSON that the commands print with -o json.
package api

import (
	"time"

	"github.com/ovnguard/ovnguard/internal/answer"
	"github.com/ovnguard/ovnguard/internal/layout"
	"github.com/ovnguard/ovnguard/internal/overview"
	"github.com/ovnguard/ovnguard/internal/registration"
)

// Prefix is where the API is served.
const Prefix = "/api/v1/"

// worstNamespaces is how many namespaces a status lists unless all are asked for.
const worstNamespaces = 10

// Status is the cluster on one screen. It may grow; a field never changes its meaning or goes away.
type Status struct {
	answer.Meta

	// Time is when what is shown was true, and Version that of the program; both only where a controller says it.
	Time    *time.Time `json:"time,omitempty"`
	Version string     `json:"version,omitempty"`
	// Ports is nil where ports could not be judged.
	Ports *overview.Counts `json:"ports"`
	// Namespaces are those with the most to do first, and MoreNamespaces the number of others.
	Namespaces     []overview.Namespace `json:"namespaces"`
	MoreNamespaces int                  `json:"moreNamespaces"`
	Action         []overview.Action    `json:"action"`
	Health         Health               `json:"health"`
	Notes          []string             `json:"notes"`
}

// Health is the state of what protection rests on.
type Health struct {
	Northbound Database `json:"northbound"`
	// Southbound is nil where it is not followed.
	Southbound *Database `json:"southbound,omitempty"`
	// APIServer and Webhooks are nil where the cluster is a file.
	APIServer *KubernetesServer `json:"apiServer,omitempty"`
	Webhooks  *Webhooks         `json:"webhooks,omitempty"`

	Policies overview.Policies `json:"policies"`
	Nodes    []overview.Node   `json:"nodes"`
	// Layout is nil where the cluster is a file.
	Layout *layout.Layout `json:"layout,omitempty"`
}

// KubernetesServer says what is known of the API server.
type KubernetesServer struct {
	Address string `json:"address"`
	Version string `json:"version"`
}

// Webhooks is the registration, or why it is not known.
type Webhooks struct {
	registration.Standing

	Error string `json:"error,omitempty"`
}

// Database says how one of OVN's databases was read.
type Database struct {
	Reached  bool   `json:"reached"`
	Endpoint string `json:"endpoint"`
	// From is the source of Endpoint: the flag, the environment, or what of Kube-OVN's says it.
	From string `json:"from,omitempty"`
	// Read is "server" or "file".
	Read string `json:"read"`
	// OVN is the release that the database names; empty where it names none.
	OVN string `json:"ovn,omitempty"`
	// Written is when a file was last written.
	Written *time.Time `json:"written,omitempty"`
	// Plaintext are the endpoints that anybody on the path can read and change.
	Plaintext []string `json:"plaintext,omitempty"`
	Damage    string   `json:"damage,omitempty"`
	Error     string   `json:"error,omitempty"`
}

// NewStatus returns a status without anything in it.
func NewStatus() Status {
	return Status{
		Meta:       answer.Of("Status"),
		Namespaces: []overview.Namespace{}, Action: []overview.Action{}, Notes: []string{},
		Health: Health{Nodes: []overview.Node{}},
	}
}

// Sum enters the ports and the findings. all lists every namespace, and command returns the command line that shows the
// findings of a rule.
func (s *Status) Sum(p *overview.Picture, all bool, command func(rule string) string) {
	total, by, actions := p.Sum()
	s.enter(total, by, actions, all, command)
}

func (s *Status) enter(
	total overview.Counts,
	by []overview.Namespace,
	actions []overview.Action,
	all bool,
	command func(rule string) string,
) {
	if more := len(by) - worstNamespaces; more > 0 && !all {
		by, s.MoreNamespaces = by[:worstNamespaces], more
	}
	s.Ports, s.Namespaces, s.Action = &total, append(s.Namespaces, by...), append(s.Action, actions...)
	for i := range s.Action {
		s.Action[i].Command = command(s.Action[i].Rule)
	}
}
