package ovnbox

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// patience is the time limit for a daemon or a change. It is generous because the machine may be busy.
const patience = 60 * time.Second

// pause is the time between two checks.
const pause = 2 * time.Millisecond

// daemon is one process of OVN in the foreground. It dies with this program, however that ends.
type daemon struct {
	name string
	cmd  *exec.Cmd
	done chan struct{}
	err  error
}

// environment keeps the daemons and their tools away from the machine's own.
func environment(dir string) []string {
	return append(
		os.Environ(),
		"OVS_RUNDIR="+dir,
		"OVN_RUNDIR="+dir,
		"OVS_LOGDIR="+dir,
		"OVN_LOGDIR="+dir,
		"OVS_DBDIR="+dir,
	)
}

// startDaemon starts a daemon; its output goes to a file in dir.
func startDaemon(dir, name string, args ...string) (*daemon, error) {
	out, err := os.Create(filepath.Join(dir, filepath.Base(name)+"."+filepath.Base(args[len(args)-1])+".out"))
	if err != nil {
		return nil, fmt.Errorf("output of %s: %w", name, err)
	}
	d := &daemon{name: name, done: make(chan struct{})}
	d.cmd = exec.CommandContext(context.Background(), name, args...) // stop ends it, in the order of Close
	d.cmd.Dir, d.cmd.Stdout, d.cmd.Stderr, d.cmd.Env = dir, out, out, environment(dir)
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started := make(chan error, 1)
	go func() {
		// The signal comes when the thread that started the process ends, so this thread must stay.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(d.done)
		err := d.cmd.Start()
		started <- err
		if err == nil {
			d.err = d.cmd.Wait()
		}
		_ = out.Close()
	}()
	if err := <-started; err != nil {
		return nil, missing(name, err)
	}
	return d, nil
}

// missing returns an error that says what to do if a program cannot be run.
func missing(name string, err error) error {
	if errors.Is(err, exec.ErrNotFound) {
		return fmt.Errorf(
			"%s is missing: install ovn-central, ovn-host and openvswitch-switch (make deps): %w",
			name,
			err,
		)
	}
	return fmt.Errorf("%s: %w", name, err)
}

// stop ends the daemon, gently at first.
func (d *daemon) stop() {
	if d.cmd.Process.Signal(syscall.SIGTERM) == nil {
		select {
		case <-d.done:
			return
		case <-time.After(5 * time.Second):
			_ = d.cmd.Process.Kill() // it has ended if this fails
		}
	}
	<-d.done
}

// alive returns an error if the daemon has ended.
func (d *daemon) alive() error {
	select {
	case <-d.done:
		return fmt.Errorf("%s has ended: %w", d.name, d.err)
	default:
		return nil
	}
}

// waitFor calls ready again and again until it is true; it gives up if a daemon has ended.
func (b *Box) waitFor(what string, ready func() (bool, error)) error {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(pause) {
		for _, d := range b.daemons {
			if err := d.alive(); err != nil {
				return fmt.Errorf("waiting for %s: %w", what, err)
			}
		}
		ok, err := ready()
		if err != nil {
			return fmt.Errorf("waiting for %s: %w", what, err)
		}
		if ok {
			return nil
		}
	}
	return fmt.Errorf("waited %s for %s", patience, what)
}

// waitSocket waits until something listens at the path.
func (b *Box) waitSocket(path string) error {
	return b.waitFor("somebody to listen at "+path, func() (bool, error) {
		c, err := dialUnix(path)
		if err != nil {
			return false, nil //nolint:nilerr // nobody listens yet
		}
		return true, c.Close()
	})
}

func dialUnix(path string) (net.Conn, error) {
	dialer := net.Dialer{Timeout: patience}
	return dialer.DialContext(context.Background(), "unix", path)
}

// run runs a tool to its end and returns what it printed.
func (b *Box) run(name string, args ...string) (string, error) {
	cmd := exec.CommandContext(context.Background(), name, args...)
	cmd.Dir, cmd.Env = b.dir, environment(b.dir)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", cmd, missing(name, err), out)
	}
	return string(out), nil
}
