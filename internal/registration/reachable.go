package registration

import (
	"context"
	"fmt"

	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// reachable reports whether the API server has somewhere to go: the Service of the webhook leads to at least one
// replica that is ready. Somebody who runs the program from a shell, where no Service leads to it, must not keep a
// cluster's pods from starting. A URL is taken as it was given.
func reachable(ctx context.Context, c client.Client, o Options) error {
	if o.URL != "" {
		return nil
	}
	if err := endpoints(ctx, c, o.Service); err != nil {
		return fmt.Errorf("--webhook-service: %w; outside a cluster, give --webhook-url", err)
	}
	return nil
}

// endpoints reports whether the Service leads to at least one replica that is ready.
func endpoints(ctx context.Context, c client.Reader, service types.NamespacedName) error {
	var slices discoveryv1.EndpointSliceList
	err := c.List(
		ctx,
		&slices,
		client.InNamespace(service.Namespace),
		client.MatchingLabels{discoveryv1.LabelServiceName: service.Name},
	)
	if err != nil {
		return fmt.Errorf("look for the endpoints of Service %s: %w", service, err)
	}
	for _, s := range slices.Items {
		for _, e := range s.Endpoints {
			// "Ready" that is not known counts as ready (EndpointConditions).
			if len(e.Addresses) > 0 && (e.Conditions.Ready == nil || *e.Conditions.Ready) {
				return nil
			}
		}
	}
	return fmt.Errorf("the Service %s leads to no ready endpoint", service)
}
