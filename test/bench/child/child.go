// Package child starts the measuring program again, as a process with memory and CPU of its own. Parent and child
// exchange JSON on the child's standard input and output.
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

// Process is a running child.
type Process struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *json.Decoder
}

// Start starts the running program with these arguments. The child's standard error goes to the parent's.
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

// Tell sends the child a message without an answer.
func (p *Process) Tell(v any) error {
	if err := json.NewEncoder(p.in).Encode(v); err != nil {
		return fmt.Errorf("tell a child: %w", err)
	}
	return nil
}

// Hear waits for the child's next message.
func (p *Process) Hear(v any) error {
	if err := p.out.Decode(v); err != nil {
		return fmt.Errorf("a child ended: %w", err)
	}
	return nil
}

// Ask sends the child a message and waits for its answer.
func (p *Process) Ask(question, answer any) error {
	if err := p.Tell(question); err != nil {
		return err
	}
	return p.Hear(answer)
}

// Stop closes the child's input, and waits until it has ended.
func (p *Process) Stop() error { return errors.Join(p.in.Close(), p.cmd.Wait()) }

// Parent is the process that started this one.
type Parent struct {
	in  *json.Decoder
	out *json.Encoder
}

// NewParent returns the parent of a process that Start has started.
func NewParent() *Parent { return &Parent{json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)} }

// Next waits for the parent's next message; more is false if there will be none.
func (p *Parent) Next(v any) (more bool, err error) {
	switch err := p.in.Decode(v); {
	case errors.Is(err, io.EOF):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("read from the parent: %w", err)
	}
	return true, nil
}

// Say sends the parent a message.
func (p *Parent) Say(v any) error {
	if err := p.out.Encode(v); err != nil {
		return fmt.Errorf("write to the parent: %w", err)
	}
	return nil
}
