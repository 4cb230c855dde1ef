package kube

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ovnguard/ovnguard/internal/inventory"
)

// Entry is what is kept of an object where there are as many as ports: its name and version, and what the
// inventory keeps of it anyway. The object itself would take more than all the rest that is known of the port.
type Entry struct {
	types.NamespacedName

	// Version is the object's resourceVersion: an object of the same name and version is the same in everything.
	Version string

	fact any
}

// entryOf returns the entry of an object with the fact that the inventory reads.
func entryOf(o client.Object, fact any) *Entry {
	return &Entry{
		types.NamespacedName{Namespace: shared(o.GetNamespace()), Name: o.GetName()},
		o.GetResourceVersion(),
		fact,
	}
}

// GetObjectMeta implements metav1.ObjectMetaAccessor, by which client-go finds the name.
func (e *Entry) GetObjectMeta() metav1.Object {
	return &metav1.ObjectMeta{Namespace: e.Namespace, Name: e.Name, ResourceVersion: e.Version}
}

// kept returns set or remove for objects as they are read, and for the entries that are kept of them.
func kept[F any, T client.Object](
	of func(T) F,
	do func(*inventory.Inventory, F) []string,
) func(*inventory.Inventory, any) []string {
	return func(inv *inventory.Inventory, object any) []string {
		switch o := object.(type) {
		case *Entry:
			if fact, ok := o.fact.(F); ok {
				return do(inv, fact)
			}
		case T:
			return do(inv, of(o))
		}
		return nil
	}
}
