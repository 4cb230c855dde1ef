package up

// Names of the lab's processes that are neither the control plane's nor OVN's.
// Each is also the name of the hidden command of the lab's binary that runs it.
const (
	// KubeOVNComponent is the stand-in for Kube-OVN's controller.
	KubeOVNComponent = "kube-ovn"
	// NodeAgentComponent runs a node's pods; its processes are named after the node, such as "node1-agent".
	NodeAgentComponent = "node-agent"
)
