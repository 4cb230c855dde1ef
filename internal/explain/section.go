package explain

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/ovnguard/ovnguard/internal/answer"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// facts returns what the port is and has, as pairs.
func (doc *document) facts(p *Port) answer.Section {
	s := answer.Section{Title: "port " + doc.Port + " of no pod"}
	if doc.Pod != "" {
		s.Title = fmt.Sprintf("pod %s/%s, NIC %s", doc.Namespace, doc.Pod, doc.Provider)
	}
	row := func(name string, value any) { s.Rows = append(s.Rows, answer.NewRow(name, value)) }
	row("port", doc.Port)
	if doc.Pod != "" {
		doc.decided(row)
	}
	if doc.NotInEffect != "" {
		row("not in effect", doc.NotInEffect)
	}
	if doc.Identity == nil {
		row("identity", "not known: "+doc.IdentityUnknown)
	} else {
		row("identity", doc.Identity.text())
	}
	row("subnet", subnetText(doc.Subnet, doc.VPC))
	switch {
	case !p.Asked.Northbound:
		row("northbound", "not read")
	case doc.Northbound == nil:
		row("northbound", "no port of this name")
	default:
		row("northbound", doc.Northbound.lines())
	}
	switch {
	case !p.Asked.Southbound:
		row("southbound", "not read; --sb names it")
	case doc.Southbound == nil:
		row("southbound", "no port of this name")
	default:
		row("southbound", doc.Southbound.lines())
	}
	for _, e := range doc.Effective {
		name := "may send"
		if len(doc.Effective) > 1 {
			name += ", " + strings.Join(e.Eras, " ")
		}
		row(name, e.Means)
	}
	if doc.State != "" {
		state := string(doc.State)
		if doc.Why != "" {
			state += ": " + doc.Why
		}
		row("audit", state)
	}
	return s
}

// decided enters what was decided.
func (doc *document) decided(row func(string, any)) {
	row("level", doc.Level+", by the "+policy.Source(doc.LevelFrom).Phrase())
	row("policy", fmt.Sprintf("%s, mode %s, repair %s", cmp.Or(doc.Policy, "none, the built-in default"), doc.Mode,
		doc.Repair))
	row("layer-2 forwarding", doc.Forwarding+", by the "+policy.Source(doc.ForwardingFrom).Phrase())
	if len(doc.Pairs) > 0 {
		row("granted", doc.Pairs)
	}
	if doc.NextChange != nil {
		row("until", doc.NextChange.UTC().Format(time.RFC3339))
	}
	if doc.NotApplied != "" {
		row("not applied", doc.NotApplied)
	}
}

func (i *identity) text() string {
	words := []string{i.MAC}
	for _, ip := range i.IPs {
		words = append(words, ip.String())
	}
	return strings.Join(words, " ") + ", from the " + i.From
}

func subnetText(subnet, vpc string) string {
	if subnet == "" || vpc == "" {
		return subnet
	}
	return subnet + ", in VPC " + vpc
}

func (r *row) lines() []string {
	lines := []string{fmt.Sprintf("port_security %q, on switch %s", r.PortSecurity, cmp.Or(r.Switch, "none"))}
	lines = append(lines, fmt.Sprintf("addresses %q", r.Addresses))
	if r.Type != "" {
		lines = append(lines, "of type "+r.Type)
	}
	if r.Disabled {
		lines = append(lines, "disabled: OVN drops every frame")
	}
	return lines
}

func (b *binding) lines() []string {
	at := "bound to no chassis"
	if len(b.Chassis) > 0 {
		at = "bound to " + strings.Join(b.Chassis, ", ")
	}
	return []string{fmt.Sprintf("port_security %q", b.PortSecurity), at}
}

// decision returns the steps that led to the decision.
func (doc *document) decision() answer.Section {
	s := answer.Section{
		Title: "decision, step by step", Columns: answer.Columns("Source", "Name", "Value", "Outcome", "Detail"),
	}
	for _, x := range doc.Steps {
		value := x.Value
		if x.Key != "" {
			value = x.Key + "=" + x.Value
		}
		s.Rows = append(s.Rows, answer.NewRow(x.Source, x.Name, value, x.Outcome, x.Detail))
	}
	if len(s.Rows) == 0 {
		s.After = []string{"no source says anything; the built-in default counts"}
	}
	return s
}

// more returns what not every port has.
func (doc *document) more() (sections []answer.Section) {
	if len(doc.Frames) > 0 {
		s := answer.Section{Title: "examples of frames", Columns: answer.Columns("Frame", "Verdict", "Why")}
		for _, f := range doc.Frames {
			s.Rows = append(s.Rows, answer.NewRow(f.What, f.Verdict, f.Why))
		}
		sections = append(sections, s)
	}
	if len(doc.Findings) > 0 {
		s := answer.Section{Title: "findings", Columns: answer.Columns("Severity", "Rule", "Says")}
		for _, f := range doc.Findings {
			says := []string{f.Message}
			if f.Fix != "" {
				says = append(says, "to do: "+f.Fix)
			}
			s.Rows = append(s.Rows, answer.NewRow(f.Severity, f.Rule+" "+f.Name, says))
		}
		s.After = []string{"ovnguard rules ID prints the page about a rule"}
		sections = append(sections, s)
	}
	if len(doc.History) > 0 {
		sections = append(sections, History(doc.History))
	}
	if len(doc.Events) > 0 {
		s := answer.Section{Title: "events", Columns: answer.Columns("Time", "Type", "Reason", "Message")}
		for _, e := range doc.Events {
			s.Rows = append(s.Rows, answer.NewRow(e.Time.UTC().Format(time.RFC3339), e.Type, e.Reason, e.Message))
		}
		sections = append(sections, s)
	}
	return sections
}

// History returns changes of repair as a section.
func History(changes []Change) answer.Section {
	s := answer.Section{
		Title:   "changes of repair",
		Columns: answer.Columns("Time", "Change", "Outcome", "To take it back"),
	}
	for _, c := range changes {
		what := []string{c.What}
		if c.Why != "" {
			what = append(what, "because "+c.Why)
		}
		s.Rows = append(s.Rows, answer.NewRow(c.Time.Format(time.RFC3339), what, c.Outcome, c.Undo))
	}
	return s
}
