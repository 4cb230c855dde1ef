package cli

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ovnguard/ovnguard/internal/answer"
	"github.com/ovnguard/ovnguard/portsec"
)

func newPortsecCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "portsec",
		Short: "What the elements of a port_security column mean",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newPortsecExplainCommand())
	return cmd
}

// portsecOptions are the flags of the command.
type portsecOptions struct {
	eras     frameEras
	identity string
	output   output
}

func newPortsecExplainCommand() *cobra.Command {
	var o portsecOptions
	cmd := &cobra.Command{
		Use:   "explain ELEMENT...",
		Short: "Say how each era of OVN reads a port_security column",
		Long: `Reads the elements as one port_security column, as each era of OVN does, and says what
became of each element, what the port may send in the end, and what is often unexpected.
Eras that agree are shown together.`,
		Example: `  ovnguard portsec explain '0a:00:00:00:00:01 10.16.0.5'
  ovnguard portsec explain --identity '0a:00:00:00:00:01 10.16.0.5' '0a:00:00:00:00:01 10.16.0.0/16'
  ovnguard portsec explain --ovn-version 24.03.8 '0a:00:00:00:00:01 10.16.0.5,10.16.0.6' unknown`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage(errors.New("no element: give each element of the column as one argument, in quotes"))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd.OutOrStdout(), args) },
	}
	o.eras.addFlags(cmd.Flags())
	cmd.Flags().
		StringVar(&o.identity, "identity", "", "what the port is assigned, as 'MAC IP...': also list what the "+
			"port may send beyond that, and what of it OVN would drop")
	o.output.addFormats(cmd.Flags(), formatsAndText())
	return cmd
}

// portsecReading is what one or more eras make of a column.
type portsecReading struct {
	Eras     []string        `json:"eras"`
	Elements []portsecResult `json:"elements"`
	Means    string          `json:"means"`
	// Canonical is the column in plain words; empty where nothing is checked.
	Canonical  []string         `json:"canonical"`
	Open       bool             `json:"open"`
	Unenforced bool             `json:"unenforced"`
	Excess     []string         `json:"excess,omitempty"`
	Loss       []string         `json:"loss,omitempty"`
	Warnings   []portsecWarning `json:"warnings"`
}

type portsecResult struct {
	Element string `json:"element"`
	Outcome string `json:"outcome"`
	// Offset is the byte where the trouble begins, and Reason says what it is; both only where not all is accepted.
	Offset int    `json:"offset,omitempty"`
	Reason string `json:"reason,omitempty"`
}

type portsecWarning struct {
	Topic string `json:"topic"`
	Text  string `json:"text"`
}

func (o *portsecOptions) run(out io.Writer, column []string) error {
	eras, err := o.eras.list()
	if err != nil {
		return usage(err)
	}
	if err := o.output.checkAmong(formatsAndText()); err != nil {
		return err
	}
	var want *portsec.Set
	if o.identity != "" {
		identity, err := portsecIdentity(o.identity)
		if err != nil {
			return usage(fmt.Errorf("--identity: %w", err))
		}
		want = new(portsec.IdentitySet(identity))
	}
	var readings []portsecReading
	for _, era := range eras {
		r := portsecRead(era, column, want)
		if n := len(readings); n > 0 && readings[n-1].same(r) {
			readings[n-1].Eras = append(readings[n-1].Eras, r.Eras...)
		} else {
			readings = append(readings, r)
		}
	}
	if o.output.format == textFormat {
		return o.output.putText(out, func(w io.Writer) error { return portsecText(w, readings) })
	}
	return o.output.put(out, portsecAnswer(readings))
}

func portsecIdentity(text string) (portsec.Identity, error) {
	words := strings.Fields(text)
	if len(words) == 0 {
		return portsec.Identity{}, errors.New("want 'MAC IP...'")
	}
	mac, err := portsec.ParseMAC(words[0])
	if err != nil {
		return portsec.Identity{}, err
	}
	identity := portsec.Identity{MAC: mac}
	for _, w := range words[1:] {
		ip, err := netip.ParseAddr(w)
		if err != nil {
			return portsec.Identity{}, fmt.Errorf("%q is not an address", w)
		}
		identity.IPs = append(identity.IPs, ip)
	}
	return identity, nil
}

