// Package explain puts together all that is known of ports, and of who has an address or a MAC. It is pure: facts in,
// answers out.
package explain

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/ovnguard/ovnguard/internal/answer"
	"github.com/ovnguard/ovnguard/internal/audit"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/journal"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/portsec"
)

// Port is a port with everything that is explained about it.
type Port struct {
	inventory.Port

	// Result is what the audit says; nil where the Northbound database was not read.
	Result *audit.Result
	// Beyond are findings about its pod, or about the workload that makes it.
	Beyond []audit.Finding
	// Eras are the parsers of OVN that may enforce.
	Eras []portsec.Era
	// Subnet is the one that the port is on, and VPC its network; "" where they are not known.
	Subnet, VPC string
	// History are the changes of repair to it, the oldest first.
	History []journal.Entry
	// Events are those of this program about the pod, the oldest first.
	Events []Event
	// Asked says which databases were read.
	Asked Asked
}

// Asked says which databases were read.
type Asked struct {
	Northbound bool `json:"northbound"`
	Southbound bool `json:"southbound"`
}

// Event is an Event of Kubernetes about a pod.
type Event struct {
	Time    time.Time `json:"time"`
	Type    string    `json:"type"`
	Reason  string    `json:"reason"`
	Message string    `json:"message"`
}

// document is the JSON form of one port. It may grow; a field never changes its meaning or goes away.
type document struct {
	Port       string     `json:"port"`
	Provider   string     `json:"provider"`
	Level      string     `json:"level"`
	LevelFrom  string     `json:"levelFrom"`
	Forwarding string     `json:"layer2Forward"`
	Policy     string     `json:"policy,omitempty"`
	Mode       string     `json:"mode"`
	Repair     string     `json:"repair"`
	Pairs      []string   `json:"pairs,omitempty"`
	Exceptions []string   `json:"exceptions,omitempty"`
	NextChange *time.Time `json:"nextChange,omitempty"`
	// NotInEffect says why OVN enforces none of it; empty where it does, and where OVN was not asked.
	NotInEffect string `json:"notInEffect,omitempty"`
	// NotApplied says why the pod does not have what was decided; empty where it does.
	NotApplied string `json:"notApplied,omitempty"`
	Steps      []step `json:"steps"`

	// Namespace and Pod are empty where no pod claims the port; no decision is made then.
	Namespace      string `json:"namespace,omitempty"`
	Pod            string `json:"pod,omitempty"`
	ForwardingFrom string `json:"layer2ForwardFrom,omitempty"`
	// Identity is nil where it is not known; IdentityUnknown says why.
	Identity        *identity `json:"identity,omitempty"`
	IdentityUnknown string    `json:"identityUnknown,omitempty"`
	Subnet          string    `json:"subnet,omitempty"`
	VPC             string    `json:"vpc,omitempty"`
	// Asked says which databases were read. Northbound and Southbound are nil where the database has nothing of that
	// name, or was not read.
	Asked      Asked    `json:"asked"`
	Northbound *row     `json:"northbound,omitempty"`
	Southbound *binding `json:"southbound,omitempty"`
	// Effective is what the column lets the port send, once for each different reading of it.
	Effective []effective `json:"effective"`
	// Frames are examples, with what becomes of them.
	Frames []frame `json:"frames"`
	// State is empty where the Northbound database was not read, and Why says why it is unknown or out of scope.
	State    audit.State `json:"state,omitempty"`
	Why      string      `json:"why,omitempty"`
	Findings []finding   `json:"findings"`
	History  []change    `json:"history"`
	Events   []Event     `json:"events"`
	// Notes say what is not known; they are the same for all ports of one answer.
	Notes []string `json:"notes"`
	// Time is when this was true, and Version that of the program; both only where a controller says it.
	Time    *time.Time `json:"time,omitempty"`
	Version string     `json:"version,omitempty"`
}

type step struct {
	Source  policy.Source  `json:"source"`
	Name    string         `json:"name,omitempty"`
	Key     string         `json:"key,omitempty"`
	Value   string         `json:"value,omitempty"`
	Outcome policy.Outcome `json:"outcome"`
	Detail  string         `json:"detail,omitempty"`
}

type identity struct {
	MAC  string       `json:"mac"`
	IPs  []netip.Addr `json:"ips"`
	From string       `json:"from"`
}

type row struct {
	Switch       string   `json:"switch"`
	Type         string   `json:"type,omitempty"`
	PortSecurity []string `json:"portSecurity"`
	Addresses    []string `json:"addresses"`
	Disabled     bool     `json:"disabled,omitempty"`
}

type binding struct {
	PortSecurity []string `json:"portSecurity"`
	Chassis      []string `json:"chassis"`
	Up           bool     `json:"up"`
}

