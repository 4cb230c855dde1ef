package kube

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
)

// ListWatch gives what lists and watches a source's resource in all namespaces: pods by the type by which they are followed, everything else
// without a Go type.
func ListWatch(config *rest.Config, transport *http.Client, s Source, resource string) (cache.ListerWatcher, error) {
	failed := func(err error) error {
		return fmt.Errorf("connect to the API server to follow %s: %w", s.Kind.GroupKind(), err)
	}
	if s.lean != nil {
		c, err := leanClient(config, transport)
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
		ListWithContextFunc:  func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) { return objects.List(ctx, o) },
		WatchFuncWithContext: objects.Watch,
	}, nil
}

// leanClient gives a client of the core API that has lean pods.
func leanClient(config *rest.Config, transport *http.Client) (rest.Interface, error) {
	scheme, err := FactsScheme()
	if err != nil {
		return nil, err
	}
	config = rest.CopyConfig(config)
	config.APIPath, config.GroupVersion, config.ContentType = "/api", &corev1.SchemeGroupVersion, runtime.ContentTypeProtobuf
	config.NegotiatedSerializer = leanCodecs{serializer.NewCodecFactory(scheme).WithoutConversion()}
	if config.UserAgent == "" {
		config.UserAgent = rest.DefaultKubernetesUserAgent()
	}
	return rest.RESTClientForConfigAndClient(config, transport)
}

// leanCodecs read watches of pods in protobuf without a copy of what is not read: the library copies each event twice before it looks for
// the pod, which costs more than decoding what is read of it.
type leanCodecs struct{ runtime.NegotiatedSerializer }

// SupportedMediaTypes implements runtime.NegotiatedSerializer.
func (c leanCodecs) SupportedMediaTypes() []runtime.SerializerInfo {
	infos := slices.Clone(c.NegotiatedSerializer.SupportedMediaTypes())
	for i := range infos {
		if infos[i].MediaType == runtime.ContentTypeProtobuf {
			stream := *infos[i].StreamSerializer
			stream.Serializer = leanEvents{stream.Serializer}
			infos[i].Serializer, infos[i].StreamSerializer = leanObjects{infos[i].Serializer}, &stream
		}
	}
	return infos
}

// leanEvents reads the events of a watch. The object of one is a part of the bytes that are read, and good until the next is read: a watch
// decodes it before that.
type leanEvents struct{ runtime.Serializer }

// Decode implements runtime.Decoder.
func (d leanEvents) Decode(data []byte, defaults *schema.GroupVersionKind, into runtime.Object) (runtime.Object, *schema.GroupVersionKind, error) {
	if event, ok := into.(*metav1.WatchEvent); ok && readEvent(data, event) {
		return event, &schema.GroupVersionKind{}, nil
	}
	return d.Serializer.Decode(data, defaults, into)
}

// Numbers of fields of k8s.io/apimachinery/pkg/apis/meta/v1/generated.proto and k8s.io/apimachinery/pkg/runtime/generated.proto.
const (
	fieldEventType   = 1 // of WatchEvent
	fieldEventObject = 2 // of WatchEvent
	fieldRaw         = 1 // of RawExtension
	fieldType        = 1 // of Unknown
	fieldObject      = 2 // of Unknown
)

// readEvent reads an event, and says whether it did.
func readEvent(data []byte, event *metav1.WatchEvent) bool {
	var read metav1.WatchEvent
	err := eachField(data, func(number protowire.Number, _, value []byte) error {
		if number == fieldEventType {
			read.Type = string(value)
		}
		if number != fieldEventObject {
			return nil
		}
		return eachField(value, func(n protowire.Number, _, raw []byte) error {
			if n == fieldRaw {
				read.Object.Raw = raw
			}
			return nil
		})
	})
	if err != nil || read.Type == "" || read.Object.Raw == nil {
		return false
	}
	*event = read
	return true
}

// leanObjects reads pods, and leaves everything else to the library.
type leanObjects struct{ runtime.Serializer }

// Decode implements runtime.Decoder.
func (d leanObjects) Decode(data []byte, defaults *schema.GroupVersionKind, into runtime.Object) (runtime.Object, *schema.GroupVersionKind, error) {
	raw := podIn(data)
	if raw == nil || into != nil {
		return d.Serializer.Decode(data, defaults, into)
	}
	kind, pod := corev1.SchemeGroupVersion.WithKind("Pod"), &LeanPod{}
	if err := pod.Unmarshal(raw); err != nil {
		return nil, &kind, err
	}
	return pod, &kind, nil
}

var (
	// protobufMagic is what objects in protobuf begin with, before a runtime.Unknown.
	protobufMagic = []byte("k8s\x00")
	// podType is the runtime.TypeMeta of pods.
	podType = protowire.AppendString(protowire.AppendTag(protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), "v1"), 2, protowire.BytesType), "Pod")
)

// podIn gives the message of a pod of what is one; nil of everything else.
func podIn(data []byte) []byte {
	message, ok := bytes.CutPrefix(data, protobufMagic)
	if !ok {
		return nil
	}
	var pod []byte
	ours, encoded := false, false
	err := eachField(message, func(number protowire.Number, _, value []byte) error {
		if number == fieldType {
			ours = bytes.Equal(value, podType)
			return nil
		}
		if number == fieldObject {
			pod = value
			return nil
		}
		encoded = encoded || len(value) > 0
		return nil
	})
	if err != nil || !ours || encoded {
		return nil
	}
	return pod
}
