package kube

import (
	"errors"
	"fmt"

	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	reportsv1alpha1 "github.com/openreports/reports-api/apis/openreports.io/v1alpha1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// Kinds of other projects that are read, and that a cluster may lack.
var (
	IPKind     = schema.GroupVersionKind{Group: "kubeovn.io", Version: "v1", Kind: "IP"}
	VipKind    = schema.GroupVersionKind{Group: "kubeovn.io", Version: "v1", Kind: "Vip"}
	SubnetKind = schema.GroupVersionKind{Group: "kubeovn.io", Version: "v1", Kind: "Subnet"}
	VLANKind   = schema.GroupVersionKind{Group: "kubeovn.io", Version: "v1", Kind: "Vlan"}
	VPCKind    = schema.GroupVersionKind{Group: "kubeovn.io", Version: "v1", Kind: "Vpc"}
	// MigrationKind is KubeVirt's request to migrate a machine, and what becomes of it.
	MigrationKind = schema.GroupVersionKind{
		Group:   kubeovn.MachineGroup,
		Version: "v1",
		Kind:    "VirtualMachineInstanceMigration",
	}

	PoolKind   = schema.GroupVersionKind{Group: "kubeovn.io", Version: "v1", Kind: "IPPool"}
	EIPKind    = schema.GroupVersionKind{Group: "kubeovn.io", Version: "v1", Kind: "OvnEip"}
	FIPKind    = schema.GroupVersionKind{Group: "kubeovn.io", Version: "v1", Kind: "OvnFip"}
	LBRuleKind = schema.GroupVersionKind{Group: "kubeovn.io", Version: "v1", Kind: "SwitchLBRule"}

	NATGatewayKind    = schema.GroupVersionKind{Group: kubeovn.Group, Version: "v1", Kind: kubeovn.KindNATGateway}
	EgressGatewayKind = schema.GroupVersionKind{Group: kubeovn.Group, Version: "v1", Kind: kubeovn.KindEgressGateway}

	AttachmentKind = schema.GroupVersionKind{
		Group:   "k8s.cni.cncf.io",
		Version: "v1",
		Kind:    "NetworkAttachmentDefinition",
	}
)

// ServiceCIDRKind is a kind of Kubernetes' own, which it serves since 1.33.
var ServiceCIDRKind = schema.GroupVersionKind{Group: "networking.k8s.io", Version: "v1", Kind: "ServiceCIDR"}

// Kinds of this project.
var (
	PolicyKind    = v1alpha1.GroupVersion.WithKind("PortSecurityPolicy")
	ExceptionKind = v1alpha1.GroupVersion.WithKind("PortSecurityException")
)

// StatefulSetKind is a kind of objects that make pods.
var StatefulSetKind = appsv1.SchemeGroupVersion.WithKind("StatefulSet")

// OwnerKinds are the other kinds of objects that make pods, or machines that run in pods, of which only names and
// owners are read.
func OwnerKinds() []schema.GroupVersionKind {
	return []schema.GroupVersionKind{
		{Group: "apps", Version: "v1", Kind: "Deployment"},
		{Group: "apps", Version: "v1", Kind: "ReplicaSet"},
		{Group: "apps", Version: "v1", Kind: "DaemonSet"},
		{Group: "batch", Version: "v1", Kind: "Job"},
		{Group: kubeovn.MachineGroup, Version: "v1", Kind: "VirtualMachineInstance"},
		{Group: kubeovn.MachineGroup, Version: "v1", Kind: "VirtualMachine"},
	}
}

// Scheme returns the types that this program reads and writes.
func Scheme() (*runtime.Scheme, error) {
	s := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(s); err != nil {
		return nil, fmt.Errorf("register Kubernetes types: %w", err)
	}
	if err := errors.Join(registerNetworkPolicies(s), registerDefined(s)); err != nil {
		return nil, err
	}
	if err := reportsv1alpha1.Install(s); err != nil {
		return nil, fmt.Errorf("register reports: %w", err)
	}
	return s, nil
}

// FactsScheme returns the Go types by which the Sources are followed.
func FactsScheme() (*runtime.Scheme, error) {
	s := runtime.NewScheme()
	core := corev1.SchemeGroupVersion
	apps := appsv1.SchemeGroupVersion
	s.AddKnownTypes(apps, &appsv1.StatefulSet{}, &appsv1.StatefulSetList{})
	metav1.AddToGroupVersion(s, apps)
	s.AddKnownTypes(
		core,
		&corev1.Namespace{},
		&corev1.NamespaceList{},
		&corev1.Node{},
		&corev1.NodeList{},
		&corev1.Service{},
		&corev1.ServiceList{},
		&corev1.Pod{},
		&corev1.PodList{},
	)
	metav1.AddToGroupVersion(s, core)
	if err := registerNetworkPolicies(s); err != nil {
		return nil, err
	}
	return s, registerDefined(s)
}

// registerDefined registers the types that resource definitions bring and that are followed.
func registerDefined(s *runtime.Scheme) error {
	if err := nadv1.AddToScheme(s); err != nil {
		return fmt.Errorf("register network attachment definitions: %w", err)
	}
	if err := v1alpha1.AddToScheme(s); err != nil {
		return fmt.Errorf("register this project's types: %w", err)
	}
	return nil
}
