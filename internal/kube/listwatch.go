package kube

import (
	"context"
	"fmt"
	"net/http"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
)

// ListWatch returns what lists and watches a source's resource in all namespaces: pods as protobuf, and everything else
// without a Go type.
func ListWatch(config *rest.Config, transport *http.Client, s Source, resource string) (cache.ListerWatcher, error) {
	failed := func(err error) error {
		return fmt.Errorf("connect to the API server to follow %s: %w", s.Kind.GroupKind(), err)
	}
	if _, isPod := s.Object().(*corev1.Pod); isPod {
		c, err := coreClient(config, transport)
		if err != nil {
			return nil, failed(err)
		}
		return cache.NewListWatchFromClient(c, resource, metav1.NamespaceAll, fields.Everything()), nil
	}
	c, err := dynamic.NewForConfigAndClient(config, transport)
	if err != nil {
		return nil, failed(err)
	}
	objects := c.Resource(s.Kind.GroupVersion().WithResource(resource))
	return &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object,
			error,
		) {
			return objects.List(ctx, o)
		},
		WatchFuncWithContext: objects.Watch,
	}, nil
}

// coreClient returns a client of the core API that asks for protobuf.
func coreClient(config *rest.Config, transport *http.Client) (rest.Interface, error) {
	config = rest.CopyConfig(config)
	config.APIPath, config.GroupVersion, config.ContentType = "/api", &corev1.SchemeGroupVersion,
		runtime.ContentTypeProtobuf
	config.NegotiatedSerializer = clientgoscheme.Codecs.WithoutConversion()
	if config.UserAgent == "" {
		config.UserAgent = rest.DefaultKubernetesUserAgent()
	}
	return rest.RESTClientForConfigAndClient(config, transport)
}
