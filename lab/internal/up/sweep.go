package up

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/ovnguard/ovnguard/lab/internal/cgroup"
	"github.com/ovnguard/ovnguard/lab/internal/netns"
	"github.com/ovnguard/ovnguard/lab/internal/process"
	"github.com/ovnguard/ovnguard/lab/internal/state"
)

// stopTimeout is how long a lab in another process may take to stop in order.
const stopTimeout = time.Minute

// Sweep removes what a killed lab left in dir: processes, network namespaces, links, control groups. The caller holds
// the lock of the directory. It calls say for each of them.
func Sweep(ctx context.Context, dir state.Dir, say func(format string, args ...any)) error {
	killed, err := process.Sweep(dir.Run())
	for _, record := range killed {
		say("swept leftover process %s (pid %d)", record.Name, record.PID)
	}
	if err != nil {
		return fmt.Errorf("sweep: %w", err)
	}
	if err := netns.Sweep(ctx, dir.ID(), say); err != nil {
		return fmt.Errorf("sweep: %w", err)
	}
	if err := cgroup.Sweep(ctx, netns.Prefix(dir.ID())); err != nil {
		return fmt.Errorf("sweep: %w", err)
	}
	return nil
}

// Down stops the lab in a state directory, whichever process runs it, and removes what a killed one left there. It is
// no error if no lab runs.
func Down(ctx context.Context, stateDir string, say func(format string, args ...any)) error {
	dir, err := state.FindDir(stateDir)
	if err != nil {
		return err
	}
	if _, err := os.Stat(string(dir)); errors.Is(err, os.ErrNotExist) {
		say("no lab runs in %s", dir)
		return nil
	}
	if dir, err = state.NewDir(stateDir); err != nil {
		return err
	}
	if err := stopHolder(ctx, dir, say); err != nil {
		return err
	}
	lock, err := dir.Acquire()
	if err != nil {
		return err
	}
	return errors.Join(dir.Forget(), Sweep(ctx, dir, say), lock.Release())
}

// stopHolder asks the process that holds the directory to stop its lab and
// waits until it has; after stopTimeout it is killed.
func stopHolder(ctx context.Context, dir state.Dir, say func(format string, args ...any)) error {
	asked := false
	for deadline := time.Now().Add(stopTimeout); ; {
		holder, held, err := dir.Holder()
		switch {
		case err != nil:
			return err
		case !held && !asked:
			say("no lab runs in %s", dir)
			return nil
		case !held:
			say("stopped")
			return nil
		case !asked && holder.Alive():
			say("stopping the lab in %s (PID %d)", dir, holder.PID)
			if err := syscall.Kill(holder.PID, syscall.SIGTERM); err != nil {
				return fmt.Errorf("stop the lab (PID %d): %w", holder.PID, err)
			}
			asked = true
		case !time.Now().After(deadline):
			// It is still stopping.
		case !holder.Alive():
			return fmt.Errorf(
				"the state directory %s is held by a process that does not say which it is: see lslocks(8)",
				dir,
			)
		default:
			say("it did not stop within %s: killing PID %d", stopTimeout, holder.PID)
			if err := syscall.Kill(holder.PID, syscall.SIGKILL); err != nil {
				return fmt.Errorf("kill the lab (PID %d): %w", holder.PID, err)
			}
			deadline = time.Now().Add(stopTimeout)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}
