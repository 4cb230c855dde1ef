package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ovnguard/ovnguard/docs"
	"github.com/ovnguard/ovnguard/internal/admission"
	"github.com/ovnguard/ovnguard/internal/answer"
	"github.com/ovnguard/ovnguard/internal/audit"
)

func newRulesCommand() *cobra.Command {
	var o output
	cmd := &cobra.Command{
		Use:   "rules [ID|NAME]",
		Short: "List the audit's rules and admission's checks, or explain one",
		Long: `Lists all rules of the audit (OVG001) and all checks of admission (OVGA01). With an ID or a name it
prints its page of the documentation: how it arises and how it is put right. It needs no cluster.

Exit code: 0 listed or explained, 2 wrong usage.`,
		Example: `  ovnguard rules
  ovnguard rules OVG003
  ovnguard rules OVGA12 -o json`,
		Args: cobra.MaximumNArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return allIDs(), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.checkOutput(); err != nil {
				return err
			}
			list, id := allRules(), ""
			if len(args) == 1 {
				if id = list.idOf(args[0]); !slices.Contains(allIDs(), id) {
					return usage(unknownID(args[0], allIDs()))
				}
			}
			if id == "" {
				return o.put(cmd.OutOrStdout(), list.answer())
			}
			if o.format == "table" || o.format == "wide" || o.format == "markdown" {
				return o.putText(cmd.OutOrStdout(), func(w io.Writer) error {
					_, err := io.WriteString(w, page(id)) // it is Markdown
					return err
				})
			}
			return o.put(cmd.OutOrStdout(), list.one(id).answer())
		},
	}
	o.addOutputFlags(cmd.Flags())
	return cmd
}

// ruleList is the JSON form of the list.
type ruleList struct {
	answer.Meta
	Rules  []listedRule `json:"rules"`
	Checks []listedRule `json:"checks"`
}

// ruleDocument is one rule or check alone.
type ruleDocument struct {
	answer.Meta
	listedRule
}

// listedRule is a rule of the audit, which has a severity, or a check of admission, which has a mode.
type listedRule struct {
	ID       string         `json:"id"`
	Name     string         `json:"name"`
	Severity audit.Severity `json:"severity,omitempty"`
	Mode     string         `json:"mode,omitempty"`
	Summary  string         `json:"summary"`
	// Page is the documentation, in Markdown.
	Page string `json:"page,omitempty"`
}

// Modes of checks.
const (
	modeAlways = "always"
	modePolicy = "policy"
)

func allRules() ruleList {
	list := ruleList{Meta: answer.Of("RuleList")}
	for _, r := range audit.Rules() {
		list.Rules = append(list.Rules, listedRule{ID: r.ID, Name: r.Name, Severity: r.Severity, Summary: r.Summary})
	}
	for _, c := range admission.Checks {
		mode := modePolicy
		if c.Always {
			mode = modeAlways
		}
		list.Checks = append(list.Checks, listedRule{ID: c.ID, Name: c.Name, Mode: mode, Summary: c.Summary})
	}
	return list
}

// idOf returns the ID of the rule or the check with that name, or else the text as IDs are written.
func (l ruleList) idOf(text string) string {
	for _, r := range slices.Concat(l.Rules, l.Checks) {
		if strings.EqualFold(text, r.Name) {
			return r.ID
		}
	}
	return strings.ToUpper(text)
}

// allIDs returns the IDs of all rules and checks.
func allIDs() (ids []string) {
	list := allRules()
	for _, r := range slices.Concat(list.Rules, list.Checks) {
		ids = append(ids, r.ID)
	}
	return ids
}

// page returns the documentation of a rule or a check.
func page(id string) string {
	if text := docs.Rule(id); text != "" {
		return text
	}
	return docs.Check(id)
}

// answer returns the list as two tables. CSV has the rules.
func (l ruleList) answer() answer.Answer {
	rules := answer.Section{Columns: answer.Columns("Rule", "Name", "Severity", "Finds")}
	for _, r := range l.Rules {
		rules.Rows = append(rules.Rows, answer.NewRow(r.ID, r.Name, r.Severity, r.Summary))
	}
	checks := answer.Section{Columns: answer.Columns("Check", "Name", "Mode", "Refuses")}
	for _, c := range l.Checks {
		checks.Rows = append(checks.Rows, answer.NewRow(c.ID, c.Name, c.Mode, c.Summary))
	}
	checks.After = []string{
		fmt.Sprintf("mode %s: refuses whatever the policy says; mode %s: enforces, warns or audits as the policy says",
			modeAlways, modePolicy),
		"`ovnguard rules ID` explains one",
	}
	return answer.Answer{
		Title: "ovnguard rules", Document: l, Sections: []answer.Section{rules, checks},
	}
}

// answer returns a rule or a check with its page.
func (r listedRule) answer() answer.Answer {
	return answer.Answer{
		Title:    r.ID + " " + r.Name,
		Document: ruleDocument{answer.Of("Rule"), r},
		Sections: []answer.Section{
			{
				Columns: answer.Columns("ID", "Name", "Severity", "Mode", "Summary", "Page"),
				Rows: []answer.Row{
					answer.NewRow(r.ID, r.Name, r.Severity, r.Mode, r.Summary, strings.Split(r.Page, "\n")),
				},
			},
		},
	}
}

// one returns the rule or the check with an ID that there is, with its page.
func (l ruleList) one(id string) listedRule {
	all := slices.Concat(l.Rules, l.Checks)
	r := all[slices.IndexFunc(all, func(r listedRule) bool { return r.ID == id })]
	r.Page = page(id)
	return r
}

// maxNearest is how many IDs an error names.
const maxNearest = 3

// unknownID says that there is no such ID, and which are the nearest ones.
func unknownID(text string, ids []string) error {
	nearest := nearestIDs(text, ids)
	if len(nearest) == 0 {
		return fmt.Errorf("%q: no such ID; `ovnguard rules` lists all", text)
	}
	return fmt.Errorf(
		"%q: no such ID; the nearest are %s; `ovnguard rules` lists all",
		text,
		strings.Join(nearest, ", "),
	)
}

// nearestIDs returns the IDs that differ from the text in the fewest letters, as cobra counts them for commands.
func nearestIDs(text string, ids []string) (nearest []string) {
	var c cobra.Command
	for _, id := range ids {
		c.AddCommand(&cobra.Command{Use: id, Run: func(*cobra.Command, []string) {}})
	}
	for c.SuggestionsMinimumDistance = 1; c.SuggestionsMinimumDistance <= 3; c.SuggestionsMinimumDistance++ {
		for _, id := range c.SuggestionsFor(text) {
			if !slices.Contains(nearest, id) && len(nearest) < maxNearest {
				nearest = append(nearest, id)
			}
		}
	}
	return nearest
}