func portsecRead(era portsec.Era, column []string, want *portsec.Set) portsecReading {
	c := portsec.Parse(era, column)
	set := c.Set()
	r := portsecReading{
		Eras: []string{
			era.String(),
		},
		Means:      set.Describe(),
		Canonical:  append([]string{}, set.Canonical()...),
		Open:       set.Open(),
		Unenforced: set.Unenforced(),
		Warnings:   []portsecWarning{},
	}
	for _, e := range c.Elements {
		r.Elements = append(
			r.Elements,
			portsecResult{Element: e.Text, Outcome: e.Outcome.String(), Offset: e.Offset, Reason: e.Reason},
		)
	}
	for _, w := range c.Warnings() {
		r.Warnings = append(r.Warnings, portsecWarning{Topic: string(w.Topic), Text: w.Text})
	}
	if want != nil {
		r.Excess, r.Loss = portsecTexts(portsec.Excess(set, *want)), portsecTexts(portsec.Loss(set, *want))
	}
	return r
}

func portsecTexts(pairs []portsec.Pair) []string {
	var out []string
	for _, p := range pairs {
		out = append(out, p.String())
	}
	return out
}

// same reports whether two eras say the same.
func (r portsecReading) same(o portsecReading) bool {
	return slices.Equal(r.Elements, o.Elements) && r.Means == o.Means && slices.Equal(r.Canonical, o.Canonical) &&
		slices.Equal(r.Warnings, o.Warnings) && slices.Equal(r.Excess, o.Excess) && slices.Equal(r.Loss, o.Loss)
}

// portsecAnswer returns the readings as tables: what they come to first, then each element.
func portsecAnswer(readings []portsecReading) answer.Answer {
	sums := answer.Section{
		Columns: answer.Columns("Eras", "Means", "May also send from", "Cannot send from", "Mind"),
	}
	elements := answer.Section{Title: "elements", Columns: answer.Columns("Eras", "Element", "Outcome", "Reason")}
	for _, r := range readings {
		eras := strings.Join(r.Eras, " ")
		var mind []string
		for _, w := range r.Warnings {
			if w.Topic != string(portsec.TopicElement) { // the element says it
				mind = append(mind, w.Text)
			}
		}
		sums.Rows = append(sums.Rows, answer.NewRow(eras, r.Means, r.Excess, r.Loss, mind))
		for _, e := range r.Elements {
			reason := e.Reason
			if reason != "" {
				reason = fmt.Sprintf("at byte %d: %s", e.Offset, reason)
			}
			elements.Rows = append(elements.Rows, answer.NewRow(eras, e.Element, e.Outcome, reason))
		}
	}
	return answer.Answer{
		Title: "ovnguard portsec explain", Document: readings, Sections: []answer.Section{sums, elements},
	}
}

func portsecText(out io.Writer, readings []portsecReading) error {
	var text strings.Builder
	for i, r := range readings {
		if i > 0 {
			text.WriteByte('\n')
		}
		text.WriteString(portsecHeading(r.Eras) + "\n")
		for _, e := range r.Elements {
			fmt.Fprintf(&text, "  %q: %s", e.Element, e.Outcome)
			if e.Reason != "" {
				fmt.Fprintf(&text, " at byte %d: %s", e.Offset, e.Reason)
			}
			text.WriteByte('\n')
		}
		fmt.Fprintf(&text, "  %s\n", r.Means)
		portsecList(&text, "may also send from", r.Excess)
		portsecList(&text, "cannot send from", r.Loss)
		for _, w := range r.Warnings {
			if w.Topic != string(portsec.TopicElement) { // the element says it
				fmt.Fprintf(&text, "  ! %s\n", w.Text)
			}
		}
	}
	_, err := io.WriteString(out, text.String())
	return err
}

func portsecList(text *strings.Builder, title string, lines []string) {
	for _, l := range lines {
		fmt.Fprintf(text, "  %s %s\n", title, l)
	}
}

// portsecHeading names eras with their releases.
func portsecHeading(eras []string) string {
	var out []string
	for _, name := range eras {
		era, err := portsec.ParseEra(name)
		if err != nil {
			return strings.Join(eras, ", ") // they were made from eras
		}
		out = append(out, fmt.Sprintf("%s (%s)", era, era.Releases()))
	}
	return strings.Join(out, "\n")
}
