package up

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sync/errgroup"

	"github.com/ovnguard/ovnguard/lab/internal/controlplane"
	"github.com/ovnguard/ovnguard/lab/internal/ovn"
	"github.com/ovnguard/ovnguard/lab/internal/process"
	"github.com/ovnguard/ovnguard/lab/internal/state"
)

// startOVN starts OVN's databases and northd and then the nodes, each in its
// network namespace.
func (l *Lab) startOVN(ctx context.Context) error {
	var central ovn.Central
	err := l.progress.timed("OVN Northbound, Southbound and northd are ready", func() (err error) {
		central, err = ovn.StartCentral(ctx, l.group, l.dir.OVN())
		return err
	})
	if err != nil {
		return err
	}
	l.info.NB, l.info.SB = central.NB, central.SB
	if err := ovn.StartFabric(ctx, l.dir.ID()); err != nil {
		return err
	}
	for i := range l.options.Nodes {
		name := fmt.Sprintf("node%d", i+1)
		err := l.progress.timed(name+": Open vSwitch and ovn-controller are ready", func() error {
			return l.startNode(ctx, name, i+1)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (l *Lab) startNode(ctx context.Context, name string, index int) error {
	node, err := ovn.StartNode(ctx, l.group, ovn.NodeConfig{
		LabID: l.dir.ID(), Name: name, Index: index, Dir: l.dir.Node(name), SB: l.info.SB,
	})
	if err != nil {
		return err
	}
	l.nodes = append(l.nodes, node)
	described := state.Node{
		Name: node.Name, Netns: node.Netns, OVSDB: node.OVSDB, IntegrationBridge: ovn.IntegrationBridge,
	}
	if index <= l.options.Kubelets {
		described.Containerd = l.kubeletConfig(node).Socket()
	}
	l.info.Nodes = append(l.info.Nodes, described)
	return nil
}

// startKubeOVN starts the stand-in and waits until the default network is
// there.
func (l *Lab) startKubeOVN(ctx context.Context) error {
	layout := l.options.KubeOVN.Layout.Completed()
	return l.startOwn(ctx, KubeOVNComponent, KubeOVNComponent,
		"--kubeconfig", l.info.Kubeconfigs[controlplane.KubeOVNIdentity],
		"--nb", l.info.NB,
		"--version", l.options.KubeOVN.Version,
		"--inspect-interval", l.options.KubeOVN.InspectInterval.String(),
		"--probe-interval", l.options.KubeOVN.ProbeInterval.String(),
		// Containers reach the API server and the databases at ports that no policy for a real cluster admits.
		"--enable-np="+strconv.FormatBool(l.options.Kubelets == 0),
		"--cluster-router", layout.Router,
		"--node-switch", layout.NodeSwitch,
		"--non-primary-cni-mode="+strconv.FormatBool(layout.NonPrimary),
	)
}

// startAgents starts the agent of every node, and kubelet where the node has one, and waits until all are registered.
func (l *Lab) startAgents(ctx context.Context) error {
	for _, node := range l.nodes {
		kubeconfig, err := l.control.WriteNodeKubeconfig(node.Name)
		if err != nil {
			return err
		}
		l.info.Kubeconfigs[node.Name] = kubeconfig
	}
	agents, ctx := errgroup.WithContext(ctx)
	for i, node := range l.nodes {
		if i < l.options.Kubelets {
			agents.Go(func() error { return l.startKubelet(ctx, node) })
		}
		agents.Go(func() error { return l.startAgent(ctx, node, i < l.options.Kubelets) })
	}
	return agents.Wait()
}

func (l *Lab) startAgent(ctx context.Context, node *ovn.Node, kubelet bool) error {
	flags := []string{
		"--kubeconfig", l.info.Kubeconfigs[node.Name],
		"--lab", l.dir.ID(),
		"--node", node.Name,
		"--netns", node.Netns,
		"--ip", node.IP,
		"--ovsdb", node.OVSDB,
		"--bridge", ovn.IntegrationBridge,
		"--non-primary-cni-mode=" + strconv.FormatBool(l.options.KubeOVN.Layout.NonPrimary),
	}
	switch {
	case kubelet:
		layout := l.options.KubeOVN.Layout.Completed()
		flags = append(flags,
			"--plugin-socket", l.kubeletConfig(node).PluginSocket(),
			"--cluster-router", layout.Router,
			"--node-switch", layout.NodeSwitch,
			"--service-cidr", controlplane.ServiceRange,
		)
	case l.options.Kubelets > 0:
		flags = append(flags, "--tainted")
	}
	return l.startOwn(ctx, node.Name+"-agent", NodeAgentComponent, flags...)
}

// startOwn starts one of the lab's own components and waits for the file that shows that it is ready.
func (l *Lab) startOwn(ctx context.Context, name, component string, flags ...string) error {
	readyFile := filepath.Join(l.dir.Run(), name+".ready")
	_, err := l.group.Start(ctx, process.Spec{
		Name:    name,
		Path:    l.options.Binary,
		Args:    append([]string{"component", component, "--ready-file", readyFile}, flags...),
		LogPath: l.dir.Log(name),
		Ready: func(context.Context) error {
			said, err := os.ReadFile(readyFile)
			if err == nil && string(said) != strconv.Itoa(l.group.Process(name).PID()) {
				err = fmt.Errorf("%s is of process %s, an earlier run", readyFile, said)
			}
			return err
		},
	})
	return err
}
