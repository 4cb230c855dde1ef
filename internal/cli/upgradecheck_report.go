package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/ovnguard/ovnguard/internal/answer"
	"github.com/ovnguard/ovnguard/internal/audit"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/upgrade"
	"github.com/ovnguard/ovnguard/portsec"
)

// upgradeReport is the answer of the command. It may grow; a field never changes its meaning or goes away.
type upgradeReport struct {
	answer.Meta

	Before upgradeBuild `json:"before"`
	After  upgradeBuild `json:"after"`
	// Ports is how many ports were looked at, and Effects how many of them there are by effect.
	Ports   int                    `json:"ports"`
	Effects map[upgrade.Effect]int `json:"effects"`
	Changes []upgradeChange        `json:"changes"`
	// Unchecked says whether nothing is checked on any port during the upgrade: "none", "possible", "certain" or "open
	// now".
	Unchecked upgrade.Window `json:"unchecked"`
	// First is what to do before the upgrade, in order.
	First []string `json:"first"`
	Notes []string `json:"notes"`
}

// upgradeBuild is what is known of one side.
type upgradeBuild struct {
	OVN     string   `json:"ovn,omitempty"`
	KubeOVN string   `json:"kubeOVN,omitempty"`
	Eras    []string `json:"eras"`
}

// upgradeChange is what becomes of one port.
type upgradeChange struct {
	Effect    upgrade.Effect `json:"effect"`
	Sure      bool           `json:"sure"`
	Port      string         `json:"port"`
	Namespace string         `json:"namespace,omitempty"`
	Pod       string         `json:"pod,omitempty"`
	Provider  string         `json:"provider,omitempty"`
	// PortSecurity is the column; Gains and Losses are what the port may send only afterwards, and only before.
	PortSecurity []string         `json:"portSecurity,omitempty"`
	From         string           `json:"from,omitempty"`
	To           string           `json:"to,omitempty"`
	Gains        []string         `json:"gains,omitempty"`
	Losses       []string         `json:"losses,omitempty"`
	Elements     []upgradeElement `json:"elements,omitempty"`
	// Fix is the command that writes a column which all releases read alike; empty where there is none.
	Fix string `json:"fix,omitempty"`
	// Key and Value are the annotation that Kube-OVN reads differently, and Meaning what the target makes of it.
	Key     string `json:"key,omitempty"`
	Value   string `json:"value,omitempty"`
	Meaning string `json:"meaning,omitempty"`
}

// upgradeElement is an element of a column that both sides read differently.
type upgradeElement struct {
	Text   string `json:"text"`
	Before string `json:"before"`
	After  string `json:"after"`
	Reason string `json:"reason,omitempty"`
}

func upgradeSide(o portsec.OVN, r *kubeovn.Release) upgradeBuild {
	b := upgradeBuild{OVN: o.Version}
	for _, e := range o.Eras() {
		b.Eras = append(b.Eras, e.String())
	}
	if r != nil {
		b.KubeOVN = r.String()
	}
	return b
}

// text names the side.
func (b upgradeBuild) text() string {
	var words []string
	if b.KubeOVN != "" {
		words = append(words, "Kube-OVN "+b.KubeOVN)
	}
	if b.OVN != "" {
		words = append(words, "OVN "+b.OVN)
	}
	if len(words) == 0 {
		words = []string{"an OVN that is not known"}
	}
	return strings.Join(words, " with ") + " (" + strings.Join(b.Eras, ", ") + ")"
}

