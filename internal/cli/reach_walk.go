package cli

import (
	"errors"
	"io"
	"strings"

	"github.com/ovnguard/ovnguard/internal/answer"
	"github.com/ovnguard/ovnguard/internal/intent"
	"github.com/ovnguard/ovnguard/internal/reach"
	"github.com/ovnguard/ovnguard/portsec"
)

// walksDocument is what becomes of a packet. It may grow; a field never changes its meaning or goes away.
type walksDocument struct {
	answer.Meta

	From   endDocument    `json:"from"`
	To     endDocument    `json:"to"`
	Packet string         `json:"packet"`
	Walks  []walkDocument `json:"walks"`
	Notes  []string       `json:"notes"`
}

type endDocument struct {
	Port      string `json:"port"`
	Namespace string `json:"namespace,omitempty"`
	Pod       string `json:"pod,omitempty"`
	Switch    string `json:"switch,omitempty"`
}

type walkDocument struct {
	MAC    string `json:"mac"`
	IP     string `json:"ip"`
	Honest bool   `json:"honest"`
	// Delivered is yes, no or unknown.
	Delivered reach.Passes    `json:"delivered"`
	Stages    []stageDocument `json:"stages"`
	// Allowed is what policies ask for, and ACLs what OVN's ACLs do.
	Allowed bool         `json:"allowed"`
	Egress  stepDocument `json:"egress"`
	Ingress stepDocument `json:"ingress"`
	ACLs    reach.Passes `json:"acls"`
	// Differs says how these two differ; empty where they do not.
	Differs string `json:"differs,omitempty"`
	// Answers means that answers come to the sender, who may claim the source by ARP or neighbour discovery.
	Answers bool `json:"answers"`
}

type stageDocument struct {
	Name   string       `json:"name"`
	Passes reach.Passes `json:"passes"`
	Why    string       `json:"why"`
}

type stepDocument struct {
	Allowed bool   `json:"allowed"`
	Unknown bool   `json:"unknown,omitempty"`
	Policy  string `json:"policy,omitempty"`
	Why     string `json:"why"`
}

// walk follows a packet, honest and forged.
func (o *reachOptions) walk(out io.Writer, c *reach.Cluster, q *asked, notes []string) error {
	from, err := portOf(c, q.from)
	if err != nil {
		return err
	}
	to, err := portOf(c, q.to)
	if err != nil {
		return err
	}
	rules := c.Rules()
	packet := reach.Packet{Protocol: intent.TCP, Port: 80}
	if len(q.packets) > 0 {
		packet = q.packets[0]
	} else if named := rules.Named(to); len(named) > 0 {
		packet = named[0]
	}
	var walks []reach.Walk
	if own, ok := from.Honest(to.Address()); ok {
		walks = append(walks, c.Walk(from, to, own, packet))
	} else {
		notes = append(notes, from.Owner()+" has no address of the receiver's family of its own")
	}
	as, forged := q.as, q.as.IP.IsValid()
	if forged && as.MAC == (portsec.MAC{}) {
		as = from.Forged(as.IP)
	} else if !forged {
		as, forged = rules.Forge(from, to, packet)
	}
	if forged {
		walks = append(walks, c.Walk(from, to, as, packet))
	} else {
		notes = append(notes, "no source that the sender may forge would bring the packet further than its own")
	}
	if err := o.output.put(out, walksAnswer(from, to, packet, walks, notes)); err != nil {
		return err
	}
	return verdictOfWalks(walks)
}

// verdictOfWalks returns the exit code as an error.
func verdictOfWalks(walks []reach.Walk) error {
	known := true
	for i := range walks {
		w := &walks[i]
		if w.Differs != "" || !w.Honest && w.Delivered == reach.Yes {
			return &exitError{code: exitFindings}
		}
		known = known && w.Delivered != reach.Unknown
	}
	if !known {
		return &exitError{code: exitIncomplete, err: errors.New("not all that decides about the packet is known")}
	}
	return nil
}

