package nodeinit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ovnguard/ovnguard/lab/internal/cgroup"
)

const (
	// runtimeTimeout is how long the runtime may take until it serves its socket.
	runtimeTimeout = 30 * time.Second
	// restartPause is the time between the end of a program and its next start.
	restartPause = 200 * time.Millisecond
)

// Run runs the node as process 1 of a new PID namespace, in new mount, UTS and IPC namespaces, until SIGTERM or an
// error. However this process ends, everything on the node ends with it.
func Run(plan Plan, log *slog.Logger) error {
	if os.Getpid() != 1 {
		return fmt.Errorf("init: this is process %d, but it must be the first of a PID namespace", os.Getpid())
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	go func() {
		<-stop
		os.Exit(0) // the kernel ends the rest
	}()
	// A cgroup namespace belongs to one thread, and what that thread starts is in it.
	runtime.LockOSThread()
	hierarchies, err := cgroup.Hierarchies()
	if err != nil {
		return err
	}
	if err := cgroup.Enter(plan.Cgroup); err != nil {
		return err
	}
	if err := unix.Unshare(unix.CLONE_NEWCGROUP); err != nil {
		return fmt.Errorf("new cgroup namespace: %w", err)
	}
	if err := unix.Sethostname([]byte(plan.Hostname)); err != nil {
		return fmt.Errorf("set host name: %w", err)
	}
	if err := mounts(hierarchies); err != nil {
		return err
	}
	// Of this node's network namespace alone: Services are forwarded.
	if err := os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644); err != nil {
		return fmt.Errorf("forward packets: %w", err)
	}
	n := &node{log: log, running: map[int]Program{}}
	if err := n.bringUp(plan); err != nil {
		return err
	}
	return n.keep()
}

// node is the set of programs that run on the node.
type node struct {
	log     *slog.Logger
	running map[int]Program
}

// bringUp starts everything in order.
func (n *node) bringUp(plan Plan) error {
	if err := n.start(plan.Runtime); err != nil {
		return err
	}
	if err := awaitSocket(plan.Socket); err != nil {
		return err
	}
	for _, program := range plan.Setup {
		pid, err := fork(program)
		if err != nil {
			return err
		}
		var status syscall.WaitStatus
		if _, err := syscall.Wait4(pid, &status, 0, nil); err != nil {
			return fmt.Errorf("wait for %s: %w", program.Name, err)
		}
		if status != 0 {
			return fmt.Errorf("%s failed with exit status %d; log: %s", program.Name, status.ExitStatus(), program.Log)
		}
	}
	for _, program := range plan.Services {
		if err := n.start(program); err != nil {
			return err
		}
	}
	return nil
}

// keep reaps every process that ends, the containers' too, and starts the node's own programs again.
func (n *node) keep() error {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case err != nil:
			return fmt.Errorf("wait for the node's programs: %w", err)
		}
		program, own := n.running[pid]
		if !own {
			continue
		}
		delete(n.running, pid)
		n.log.Warn("a program has ended and is started again", "program", program.Name, "pid", pid,
			"exit", status.ExitStatus(), "signal", status.Signal(), "log", program.Log)
		time.Sleep(restartPause)
		if err := n.start(program); err != nil {
			return err
		}
	}
}

func (n *node) start(program Program) error {
	pid, err := fork(program)
	if err != nil {
		return err
	}
	n.running[pid] = program
	return nil
}

// fork starts a program. The caller waits for it: Wait4 for any child must not compete with another that waits for one.
func fork(program Program) (pid int, err error) {
	log, err := os.OpenFile(program.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, fmt.Errorf("start %s: %w", program.Name, err)
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	null, err := os.Open(os.DevNull)
	if err != nil {
		return 0, fmt.Errorf("start %s: %w", program.Name, err)
	}
	defer func() { err = errors.Join(err, null.Close()) }()
	pid, err = syscall.ForkExec(program.Path, append([]string{program.Path}, program.Args...), &syscall.ProcAttr{
		Env:   os.Environ(),
		Files: []uintptr{null.Fd(), log.Fd(), log.Fd()},
		Sys:   &syscall.SysProcAttr{Setpgid: true},
	})
	if err != nil {
		return 0, fmt.Errorf("start %s: %w", program.Name, err)
	}
	return pid, nil
}

// awaitSocket waits until something serves a unix socket.
func awaitSocket(path string) error {
	ctx, cancel := context.WithTimeout(context.Background(), runtimeTimeout)
	defer cancel()
	for {
		c, err := new(net.Dialer).DialContext(ctx, "unix", path)
		if err == nil {
			return c.Close()
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the container runtime does not serve within %s: %w", runtimeTimeout, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
