package status

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// WriteJSON writes the report as JSON; fields may be added later.
func (r Report) WriteJSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(r)
}

// WriteText writes the report as text.
func (r Report) WriteText(w io.Writer) error {
	out := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	line := func(format string, args ...any) { _, _ = fmt.Fprintf(out, format+"\n", args...) } // Flush returns the error
	switch r.Phase {
	case Stopped:
		line("no lab runs in %s", r.StateDir)
	case Changing:
		line("the lab in %s is starting or stopping (PID %d)", r.StateDir, r.Holder)
	case Ready:
		line(
			"lab %s in %s: PID %d, ready in %s, API server %s",
			r.Lab.ID,
			r.StateDir,
			r.Holder,
			r.Lab.ReadyIn,
			r.Lab.APIServer,
		)
	}
	if len(r.Components) > 0 {
		line("")
		line("COMPONENT\tPID\tSTATE")
	}
	for _, c := range r.Components {
		line("%s\t%d\t%s", c.Name, c.PID, described(c.Health, c.Detail))
	}
	if len(r.Nodes) > 0 {
		line("")
		line("NODE\tSTATE")
	}
	for _, n := range r.Nodes {
		line("%s\t%s", n.Name, described(n.Health, n.Detail))
	}
	return out.Flush()
}

// described combines a state with the first line of its detail.
func described(health Health, detail string) string {
	if detail == "" {
		return string(health)
	}
	first, _, _ := strings.Cut(detail, "\n")
	return string(health) + ": " + first
}
