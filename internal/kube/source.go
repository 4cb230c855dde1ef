package kube

import (
	"maps"
	"slices"

	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	adminv1alpha1 "sigs.k8s.io/network-policy-api/apis/v1alpha1"
	clusterv1alpha2 "sigs.k8s.io/network-policy-api/apis/v1alpha2"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// Source is one kind of object that the inventory is fed from.
type Source struct {
	Kind schema.GroupVersionKind
	// Optional kinds may be missing: they come from resource definitions that a cluster need not have, or a file has
	// none of them. The inventory is poorer then.
	Optional bool
	// Lacks says what is not known without the kind; empty where that changes no result by itself.
	Lacks string
	// SpecOnly means that nothing of an object is read but what its generation counts. Its status may change without a
	// port being judged again.
	SpecOnly bool
	// Separate means that no port is judged by the kind alone: where it may not be listed, the rest is read.
	Separate bool
	// Many means that there are as many objects as ports: no cache keeps them, only an Entry of each is kept.
	Many bool
	// Object and List make empty ones.
	Object func() client.Object
	List   func() client.ObjectList
	// Set enters an object of the kind into the inventory, Delete takes it out. Both give the names of the ports that
	// this touches. They take the object, or what Strip makes of it.
	Set    func(inv *inventory.Inventory, object any) []string
	Delete func(inv *inventory.Inventory, object any) []string
}

// Kinds of Kubernetes' own that are read in a way of their own.
var (
	namespaceKind = corev1.SchemeGroupVersion.WithKind("Namespace")
	podKind       = corev1.SchemeGroupVersion.WithKind("Pod")
)

// Sources returns every kind that the inventory is fed from. Pods come last, so that what they refer to is there
// already.
func Sources() []Source {
	sources := []Source{
		typed(namespaceKind, &corev1.NamespaceList{},
			func(inv *inventory.Inventory, o *corev1.Namespace) []string { return inv.SetNamespace(NamespaceOf(o)) },
			func(inv *inventory.Inventory, o *corev1.Namespace) []string { return inv.DeleteNamespace(o.Name) },
		),
		typed(PolicyKind, &v1alpha1.PortSecurityPolicyList{},
			func(inv *inventory.Inventory, o *v1alpha1.PortSecurityPolicy) []string {
				return inv.SetPolicy(PolicyOf(o))
			},
			func(inv *inventory.Inventory, o *v1alpha1.PortSecurityPolicy) []string {
				return inv.DeletePolicy(o.Name)
			},
		).optional("policies, so that the built-in default holds wherever a namespace says nothing").specOnly(),
		typed(ExceptionKind, &v1alpha1.PortSecurityExceptionList{},
			func(inv *inventory.Inventory, o *v1alpha1.PortSecurityException) []string {
				return inv.SetException(ExceptionOf(o))
			},
			func(inv *inventory.Inventory, o *v1alpha1.PortSecurityException) []string {
				return inv.DeleteException(o.Namespace, o.Name)
			},
		).optional("exceptions, so that none is honoured").specOnly(),
		typed(AttachmentKind, &nadv1.NetworkAttachmentDefinitionList{},
			func(inv *inventory.Inventory, o *nadv1.NetworkAttachmentDefinition) []string {
				return inv.SetAttachment(AttachmentOf(o))
			},
			func(inv *inventory.Inventory, o *nadv1.NetworkAttachmentDefinition) []string {
				a, _ := AttachmentOf(o)
				return inv.DeleteAttachment(a)
			},
		).optional("which attachments are OVN NICs"),
		untyped(IPKind, nil, nil).many(
			kept(RecordOf, (*inventory.Inventory).SetRecord),
			kept(
				RecordOf,
				func(inv *inventory.Inventory, r *inventory.Record) []string { return inv.DeleteRecord(r.Name) },
			),
		).
			optional("the identity that Kube-OVN assigned, so that the pod's own annotations are believed"),
		untyped(VipKind,
			func(inv *inventory.Inventory, u *unstructured.Unstructured) []string { return inv.SetVip(VipOf(u)) },
			func(inv *inventory.Inventory, u *unstructured.Unstructured) []string {
				return inv.DeleteVip(u.GetName())
			},
		).optional("which ports belong to a Vip and not to a pod"),
		untyped(SubnetKind,
			func(inv *inventory.Inventory, u *unstructured.Unstructured) []string {
				return inv.SetSubnet(SubnetOf(u))
			},
			func(inv *inventory.Inventory, u *unstructured.Unstructured) []string {
				return inv.DeleteSubnet(u.GetName())
			},
		).optional(""),
		untyped(VPCKind,
			func(inv *inventory.Inventory, u *unstructured.Unstructured) []string { return inv.SetVPC(VPCOf(u)) },
			func(inv *inventory.Inventory, u *unstructured.Unstructured) []string {
				return inv.DeleteVPC(u.GetName())
			},
		).optional(""),
		untyped(VLANKind,
			func(inv *inventory.Inventory, u *unstructured.Unstructured) []string { return inv.SetVLAN(VLANOf(u)) },
			func(inv *inventory.Inventory, u *unstructured.Unstructured) []string {
				return inv.DeleteVLAN(u.GetName())
			},
		).optional(""),
		untyped(MigrationKind, setMigration,
			func(inv *inventory.Inventory, u *unstructured.Unstructured) []string {
				return inv.DeleteMigration(inventory.PodKey{Namespace: u.GetNamespace(), Name: u.GetName()})
			},
		).optional(""),
		untyped(PoolKind,
			func(inv *inventory.Inventory, u *unstructured.Unstructured) []string { return inv.SetPool(PoolOf(u)) },
			func(inv *inventory.Inventory, u *unstructured.Unstructured) []string {
				return inv.DeletePool(u.GetName())
			},
		).optional(""),
		typed(corev1.SchemeGroupVersion.WithKind("Node"), &corev1.NodeList{},
			func(inv *inventory.Inventory, o *corev1.Node) []string {
				return append(inv.SetFixed(NodeOf(o)), inv.SetNode(NodeIdentityOf(o))...)
			},
			func(inv *inventory.Inventory, o *corev1.Node) []string {
				return append(inv.DeleteFixed(NodeOf(o).Holder), inv.DeleteNode(o.Name)...)
			},
		).optional(""),
		typed(corev1.SchemeGroupVersion.WithKind("Service"), &corev1.ServiceList{},
			setService, deleteService).optional(""),
	}
	sources = slices.Concat(sources, reservations(), gateways(), networkPolicies())
	sources = append(sources, typed(StatefulSetKind, &appsv1.StatefulSetList{},
		func(inv *inventory.Inventory, o *appsv1.StatefulSet) []string {
			w := workloadOf(StatefulSetKind, o)
			w.Ordinals = ordinalsOf(o)
			return inv.SetWorkload(w)
		},
		func(inv *inventory.Inventory, o *appsv1.StatefulSet) []string { return inv.DeleteOwner(string(o.UID)) },
	).optional(""))
	for _, kind := range OwnerKinds() {
		sources = append(sources, metadata(kind,
			func(inv *inventory.Inventory, o *metav1.PartialObjectMetadata) []string {
				return inv.SetWorkload(workloadOf(kind, o))
			},
			func(inv *inventory.Inventory, o *metav1.PartialObjectMetadata) []string {
				return inv.DeleteOwner(string(o.UID))
			},
		).optional(""))
	}
	return append(
		sources,
		typed[corev1.Pod](podKind, &corev1.PodList{}, nil, nil).many(
			kept(PodOf, (*inventory.Inventory).SetPod),
			kept(PodOf, func(inv *inventory.Inventory, p *inventory.Pod) []string { return inv.DeletePod(p.PodKey) }),
		),
	)
}

// workloadOf returns the facts of an object that may own pods.
func workloadOf(kind schema.GroupVersionKind, o metav1.Object) inventory.Workload {
	return inventory.Workload{
		Object: policy.Owner{
			APIVersion: kind.GroupVersion().String(),
			Kind:       kind.Kind,
			Name:       o.GetName(),
			UID:        string(o.GetUID()),
		},
		Namespace: o.GetNamespace(),
		Made:      o.GetCreationTimestamp().Time,
		Parent:    parentOf(o.GetOwnerReferences()),
	}
}

// ordinalsOf returns which pods a StatefulSet makes: one where it says nothing, as the API server has it.
func ordinalsOf(o *appsv1.StatefulSet) *inventory.Ordinals {
	out := inventory.Ordinals{Count: 1}
	if o.Spec.Replicas != nil {
		out.Count = int(*o.Spec.Replicas)
	}
	if o.Spec.Ordinals != nil {
		out.First = int(o.Spec.Ordinals.Start)
	}
	return &out
}

// many returns the source of objects that are so many that only an Entry of each is kept.
func (s Source) many(set, remove func(*inventory.Inventory, any) []string) Source {
	s.Many, s.Set, s.Delete = true, set, remove
	return s
}

func (s Source) optional(lacks string) Source {
	s.Optional, s.Lacks = true, lacks
	return s
}

func (s Source) specOnly() Source {
	s.SpecOnly = true
	return s
}

// typed is a Source of objects of a Go type. list is an empty list of them.
func typed[T any, PT interface {
	*T
	client.Object
}, L any, PL interface {
	*L
	client.ObjectList
}](kind schema.GroupVersionKind, _ PL, set, remove func(*inventory.Inventory, PT) []string) Source {
	return Source{
		Kind:   kind,
		Object: func() client.Object { return PT(new(T)) },
		List:   func() client.ObjectList { return PL(new(L)) },
		Set:    on(set),
		Delete: on(remove),
	}
}

// untyped is a Source of objects without a Go type, for kinds with few fields that are read.
func untyped(
	kind schema.GroupVersionKind,
	set, remove func(*inventory.Inventory, *unstructured.Unstructured) []string,
) Source {
	return Source{
		Kind: kind,
		Object: func() client.Object {
			u := &unstructured.Unstructured{}
			u.SetGroupVersionKind(kind)
			return u
		},
		List: func() client.ObjectList {
			u := &unstructured.UnstructuredList{}
			u.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
			return u
		},
		Set:    on(set),
		Delete: on(remove),
	}
}

// metadata is a Source of objects where only names and owners are read.
func metadata(
	kind schema.GroupVersionKind,
	set, remove func(*inventory.Inventory, *metav1.PartialObjectMetadata) []string,
) Source {
	return Source{
		Kind: kind,
		Object: func() client.Object {
			o := &metav1.PartialObjectMetadata{}
			o.SetGroupVersionKind(kind)
			return o
		},
		List: func() client.ObjectList {
			l := &metav1.PartialObjectMetadataList{}
			l.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
			return l
		},
		Set:    on(set),
		Delete: on(remove),
	}
}

// on returns do for objects of any type; those of another one touch nothing.
func on[T client.Object](do func(*inventory.Inventory, T) []string) func(*inventory.Inventory, any) []string {
	return func(inv *inventory.Inventory, object any) []string {
		if o, ok := object.(T); ok {
			return do(inv, o)
		}
		return nil
	}
}

// notedKeys are the annotations that are read of a node.
var notedKeys = []string{
	kubeovn.DefaultProvider.Key(kubeovn.Allocated),
	kubeovn.DefaultProvider.Key(kubeovn.MACAddress),
	kubeovn.DefaultProvider.Key(kubeovn.IPAddress),
}

// Strip drops what the inventory does not read from an object by which a Source is followed, before it is kept. It
// returns an Entry where there are many of them.
func Strip(object any) (any, error) {
	switch o := object.(type) {
	case *corev1.Pod:
		return entryOf(o, PodOf(o)), nil
	case *corev1.Node:
		o.ManagedFields, o.Labels, o.Spec = nil, nil, corev1.NodeSpec{}
		maps.DeleteFunc(o.Annotations, func(key, _ string) bool { return !slices.Contains(notedKeys, key) })
		o.Status = corev1.NodeStatus{Addresses: o.Status.Addresses}
	case *corev1.Service:
		o.ManagedFields, o.Labels, o.Annotations = nil, nil, nil
		o.Spec = corev1.ServiceSpec{ClusterIPs: o.Spec.ClusterIPs, ExternalIPs: o.Spec.ExternalIPs}
		o.Status = corev1.ServiceStatus{LoadBalancer: o.Status.LoadBalancer}
	case *appsv1.StatefulSet:
		o.ManagedFields, o.Labels, o.Annotations = nil, nil, nil
		o.Spec = appsv1.StatefulSetSpec{Replicas: o.Spec.Replicas, Ordinals: o.Spec.Ordinals}
		o.Status = appsv1.StatefulSetStatus{}
	case *metav1.PartialObjectMetadata:
		o.ManagedFields, o.Labels, o.Annotations = nil, nil, nil
	case *networkingv1.NetworkPolicy:
		stripNetworkPolicy(o)
	case *clusterv1alpha2.ClusterNetworkPolicy:
		o.Status = clusterv1alpha2.ClusterNetworkPolicyStatus{}
		stripNetworkPolicy(o)
	case *adminv1alpha1.AdminNetworkPolicy:
		o.Status = adminv1alpha1.AdminNetworkPolicyStatus{}
		stripNetworkPolicy(o)
	case *adminv1alpha1.BaselineAdminNetworkPolicy:
		o.Status = adminv1alpha1.BaselineAdminNetworkPolicyStatus{}
		stripNetworkPolicy(o)
	case *unstructured.Unstructured:
		if o.GroupVersionKind() == IPKind {
			return entryOf(o, RecordOf(o)), nil
		}
		o.SetManagedFields(nil)
	case client.Object:
		o.SetManagedFields(nil)
	}
	return object, nil
}
