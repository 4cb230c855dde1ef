package report

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"unicode"

	"github.com/ovnguard/ovnguard/internal/audit"
)

// Table writes the summary as text: one line a finding, then the totals. It prints no control characters, whatever
// names and columns contain.
func Table(w io.Writer, s Summary) error {
	if len(s.Findings) > 0 {
		tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		_, err := fmt.Fprintln(tw, "RULE\tSEVERITY\tPORT\tPOD\tNIC\tFINDING")
		if err != nil {
			return err
		}
		for _, f := range s.Findings {
			_, err := fmt.Fprintf(
				tw,
				"%s %s\t%s\t%s\t%s\t%s\t%s\n",
				f.Rule.ID,
				f.Rule.Name,
				f.Rule.Severity,
				plain(f.Port),
				orDash(podName(f)),
				orDash(string(f.Provider)),
				plain(f.Message),
			)
			if err != nil {
				return err
			}
		}
		if err := tw.Flush(); err != nil {
			return err
		}
		if err := fixes(w, s.Findings); err != nil {
			return err
		}
	}
	if err := permittedTable(w, s.Permitted); err != nil {
		return err
	}
	for _, n := range s.Notes {
		if _, err := fmt.Fprintf(w, "note: %s\n", plain(n)); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "%d ports: %d compliant, %d violation, %d unknown; %d findings; "+
		"%d open or widened by permission\n", s.Total(), s.Ports[audit.Compliant], s.Ports[audit.Violation],
		s.Ports[audit.Unknown], len(s.Findings), s.PermittedPorts())
	return err
}

// maxPermitted is how many lines the table has about permissions.
const maxPermitted = 20

// permittedTable writes the permissions of ports: a line for each namespace, level and permitter, the loosest level
// first.
func permittedTable(w io.Writer, all []audit.Permission) error {
	if len(all) == 0 {
		return nil
	}
	type group struct {
		level         audit.PermittedLevel
		namespace, by string
	}
	counts := make(map[group]int)
	for i := range all {
		by := make([]string, len(all[i].By))
		for j := range all[i].By {
			by[j] = all[i].By[j].String()
		}
		counts[group{all[i].Level, all[i].Namespace, strings.Join(by, ", ")}]++
	}
	groups := slices.SortedFunc(maps.Keys(counts), func(a, b group) int {
		return cmp.Or(
			cmp.Compare(a.level.Rank(), b.level.Rank()),
			-cmp.Compare(counts[a], counts[b]),
			cmp.Compare(a.namespace, b.namespace),
			cmp.Compare(a.by, b.by),
		)
	})
	if _, err := fmt.Fprintln(w, "open or widened by permission:"); err != nil {
		return err
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if _, err := fmt.Fprintln(tw, "  LEVEL\tPORTS\tNAMESPACE\tBY"); err != nil {
		return err
	}
	for _, g := range groups[:min(len(groups), maxPermitted)] {
		_, err := fmt.Fprintf(tw, "  %s\t%d\t%s\t%s\n", g.level, counts[g], plain(g.namespace), orDash(g.by))
		if err != nil {
			return err
		}
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	if more := len(groups) - maxPermitted; more > 0 {
		if _, err := fmt.Fprintf(w, "  and %d more lines; -o json lists all ports\n", more); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(w)
	return err
}

// fixes writes the commands that put the findings right, each once.
func fixes(w io.Writer, findings []audit.Finding) error {
	seen := make(map[string]bool)
	header := "\nto put it right:\n"
	for _, f := range findings {
		if f.Fix == "" || seen[f.Fix] {
			continue
		}
		seen[f.Fix] = true
		if _, err := fmt.Fprintf(w, "%s  %s\n", header, plain(f.Fix)); err != nil {
			return err
		}
		header = ""
	}
	_, err := fmt.Fprintln(w)
	return err
}

// podName names the pod, or what pods are made from.
func podName(f audit.Finding) string {
	switch {
	case f.Pod != "":
		return f.Namespace + "/" + f.Pod
	case f.Workload.Name != "":
		return f.Workload.Kind + " " + f.Namespace + "/" + f.Workload.Name
	}
	return ""
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return plain(s)
}

// plain replaces characters that could move a terminal's cursor or break the table.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || !unicode.IsPrint(r) && r != ' ' {
			return '?'
		}
		return r
	}, s)
}
