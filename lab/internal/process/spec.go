// Package process starts child processes that cannot outlive their parent and
// stops them again in an orderly way.
//
// A Group owns its children. They are forked from one operating-system thread
// that lives as long as the group, because the kernel sends the parent-death
// signal when the forking thread ends, not when the forking process ends
// (prctl(2), PR_SET_PDEATHSIG).
package process

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"
)

const (
	defaultReadyTimeout = 60 * time.Second
	defaultStopTimeout  = 5 * time.Second
)

// Spec describes one child process. It is a plain value; the group never
// changes it.
type Spec struct {
	// Name is unique in the group; messages, the pid file and status use it.
	Name string
	// Path is the program: absolute, or looked up in PATH.
	Path string
	// Args are the arguments without the program's own name.
	Args []string
	// Env is added to the parent's environment and the group's.
	Env []string
	// LogPath is the file that stdout and stderr are appended to. Required: its tail explains an early exit.
	LogPath string
	// Netns is a network namespace by its name in /var/run/netns; empty means
	// the parent's.
	Netns string
	// Namespaces are clone flags, such as CLONE_NEWPID: new namespaces of the process. With a PID namespace all that the
	// process starts ends with it, however it ends.
	Namespaces uintptr
	// Ready is called again and again until it returns nil; it may also block. Its context ends when the process exits or
	// ReadyTimeout has passed. Nil means that a started process is ready.
	Ready func(context.Context) error
	// ReadyTimeout bounds the wait for Ready; zero means 60 s.
	ReadyTimeout time.Duration
	// StopTimeout is how long the process may take to end after SIGTERM before
	// it gets SIGKILL; zero means 5 s.
	StopTimeout time.Duration
	// Health is the address for another program's health check, written to the pid file: "https://127.0.0.1:PORT/PATH"
	// must answer 200, "unix:/PATH" must accept a connection. Empty means that a living process is healthy.
	Health string
}

func (s Spec) validate() error {
	switch {
	case s.Name == "" || s.Name != filepath.Base(s.Name) || strings.HasPrefix(s.Name, "."):
		return fmt.Errorf("process name %q: must be a plain file name, it names the pid file", s.Name)
	case s.Path == "":
		return fmt.Errorf("process %s: Path is empty, give the program to run", s.Name)
	case s.LogPath == "":
		return fmt.Errorf("process %s: LogPath is empty, give the file for its output", s.Name)
	}
	return nil
}

func (s Spec) readyTimeout() time.Duration {
	if s.ReadyTimeout > 0 {
		return s.ReadyTimeout
	}
	return defaultReadyTimeout
}

func (s Spec) stopTimeout() time.Duration {
	if s.StopTimeout > 0 {
		return s.StopTimeout
	}
	return defaultStopTimeout
}

// ErrStopped is returned when a group that was stopped is asked to start
// something.
var ErrStopped = errors.New("process group is stopped")

// ExitError says that a process ended when nobody asked it to.
type ExitError struct {
	// Name and PID are those of the process that ended.
	Name string
	PID  int
	// Status is how it ended, such as "exit status 1" or "signal: killed".
	Status string
	// LogPath is its log file and LogTail the last lines it wrote in this run.
	LogPath string
	LogTail string
}

func (e *ExitError) Error() string {
	msg := fmt.Sprintf("%s (pid %d) ended: %s; log: %s", e.Name, e.PID, e.Status, e.LogPath)
	if e.LogTail != "" {
		msg += "\n" + e.LogTail
	}
	return msg
}
