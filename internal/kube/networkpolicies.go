package kube

import (
	"cmp"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	adminv1alpha1 "sigs.k8s.io/network-policy-api/apis/v1alpha1"
	clusterv1alpha2 "sigs.k8s.io/network-policy-api/apis/v1alpha2"

	"github.com/ovnguard/ovnguard/internal/intent"
	"github.com/ovnguard/ovnguard/internal/inventory"
)

// Kinds of policies that say what pods may reach. A cluster need not serve those for whole clusters.
var (
	NetworkPolicyKind         = networkingv1.SchemeGroupVersion.WithKind("NetworkPolicy")
	ClusterNetworkPolicyKind  = networkPolicyKind(clusterv1alpha2.GroupVersion, "ClusterNetworkPolicy")
	AdminNetworkPolicyKind    = networkPolicyKind(adminv1alpha1.GroupVersion, "AdminNetworkPolicy")
	BaselineNetworkPolicyKind = networkPolicyKind(adminv1alpha1.GroupVersion, "BaselineAdminNetworkPolicy")
)

func networkPolicyKind(of metav1.GroupVersion, kind string) schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: of.Group, Version: of.Version, Kind: kind}
}

// NetworkPoliciesOf returns the policies that a state has. State.Unread names the kinds that were not read, and
// State.NetworkPolicyRevision whether they are those of another state. Each list is in the order of namespaces and
// names. They are shared, and must not be changed.
func NetworkPoliciesOf(inv *inventory.State) intent.Objects {
	var out intent.Objects
	for _, object := range inv.NetworkPolicies() {
		switch o := object.(type) {
		case *networkingv1.NetworkPolicy:
			out.NetworkPolicies = append(out.NetworkPolicies, o)
		case *clusterv1alpha2.ClusterNetworkPolicy:
			out.ClusterNetworkPolicies = append(out.ClusterNetworkPolicies, o)
		case *adminv1alpha1.AdminNetworkPolicy:
			out.AdminNetworkPolicies = append(out.AdminNetworkPolicies, o)
		case *adminv1alpha1.BaselineAdminNetworkPolicy:
			out.BaselineAdminNetworkPolicies = append(out.BaselineAdminNetworkPolicies, o)
		}
	}
	byName(out.NetworkPolicies)
	byName(out.ClusterNetworkPolicies)
	byName(out.AdminNetworkPolicies)
	byName(out.BaselineAdminNetworkPolicies)
	return out
}

func byName[T client.Object](list []T) {
	slices.SortFunc(list, func(a, b T) int {
		return cmp.Or(cmp.Compare(a.GetNamespace(), b.GetNamespace()), cmp.Compare(a.GetName(), b.GetName()))
	})
}

// networkPolicies are the Sources of these policies.
func networkPolicies() []Source {
	return []Source{
		networkPolicySource[networkingv1.NetworkPolicy](
			NetworkPolicyKind, inventory.NetworkPolicies, &networkingv1.NetworkPolicyList{},
		),
		networkPolicySource[clusterv1alpha2.ClusterNetworkPolicy](
			ClusterNetworkPolicyKind, inventory.ClusterNetworkPolicies, &clusterv1alpha2.ClusterNetworkPolicyList{},
		),
		networkPolicySource[adminv1alpha1.AdminNetworkPolicy](
			AdminNetworkPolicyKind, inventory.AdminNetworkPolicies, &adminv1alpha1.AdminNetworkPolicyList{},
		),
		networkPolicySource[adminv1alpha1.BaselineAdminNetworkPolicy](
			BaselineNetworkPolicyKind,
			inventory.BaselineNetworkPolicies,
			&adminv1alpha1.BaselineAdminNetworkPolicyList{},
		),
	}
}

func networkPolicySource[T any, PT interface {
	*T
	client.Object
}, L any, PL interface {
	*L
	client.ObjectList
}](kind schema.GroupVersionKind, of inventory.Kind, list PL) Source {
	key := func(o PT) inventory.NetworkPolicyKey {
		return inventory.NetworkPolicyKey{Kind: of, Namespace: o.GetNamespace(), Name: o.GetName()}
	}
	s := typed(kind, list,
		func(inv *inventory.Inventory, o PT) []string { inv.SetNetworkPolicy(key(o), o); return nil },
		func(inv *inventory.Inventory, o PT) []string { inv.DeleteNetworkPolicy(key(o)); return nil },
	).optional("")
	s.Separate = true
	return s
}

// registerNetworkPolicies registers the types of these policies.
func registerNetworkPolicies(s *runtime.Scheme) error {
	s.AddKnownTypes(
		networkingv1.SchemeGroupVersion, &networkingv1.NetworkPolicy{}, &networkingv1.NetworkPolicyList{},
	)
	metav1.AddToGroupVersion(s, networkingv1.SchemeGroupVersion)
	for _, install := range []func(*runtime.Scheme) error{clusterv1alpha2.Install, adminv1alpha1.Install} {
		if err := install(s); err != nil {
			return fmt.Errorf("register network policies for clusters: %w", err)
		}
	}
	return nil
}

// stripNetworkPolicy drops what is not read of a policy of what pods may reach.
func stripNetworkPolicy(o client.Object) {
	o.SetManagedFields(nil)
	o.SetLabels(nil)
	annotations := o.GetAnnotations()
	delete(annotations, corev1.LastAppliedConfigAnnotation)
	o.SetAnnotations(annotations)
}
