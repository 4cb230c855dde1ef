package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// Process is one child of a group. It keeps its place in the group over Restart. Its methods may be called from several
// goroutines.
type Process struct {
	group *Group
	spec  Spec

	// turn serialises Kill, Restart and stop.
	turn sync.Mutex

	mu  sync.Mutex
	run *run
}

// run is one run of a process.
type run struct {
	cmd     *exec.Cmd
	pid     int
	logFrom int64
	// exited is closed after the child was reaped; err is set before.
	exited chan struct{}
	err    error

	mu sync.Mutex
	// ready is set when Start or Restart has returned the child; until then its exit is their error. wanted is set before
	// somebody ends the child on purpose. done is set when it was reaped.
	ready, wanted, done bool
}

// Name returns the name from the Spec.
func (p *Process) Name() string { return p.spec.Name }

// PID returns the process id of the present run, or of the last one if it has ended.
func (p *Process) PID() int {
	if r := p.current(); r != nil {
		return r.pid
	}
	return 0
}

// Running reports whether the child has not ended yet.
func (p *Process) Running() bool {
	r := p.current()
	if r == nil {
		return false
	}
	select {
	case <-r.exited:
		return false
	default:
		return true
	}
}

// Kill sends SIGKILL to the child and its process group and waits until the
// child is gone. It is no unexpected exit: the group does not report it.
func (p *Process) Kill() error {
	p.turn.Lock()
	defer p.turn.Unlock()
	return p.kill()
}

// Signal sends a signal to the child alone. The group reports an exit that follows from it.
func (p *Process) Signal(sig syscall.Signal) error {
	r := p.current()
	if r == nil {
		return fmt.Errorf("signal %s: %w", p.Name(), os.ErrProcessDone)
	}
	if err := r.cmd.Process.Signal(sig); err != nil {
		return fmt.Errorf("signal %s (pid %d): %w", p.Name(), r.pid, err)
	}
	return nil
}

// Restart stops the child as Group.Stop does, if it still runs, and starts it
// again from the same Spec, with the same wait for readiness as Group.Start.
func (p *Process) Restart(ctx context.Context) error {
	p.turn.Lock()
	defer p.turn.Unlock()
	if err := p.terminate(); err != nil {
		return fmt.Errorf("restart %s: %w", p.Name(), err)
	}
	return p.start(ctx)
}

// stop ends the child for good.
func (p *Process) stop() error {
	p.turn.Lock()
	defer p.turn.Unlock()
	return p.terminate()
}

func (p *Process) current() *run {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.run
}

// start begins a new run and waits until it is ready. A run that does not
// become ready is ended again.
func (p *Process) start(ctx context.Context) error {
	r, err := p.fork()
	if err != nil {
		return err
	}
	if err := p.awaitReady(ctx, r); err != nil {
		return errors.Join(err, p.terminate())
	}
	r.mu.Lock()
	r.ready = true
	done := r.done
	r.mu.Unlock()
	if done {
		return errors.Join(fmt.Errorf("start %s: %w", p.Name(), p.exitError(r)), p.forget())
	}
	return nil
}

func (p *Process) fork() (_ *run, err error) {
	log, err := os.OpenFile(p.spec.LogPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("start %s: open log: %w", p.Name(), err)
	}
	// The child has its own descriptor.
	defer func() { err = errors.Join(err, log.Close()) }()
	info, err := log.Stat()
	if err != nil {
		return nil, fmt.Errorf("start %s: log size: %w", p.Name(), err)
	}

	cmd := exec.Command(p.spec.Path, p.spec.Args...)
	cmd.Env = append(append(os.Environ(), p.group.options.Env...), p.spec.Env...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := p.group.fork(cmd, p.spec); err != nil {
		return nil, fmt.Errorf("start %s: %w", p.Name(), err)
	}
	r := &run{cmd: cmd, pid: cmd.Process.Pid, logFrom: info.Size(), exited: make(chan struct{})}
	p.mu.Lock()
	p.run = r
	p.mu.Unlock()

	recordErr := p.group.record(p.spec, r.pid)
	go p.watch(r)
	if recordErr != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", p.Name(), recordErr), p.kill())
	}
	return r, nil
}

// watch reaps the child and reports an exit that nobody asked for.
func (p *Process) watch(r *run) {
	r.err = r.cmd.Wait()
	r.mu.Lock()
	r.done = true
	unexpected := r.ready && !r.wanted
	r.mu.Unlock()
	close(r.exited)
	if unexpected && p.group.options.OnExit != nil {
		p.group.options.OnExit(p.exitError(r))
	}
}

func (p *Process) awaitReady(ctx context.Context, r *run) error {
	if p.spec.Ready == nil {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, p.spec.readyTimeout(),
		fmt.Errorf("not ready after %s", p.spec.readyTimeout()))
	defer cancel()
	go func() {
		select {
		case <-r.exited:
			cancel()
		case <-ctx.Done():
		}
	}()

	var last error
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		if last = p.spec.Ready(ctx); last == nil && ctx.Err() == nil {
			return nil
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
			continue
		}
		select {
		case <-r.exited:
			return fmt.Errorf("start %s: %w", p.Name(), p.exitError(r))
		default:
		}
		return fmt.Errorf("start %s: %w (last answer: %w)\n%s",
			p.Name(), context.Cause(ctx), last, tail(p.spec.LogPath, r.logFrom))
	}
}

func (p *Process) exitError(r *run) *ExitError {
	status := "exit status 0"
	if r.err != nil {
		status = r.err.Error()
	}
	return &ExitError{
		Name: p.Name(), PID: r.pid, Status: status,
		LogPath: p.spec.LogPath, LogTail: tail(p.spec.LogPath, r.logFrom),
	}
}

// terminate asks the child to end, and kills it if it does not.
func (p *Process) terminate() error {
	r := p.current()
	if r == nil || !r.want() {
		return p.forget()
	}
	if err := r.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop %s (pid %d): %w", p.Name(), r.pid, err)
	}
	select {
	case <-r.exited:
		return p.forget()
	case <-time.After(p.spec.stopTimeout()):
		return p.kill()
	}
}

func (p *Process) kill() error {
	r := p.current()
	if r == nil || !r.want() {
		return p.forget()
	}
	// The whole process group: a child's own helpers must not stay behind. The group cannot be somebody else's: its leader
	// is not reaped yet, or the call fails with ESRCH.
	if err := syscall.Kill(-r.pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("kill %s (pid %d): %w", p.Name(), r.pid, err)
	}
	<-r.exited
	return p.forget()
}

func (p *Process) forget() error { return p.group.erase(p.spec) }

// want records that the coming exit is on purpose. It returns false if the child is gone already.
func (r *run) want() bool {
	r.mu.Lock()
	r.wanted = true
	r.mu.Unlock()
	select {
	case <-r.exited:
		return false
	default:
		return true
	}
}
