package kubelet

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"time"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/ovnguard/ovnguard/lab/internal/cgroup"
	"github.com/ovnguard/ovnguard/lab/internal/process"
)

// Suffix ends the name of the process that is a whole node: it is killed and started again with everything on it.
const Suffix = "-machine"

// readyTimeout is how long a node may take until it is ready, on a machine with other load.
const readyTimeout = 2 * time.Minute

// namespaces are those that a node has for itself; its network namespace is there already, and its cgroup namespace is
// made when the process is in its control groups.
const namespaces = unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC

// Start writes the node's configuration and starts it. It returns when Kubernetes says that the node is ready.
func Start(ctx context.Context, group *process.Group, client kubernetes.Interface, c Config) error {
	if err := cgroup.Make(c.Cgroup); err != nil {
		return fmt.Errorf("node %s: %w", c.Name, err)
	}
	if err := c.write(); err != nil {
		return err
	}
	_, err := group.Start(ctx, process.Spec{
		Name: c.Name + Suffix, Path: c.Binary, Args: []string{"init", c.file("plan.json")},
		Netns: c.Netns, Namespaces: namespaces,
		LogPath:      c.Log(c.Name + Suffix),
		Ready:        readiness(group, client, c.Name),
		ReadyTimeout: readyTimeout,
		Health:       "unix:" + c.Socket(),
	})
	return err
}

// readiness returns a check whether Kubernetes says that a node is ready, by what its kubelet said since the present
// run began.
func readiness(group *process.Group, client kubernetes.Interface, name string) func(context.Context) error {
	var pid int
	var since time.Time
	return func(ctx context.Context) error {
		if now := group.Process(name + Suffix).PID(); now != pid {
			// Kubernetes counts whole seconds.
			pid, since = now, time.Now().Truncate(time.Second)
		}
		node, err := client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		return ready(node, since)
	}
}

func ready(node *corev1.Node, since time.Time) error {
	for _, condition := range node.Status.Conditions {
		switch {
		case condition.Type != corev1.NodeReady:
		case condition.LastHeartbeatTime.Time.Before(since):
			return fmt.Errorf("kubelet on %s has said nothing since it was started", node.Name)
		case condition.Status != corev1.ConditionTrue:
			return fmt.Errorf("node %s is not ready: %s", node.Name, condition.Message)
		default:
			return nil
		}
	}
	return fmt.Errorf("kubelet on %s has not said yet whether it is ready", node.Name)
}

// ImportImage gives a node the image in a tar file.
func ImportImage(ctx context.Context, socket, tar string) error {
	out, err := exec.CommandContext(ctx, "ctr", importArgs(socket, tar)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("import %s: %w: %s", tar, err, bytes.TrimSpace(out))
	}
	return nil
}
