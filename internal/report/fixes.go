package report

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/ovnguard/ovnguard/internal/answer"
	"github.com/ovnguard/ovnguard/internal/audit"
)

// program is a program with the commands of the findings that run it.
type program struct {
	Name     string
	Commands []string
}

// fixes returns the commands that put findings right, each once, by program, and the findings without a command.
func fixes(findings []audit.Finding) (programs []program, without []audit.Finding) {
	seen := make(map[string]bool)
	for _, f := range findings {
		switch {
		case f.Fix == "":
			without = append(without, f)
			continue
		case seen[f.Fix]:
			continue
		}
		seen[f.Fix] = true
		name := programOf(f.Fix)
		i := slices.IndexFunc(programs, func(p program) bool { return p.Name == name })
		if i < 0 {
			i, programs = len(programs), append(programs, program{Name: name})
		}
		programs[i].Commands = append(programs[i].Commands, f.Fix)
	}
	slices.SortFunc(programs, func(a, b program) int { return cmp.Compare(a.Name, b.Name) })
	return programs, without
}

// programOf returns the program that a command runs. The audit has commands that pipe a manifest from printf into
// kubectl, and one that waits with kubectl and then writes with ovn-nbctl.
func programOf(command string) string {
	name, rest, _ := strings.Cut(command, " ")
	switch {
	case name == "printf" && strings.HasSuffix(rest, " | kubectl apply -f -"):
		return "kubectl"
	case name == "kubectl" && strings.Contains(rest, " && ovn-nbctl "):
		return "kubectl and ovn-nbctl"
	}
	return name
}

// Fixes writes the commands that put the findings right, by program, each on a line; all else is a comment of the
// shell.
func Fixes(out io.Writer, s Summary) error {
	w := bufio.NewWriter(out)
	programs, without := fixes(s.Findings)
	for i, p := range programs {
		if i > 0 {
			_, _ = fmt.Fprintln(w) // Flush says what went wrong
		}
		_, _ = fmt.Fprintf(w, "# %s\n", answer.Plain(p.Name))
		for _, c := range p.Commands {
			_, _ = fmt.Fprintln(w, answer.Plain(c))
		}
	}
	if len(without) > 0 {
		if len(programs) > 0 {
			_, _ = fmt.Fprintln(w)
		}
		_, _ = fmt.Fprintln(w, "# to be looked at: there is no command")
	}
	for _, f := range without {
		_, _ = fmt.Fprintf(
			w,
			"# %s %s %s: %s\n",
			f.Rule.ID,
			f.Rule.Name,
			answer.Plain(about(f)),
			answer.Plain(f.Message),
		)
	}
	return w.Flush()
}
