package kubeovn

// Setup is what Kube-OVN's controller was told by arguments that change what it makes.
type Setup struct {
	// Namespace is where Kube-OVN's controller runs, and makes the pods of its gateways unless it is told otherwise.
	// Nobody but administrators makes pods there.
	Namespace string
	// Account is the user as which it writes.
	Account string
	// Router is the VPC of subnets that name none (--cluster-router).
	Router string
	// NodeSwitch is the subnet by which nodes reach pods (--node-switch).
	NodeSwitch string
	// KeepVMIP means that a machine's port bears the machine's name and outlives its pods (--keep-vm-ip).
	KeepVMIP bool
	// NonPrimary means that another CNI makes the pods' default network, so that pods have NICs by attachments alone
	// (--non-primary-cni-mode).
	NonPrimary bool
}

// DefaultNamespace is where Kube-OVN's charts and its installer put it.
const DefaultNamespace = "kube-system"

// DefaultSetup returns that of a Kube-OVN that was told nothing.
func DefaultSetup() Setup {
	return Setup{
		Namespace:  DefaultNamespace,
		Account:    ControllerAccount,
		Router:     DefaultVPC,
		NodeSwitch: JoinSubnet,
		KeepVMIP:   true,
	}
}