func newUpgradeReport(u upgrade.Report, results map[string]audit.Result) upgradeReport {
	r := upgradeReport{
		Meta:  answer.Of("UpgradeReport"),
		Ports: u.Ports, Unchecked: u.Window, Effects: make(map[upgrade.Effect]int), Changes: []upgradeChange{},
		First: []string{}, Notes: []string{},
	}
	for i := range u.Changes {
		c := &u.Changes[i]
		r.Effects[c.Effect]++
		out := upgradeChange{
			Effect: c.Effect, Sure: c.Sure, Port: c.Port, Namespace: c.Namespace, Pod: c.Pod,
			Provider: string(c.Provider), PortSecurity: c.PortSecurity, Key: c.Key, Value: c.Value, Meaning: c.Meaning,
		}
		if c.Column != nil {
			out.From, out.To = c.Column.From.String(), c.Column.To.String()
			out.Gains, out.Losses = pairTexts(c.Column.Gains), pairTexts(c.Column.Losses)
			for _, e := range c.Column.Elements {
				out.Elements = append(out.Elements, upgradeElement{e.Text, e.Before.String(), e.Now.String(), e.Reason})
			}
			if c.Effect != upgrade.Discovery {
				out.Fix = columnFix(results[c.Port])
			}
		}
		r.Changes = append(r.Changes, out)
	}
	return r
}

func pairTexts(pairs []portsec.Pair) (texts []string) {
	for _, p := range pairs {
		texts = append(texts, p.String())
	}
	return texts
}

// columnRules are those with a fix that writes port_security as every era reads it.
var columnRules = []string{"OVG009", "OVG002", "OVG003", "OVG004", "OVG001"}

// columnFix returns the command by which the audit puts the column right; "" where it finds nothing wrong with it.
func columnFix(result audit.Result) string {
	for _, id := range columnRules {
		for i := range result.Findings {
			if f := &result.Findings[i]; f.Rule.ID == id && f.Fix != "" {
				return f.Fix
			}
		}
	}
	return ""
}

// first returns what to do before the upgrade.
func (o *upgradeOptions) first(r *upgradeReport, flags *pflag.FlagSet) (steps []string) {
	changed := func(effects ...upgrade.Effect) (n int) {
		for _, e := range effects {
			n += r.Effects[e]
		}
		return n
	}
	if r.Unchecked == upgrade.OpenAlready {
		steps = append(steps, "end the upgrade before: the option "+kubeovn.VersionCompatibility+" switches port "+
			"security off on all ports now; ovnguard rules OVG030 says how it is taken back")
	}
	if n := changed(upgrade.Opens, upgrade.Widens, upgrade.Shifts); n > 0 {
		steps = append(
			steps,
			fmt.Sprintf("write columns that every release reads alike for the %s that would open or widen: "+
				"the fixes here (-o json), or %s --fixes-only", counted(n, "port"), upgradeAuditLine(flags)),
		)
	}
	if n := changed(upgrade.Narrows, upgrade.Shifts); n > 0 {
		steps = append(
			steps,
			fmt.Sprintf("see whether the %s that would narrow need what they would lose: a PortSecurityException "+
				"keeps it (ovnguard exception generate --port PORT)", counted(n, "port")),
		)
	}
	if n := changed(upgrade.Key); n > 0 {
		steps = append(steps, fmt.Sprintf("change the %s that the target reads differently on the objects that make "+
			"the pods", counted(n, "annotation")))
	}
	if r.Unchecked == upgrade.OpenWindow || r.Unchecked == upgrade.MayOpen {
		steps = append(
			steps,
			"keep the time without checks short: upgrade ovn-central and ovs-ovn on all nodes in one go, and leave "+
				"Kube-OVN's post-upgrade hook on",
			"afterwards see that the checks are back: ovnguard audit --rule=OVG030 finds nothing",
		)
	}
	return append(steps, "run this command again afterwards with --to-ovn and the version that runs, and audit")
}

// upgradeAuditLine returns the command line of audit with the flags of this one that it knows.
func upgradeAuditLine(flags *pflag.FlagSet) string {
	line := "ovnguard audit"
	flags.Visit(func(f *pflag.Flag) {
		if !slices.Contains([]string{"to-ovn", "to-kube-ovn", "output", "output-file"}, f.Name) {
			line += " --" + f.Name + "=" + quoted(f.Value.String())
		}
	})
	return line
}

