package ovn

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/ovnguard/ovnguard/lab/internal/netns"
	"github.com/ovnguard/ovnguard/lab/internal/process"
)

// IntegrationBridge is the bridge that pods are plugged into.
const IntegrationBridge = "br-int"

// underlayBridge carries the tunnels between nodes. The userspace datapath looks for a tunnel's local address on a
// bridge of its own, not on the namespace's interfaces.
const underlayBridge = "br-phy"

// fabricMTU leaves room for the tunnel's headers around a pod's full frame.
const fabricMTU = 9000

// NodeConfig configures a node.
type NodeConfig struct {
	// LabID is the lab's id; names of namespaces begin with it.
	LabID string
	// Name is the name of the node and of its chassis.
	Name string
	// Index counts the lab's nodes from 1; the node's address on the fabric ends with it.
	Index int
	// Dir is the directory for the files of the node's daemons.
	Dir string
	// SB is the endpoint of the Southbound database.
	SB string
}

// Node is a running node.
type Node struct {
	Name string
	// Netns is the network namespace of the node.
	Netns string
	// OVSDB is the endpoint of its Open vSwitch database, "unix:/PATH".
	OVSDB string
	// IP is its address on the fabric.
	IP string
}

// Netns returns the name of the namespace of a node.
func Netns(labID, node string) string { return netns.Prefix(labID) + node }

// FabricIP returns the address of a node on the fabric. The fabric is only in namespaces of the lab.
func FabricIP(index int) string { return fmt.Sprintf("172.31.255.%d", index) }

// StartFabric makes the switch that connects the nodes, in a namespace of its own, so that the machine's network is
// left alone.
func StartFabric(ctx context.Context, labID string) error {
	name := Netns(labID, "fabric")
	if err := netns.Ensure(ctx, name); err != nil {
		return err
	}
	return netns.Batch(ctx, name, fmt.Sprintf("link add fabric mtu %d type bridge", fabricMTU), "link set fabric up")
}

// StartNode starts a node: its namespace with a link to the fabric, Open vSwitch with the userspace datapath, and
// ovn-controller. StartFabric must have been called.
func StartNode(ctx context.Context, group *process.Group, c NodeConfig) (*Node, error) {
	n := &Node{
		Name:  c.Name,
		Netns: Netns(c.LabID, c.Name),
		OVSDB: "unix:" + filepath.Join(c.Dir, "ovs.sock"),
		IP:    FabricIP(c.Index),
	}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("directory of node %s: %w", c.Name, err)
	}
	if err := n.connectFabric(ctx, c); err != nil {
		return nil, fmt.Errorf("node %s: %w", c.Name, err)
	}
	db := database{name: c.Name + "-ovsdb", file: "ovs", dir: c.Dir, schema: ovsSchema, netns: n.Netns}
	if err := startDatabase(ctx, group, db); err != nil {
		return nil, err
	}
	if err := n.configure(ctx, c); err != nil {
		return nil, fmt.Errorf("node %s: %w", c.Name, err)
	}
	control := filepath.Join(c.Dir, vswitchdControl)
	_, err := group.Start(ctx, process.Spec{
		Name: c.Name + "-vswitchd", Path: "ovs-vswitchd", Netns: n.Netns,
		Args:    []string{n.OVSDB, "--unixctl=" + control, "--no-chdir"},
		Env:     runDirs(c.Dir),
		LogPath: filepath.Join(c.Dir, "vswitchd.log"),
		Ready:   func(ctx context.Context) error { return appctl(ctx, control, "version", "ovs-vswitchd") },
		Health:  "unix:" + control,
	})
	if err != nil {
		return nil, err
	}
	if err := n.makeBridges(ctx); err != nil {
		return nil, fmt.Errorf("node %s: %w", c.Name, err)
	}
	// ovn-controller has no flag for its control socket: it is named after its PID in OVN_RUNDIR.
	_, err = group.Start(ctx, process.Spec{
		Name: c.Name + "-ovn-controller", Path: "ovn-controller", Netns: n.Netns,
		Args:    []string{n.OVSDB, "--no-chdir"},
		Env:     runDirs(c.Dir),
		LogPath: filepath.Join(c.Dir, "ovn-controller.log"),
		Ready:   func(ctx context.Context) error { return chassisIsUp(ctx, c) },
	})
	return n, err
}

// connectFabric makes the node's namespace and its link to the fabric.
func (n *Node) connectFabric(ctx context.Context, c NodeConfig) error {
	if err := netns.Ensure(ctx, n.Netns); err != nil {
		return err
	}
	port := fmt.Sprintf("node%d", c.Index)
	err := netns.Batch(
		ctx,
		Netns(c.LabID, "fabric"),
		fmt.Sprintf(
			"link add %s mtu %d type veth peer name underlay mtu %d netns %s",
			port,
			fabricMTU,
			fabricMTU,
			n.Netns,
		),
		fmt.Sprintf("link set %s master fabric up", port),
	)
	if err != nil {
		return err
	}
	return netns.Batch(ctx, n.Netns, "link set underlay up")
}

// configure sets ovn-controller's identity and databases, through Open vSwitch's database.
func (n *Node) configure(ctx context.Context, c NodeConfig) error {
	if err := n.vsctl(ctx, "--no-wait", "init"); err != nil {
		return err
	}
	return n.vsctl(ctx, "--no-wait", "set", "Open_vSwitch", ".",
		"external_ids:system-id="+c.Name, "external_ids:hostname="+c.Name,
		"external_ids:ovn-remote="+c.SB,
		"external_ids:ovn-encap-type=geneve", "external_ids:ovn-encap-ip="+n.IP,
		"external_ids:ovn-bridge-datapath-type=netdev",
		// The defaults suit a cluster; a lab should not wait.
		"external_ids:ovn-remote-probe-interval=0", "external_ids:ovn-openflow-probe-interval=0")
}

func (n *Node) makeBridges(ctx context.Context) error {
	err := n.vsctl(
		ctx,
		"--may-exist",
		"add-br",
		IntegrationBridge,
		"--",
		"set",
		"Bridge",
		IntegrationBridge,
		"datapath_type=netdev",
		"fail_mode=secure",
		"--",
		"--may-exist",
		"add-br",
		underlayBridge,
		"--",
		"set",
		"Bridge",
		underlayBridge,
		"datapath_type=netdev",
		"--",
		"--may-exist",
		"add-port",
		underlayBridge,
		"underlay",
	)
	if err != nil {
		return err
	}
	return netns.Batch(ctx, n.Netns, "addr add "+n.IP+"/24 dev "+underlayBridge, "link set "+underlayBridge+" up")
}

// chassisIsUp reports whether ovn-controller has entered the node into the Southbound database.
func chassisIsUp(ctx context.Context, c NodeConfig) error {
	return tool(ctx, "ovn-sbctl", "--db="+c.SB, "--timeout=5", "get", "Chassis", c.Name, "name")
}

func (n *Node) vsctl(ctx context.Context, args ...string) error {
	return tool(ctx, "ovs-vsctl", append([]string{"--db=" + n.OVSDB, "--timeout=10"}, args...)...)
}