type effective struct {
	Eras  []string `json:"eras"`
	Means string   `json:"means"`
}

type finding struct {
	Rule     string         `json:"rule"`
	Name     string         `json:"name"`
	Severity audit.Severity `json:"severity"`
	Message  string         `json:"message"`
	Fix      string         `json:"fix,omitempty"`
}

// change is one change of repair.
type change struct {
	ID      string    `json:"id"`
	Time    time.Time `json:"time"`
	What    string    `json:"what"`
	Why     string    `json:"why,omitempty"`
	Outcome string    `json:"outcome"`
	// Undo is the command that takes it back; empty where there is nothing to take back.
	Undo string `json:"undo,omitempty"`
}

// Ports returns the answer about ports. program is the namespace of this program, in which the journal is, and notes
// say what is not known.
func Ports(title string, ports []Port, program string, notes []string) answer.Answer {
	documents := make([]document, len(ports))
	for i := range ports {
		documents[i] = documented(&ports[i], program)
	}
	return answered(title, documents, notes)
}

// answered returns the answer about ports.
func answered(title string, documents []document, notes []string) answer.Answer {
	a := answer.Answer{Title: title, Notes: notes, Document: documents}
	told := make(map[string]string) // ports by their steps
	for i := range documents {
		d := &documents[i]
		d.Notes = append([]string{}, notes...)
		a.Sections = append(a.Sections, d.facts())
		if d.Pod != "" {
			s := d.decision()
			text := fmt.Sprint(s.Rows)
			if same := told[text]; same != "" {
				s = answer.Section{Title: s.Title, After: []string{"the same as for port " + same}}
			} else {
				told[text] = d.Port
			}
			a.Sections = append(a.Sections, s)
		}
		a.Sections = append(a.Sections, d.more()...)
	}
	return a
}

// Steps returns every step of the decision for the port of a pod: also what the author of the pod asked for in vain,
// and what the namespace handed down.
func Steps(s *inventory.State, p *inventory.Port, now time.Time) []policy.Step {
	return slices.Concat(
		p.Decision.Told(p.Pod.Annotations, p.Provider),
		policy.InheritedSteps(s.Query(p.Pod, p.Provider, now)),
	)
}

// DefaultFirst orders ports by their pods, with the NIC on the default network first.
func DefaultFirst(a, b *inventory.Port) int {
	key := func(p *inventory.Port) string {
		pod := ""
		if p.Pod != nil {
			pod = p.Pod.Name
		}
		if p.Provider == kubeovn.DefaultProvider {
			return pod + "\x00"
		}
		return pod + "\x00" + string(p.Provider)
	}
	return strings.Compare(key(a), key(b))
}

// Beyond returns the findings about a port's pod, and about what makes the pod.
func Beyond(s *inventory.State, p *inventory.Port, now time.Time) (out []audit.Finding) {
	subjects := []inventory.Subject{
		{Kind: inventory.SubjectPod, Namespace: p.Pod.Namespace, Name: p.Pod.Name},
		{Kind: inventory.SubjectGateway, Namespace: p.Pod.Namespace, Name: p.Pod.Name},
		inventory.WorkloadSubject(p.Pod.Namespace, policy.Owner{APIVersion: "v1", Kind: "Pod", Name: p.Pod.Name}),
	}
	for _, owner := range p.Owners {
		subjects = append(subjects, inventory.WorkloadSubject(p.Pod.Namespace, owner))
	}
	for _, subject := range subjects {
		out = append(out, audit.EvaluateSubject(s.SubjectView(subject), now).Findings...)
	}
	return out
}

// Place enters the subnet that the port is on, as its row or else its IP resource says, and its VPC.
func (p *Port) Place(s *inventory.State) {
	switch {
	case p.Row != nil && p.Row.Switch != "":
		p.Subnet = p.Row.Switch
	case p.Record != nil:
		p.Subnet = p.Record.Subnet
	}
	if _, known := s.Subnet(p.Subnet); known {
		p.VPC = s.VPCOf(p.Subnet)
	}
}

// decided returns the JSON form of a port with the decision alone.
func decided(p *inventory.Port) document {
	d := &p.Decision
	doc := document{
		Port: p.Name, Provider: string(p.Provider), Steps: []step{}, Effective: []effective{}, Frames: []frame{},
		Findings: []finding{}, History: []change{}, Events: []Event{}, Notes: []string{},
	}
	if p.Pod != nil {
		doc.Namespace, doc.Pod = p.Pod.Namespace, p.Pod.Name
		doc.Level, doc.LevelFrom = d.Level.String(), string(d.LevelFrom)
		doc.Forwarding, doc.ForwardingFrom = d.Forwarding.String(), string(d.ForwardingFrom)
		doc.Policy, doc.Mode, doc.Repair, doc.Exceptions = d.Policy, d.Mode.String(), d.Repair.String(), d.Exceptions
		doc.NotApplied = notApplied(p)
		for _, pair := range d.Pairs {
			doc.Pairs = append(doc.Pairs, pairText(pair))
		}
		if !d.NextChange.IsZero() {
			doc.NextChange = &d.NextChange
		}
		for _, s := range d.Steps {
			doc.Steps = append(doc.Steps, step(s))
		}
	}
	if p.NotChecking != "" {
		doc.NotInEffect = audit.NotChecked(p.NotChecking)
	}
	return doc
}

