package kube

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// TemplateKinds are the kinds of objects that say what pods are made from them.
func TemplateKinds() []schema.GroupVersionKind {
	return []schema.GroupVersionKind{
		{Group: "apps", Version: "v1", Kind: "Deployment"},
		{Group: "apps", Version: "v1", Kind: "ReplicaSet"},
		{Group: "apps", Version: "v1", Kind: "StatefulSet"},
		{Group: "apps", Version: "v1", Kind: "DaemonSet"},
		{Group: "batch", Version: "v1", Kind: "Job"},
		{Group: "batch", Version: "v1", Kind: "CronJob"},
		{Group: kubeovn.MachineGroup, Version: "v1", Kind: "VirtualMachine"},
		{Group: kubeovn.MachineGroup, Version: "v1", Kind: "VirtualMachineInstance"},
	}
}

// EachTemplate lists the objects of these kinds, a page at a time, and calls look with each as JSON. notes say which
// kinds may not be listed. A kind that the cluster does not serve has no objects. Where namespace is not empty, a kind
// that may not be listed in the whole cluster is listed in this namespace.
func EachTemplate(
	ctx context.Context, c client.Reader, namespace string, look func(raw []byte),
) (notes []string, err error) {
	for _, kind := range TemplateKinds() {
		err := eachTemplateOf(ctx, c, kind, look)
		if namespace != "" && apierrors.IsForbidden(err) {
			err = eachTemplateOf(ctx, c, kind, look, client.InNamespace(namespace))
		}
		switch {
		case err == nil, meta.IsNoMatchError(err), apierrors.IsNotFound(err):
		case apierrors.IsForbidden(err):
			notes = append(notes, fmt.Sprintf(
				"%s may not be listed (%v); not known: what admission would refuse of the pods that are made from them",
				kind.GroupKind(),
				err,
			))
		default:
			return nil, fmt.Errorf("list %s: %w", kind.GroupKind(), err)
		}
	}
	return notes, nil
}

func eachTemplateOf(
	ctx context.Context,
	c client.Reader,
	kind schema.GroupVersionKind,
	look func(raw []byte),
	options ...client.ListOption,
) error {
	token := ""
	for {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
		page := append(slices.Clone(options), client.Limit(pageSize), client.Continue(token))
		if err := c.List(ctx, list, page...); err != nil {
			return err
		}
		for i := range list.Items {
			raw, err := list.Items[i].MarshalJSON()
			if err != nil {
				return err
			}
			look(raw)
		}
		if token = list.GetContinue(); token == "" {
			return nil
		}
	}
}
