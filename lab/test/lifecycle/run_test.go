//go:build integration

// Package lifecycle starts and stops whole labs as a user does, and checks what is left.
package lifecycle

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"testing"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/ovnguard/ovnguard/lab/internal/controlplane"
	"github.com/ovnguard/ovnguard/lab/internal/state"
	"github.com/ovnguard/ovnguard/lab/internal/status"
)

// startTime bounds a start; the lab promises 15 s on an idle machine, and here there may be other load.
const startTime = 90 * time.Second

// lab is a process of `ovnguard-lab up`.
type lab struct {
	t      *testing.T
	binary string
	dir    string
	up     *exec.Cmd
	output *bytes.Buffer
	done   chan struct{}
	err    error
}

// startLab runs up and waits until the lab is ready. Cleanup stops it and checks that nothing is left.
func startLab(t *testing.T, dir string, flags ...string) *lab {
	t.Helper()
	binary, err := controlplane.FindBinary()
	if err != nil {
		t.Fatal(err)
	}
	l := &lab{t: t, binary: binary, dir: dir, output: &bytes.Buffer{}, done: make(chan struct{})}
	t.Cleanup(func() {
		l.checkNothingLeft()
		if t.Failed() {
			t.Logf("up wrote:\n%s", l.output)
		}
	})
	l.up = exec.Command(binary, append([]string{"up", "--state-dir", dir}, flags...)...)
	l.up.Stdout, l.up.Stderr = l.output, l.output
	if err := l.up.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		l.err = l.up.Wait()
		close(l.done)
	}()
	t.Cleanup(func() { l.stop() })
	for deadline := time.Now().Add(startTime); ; time.Sleep(50 * time.Millisecond) {
		select {
		case <-l.done:
			t.Fatalf("up ended: %v\n%s", l.err, l.output)
		default:
		}
		if info, err := state.Load(dir); err == nil && info.PID == l.up.Process.Pid {
			t.Logf("lab %s was ready after %s", info.ID, info.ReadyIn)
			return l
		}
		if time.Now().After(deadline) {
			l.kill()
			t.Fatalf("the lab is not ready after %s:\n%s", startTime, l.output)
		}
	}
}

// stop stops the lab as Ctrl-C does.
func (l *lab) stop() {
	l.t.Helper()
	if err := l.up.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
		l.t.Fatal(err)
	}
	select {
	case <-l.done:
	case <-time.After(time.Minute):
		l.kill()
		l.t.Fatalf("up did not end within a minute after Ctrl-C:\n%s", l.output)
	}
}

// kill kills the lab as the kernel does when memory runs out.
func (l *lab) kill() {
	if err := l.up.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		l.t.Error(err)
	}
	<-l.done
}

// command runs the lab's binary for this lab and returns its output and exit code.
func (l *lab) command(args ...string) (string, int) {
	l.t.Helper()
	command := exec.CommandContext(l.t.Context(), l.binary, append(args, "--state-dir", l.dir)...)
	output, err := command.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		l.t.Fatal(err)
	}
	return string(output), command.ProcessState.ExitCode()
}

// status asks for the lab's status as JSON.
func (l *lab) status() (status.Report, int) {
	l.t.Helper()
	output, code := l.command("status", "-o", "json")
	var report status.Report
	if err := json.Unmarshal([]byte(output), &report); err != nil {
		l.t.Fatalf("status wrote no JSON: %v\n%s", err, output)
	}
	return report, code
}

func (l *lab) info() state.Info {
	l.t.Helper()
	info, err := state.Load(l.dir)
	if err != nil {
		l.t.Fatal(err)
	}
	return info
}

// client returns a client with one of the lab's kubeconfigs.
func (l *lab) client(identity string) kubernetes.Interface {
	l.t.Helper()
	return clientFrom(l.t, l.info().Kubeconfigs[identity])
}

func clientFrom(t *testing.T, kubeconfig string) kubernetes.Interface {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	config.QPS = -1
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// checkNothingLeft fails the test when a process, a network namespace or a
// link of the lab is still there.
func (l *lab) checkNothingLeft() {
	l.t.Helper()
	for _, left := range leftovers(l.t, l.dir) {
		l.t.Errorf("left behind: %s", left)
	}
}

// eventually calls check again and again until it is true.
func eventually(t *testing.T, what string, check func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !check(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}
