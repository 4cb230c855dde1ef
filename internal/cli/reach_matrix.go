package cli

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/ovnguard/ovnguard/internal/reach"
)

// The formats of graphs.
const (
	formatDOT = "dot"
	formatSVG = "svg"
)

// matrix shows what comes to the pods of a namespace.
func (o *reachOptions) matrix(out io.Writer, c *reach.Cluster, q *asked, notes []string) error {
	lines := c.Matrix(o.namespace, q.packets)
	if len(lines) == 0 {
		return &exitError{code: exitFindings, err: fmt.Errorf(
			"--namespace: %q: no pod of it has a port in OVN to which another pod could send", o.namespace,
		)}
	}
	shown := slices.DeleteFunc(slices.Clone(lines), func(l reach.Line) bool {
		return len(l.Forged) == 0 && (o.forgedOnly || len(l.Honest) == 0)
	})
	var err error
	switch o.output.format {
	case formatDOT:
		err = o.output.putText(out, func(w io.Writer) error { return reach.WriteDOT(w, o.namespace, shown) })
	case formatSVG:
		err = o.output.putText(out, func(w io.Writer) error { return reach.WriteSVG(w, o.namespace, shown) })
	default:
		err = o.output.put(out, linesAnswer(o.namespace, shown, notes))
	}
	if err != nil {
		return err
	}
	if slices.ContainsFunc(lines, func(l reach.Line) bool { return len(l.Forged) > 0 }) {
		return &exitError{code: exitFindings}
	}
	if slices.ContainsFunc(lines, func(l reach.Line) bool { return l.Unknown }) {
		return &exitError{code: exitIncomplete, err: errors.New("something that decides about packets is not known")}
	}
	return nil
}
