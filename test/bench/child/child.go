// Package child runs the program that measures once more, as a process with memory and CPU of its own. Parent and child
// speak JSON on the child's standard input and output.
package child

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
)

// Process is a child that runs.
type Process struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *json.Decoder
}

// Start starts the running program with these arguments. What the child writes to standard error comes out on the
// parent's.
func Start(ctx context.Context, args ...string) (*Process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find the program: %w", err)
	}
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start %q: %w", args, err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start %q: %w", args, err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %q: %w", args, err)
	}
	return &Process{cmd, in, json.NewDecoder(out)}, nil
}

// PID returns the child's process ID.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Tell sends the child something that it does not answer.
func (p *Process) Tell(v any) error {
	if err := json.NewEncoder(p.in).Encode(v); err != nil {
		return fmt.Errorf("tell a child: %w", err)
	}
	return nil
}

// Hear waits for what the child says.
func (p *Process) Hear(v any) error {
	if err := p.out.Decode(v); err != nil {
		return fmt.Errorf("a child ended: %w", err)
	}
	return nil
}

// Ask sends the child something and waits for its answer.
func (p *Process) Ask(question, answer any) error {
	if err := p.Tell(question); err != nil {
		return err
	}
	return p.Hear(answer)
}

// Stop has the child told nothing more, and waits until it has ended.
func (p *Process) Stop() error { return errors.Join(p.in.Close(), p.cmd.Wait()) }

// Parent is who started this process.
type Parent struct {
	in  *json.Decoder
	out *json.Encoder
}

// NewParent returns the parent of a process that Start has started.
func NewParent() *Parent { return &Parent{json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)} }

// Next waits for what the parent sends; more is false where it sends nothing more.
func (p *Parent) Next(v any) (more bool, err error) {
	switch err := p.in.Decode(v); {
	case errors.Is(err, io.EOF):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("read from the parent: %w", err)
	}
	return true, nil
}

// Say sends the parent something.
func (p *Parent) Say(v any) error {
	if err := p.out.Encode(v); err != nil {
		return fmt.Errorf("write to the parent: %w", err)
	}
	return nil
}
