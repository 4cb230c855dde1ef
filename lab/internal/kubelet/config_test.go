package kubelet

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// A value that is left out of a template would only show when the node does not start.
func TestConfigurationHasEveryValue(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"containerd", "ctr"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir)
	c := Config{
		Name: "node7", IP: "172.31.255.7", Netns: "ovnlab-1-node7", Cgroup: "ovnlab-1-node7", Dir: dir,
		Binary: "/bin/ovnguard-lab-node", Kubeconfig: "/k/kubelet", ProxyKubeconfig: "/k/proxy",
		Authority: "/p/ca", Certificate: "/p/crt", Key: "/p/key", DNS: "10.96.0.10",
		Images: []string{"/i/pause.tar"}, Pause: "lab.local/pause:1", Log: func(p string) string { return "/l/" + p },
	}
	if err := c.write(); err != nil {
		t.Fatal(err)
	}
	for name, wants := range map[string][]string{
		"kubelet.yaml":             {"172.31.255.7", "/p/ca", "/p/crt", "/p/key", "10.96.0.10", "unix://" + c.Socket()},
		"kube-proxy.yaml":          {"172.31.255.7", "node7", "/k/proxy"},
		"containerd.toml":          {c.Socket(), "lab.local/pause:1", c.PluginDir(), c.NetworkDir()},
		"cni/10-kube-ovn.conflist": {c.PluginSocket(), `"ovnguard-lab"`},
		"plan.json":                {"node7", "/k/kubelet", "/i/pause.tar", "/l/node7-kubelet", "k8s.io"},
	} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range wants {
			if !strings.Contains(string(data), want) {
				t.Errorf("%s has no %s:\n%s", name, want, data)
			}
		}
		var any map[string]any
		switch filepath.Ext(name) {
		case ".yaml":
			err = yaml.UnmarshalStrict(data, &any)
		case ".json", ".conflist":
			err = json.Unmarshal(data, &any)
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPluginsAreTheNodesProgram(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", "/bin")
	c := Config{Dir: dir, Binary: "/bin/ovnguard-lab-node", Log: func(p string) string { return p }}
	err := c.write()
	for _, name := range []string{"ovnguard-lab", "loopback"} {
		target, linkErr := os.Readlink(filepath.Join(c.PluginDir(), name))
		if linkErr != nil || target != c.Binary {
			t.Errorf("plugin %s is %q, %v (%v)", name, target, linkErr, err)
		}
	}
}

func TestReadyOnlyByWhatWasSaidInThisRun(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	at := func(seconds int, status corev1.ConditionStatus) *corev1.Node {
		return &corev1.Node{Status: corev1.NodeStatus{Conditions: []corev1.NodeCondition{
			{Type: corev1.NodeMemoryPressure, Status: corev1.ConditionFalse},
			{
				Type: corev1.NodeReady, Status: status,
				LastHeartbeatTime: metav1.NewTime(now.Add(time.Duration(seconds) * time.Second)),
			},
		}}}
	}
	for name, test := range map[string]struct {
		node *corev1.Node
		want string
	}{
		"ready":                       {at(0, corev1.ConditionTrue), ""},
		"ready before the node ended": {at(-1, corev1.ConditionTrue), "said nothing since"},
		"not ready":                   {at(1, corev1.ConditionFalse), "is not ready"},
		"nothing said yet":            {&corev1.Node{}, "not said yet"},
	} {
		t.Run(name, func(t *testing.T) {
			err := ready(test.node, now)
			if test.want == "" && err != nil ||
				test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}
