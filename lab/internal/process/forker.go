package process

import (
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"syscall"

	"github.com/vishvananda/netns"
)

// forker runs functions one after another on one operating-system thread that
// does nothing else. Children forked there get their parent-death signal when
// the whole program ends and not earlier.
type forker struct {
	requests chan func()
}

func newForker() *forker {
	f := &forker{requests: make(chan func())}
	go func() {
		// Never unlocked: when the goroutine ends the runtime ends the thread,
		// whatever namespace it is in by then.
		runtime.LockOSThread()
		for request := range f.requests {
			request()
		}
	}()
	return f
}

// close ends the thread. Every child that still runs is killed by the kernel.
func (f *forker) close() { close(f.requests) }

// start forks cmd inside the network namespace that spec names, or the program's own, and in new namespaces of its own.
func (f *forker) start(cmd *exec.Cmd, spec Spec) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Pdeathsig: syscall.SIGKILL,
		// A group of its own: Ctrl-C in the terminal reaches only the parent, which then stops the children in order.
		Setpgid:    true,
		Cloneflags: spec.Namespaces,
	}
	result := make(chan error, 1)
	f.requests <- func() { result <- startIn(cmd, spec.Netns) }
	return <-result
}

func startIn(cmd *exec.Cmd, namespace string) (err error) {
	if namespace == "" {
		return cmd.Start()
	}
	home, err := netns.Get()
	if err != nil {
		return fmt.Errorf("open own network namespace: %w", err)
	}
	defer func() { err = errors.Join(err, home.Close()) }()
	target, err := netns.GetFromName(namespace)
	if err != nil {
		return fmt.Errorf("open network namespace %q: %w", namespace, err)
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	if err := netns.Set(target); err != nil {
		return fmt.Errorf("enter network namespace %q: %w", namespace, err)
	}
	defer func() {
		if back := netns.Set(home); back != nil {
			// The thread must not be used again, but it cannot be ended either: that would kill every child of the group.
			panic(fmt.Sprintf("leave network namespace %q: %v", namespace, back))
		}
	}()
	return cmd.Start()
}