// documented returns the JSON form of a port.
func documented(p *Port, program string) document {
	doc := decided(&p.Port)
	doc.Subnet, doc.VPC, doc.Events, doc.Asked = p.Subnet, p.VPC, slices.Concat([]Event{}, p.Events), p.Asked
	doc.present(p)
	if p.Result != nil {
		doc.State, doc.Why = p.Result.State, p.Result.Why
		for _, f := range slices.Concat(p.Result.Findings, p.Beyond) {
			doc.Findings = append(doc.Findings, finding{f.Rule.ID, f.Rule.Name, f.Rule.Severity, f.Message, f.Fix})
		}
	}
	for _, e := range p.History {
		doc.History = append(doc.History, Changed(e, p.History, program))
	}
	return doc
}

// present enters what the port is and has.
func (doc *document) present(p *Port) {
	own, from, err := audit.IdentityOf(&p.Port)
	if err == nil {
		doc.Identity = &identity{own.MAC.String(), slices.Concat([]netip.Addr{}, own.IPs), from}
	} else {
		doc.IdentityUnknown = err.Error()
	}
	if b := p.Binding; b != nil {
		doc.Southbound = &binding{slices.Concat([]string{}, b.PortSecurity), []string{}, b.Up}
		for _, c := range p.Chassis {
			doc.Southbound.Chassis = append(doc.Southbound.Chassis, c.Name)
		}
	}
	r := p.Row
	if r == nil {
		return
	}
	doc.Northbound = &row{
		r.Switch, r.Type, slices.Concat([]string{}, r.PortSecurity), slices.Concat([]string{}, r.Addresses), r.Disabled,
	}
	for _, era := range p.Eras {
		means := portsec.Parse(era, r.PortSecurity).Set().Describe()
		if !era.Checks(r.Type) {
			means = "Open: OVN does not check ports of type " + r.Type + "."
		}
		if n := len(doc.Effective); n > 0 && doc.Effective[n-1].Means == means {
			doc.Effective[n-1].Eras = append(doc.Effective[n-1].Eras, era.String())
			continue
		}
		doc.Effective = append(doc.Effective, effective{[]string{era.String()}, means})
	}
	if err == nil {
		doc.Frames = append(doc.Frames, examples(own, r, p.Eras)...)
	}
}

// Changed returns a change of repair as it is told: with the command that takes it back where that makes sense, as the
// journal's entries say.
func Changed(e journal.Entry, all []journal.Entry, program string) Change {
	c := Change{ID: e.ID, Time: e.Time.UTC(), What: e.Text(), Why: e.Why, Outcome: e.Outcome}
	if c.Outcome == "" {
		c.Outcome = journal.Unknown
	}
	if e.Error != "" {
		c.Outcome += ": " + e.Error
	}
	_, err := journal.Standing(all, e.ID)
	switch {
	case e.Undoes != "":
		c.Outcome += ", takes back change " + e.Undoes
	case err == nil:
		c.Undo = "ovnguard undo --change=" + audit.ShellWord(e.ID) + " --namespace=" + audit.ShellWord(program)
	case e.Made():
		c.Outcome += "; " + strings.TrimPrefix(err.Error(), "change "+e.ID+" of repair ")
	}
	return c
}

// Change is a change of repair as it is told.
type Change = change

// notApplied returns why the pod does not have what was decided, as its annotation shows; "" where it does. The audit
// reports what its port has.
func notApplied(p *inventory.Port) string {
	d, key := &p.Decision, p.Provider.Key(kubeovn.PortSecurity)
	is := p.Pod.Annotations[key]
	if is == d.Value() || is == "" && d.Value() != kubeovn.True {
		return ""
	}
	has := "the pod has no annotation " + key
	if is != "" {
		has = fmt.Sprintf("the pod has %s=%s", key, is)
	}
	if d.Mode != policy.Enforce {
		return fmt.Sprintf("policy says mode %s, and %s", d.Mode, has)
	}
	return has + ", from before this was decided; ovnguard audit says what its port has"
}

func pairText(p portsec.AddressPair) string {
	if p.MAC == (portsec.MAC{}) {
		return p.Prefix.String() + " from its own MAC"
	}
	return p.Prefix.String() + " from " + p.MAC.String()
}
