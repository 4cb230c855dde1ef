package scene

import (
	"context"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
)

// perNamespace are the objects that the cluster itself makes in every namespace.
var perNamespace = []string{"configmaps kube-root-ca.crt", "serviceaccounts default"}

// Named returns all objects, of every kind that can be listed, in these namespaces or with the word in their name, each
// as its resource and its name with the namespace. Events and what Kubernetes makes by itself are left out.
func (s *Scene) Named(ctx context.Context, word string, namespaces ...string) ([]string, error) {
	client, err := discovery.NewDiscoveryClientForConfig(s.config)
	if err != nil {
		return nil, err
	}
	lists, err := client.ServerPreferredResources()
	if err != nil {
		return nil, err
	}
	var found []string
	for _, list := range lists {
		version, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			return nil, err
		}
		for _, r := range list.APIResources {
			if !slices.Contains(r.Verbs, "list") || r.Name == "events" || version.Group == "apiregistration.k8s.io" {
				continue
			}
			objects, err := s.dynamic.Resource(version.WithResource(r.Name)).List(ctx, metav1.ListOptions{})
			if apierrors.IsNotFound(err) || apierrors.IsMethodNotSupported(err) {
				continue // its definition has gone meanwhile
			}
			if err != nil {
				return nil, fmt.Errorf("list %s: %w", r.Name, err)
			}
			for _, o := range objects.Items {
				namespace, name := o.GetNamespace(), o.GetName()
				if !slices.Contains(namespaces, namespace) && !strings.Contains(name, word) ||
					slices.Contains(perNamespace, r.Name+" "+name) {
					continue
				}
				if namespace != "" {
					name = namespace + "/" + name
				}
				found = append(found, r.Name+" "+name)
			}
		}
	}
	return found, nil
}