// verdict returns the exit code as an error.
func (r *upgradeReport) verdict(damage []string) error {
	for e, n := range r.Effects {
		if e != upgrade.Discovery && n > 0 {
			return &exitError{code: exitFindings}
		}
	}
	switch {
	case r.Unchecked != upgrade.NoWindow:
		return &exitError{code: exitFindings}
	case len(damage) > 0:
		return &exitError{code: exitIncomplete, err: incomplete(0, damage, nil)}
	}
	return nil
}

// answer returns the report in parts.
func (r *upgradeReport) answer() answer.Answer {
	ports := answer.Section{
		Columns: append(answer.Columns("Effect", "Port", "What"), answer.WideColumns("Port security", "Fix")...),
	}
	for i := range r.Changes {
		if c := &r.Changes[i]; c.Effect != upgrade.Discovery {
			ports.Rows = append(
				ports.Rows,
				answer.NewRow(c.effect(), c.Port, c.lines(), quotedList(c.PortSecurity), c.Fix),
			)
		}
	}
	var counts []string
	for _, e := range upgrade.Effects() {
		counts = append(counts, fmt.Sprintf("%s %d", e, r.Effects[e]))
	}
	ports.After = []string{
		fmt.Sprintf("from %s to %s", r.Before.text(), r.After.text()),
		fmt.Sprintf("%s: %s", counted(r.Ports, "port"), strings.Join(counts, ", ")),
	}
	first := answer.Section{Title: "do first"}
	for i, step := range r.First {
		first.After = append(first.After, fmt.Sprintf("%d. %s", i+1, step))
	}
	return answer.Answer{
		Title: "ovnguard upgrade-check", Document: r, Notes: r.Notes,
		Sections: []answer.Section{ports, {Title: "during the upgrade", After: []string{r.during()}}, first},
	}
}

func (c *upgradeChange) effect() string {
	if c.Sure {
		return string(c.Effect)
	}
	return "may: " + string(c.Effect)
}

// lines says what becomes of the port.
func (c *upgradeChange) lines() (lines []string) {
	if c.Key != "" {
		what := c.Key
		if c.Value != "" {
			what += fmt.Sprintf("=%q", c.Value)
		}
		return []string{what + ": " + c.Meaning}
	}
	for _, e := range c.Elements {
		text := fmt.Sprintf("%q: %s by %s, %s by %s", e.Text, e.Before, c.From, e.After, c.To)
		if e.Reason != "" {
			text += ": " + e.Reason
		}
		lines = append(lines, text)
	}
	if len(c.Gains) > 0 {
		lines = append(lines, "may then send from "+shortened(c.Gains))
	}
	if len(c.Losses) > 0 {
		lines = append(lines, "loses "+shortened(c.Losses))
	}
	return lines
}

// pairsTold is how many pairs a line has.
const pairsTold = 4

func shortened(texts []string) string {
	if more := len(texts) - pairsTold; more > 0 {
		return strings.Join(texts[:pairsTold], "; ") + fmt.Sprintf("; and %d more", more)
	}
	return strings.Join(texts, "; ")
}

func quotedList(texts []string) string {
	words := make([]string, len(texts))
	for i, t := range texts {
		words[i] = fmt.Sprintf("%q", t)
	}
	return strings.Join(words, " ")
}

// during says what is checked during the upgrade.
func (r *upgradeReport) during() string {
	const how = "Kube-OVN's upgrade sets the option " + kubeovn.VersionCompatibility + " in the Northbound database, " +
		"and " +
		"ovn-northd leaves port security out until the post-upgrade hook takes it back: any port may then send from any " +
		"MAC and address"
	switch r.Unchecked {
	case upgrade.OpenWindow:
		return how
	case upgrade.MayOpen:
		return "it depends on what runs now, or comes: if it comes from OVN 22.03 or older (Kube-OVN 1.11 or older), " + how
	case upgrade.OpenAlready:
		return "nothing is checked on any port, now or meanwhile: the option " + kubeovn.VersionCompatibility +
			" of an earlier upgrade is still set"
	case upgrade.NoWindow:
	}
	return "ports stay checked: what runs now understands the checks of the target"
}