func walksAnswer(from, to *reach.Port, packet reach.Packet, walks []reach.Walk, notes []string) answer.Answer {
	doc := walksDocument{
		Meta: answer.Of("Walks"), From: endOf(from), To: endOf(to), Packet: packet.String(), Walks: []walkDocument{},
		Notes: append([]string{}, notes...),
	}
	a := answer.Answer{Title: "ovnguard reach", Notes: notes}
	for i := range walks {
		w := &walks[i]
		doc.Walks = append(doc.Walks, documentOf(w))
		a.Sections = append(a.Sections, sectionOf(w))
	}
	a.Document = doc
	return a
}

func endOf(p *reach.Port) endDocument { return endDocument{p.Name, p.Namespace, p.Pod, p.Switch} }

func documentOf(w *reach.Walk) walkDocument {
	doc := walkDocument{
		MAC: w.Source.MAC.String(), IP: w.Source.IP.String(), Honest: w.Honest, Delivered: w.Delivered,
		Stages: []stageDocument{}, Allowed: w.Policies.Allowed, Egress: stepOf(w.Policies.Egress),
		Ingress: stepOf(w.Policies.Ingress), ACLs: w.ACLs, Differs: w.Differs, Answers: w.Takes,
	}
	for _, s := range w.Stages {
		doc.Stages = append(doc.Stages, stageDocument(s))
	}
	return doc
}

func stepOf(s intent.Step) stepDocument {
	doc := stepDocument{Allowed: s.Allowed, Unknown: s.Unknown, Why: s.Why}
	if s.Policy != nil {
		doc.Policy = s.Policy.String()
	}
	return doc
}

// sectionOf returns a walk as a table of its stages.
func sectionOf(w *reach.Walk) answer.Section {
	s := answer.Section{Title: w.Sentence(), Columns: answer.Columns("STAGE", "PASSES", "WHY")}
	for _, stage := range w.Stages {
		s.Rows = append(s.Rows, answer.NewRow(stage.Name, stage.Passes, stage.Why))
	}
	s.Rows = append(s.Rows,
		answer.NewRow("policies: egress", policyPasses(w.Policies.Egress), w.Policies.Egress.Why),
		answer.NewRow("policies: ingress", policyPasses(w.Policies.Ingress), w.Policies.Ingress.Why),
	)
	if w.Differs != "" {
		s.After = append(s.After, w.Differs+": a policy is not realised as it is asked for (OVG040)")
	}
	switch {
	case w.Honest:
	case w.Takes:
		s.After = append(
			s.After,
			"Answers come to the sender, which may claim the address by ARP or neighbour discovery.",
		)
	default:
		s.After = append(s.After, "Answers go to who has the address.")
	}
	return s
}

func policyPasses(s intent.Step) reach.Passes {
	switch {
	case s.Unknown:
		return reach.Unknown
	case s.Allowed:
		return reach.Yes
	}
	return reach.No
}

// linesAnswer returns a matrix as an answer.
func linesAnswer(namespace string, lines []reach.Line, notes []string) answer.Answer {
	s := answer.Section{Columns: append(
		answer.Columns("FROM", "TO", "HONEST", "FORGED", "AS"), answer.WideColumns("SENDERS")...,
	)}
	for _, l := range lines {
		s.Rows = append(s.Rows, answer.NewRow(
			l.From, l.To, answer.OrDash(strings.Join(l.Honest, ",")), answer.OrDash(strings.Join(l.Forged, ",")),
			answer.OrDash(l.As), l.Senders,
		))
	}
	return answer.Answer{
		Title: "ovnguard reach -n " + namespace,
		Document: struct {
			answer.Meta

			Namespace string       `json:"namespace"`
			Lines     []reach.Line `json:"lines"`
			Notes     []string     `json:"notes"`
		}{answer.Of("Reach"), namespace, append([]reach.Line{}, lines...), append([]string{}, notes...)},
		Sections: []answer.Section{s},
		Notes:    notes,
	}
}
