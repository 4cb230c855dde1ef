package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"github.com/ovnguard/ovnguard/test/bench/table"
	"github.com/ovnguard/ovnguard/test/ovsdbserver"
)

// sizes are the clusters that are measured, with their bars.
//
// The bar of time is one of CPU, as a multiple of what ovn-nbctl takes in the same run: elapsed time says more about
// what else the machine does. The audit reads three more kinds of objects for each port than ovn-nbctl prints rows, and
// judges each.
//
// The bar of memory follows from what is known of each port while all are judged, the same as in the controller: about
// 5 kB with text of the database, and as much again before the garbage collector comes round.
var sizes = []struct {
	ports  int
	cpu    float64
	memory int64
}{
	{10_000, 3.5, 200 << 20},
	{100_000, 3.5, 1300 << 20},
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
				ratio := float64(audit.cpu) / float64(list.cpu)
				t.Add(table.Row{
					What: "audit of exported files" + at, Measured: text(audit.took),
					Peer:  "ovn-nbctl list Logical_Switch_Port: " + text(list.took),
					Ratio: fmt.Sprintf("%.2f", float64(audit.took)/float64(list.took)),
				}, table.Row{
					What: "its CPU" + at, Measured: text(audit.cpu), Peer: "ovn-nbctl: " + text(list.cpu),
					Ratio: fmt.Sprintf("%.2f", ratio),
					Bar:   fmt.Sprintf("<= %.1f times", size.cpu), Missed: ratio > size.cpu,
				}, table.Row{
					What: "its peak of memory" + at, Measured: megabytes(audit.peak),
					Peer:  "ovn-nbctl: " + megabytes(list.peak),
					Ratio: fmt.Sprintf("%.2f", float64(audit.peak)/float64(list.peak)),
					Bar:   "<= " + megabytes(size.memory), Missed: audit.peak > size.memory,
				})
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
