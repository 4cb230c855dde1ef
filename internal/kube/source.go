package kube

import (
	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ovnguard/ovnguard/internal/inventory"
)

// Source is one kind of object that the inventory is fed from.
type Source struct {
	Kind schema.GroupVersionKind
	// Optional kinds come from other projects' resource definitions and may be missing; the inventory is poorer then.
	Optional bool
	// Lacks says what is not known without the kind.
	Lacks string
	// Object and List make empty ones.
	Object func() client.Object
	List   func() client.ObjectList
}

// Sources gives every kind that the inventory is fed from. Pods come last, so that what they refer to is there already.
func Sources() []Source {
	return []Source{
		{
			Kind:   corev1.SchemeGroupVersion.WithKind("Namespace"),
			Object: func() client.Object { return &corev1.Namespace{} },
			List:   func() client.ObjectList { return &corev1.NamespaceList{} },
		},
		{
			Kind: AttachmentKind, Optional: true,
			Lacks:  "which attachments are OVN NICs",
			Object: func() client.Object { return &nadv1.NetworkAttachmentDefinition{} },
			List:   func() client.ObjectList { return &nadv1.NetworkAttachmentDefinitionList{} },
		},
		untyped(IPKind, "the identity that Kube-OVN assigned, so that the pod's own annotations are believed"),
		untyped(VipKind, "which ports belong to a Vip and not to a pod"),
		{
			Kind:   corev1.SchemeGroupVersion.WithKind("Pod"),
			Object: func() client.Object { return &corev1.Pod{} },
			List:   func() client.ObjectList { return &corev1.PodList{} },
		},
	}
}

func untyped(kind schema.GroupVersionKind, lacks string) Source {
	return Source{
		Kind: kind, Optional: true, Lacks: lacks,
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
	}
}

// Set enters an object of one of the Sources into the inventory and gives the names of the ports that this touches.
func Set(inv *inventory.Inventory, object client.Object) []string {
	switch o := object.(type) {
	case *corev1.Namespace:
		return inv.SetNamespace(NamespaceOf(o))
	case *corev1.Pod:
		return inv.SetPod(PodOf(o))
	case *nadv1.NetworkAttachmentDefinition:
		return inv.SetAttachment(AttachmentOf(o))
	case *unstructured.Unstructured:
		switch o.GroupVersionKind() {
		case IPKind:
			return inv.SetRecord(RecordOf(o))
		case VipKind:
			return inv.SetVip(VipOf(o))
		}
	}
	return nil
}

// Delete takes an object of one of the Sources out of the inventory and gives the names of the ports that this touches.
func Delete(inv *inventory.Inventory, object client.Object) []string {
	switch o := object.(type) {
	case *corev1.Namespace:
		return inv.DeleteNamespace(o.Name)
	case *corev1.Pod:
		return inv.DeletePod(inventory.PodKey{Namespace: o.Namespace, Name: o.Name})
	case *nadv1.NetworkAttachmentDefinition:
		a, _ := AttachmentOf(o)
		return inv.DeleteAttachment(a)
	case *unstructured.Unstructured:
		switch o.GroupVersionKind() {
		case IPKind:
			return inv.DeleteRecord(o.GetName())
		case VipKind:
			return inv.DeleteVip(o.GetName())
		}
	}
	return nil
}

// Strip drops what the inventory does not read from an object of one of the Sources, before it goes into a cache.
func Strip(object any) (any, error) {
	switch o := object.(type) {
	case *corev1.Pod:
		stripPod(o)
	case *unstructured.Unstructured:
		o.SetManagedFields(nil)
	case client.Object:
		o.SetManagedFields(nil)
	}
	return object, nil
}
