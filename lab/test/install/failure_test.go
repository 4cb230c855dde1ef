//go:build install

package install

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/ovnguard/ovnguard/lab/internal/cgroup"
	"github.com/ovnguard/ovnguard/lab/internal/controlplane"
	"github.com/ovnguard/ovnguard/lab/internal/kubelet"
	"github.com/ovnguard/ovnguard/lab/internal/netns"
	"github.com/ovnguard/ovnguard/lab/internal/state"
	"github.com/ovnguard/ovnguard/lab/internal/up"
)

// processes returns the PIDs of what is in a node's control groups.
func processes(t *testing.T, node string) []int {
	t.Helper()
	dirs, err := cgroup.List(netns.Prefix(world.Lab.Info().ID) + node)
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
			if err != nil || entry.Name() != "cgroup.procs" {
				return err
			}
			data, err := os.ReadFile(path)
			for field := range strings.FieldsSeq(string(data)) {
				pid, err := strconv.Atoi(field)
				if err != nil {
					return err
				}
				pids = append(pids, pid)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(pids)
	return slices.Compact(pids)
}

// kubeletPID returns the PID of a node's kubelet; 0 if it has none.
func kubeletPID(t *testing.T, node string) int {
	t.Helper()
	for _, pid := range processes(t, node) {
		command, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err == nil && strings.Contains(string(command), "ovnguard-lab-node\x00kubelet\x00") {
			return pid
		}
	}
	return 0
}

func restarts(pod *corev1.Pod) int32 { return pod.Status.ContainerStatuses[0].RestartCount }

// A kubelet that is killed is started again; containers go on meanwhile, and new ones start.
func TestKubeletKilled(t *testing.T) {
	ns, byNode := startWeb(t, "kubelet")
	before := kubeletPID(t, node1)
	if err := syscall.Kill(before, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "another kubelet", func() (bool, error) {
		pid := kubeletPID(t, node1)
		return pid != 0 && pid != before, nil
	})
	rootPod(t, ns, "after", node1, nil)
	now := pods(t, ns, "app=web")[node1]
	if now == nil || now.UID != byNode[node1].UID || restarts(now) != 0 {
		t.Errorf("the pod that ran is now %+v", now)
	}
	if status, _ := fetch(t, now, "http://"+byNode[node2].Status.PodIP+":8080/"); status != "200" {
		t.Errorf("the pod that ran gets status %s from the other node", status)
	}
}

// Nothing of a node is left when it is killed, and its pods are ready again when it is started again, on the network
// too.
func TestNodeKilled(t *testing.T) {
	ns, byNode := startWeb(t, "machine")
	if n := len(processes(t, node2)); n < 5 {
		t.Fatalf("%d processes are on %s, want at least those of a node with a pod", n, node2)
	}
	if err := world.Lab.KillComponent(node2 + kubelet.Suffix); err != nil {
		t.Fatal(err)
	}
	eventually(t, "no process on "+node2, func() (bool, error) { return len(processes(t, node2)) == 0, nil })

	begin := time.Now()
	if err := world.Lab.RestartComponent(t.Context(), node2+kubelet.Suffix); err != nil {
		t.Fatal(err)
	}
	var again *corev1.Pod
	eventually(t, "the pod on "+node2+" to run again", func() (bool, error) {
		again = pods(t, ns, "app=web")[node2]
		return again != nil && again.UID == byNode[node2].UID && restarts(again) == 1, nil
	})
	t.Logf("the node with its pod was ready again after %s", time.Since(begin).Round(time.Millisecond))
	eventually(t, "its new container to be reached", func() (bool, error) {
		status, content, err := tryFetch(t.Context(), byNode[node1], "http://"+again.Status.PodIP+":8080/")
		return err == nil && status == "200" && content == again.Name, nil
	})
}

// Labs in other directories do not disturb the one that runs; whichever way they end, nothing of them is left.
func TestAnotherLab(t *testing.T) {
	ns, byNode := startWeb(t, "beside")
	dir, err := os.MkdirTemp("", "beside")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	before, err := machine()
	if err != nil {
		t.Fatal(err)
	}
	for name, signal := range map[string]syscall.Signal{"killed": syscall.SIGKILL, "Ctrl-C": syscall.SIGINT} {
		t.Run(name, func(t *testing.T) {
			lab := startLab(t, dir)
			runIn(t, dir)
			if err := lab.Signal(signal); err != nil {
				t.Fatal(err)
			}
			if _, err := lab.Wait(); err != nil {
				t.Fatal(err)
			}
			if signal == syscall.SIGKILL {
				if err := up.Down(t.Context(), dir, t.Logf); err != nil {
					t.Fatal(err)
				}
			}
			if err := nothingLeft(dir, before); err != nil {
				t.Error(err)
			}
		})
	}
	for node, pod := range pods(t, ns, "app=web") {
		if pod.UID != byNode[node].UID || restarts(pod) != 0 {
			t.Errorf("the pod on %s was disturbed: %+v", node, pod.Status)
		}
	}
}

// runIn runs a container in the lab of a state directory.
func runIn(t *testing.T, dir string) {
	t.Helper()
	info, err := state.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.BuildConfigFromFlags("", info.Kubeconfigs[controlplane.TenantIdentity])
	if err != nil {
		t.Fatal(err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	pods := client.CoreV1().Pods(controlplane.TenantNamespace)
	if _, err := pods.Create(t.Context(), root("left", node1, nil), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a container of another lab", func() (bool, error) {
		pod, err := pods.Get(t.Context(), "left", metav1.GetOptions{})
		return err == nil && ready(pod), err
	})
}

// startLab runs `ovnguard-lab up --kubelet 1` until it is ready.
func startLab(t *testing.T, dir string) *os.Process {
	t.Helper()
	binary, err := controlplane.FindBinary()
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	lab := exec.Command(binary, "up", "--kubelet", "1", "--state-dir", dir)
	lab.Stderr = log
	if err := errors.Join(lab.Start(), log.Close()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = lab.Process.Kill() }) // it has ended unless the test has failed
	eventually(t, "another lab to be ready", func() (bool, error) {
		_, err := state.Load(dir)
		return err == nil, nil
	})
	return lab.Process
}
