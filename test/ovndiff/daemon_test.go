//go:build integration

package ovndiff

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"
)

// patience is how long a daemon or a change may take. It is generous because the machine may be busy.
const patience = 60 * time.Second

// daemon is one process of OVN in the foreground. It dies with the test, however that ends.
type daemon struct {
	name string
	cmd  *exec.Cmd
	done chan struct{}
	err  error
}

// start runs a daemon until the test ends. Its output goes to NAME.out in dir.
func start(t *testing.T, dir, name string, args ...string) *daemon {
	t.Helper()
	out, err := os.Create(filepath.Join(dir, filepath.Base(name)+"."+filepath.Base(args[len(args)-1])+".out"))
	if err != nil {
		t.Fatal(err)
	}
	d := &daemon{name: filepath.Base(name), done: make(chan struct{})}
	// The context of a test ends before its clean-up begins, which would kill the daemons in no order.
	d.cmd = exec.CommandContext(context.WithoutCancel(t.Context()), name, args...)
	d.cmd.Dir, d.cmd.Stdout, d.cmd.Stderr = dir, out, out
	d.cmd.Env = append(os.Environ(), "OVS_RUNDIR="+dir, "OVN_RUNDIR="+dir, "OVS_LOGDIR="+dir, "OVN_LOGDIR="+dir, "OVS_DBDIR="+dir)
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started := make(chan error, 1)
	go func() {
		// The signal comes when the thread that started the process ends, so this one must stay.
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
		t.Fatalf("%s: %v; install ovn-central, ovn-host and openvswitch-switch (make deps)", name, err)
	}
	t.Cleanup(func() { d.stop(t) })
	return d
}

// stop ends the daemon, gently at first.
func (d *daemon) stop(t *testing.T) {
	t.Helper()
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return // it has ended already
	}
	select {
	case <-d.done:
		return
	case <-time.After(5 * time.Second):
	}
	if err := d.cmd.Process.Kill(); err != nil {
		t.Logf("%s: %v", d.name, err)
	}
	<-d.done
}

// alive gives an error where the daemon has ended.
func (d *daemon) alive() error {
	select {
	case <-d.done:
		return fmt.Errorf("%s has ended: %w", d.name, d.err)
	default:
		return nil
	}
}

// waitSocket waits until something listens at the path.
func (d *daemon) waitSocket(t *testing.T, path string) {
	t.Helper()
	waitFor(t, d.name+" to listen at "+path, func() (bool, error) {
		if err := d.alive(); err != nil {
			return false, err
		}
		var dialer net.Dialer
		c, err := dialer.DialContext(t.Context(), "unix", path)
		if err != nil {
			return false, nil
		}
		return true, c.Close()
	})
}

// waitFor asks again and again until the answer is yes.
func waitFor(t *testing.T, what string, ready func() (bool, error)) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		ok, err := ready()
		if err != nil {
			t.Fatalf("waiting for %s: %v", what, err)
		}
		if ok {
			return
		}
	}
	t.Fatalf("waited %s for %s", patience, what)
}

// run runs a command to its end and gives what it printed.
func run(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "OVS_RUNDIR="+dir, "OVN_RUNDIR="+dir)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s\ninstall ovn-central, ovn-host and openvswitch-switch where they are missing (make deps)", cmd, err, out)
	}
	return string(out)
}
