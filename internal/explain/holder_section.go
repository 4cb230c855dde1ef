package explain

import (
	"fmt"
	"time"

	"github.com/ovnguard/ovnguard/internal/answer"
)

// Answer returns the answer for people and programs. read means that the Northbound database was read.
func (h *Held) Answer(read bool) answer.Answer {
	what := h.IP + h.MAC
	a := answer.Answer{Title: "ovnguard explain " + what, Document: h, Notes: h.Notes}
	a.Sections = append(a.Sections, h.holders(what))
	if h.IP != "" {
		s := answer.Section{Title: "subnets with " + what, Columns: answer.Columns("Subnet", "VPC")}
		for _, x := range h.Subnets {
			s.Rows = append(s.Rows, answer.NewRow(x.Name, x.VPC))
		}
		if len(h.Subnets) == 0 {
			s.After = []string{"none"}
		}
		a.Sections = append(a.Sections, s)
	}
	if read {
		a.Sections = append(a.Sections,
			senders("ports that may send from "+what, h.Senders, h.SendersTotal, Most),
			senders("ports that may send from anything, and so from "+what, h.Open, h.OpenTotal, mostOpen))
	} else {
		a.Sections = append(a.Sections, answer.Section{
			Title: "ports that may send from " + what,
			After: []string{"not known: the Northbound database was not read"},
		})
	}
	s := answer.Section{
		Title: "exceptions that grant " + what, Columns: answer.Columns("Exception", "Grants", "Until"),
	}
	for _, g := range h.Exceptions {
		until := g.Until.Format(time.RFC3339)
		if g.Ended {
			until += ", ended"
		}
		s.Rows = append(s.Rows, answer.NewRow(g.Namespace+"/"+g.Name, g.Pair, until))
	}
	if len(h.Exceptions) == 0 {
		s.After = []string{"none"}
	}
	a.Sections = append(a.Sections, s)
	return a
}

func (h *Held) holders(what string) answer.Section {
	s := answer.Section{
		Title:   "who has " + what,
		Columns: append(answer.Columns("Kind", "Name", "Pod", "Subnet", "VPC"), answer.WideColumns("From")...),
	}
	for _, x := range h.Holders {
		pod := ""
		if x.Pod != "" {
			pod = x.Namespace + "/" + x.Pod
		}
		s.Rows = append(s.Rows, answer.NewRow(x.Kind, x.Name, pod, x.Subnet, x.VPC, x.From))
	}
	if len(h.Holders) == 0 {
		s.After = []string{"nobody"}
	}
	return s
}

// mostOpen is how many ports that may send from anything are listed for people: they have nothing to do with the
// question, and may be many.
const mostOpen = 10

func senders(title string, ports []Sender, total, most int) answer.Section {
	ports = ports[:min(len(ports), most)]
	s := answer.Section{Title: title, Columns: answer.Columns("Port", "Pod", "Switch", "Its own")}
	for _, p := range ports {
		pod, own := "", "no"
		if p.Pod != "" {
			pod = p.Namespace + "/" + p.Pod
		}
		if p.Own {
			own = "yes"
		}
		s.Rows = append(s.Rows, answer.NewRow(p.Port, pod, p.Switch, own))
	}
	switch more := total - len(ports); {
	case total == 0:
		s.After = []string{"none"}
	case more > 0:
		s.After = []string{fmt.Sprintf("and %d more; -o json lists %d", more, min(total, Most))}
	}
	return s
}
