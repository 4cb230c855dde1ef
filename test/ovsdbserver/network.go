package ovsdbserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// network connects the servers of a cluster: each has a network namespace of its own, plugged into a bridge in one
// more. The namespaces have no names, so they end with the processes that hold them, however this program ends. Unix
// sockets work across namespaces, so clients notice nothing of the network.
type network struct {
	fabric *holder
	hosts  []*holder
}

// newNetwork makes namespaces for that many hosts; all of them reach each other.
func newNetwork(ctx context.Context, hosts int) (*network, error) {
	n := &network{}
	if err := n.build(ctx, hosts); err != nil {
		n.close()
		return nil, fmt.Errorf("network of the cluster (needs root and iproute2, `make deps`): %w", err)
	}
	return n, nil
}

func (n *network) build(ctx context.Context, hosts int) (err error) {
	if n.fabric, err = newHolder(ctx); err != nil {
		return err
	}
	commands := [][]string{{"link", "add", "bridge", "type", "bridge"}, {"link", "set", "bridge", "up"}}
	for i := range hosts {
		h, err := newHolder(ctx)
		if err != nil {
			return err
		}
		n.hosts = append(n.hosts, h)
		commands = append(
			commands,
			[]string{"link", "add", port(i), "type", "veth", "peer", "name", "eth0", "netns", strconv.Itoa(h.pid())},
			[]string{"link", "set", port(i), "master", "bridge", "up"},
		)
	}
	for _, c := range commands {
		if err := n.fabric.ip(ctx, c...); err != nil {
			return err
		}
	}
	for i, h := range n.hosts {
		for _, c := range [][]string{
			{"addr", "add", n.address(i) + "/24", "dev", "eth0"},
			{"link", "set", "eth0", "up"},
			{"link", "set", "lo", "up"},
		} {
			if err := h.ip(ctx, c...); err != nil {
				return err
			}
		}
	}
	return nil
}

// port names the bridge's port to a host.
func port(host int) string { return "host" + strconv.Itoa(host) }

// address returns a host's address.
func (n *network) address(host int) string { return "10.0.0." + strconv.Itoa(host+1) }

// cut takes a host off the network: its traffic is lost without a notice. join undoes it.
func (n *network) cut(ctx context.Context, host int) error {
	return n.fabric.ip(ctx, "link", "set", port(host), "nomaster")
}

func (n *network) join(ctx context.Context, host int) error {
	return n.fabric.ip(ctx, "link", "set", port(host), "master", "bridge")
}

func (n *network) close() {
	for _, h := range append(n.hosts, n.fabric) {
		if h != nil {
			h.close()
		}
	}
}

// holder is a process that only keeps a network namespace.
type holder struct {
	cmd  *exec.Cmd
	done chan struct{}
}

func newHolder(ctx context.Context) (*holder, error) {
	cmd := exec.Command("unshare", "--net", "sleep", "infinity") //nolint:noctx // it lives longer than the call
	done, err := startLocked(cmd)
	if err != nil {
		return nil, err
	}
	h := &holder{cmd, done}
	own, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		h.close()
		return nil, fmt.Errorf("own network namespace: %w", err)
	}
	// The process has the new namespace a moment after it was started.
	for end := time.Now().Add(startTimeout); time.Now().Before(end); time.Sleep(time.Millisecond) {
		ns, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", h.pid()))
		if err == nil && ns != own {
			return h, nil
		}
		if ctx.Err() != nil || h.ended() {
			break
		}
	}
	h.close()
	return nil, errors.New("unshare --net: no namespace came of it; is this root?")
}

func (h *holder) pid() int { return h.cmd.Process.Pid }

func (h *holder) ended() bool {
	select {
	case <-h.done:
		return true
	default:
		return false
	}
}

func (h *holder) close() {
	_ = h.cmd.Process.Kill() // it is gone already, or it goes now
	<-h.done
}

// enter returns the start of a command line that runs the rest in the namespace.
func (h *holder) enter() []string {
	return []string{"nsenter", "--target", strconv.Itoa(h.pid()), "--net", "--"}
}

func (h *holder) ip(ctx context.Context, args ...string) error {
	line := append(append(h.enter(), "ip"), args...)
	_, err := Tool(ctx, line[0], line[1:]...)
	return err
}

// startLocked starts a process that dies with this one, and returns a channel that is closed at its end.
func startLocked(cmd *exec.Cmd) (chan struct{}, error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started, done := make(chan error, 1), make(chan struct{})
	go func() {
		// The signal comes when the thread that started the process ends, so this thread is kept until the process is gone.
		runtime.LockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // killed or not, it is gone
		}
		close(done)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", strings.Join(cmd.Args, " "), err)
	}
	return done, nil
}
