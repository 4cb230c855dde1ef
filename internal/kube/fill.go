package kube

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ovnguard/ovnguard/internal/inventory"
)

// pageSize bounds one answer of the API server while listing.
const pageSize = 500

// Withheld is a kind that may not be listed in the whole cluster.
type Withheld struct {
	Source
	// Namespace is the one whose objects were read instead; "" where none were.
	Namespace string
	// Err is the answer of the API server.
	Err error
}

// Fill lists everything that the inventory is fed from, once. missing holds the optional kinds that the cluster does
// not serve and whose lack changes what an audit can say.
//
// Where namespace is not empty, a kind that may not be listed in the whole cluster is read in this namespace alone, and
// is left out where that is not allowed either; withheld holds these kinds. The pods of the namespace must be readable.
// Without a namespace it is an error that a kind may not be listed, unless no port is judged by it.
func Fill(
	ctx context.Context, c client.Reader, inv *inventory.Inventory, namespace string,
) (missing []Source, withheld []Withheld, err error) {
	for _, s := range Sources() {
		err := fillFrom(ctx, c, s, inv)
		if namespace == "" && s.Separate && apierrors.IsForbidden(err) {
			inv.Expect(inventory.Kind(s.Kind.GroupKind().String()))
			withheld = append(withheld, Withheld{Source: s, Err: err})
			continue
		}
		if namespace != "" && apierrors.IsForbidden(err) {
			var w Withheld
			if w, err = fillWithin(ctx, c, s, inv, namespace, err); err == nil {
				withheld = append(withheld, w)
			}
		}
		switch {
		case err != nil && s.Optional && meta.IsNoMatchError(err):
			if s.Lacks != "" {
				missing = append(missing, s)
			}
		case err != nil:
			return nil, nil, fmt.Errorf("list %s: %w", s.Kind.GroupKind(), err)
		}
	}
	return missing, withheld, nil
}

// fillWithin reads a kind in one namespace, because the whole may not be listed, as forbidden says.
func fillWithin(
	ctx context.Context, c client.Reader, s Source, inv *inventory.Inventory, namespace string, forbidden error,
) (Withheld, error) {
	w := Withheld{Source: s, Err: forbidden}
	var err error
	if s.Kind == namespaceKind {
		o := s.Object()
		if err = c.Get(ctx, client.ObjectKey{Name: namespace}, o); err == nil {
			s.Set(inv, o)
		}
	} else {
		err = fillFrom(ctx, c, s, inv, client.InNamespace(namespace))
	}
	switch {
	case err == nil:
		w.Namespace = namespace
	case !apierrors.IsForbidden(err) && !apierrors.IsNotFound(err), s.Kind == podKind:
		return Withheld{}, err
	}
	// Exceptions of other namespaces decide nothing in this one.
	if w.Namespace == "" || s.Kind != ExceptionKind {
		inv.Expect(inventory.Kind(s.Kind.GroupKind().String())) // there may be others
	}
	return w, nil
}

func fillFrom(
	ctx context.Context, c client.Reader, s Source, inv *inventory.Inventory, options ...client.ListOption,
) error {
	token := ""
	for {
		list := s.List() // a new one each time: decoding into a used one would share its maps with the inventory
		page := append(slices.Clone(options), client.Limit(pageSize), client.Continue(token))
		if err := c.List(ctx, list, page...); err != nil {
			return err
		}
		err := meta.EachListItem(list, func(item runtime.Object) error {
			object, ok := item.(client.Object)
			if !ok {
				return fmt.Errorf("%T is not an API object", item)
			}
			s.Set(inv, object)
			return nil
		})
		if err != nil {
			return err
		}
		if token = list.GetContinue(); token == "" {
			return nil
		}
	}
}
