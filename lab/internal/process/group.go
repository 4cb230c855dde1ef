package process

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"sync"
)

// Options are common to all children of a group.
type Options struct {
	// Env is added to the environment of every child, in the form "KEY=value".
	Env []string
	// PIDDir holds one pid file per child, for Sweep and List of another
	// program. It must exist. Empty means that no pid files are written.
	PIDDir string
	// OnExit is called, on a goroutine of its own, for each ready child that ended although nobody asked it to.
	OnExit func(*ExitError)
}

// Group starts children and stops them in reverse order. Its methods may be
// called from several goroutines.
type Group struct {
	options Options

	mu        sync.Mutex
	forker    *forker
	processes []*Process
	stopped   bool
	stopOnce  sync.Once
	stopErr   error
}

// NewGroup returns an empty group. Stop must be called to free its thread.
func NewGroup(options Options) *Group {
	return &Group{options: options, forker: newForker()}
}

// Start starts a child and waits until it is ready. If the child ends first, the error wraps *ExitError with the tail
// of its log; if it does not become ready in time, it is ended and the error has its last answer.
func (g *Group) Start(ctx context.Context, spec Spec) (*Process, error) {
	if err := spec.validate(); err != nil {
		return nil, err
	}
	p := &Process{group: g, spec: spec}
	if err := g.add(p); err != nil {
		return nil, err
	}
	p.turn.Lock()
	defer p.turn.Unlock()
	if err := p.start(ctx); err != nil {
		g.remove(p)
		return nil, err
	}
	return p, nil
}

// Processes returns the children in the order in which they were started.
func (g *Group) Processes() []*Process {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.processes)
}

// Process returns the child of that name, or nil.
func (g *Group) Process(name string) *Process {
	for _, p := range g.Processes() {
		if p.Name() == name {
			return p
		}
	}
	return nil
}

// Remove stops one child and takes it out of the group.
func (g *Group) Remove(name string) error {
	p := g.Process(name)
	if p == nil {
		return fmt.Errorf("process %s: not in the group", name)
	}
	if err := p.stop(); err != nil {
		return err
	}
	g.remove(p)
	return nil
}

// Stop ends all children, the last one first, each with SIGTERM and after its StopTimeout with SIGKILL. The group
// cannot be used again. A second call returns the result of the first.
func (g *Group) Stop() error {
	g.stopOnce.Do(func() {
		g.mu.Lock()
		g.stopped = true
		processes := slices.Clone(g.processes)
		g.mu.Unlock()
		var errs []error
		for _, p := range slices.Backward(processes) {
			errs = append(errs, p.stop())
		}
		g.mu.Lock()
		g.forker.close()
		g.forker = nil
		g.mu.Unlock()
		g.stopErr = errors.Join(errs...)
	})
	return g.stopErr
}

func (g *Group) add(p *Process) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stopped {
		return fmt.Errorf("start %s: %w", p.Name(), ErrStopped)
	}
	for _, other := range g.processes {
		if other.Name() == p.Name() {
			return fmt.Errorf("start %s: the group already has a process of that name", p.Name())
		}
	}
	g.processes = append(g.processes, p)
	return nil
}

func (g *Group) remove(p *Process) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.processes = slices.DeleteFunc(g.processes, func(other *Process) bool { return other == p })
}

// fork starts cmd on the group's thread. Once Stop has begun nothing starts, not even a child that was being restarted.
func (g *Group) fork(cmd *exec.Cmd, spec Spec) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stopped {
		return ErrStopped
	}
	return g.forker.start(cmd, spec)
}
