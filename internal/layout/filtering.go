package layout

// Filtering is what Kube-OVN's controller was told about policies of what pods may reach.
type Filtering struct {
	// Known is false where the controller is not known, or keeps a value elsewhere; the values are its defaults then.
	Known bool
	// NetworkPolicies means that it makes ACLs of NetworkPolicies (--enable-np), and ClusterPolicies that it does so of
	// policies for the whole cluster (--enable-anp).
	NetworkPolicies, ClusterPolicies Value[bool]
	// Enforcement is how strict the ACLs of a policy that says nothing are (--np-enforcement): EnforceStandard or
	// EnforceLax.
	Enforcement Value[string]
}

// The values of --np-enforcement.
const (
	EnforceStandard = "standard"
	EnforceLax      = "lax"
)

// Arguments of Kube-OVN's controller about policies (pkg/controller/config.go). One that does not know an argument does
// not start with it.
const (
	argNetworkPolicies = "enable-np"
	argClusterPolicies = "enable-anp"
	argEnforcement     = "np-enforcement"
)

func filtering(controllers []Workload) Filtering {
	f := Filtering{
		Known:           len(controllers) > 0,
		NetworkPolicies: toggle(nil, argNetworkPolicies, controllers, true),
		ClusterPolicies: toggle(nil, argClusterPolicies, controllers, false),
		Enforcement:     text("", argEnforcement, controllers, EnforceStandard),
	}
	for _, w := range controllers {
		for _, name := range []string{argNetworkPolicies, argClusterPolicies, argEnforcement} {
			if _, given, known := w.flag(name); given && !known {
				f.Known = false
			}
		}
	}
	return f
}
