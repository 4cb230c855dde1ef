package registration

import (
	"context"
	"fmt"

	discoveryv1 "k8s.io/api/discovery/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// reachable reports whether the API server has somewhere to go: the Service of the webhook leads to at least one
// replica that is ready. Somebody who runs the program from a shell, where no Service leads to it, must not keep a
// cluster's pods from starting. A URL is taken as it was given.
func reachable(ctx context.Context, c client.Client, o Options) error {
	if o.URL != "" {
		return nil
	}
	var slices discoveryv1.EndpointSliceList
	err := c.List(
		ctx,
		&slices,
		client.InNamespace(o.Service.Namespace),
		client.MatchingLabels{discoveryv1.LabelServiceName: o.Service.Name},
	)
	if err != nil {
		return fmt.Errorf("look for the endpoints of Service %s: %w", o.Service, err)
	}
	for _, s := range slices.Items {
		for _, e := range s.Endpoints {
			// "Ready" that is not known counts as ready (EndpointConditions).
			if len(e.Addresses) > 0 && (e.Conditions.Ready == nil || *e.Conditions.Ready) {
				return nil
			}
		}
	}
	return fmt.Errorf(
		"the Service %s (--webhook-service) leads to no ready endpoint; outside a cluster, give --webhook-url",
		o.Service,
	)
}
