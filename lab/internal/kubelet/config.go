// Package kubelet makes and starts the nodes of a lab that have a real kubelet: containerd, kubelet and kube-proxy in
// namespaces and control groups of their own, in the network namespace where the node's Open vSwitch is.
package kubelet

import (
	"embed"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/ovnguard/ovnguard/lab/internal/cni"
	"github.com/ovnguard/ovnguard/lab/internal/nodeinit"
	"github.com/ovnguard/ovnguard/lab/internal/state"
)

// Config configures a node.
type Config struct {
	// Name is the node's name, IP its address, Netns its network namespace and Cgroup the name of its control groups.
	Name, IP, Netns, Cgroup string
	// Dir is the directory of the node's files.
	Dir string
	// Binary is the path of ovnguard-lab-node.
	Binary string
	// Kubeconfig and ProxyKubeconfig are those of kubelet and kube-proxy.
	Kubeconfig, ProxyKubeconfig string
	// Authority is the file of the authority that kubelet believes; Certificate and Key are its own.
	Authority, Certificate, Key string
	// DNS is the address that pods ask for names.
	DNS string
	// Images are tar files of images that are imported before kubelet starts, and Pause is the name of the one that holds
	// a pod's namespaces.
	Images []string
	Pause  string
	// Log returns the path of the log of one process.
	Log func(process string) string
}

// Socket is where containerd serves; `ctr -a` takes it.
func (c Config) Socket() string { return filepath.Join(c.Dir, "containerd.sock") }

// PluginSocket is where the node's agent serves the CNI plugin.
func (c Config) PluginSocket() string { return filepath.Join(c.Dir, "cni.sock") }

// PluginDir has the CNI plugins and NetworkDir the configuration of the pods' network.
func (c Config) PluginDir() string { return filepath.Join(c.Dir, "cni-bin") }

// NetworkDir has the configuration of the pods' network.
func (c Config) NetworkDir() string { return filepath.Join(c.Dir, "cni") }

// PluginType is the name of the CNI plugin.
func (Config) PluginType() string { return cni.Type }

func (c Config) file(name string) string { return filepath.Join(c.Dir, name) }

//go:embed files
var files embed.FS

// write writes the node's configuration.
func (c Config) write() error {
	for _, dir := range []string{c.PluginDir(), c.NetworkDir()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("node %s: %w", c.Name, err)
		}
	}
	for name, path := range map[string]string{
		"kubelet.yaml":     c.file("kubelet.yaml"),
		"kube-proxy.yaml":  c.file("kube-proxy.yaml"),
		"containerd.toml":  c.file("containerd.toml"),
		"network.conflist": filepath.Join(c.NetworkDir(), "10-kube-ovn.conflist"),
	} {
		text, err := c.render(name)
		if err != nil {
			return fmt.Errorf("node %s: %w", c.Name, err)
		}
		if err := state.WriteFile(path, text, 0o600); err != nil {
			return err
		}
	}
	// The program knows by its name which plugin it is.
	for _, name := range []string{cni.Type, cni.Loopback} {
		link := filepath.Join(c.PluginDir(), name)
		if err := os.RemoveAll(link); err != nil {
			return fmt.Errorf("node %s: %w", c.Name, err)
		}
		if err := os.Symlink(c.Binary, link); err != nil {
			return fmt.Errorf("node %s: %w", c.Name, err)
		}
	}
	plan, err := c.plan()
	if err != nil {
		return fmt.Errorf("node %s: %w", c.Name, err)
	}
	data, err := json.MarshalIndent(plan, "", "  ")
	if err != nil {
		return fmt.Errorf("node %s: %w", c.Name, err)
	}
	return state.WriteFile(c.file("plan.json"), data, 0o600)
}

func (c Config) render(name string) ([]byte, error) {
	t, err := template.New(name).Option("missingkey=error").ParseFS(files, "files/"+name)
	if err != nil {
		return nil, err
	}
	var text strings.Builder
	if err := t.Execute(&text, c); err != nil {
		return nil, err
	}
	return []byte(text.String()), nil
}

// plan returns what runs on the node.
func (c Config) plan() (nodeinit.Plan, error) {
	containerd, err := exec.LookPath("containerd")
	if err != nil {
		return nodeinit.Plan{}, err
	}
	ctr, err := exec.LookPath("ctr")
	if err != nil {
		return nodeinit.Plan{}, err
	}
	program := func(name, path string, args ...string) nodeinit.Program {
		return nodeinit.Program{Name: name, Path: path, Args: args, Log: c.Log(c.Name + "-" + name)}
	}
	plan := nodeinit.Plan{
		Hostname: c.Name, Cgroup: c.Cgroup, Socket: c.Socket(),
		Runtime: program("containerd", containerd, "--config", c.file("containerd.toml")),
		Services: []nodeinit.Program{
			program("kubelet", c.Binary, "kubelet", "--",
				"--config="+c.file("kubelet.yaml"), "--kubeconfig="+c.Kubeconfig,
				"--hostname-override="+c.Name, "--node-ip="+c.IP),
			program("kube-proxy", c.Binary, "kube-proxy", "--", "--config="+c.file("kube-proxy.yaml")),
		},
	}
	for _, image := range c.Images {
		plan.Setup = append(plan.Setup, program("import", ctr, importArgs(c.Socket(), image)...))
	}
	return plan, nil
}

// importArgs returns the arguments with which ctr imports an image for kubelet.
func importArgs(socket, image string) []string {
	return []string{"--address", socket, "--namespace", "k8s.io", "images", "import", image}
}
