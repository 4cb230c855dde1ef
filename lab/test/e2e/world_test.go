//go:build integration

// Package e2e tries ovnguard on a real API server and a real OVN: what admission writes and refuses, what the audit
// finds and how it is fixed, what happens when a part dies, and what passes on the wire. One lab serves all tests.
package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/ovnguard/ovnguard/lab/internal/controlplane"
	"github.com/ovnguard/ovnguard/lab/internal/leftover"
	"github.com/ovnguard/ovnguard/lab/internal/scene"
	"github.com/ovnguard/ovnguard/lab/internal/up"
)

// startTimeout bounds the start of the lab and of ovnguard, on a machine with other load.
const startTimeout = 2 * time.Minute

// The world that all tests share. Each test leaves it as it found it.
var (
	world *scene.Scene
	guard *scene.Guard
	// binary is the program under test.
	binary string
)

func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == kubectlName {
		os.Exit(kubectl(os.Args[1:]))
	}
	code, err := inWorld(m.Run)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// inWorld runs the tests between the start and the end of the world. The error says what failed at either, or what was
// left behind.
func inWorld(run func() int) (code int, err error) {
	ctrl.SetLogger(logr.Discard()) // the clients of tests return errors
	if binary, err = findBinary(); err != nil {
		return 1, err
	}
	dir, err := os.MkdirTemp("", "e2e")
	if err != nil {
		return 1, err
	}
	defer func() {
		if code != 0 || err != nil {
			fmt.Fprintln(os.Stderr, "logs are kept in", dir)
			return
		}
		err = os.RemoveAll(dir)
	}()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	// The stand-in looks for missing ports every 20 seconds by default; a test's result would depend on that.
	lab, err := up.Start(ctx, up.Options{StateDir: dir, Audit: true, KubeOVN: up.KubeOVN{InspectInterval: time.Hour}})
	if err != nil {
		return 1, err
	}
	defer func() {
		err = errors.Join(err, lab.Stop())
		left, leftErr := leftover.Of(dir)
		err = errors.Join(err, leftErr)
		for _, what := range left {
			err = errors.Join(err, errors.New("left behind: "+what))
		}
	}()
	if world, err = scene.Open(lab); err != nil {
		return 1, err
	}
	// Tests count reviews, and the self-test's own would add to them.
	if guard, err = world.StartGuard(ctx, binary, "--selftest-interval=1h"); err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, guard.Stop()) }()
	return run(), nil
}

// findBinary returns the path of ovnguard: the value of $OVNGUARD, or the program in the directory of the lab's.
func findBinary() (string, error) {
	path := os.Getenv("OVNGUARD")
	if path == "" {
		lab, err := controlplane.FindBinary()
		if err != nil {
			return "", err
		}
		path = filepath.Join(filepath.Dir(lab), "ovnguard")
	}
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("ovnguard is not built: run `make build`, or name it with OVNGUARD: %w", err)
	}
	return path, nil
}

// waitTime bounds each wait for something that must come. It is much longer than needed on an idle machine.
const waitTime = time.Minute

// eventually waits until ask is true and returns how long that took.
func eventually(t *testing.T, what string, ask func() (bool, error)) time.Duration {
	t.Helper()
	begin := time.Now()
	ctx, cancel := context.WithTimeout(cleanup(t), waitTime) // the cleanup of a test waits, too
	defer cancel()
	if err := scene.Wait(ctx, what, ask); err != nil {
		t.Fatal(err)
	}
	return time.Since(begin)
}
