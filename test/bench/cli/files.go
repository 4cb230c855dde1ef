package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/ovnguard/ovnguard/test/bench/table"
	"github.com/ovnguard/ovnguard/test/ovsdbserver"
)

// sizes are the clusters that are measured, with their bars; a memory of zero has none.
var sizes = []struct {
	ports  int
	took   time.Duration
	memory int64
}{
	{10_000, 400 * time.Millisecond, 0},
	{100_000, 3 * time.Second, 400 << 20},
}

// audits is how often each is measured; the median counts.
const audits = 5

// findings is the exit code of an audit that finds something: some ports are open.
const findings = 1

// files measures audits of files as `ovnguard export` writes them, next to what ovn-nbctl takes to list the ports of
// the same database from a server.
func files(ctx context.Context, program, dir string, t *table.Table) error {
	for _, size := range sizes {
		if err := filesOf(
			ctx,
			program,
			filepath.Join(dir, strconv.Itoa(size.ports)),
			size.ports,
			func(audit, list usage) {
				at := fmt.Sprintf(", %d ports", size.ports)
				t.Add(table.Row{
					What: "audit of exported files" + at, Measured: text(audit.took),
					Peer:  "ovn-nbctl list Logical_Switch_Port: " + text(list.took),
					Ratio: fmt.Sprintf("%.2f, CPU %s", float64(audit.took)/float64(list.took), text(audit.cpu)),
					Bar:   "<= " + size.took.String(), Missed: audit.took > size.took,
				})
				memory := table.Row{
					What:     "its peak of memory" + at,
					Measured: megabytes(audit.peak),
					Peer:     "ovn-nbctl: " + megabytes(list.peak),
				}
				if size.memory > 0 {
					memory.Bar, memory.Missed = "<= "+megabytes(size.memory), audit.peak > size.memory
				}
				t.Add(memory)
			},
		); err != nil {
			return err
		}
	}
	return nil
}

func filesOf(ctx context.Context, program, dir string, ports int, done func(audit, list usage)) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	server := ovsdbserver.New(dir, "nb", filepath.Join(dir, "nb.db"))
	// A process of its own writes the files: a started program has its parent's peak of memory as its own.
	self, err := os.Executable()
	if err != nil {
		return err
	}
	step := func(what string, more ...string) error {
		cmd := exec.CommandContext(ctx, self, append([]string{writing, what, dir, strconv.Itoa(ports)}, more...)...)
		cmd.Stderr = os.Stderr
		return cmd.Run()
	}
	if err := step("database"); err != nil {
		return err
	}
	if err := server.Start(ctx); err != nil {
		return err
	}
	defer server.Kill()
	if err := step("files", server.Endpoint()); err != nil {
		return err
	}
	list, err := called(
		ctx,
		audits,
		nil,
		"ovn-nbctl",
		"--no-leader-only",
		"--db="+server.Endpoint(),
		"--timeout=60",
		"list",
		"Logical_Switch_Port",
	)
	if err != nil {
		return err
	}
	exported := filepath.Join(dir, "export")
	audit, err := called(
		ctx, audits, []int{findings}, program, "audit", "--from", exported, "--nb", filepath.Join(exported, "nb.json"),
	)
	if err != nil {
		return err
	}
	done(audit, list)
	return nil
}
