package up

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/ovnguard/ovnguard/lab/internal/controlplane"
	"github.com/ovnguard/ovnguard/lab/internal/image"
	"github.com/ovnguard/ovnguard/lab/internal/kubelet"
	"github.com/ovnguard/ovnguard/lab/internal/netns"
	"github.com/ovnguard/ovnguard/lab/internal/nodeinit"
	"github.com/ovnguard/ovnguard/lab/internal/ovn"
	"github.com/ovnguard/ovnguard/lab/internal/relay"
	"github.com/ovnguard/ovnguard/lab/internal/state"
)

// Images that nodes with a kubelet have from the start.
const (
	// PodImage runs the lab's own program for containers, ovnguard-lab-pod; without arguments it says what it can do.
	PodImage = "lab.local/pod:1"
	// pauseImage holds a pod's namespaces.
	pauseImage = "lab.local/pause:1"
)

// completeKubelets finds the programs of nodes with a kubelet, in the directory of the lab's own.
func (o *Options) completeKubelets() error {
	for _, program := range []struct {
		name string
		path *string
	}{{"ovnguard-lab-node", &o.nodeBinary}, {"ovnguard-lab-pod", &o.podBinary}} {
		*program.path = filepath.Join(filepath.Dir(o.Binary), program.name)
		if _, err := os.Stat(*program.path); err != nil {
			return fmt.Errorf("%s is not built: run `make build-kubelet`: %w", program.name, err)
		}
	}
	dir, err := state.FindDir(o.StateDir)
	if err != nil {
		return err
	}
	for _, path := range []string{string(dir), o.nodeBinary} {
		for _, own := range nodeinit.Own() {
			if strings.HasPrefix(path, own+"/") {
				return fmt.Errorf("%s: nodes with a kubelet have a %s of their own and would not see it: use another "+
					"directory, with --state-dir if it is the lab's", path, own)
			}
		}
	}
	return nil
}

// prepareKubelets makes the images, and the ways between the machine's own network and the nodes.
func (l *Lab) prepareKubelets(ctx context.Context) error {
	for reference, arguments := range map[string][]string{pauseImage: {"pause"}, PodImage: nil} {
		packed := image.Image{Reference: reference, Binary: l.options.podBinary, Arguments: arguments}
		if err := packed.WriteTar(l.imageTar(reference)); err != nil {
			return err
		}
	}
	for _, node := range l.nodes[:l.options.Kubelets] {
		address := "addr replace " + controlplane.NodeAddress + "/32 dev lo"
		if err := netns.Batch(ctx, node.Netns, address); err != nil {
			return err
		}
		northbound := relay.To("unix", strings.TrimPrefix(l.info.NB, "unix:"))
		for port, dial := range map[int]relay.Dial{
			controlplane.NodeAPIPort:        relay.To("tcp", l.control.APIServerAddress()),
			controlplane.NodeNorthboundPort: northbound,
		} {
			r, err := relay.Inside(node.Netns, net.JoinHostPort(controlplane.NodeAddress, strconv.Itoa(port)), dial)
			if err != nil {
				return err
			}
			l.relays = append(l.relays, r)
		}
	}
	egress, err := relay.Connect(l.dir.Egress(), l.netnsFor)
	if err != nil {
		return err
	}
	l.relays = append(l.relays, egress)
	client, err := l.adminClient()
	if err != nil {
		return err
	}
	return controlplane.PublishAPIServer(ctx, client)
}

// netnsFor returns the network namespace from which kube-apiserver reaches an address: a node's own, or that of a node
// that runs and leads on to Services and pods.
func (l *Lab) netnsFor(host string) (string, error) {
	for _, node := range l.nodes {
		if node.IP == host {
			return node.Netns, nil
		}
	}
	for _, node := range l.nodes[:l.options.Kubelets] {
		if p := l.group.Process(node.Name + kubelet.Suffix); p != nil && p.Running() {
			return node.Netns, nil
		}
	}
	return "", errors.New("no node with a kubelet runs, and only such a node leads to Services and pods")
}

func (l *Lab) closeRelays() error {
	var errs []error
	for _, r := range l.relays {
		errs = append(errs, r.Close())
	}
	return errors.Join(errs...)
}

// imageTar returns the file of one of the lab's images.
func (l *Lab) imageTar(reference string) string {
	return filepath.Join(l.dir.Images(), strings.NewReplacer("/", "_", ":", "_").Replace(reference)+".tar")
}

// kubeletConfig returns the configuration of a node with a kubelet, without what kube-apiserver's side has to give.
func (l *Lab) kubeletConfig(node *ovn.Node) kubelet.Config {
	return kubelet.Config{
		Name: node.Name, IP: node.IP, Netns: node.Netns, Cgroup: node.Netns,
		Dir: l.dir.Node(node.Name), Binary: l.options.nodeBinary, DNS: controlplane.ClusterDNS,
		Images: []string{l.imageTar(pauseImage), l.imageTar(PodImage)}, Pause: pauseImage, Log: l.dir.Log,
	}
}

// startKubelet starts containerd, kubelet and kube-proxy of a node and waits until Kubernetes says that it is ready.
func (l *Lab) startKubelet(ctx context.Context, node *ovn.Node) error {
	files, err := l.control.WriteKubelet(node.Name, node.IP)
	if err != nil {
		return err
	}
	config := l.kubeletConfig(node)
	config.Kubeconfig, config.ProxyKubeconfig = files.Kubeconfig, files.ProxyKubeconfig
	config.Authority, config.Certificate, config.Key = files.Authority, files.Certificate, files.Key
	client, err := l.adminClient()
	if err != nil {
		return err
	}
	return kubelet.Start(ctx, l.group, client, config)
}

// AddImage packs a static program into an image and gives it to every node with a kubelet. A container that is to use
// it must not have imagePullPolicy Always.
func (l *Lab) AddImage(ctx context.Context, reference, binary string) error {
	if err := (image.Image{Reference: reference, Binary: binary}).WriteTar(l.imageTar(reference)); err != nil {
		return err
	}
	return l.ImportImage(ctx, l.imageTar(reference))
}

// ImportImage gives an image in a tar file to every node with a kubelet.
func (l *Lab) ImportImage(ctx context.Context, tar string) error {
	imports, ctx := errgroup.WithContext(ctx)
	for _, node := range l.nodes[:l.options.Kubelets] {
		imports.Go(func() error { return kubelet.ImportImage(ctx, l.kubeletConfig(node).Socket(), tar) })
	}
	return imports.Wait()
}
