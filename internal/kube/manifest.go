package kube

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
	"github.com/ovnguard/ovnguard/internal/inventory"
)

// unmade are kinds that nobody applies: pods are judged, and IP resources are made by Kube-OVN.
var unmade = []schema.GroupVersionKind{{Version: "v1", Kind: "Pod"}, IPKind}

// EnterManifest enters an object into the inventory as if it were applied. Pods, IP resources, and kinds that are no
// Sources are passed over. Of this project's kinds, what the API server would refuse as unknown or unreadable is an
// error that names the field.
func EnterManifest(inv *inventory.Inventory, u *unstructured.Unstructured) error {
	switch kind := u.GroupVersionKind(); {
	case slices.Contains(unmade, kind):
		return nil
	case kind == PolicyKind:
		var o v1alpha1.PortSecurityPolicy
		if err := strictly(u, &o); err != nil {
			return err
		}
		o.Spec.Level = cmp.Or(o.Spec.Level, v1alpha1.LevelStrict) // the default of the resource definition
		p := PolicyOf(&o)
		inv.SetPolicy(p)
		return p.Err
	case kind == ExceptionKind:
		var o v1alpha1.PortSecurityException
		if err := strictly(u, &o); err != nil {
			return err
		}
		e := ExceptionOf(&o)
		inv.SetException(e)
		return e.Err
	}
	raw, err := u.MarshalJSON()
	if err != nil {
		return err
	}
	found := NewFiles(func([]byte) {})
	if err := found.item(raw, schema.GroupVersionKind{}); err != nil {
		return err
	}
	for _, b := range found.bad {
		return b.Err
	}
	for kind, objects := range found.objects {
		for _, o := range objects {
			found.sources[kind].Set(inv, o)
		}
	}
	return nil
}

// strictly reads the object; fields that are not known are an error.
func strictly(u *unstructured.Unstructured, into client.Object) error {
	if u.GetName() == "" {
		return errors.New("metadata.name: is required")
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(u.Object, into, true); err != nil {
		return fmt.Errorf("%s %s: %w", u.GetKind(), u.GetName(), err)
	}
	return nil
}

// Namespaced reports whether objects of that kind are in a namespace, as far as this program reads them.
func Namespaced(kind schema.GroupVersionKind) bool {
	return slices.Contains(TemplateKinds(), kind) || slices.Contains([]schema.GroupVersionKind{
		{Version: "v1", Kind: "Pod"},
		{Version: "v1", Kind: "Service"},
		ExceptionKind, AttachmentKind, EgressGatewayKind,
		MigrationKind,
	}, kind)
}
