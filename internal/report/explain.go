package report

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/ovnguard/ovnguard/internal/answer"
	"github.com/ovnguard/ovnguard/internal/audit"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/portsec"
)

// Explained returns a port of a pod with every step of its decision: also what the author of the pod asked for in vain,
// and what the namespace handed down.
func Explained(s *inventory.State, p inventory.Port, now time.Time) inventory.Port {
	p.Decision.Steps = slices.Concat(
		p.Decision.Told(p.Pod.Annotations, p.Provider),
		policy.InheritedSteps(s.Query(p.Pod, p.Provider, now)),
	)
	return p
}

// OrderExplained orders the ports of a pod: the default network's first, and the others by provider.
func OrderExplained(ports []inventory.Port) {
	slices.SortStableFunc(ports, func(a, b inventory.Port) int {
		first, second := a.Provider == kubeovn.DefaultProvider, b.Provider == kubeovn.DefaultProvider
		switch {
		case first == second:
			return cmp.Compare(a.Provider, b.Provider)
		case first:
			return -1
		}
		return 1
	})
}

// ExplainTable writes, for each port of a pod, the decision and every step that led there.
func ExplainTable(w io.Writer, ports []inventory.Port) error {
	for i, p := range ports {
		if i > 0 {
			if _, err := fmt.Fprintln(w); err != nil {
				return err
			}
		}
		if err := explain(w, p); err != nil {
			return err
		}
	}
	return nil
}

func explain(w io.Writer, p inventory.Port) error {
	d := p.Decision
	lines := []string{
		fmt.Sprintf(
			"NIC %s, port %s: %s, by the %s",
			answer.Plain(string(p.Provider)),
			answer.Plain(p.Name),
			d.Level,
			d.LevelFrom.Phrase(),
		),
		fmt.Sprintf("  policy: %s, mode %s, repair %s", orBuiltIn(d.Policy), d.Mode, d.Repair),
		fmt.Sprintf("  layer-2 forwarding: %s, by the %s", d.Forwarding, d.ForwardingFrom.Phrase()),
	}
	if p.NotChecking != "" {
		lines = append(lines, "  ! not in effect: "+answer.Plain(audit.NotChecked(p.NotChecking)))
	}
	if why := notApplied(&p); why != "" {
		lines = append(lines, "  ! not applied: "+why)
	}
	for _, pair := range d.Pairs {
		lines = append(lines, "  granted: "+pairText(pair))
	}
	if !d.NextChange.IsZero() {
		lines = append(lines, "  until: "+d.NextChange.UTC().Format(time.RFC3339))
	}
	if _, err := fmt.Fprintln(w, strings.Join(lines, "\n")); err != nil {
		return err
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, s := range d.Steps {
		what := s.Value
		if s.Key != "" {
			what = s.Key + "=" + s.Value
		}
		if _, err := fmt.Fprintf(
			tw,
			"  %s\t%s\t%s\t%s\t%s\n",
			s.Source,
			answer.OrDash(s.Name),
			answer.OrDash(what),
			s.Outcome,
			answer.Plain(s.Detail),
		); err != nil {
			return err
		}
	}
	return tw.Flush()
}

// notApplied returns why the pod does not have what was decided, as its annotation shows; "" where it does. The audit
// reports what its port has.
func notApplied(p *inventory.Port) string {
	d, key := &p.Decision, p.Provider.Key(kubeovn.PortSecurity)
	if p.Pod == nil {
		return ""
	}
	is := p.Pod.Annotations[key]
	if is == d.Value() || is == "" && d.Value() != kubeovn.True {
		return ""
	}
	has := "the pod has no annotation " + key
	if is != "" {
		has = fmt.Sprintf("the pod has %s=%s", key, answer.Plain(is))
	}
	if d.Mode != policy.Enforce {
		return fmt.Sprintf("policy says mode %s, and %s", d.Mode, has)
	}
	return has + ", from before this was decided; ovnguard audit says what its port has"
}

func orBuiltIn(name string) string {
	if name == "" {
		return "none, the built-in default"
	}
	return answer.Plain(name)
}

func pairText(p portsec.AddressPair) string {
	if p.MAC == (portsec.MAC{}) {
		return p.Prefix.String() + " from its own MAC"
	}
	return p.Prefix.String() + " from " + p.MAC.String()
}

// explanation is the JSON form of one port.
type explanation struct {
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
}

type step struct {
	Source  policy.Source  `json:"source"`
	Name    string         `json:"name,omitempty"`
	Key     string         `json:"key,omitempty"`
	Value   string         `json:"value,omitempty"`
	Outcome policy.Outcome `json:"outcome"`
	Detail  string         `json:"detail,omitempty"`
}

// ExplainJSON writes the same as JSON: an array of ports.
func ExplainJSON(w io.Writer, ports []inventory.Port) error {
	out := make([]explanation, 0, len(ports))
	for _, p := range ports {
		d := p.Decision
		e := explanation{
			Port:       p.Name,
			Provider:   string(p.Provider),
			Level:      d.Level.String(),
			LevelFrom:  string(d.LevelFrom),
			Forwarding: d.Forwarding.String(),
			Policy:     d.Policy,
			Mode:       d.Mode.String(),
			Repair:     d.Repair.String(),
			Exceptions: d.Exceptions,
			Steps:      []step{},
		}
		if p.NotChecking != "" {
			e.NotInEffect = audit.NotChecked(p.NotChecking)
		}
		e.NotApplied = notApplied(&p)
		for _, pair := range d.Pairs {
			e.Pairs = append(e.Pairs, pairText(pair))
		}
		if !d.NextChange.IsZero() {
			e.NextChange = &d.NextChange
		}
		for _, s := range d.Steps {
			e.Steps = append(e.Steps, step(s))
		}
		out = append(out, e)
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(out)
}
