package kubeovn

import "strings"

// Kinds of the objects by which Kube-OVN is asked for gateways. A VpcNatGateway is of no namespace, so that tenants
// make none; a VpcEgressGateway is made in a namespace, by whoever may, who chooses its image as well.
const (
	KindNATGateway    = "VpcNatGateway"
	KindEgressGateway = "VpcEgressGateway"
)

// Group is the API group of Kube-OVN's resources.
const Group = "kubeovn.io"

// IsGateway reports whether an object of that kind is a gateway.
func IsGateway(apiVersion, kind string) bool {
	group, _, _ := strings.Cut(apiVersion, "/")
	return group == Group && (kind == KindNATGateway || kind == KindEgressGateway)
}

// Marks of the pods of gateways. They prove something in Kube-OVN's own namespace alone, where no tenant makes pods.
const (
	// NATGateway names the VpcNatGateway that the pod is of (GenNatGwPodAnnotations in 1.16, genNatGwStatefulSet in
	// 1.12).
	NATGateway = "ovn.kubernetes.io/vpc_nat_gw"
	// NATGatewayLabel is "true" on the same pods, and AppLabel has the name of their StatefulSet or Deployment
	// (GenNatGwLabels).
	NATGatewayLabel = "ovn.kubernetes.io/vpc-nat-gw"
	AppLabel        = "app"
	// EgressGatewayLabel names the VpcEgressGateway that the pod is of, and AppLabel is EgressGatewayApp on the same pods
	// (vegWorkloadLabels in 1.14 to 1.16). From 1.16 on, a name that is too long for a label stands there shortened.
	EgressGatewayLabel = "ovn.kubernetes.io/vpc-egress-gateway"
	EgressGatewayApp   = "vpc-egress-gateway"
	// LoadBalancerLabel is "true" on the pods by which a VPC reaches Services (genVpcLbDeployment), which are always in
	// Kube-OVN's own namespace. The load balancers of Services of a namespace (genLbSvcDeployment, Deployment
	// lb-svc-<service>) are made there, bear nothing that others could not write, and masquerade what they pass on, so
	// that they are pods like any other.
	LoadBalancerLabel = "ovn.kubernetes.io/vpc_lb"
)

// OfNATGateway reports whether a workload has the name that Kube-OVN gives to the one of a VpcNatGateway: a prefix,
// which its configuration chooses, and the gateway's name (GenNatGwNameWithPrefix in 1.15).
func OfNATGateway(workload, gateway string) bool {
	return gateway != "" && strings.HasSuffix(workload, "-"+gateway)
}
