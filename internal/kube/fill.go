package kube

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ovnguard/ovnguard/internal/inventory"
)

// pageSize bounds one answer of the API server while listing.
const pageSize = 500

// Fill lists everything that the inventory is fed from, once. missing holds the optional kinds that the cluster does
// not serve and whose lack changes what an audit can say.
func Fill(ctx context.Context, c client.Reader, inv *inventory.Inventory) (missing []Source, err error) {
	for _, s := range Sources() {
		err := fillFrom(ctx, c, s, inv)
		switch {
		case err != nil && s.Optional && meta.IsNoMatchError(err):
			if s.Lacks != "" {
				missing = append(missing, s)
			}
		case err != nil:
			return nil, fmt.Errorf("list %s: %w", s.Kind.GroupKind(), err)
		}
	}
	return missing, nil
}

func fillFrom(ctx context.Context, c client.Reader, s Source, inv *inventory.Inventory) error {
	token := ""
	for {
		list := s.List() // a new one each time: decoding into a used one would share its maps with the inventory
		if err := c.List(ctx, list, client.Limit(pageSize), client.Continue(token)); err != nil {
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
