// Package scene is a lab with users in it: namespaces, pods that can send and receive frames, and ovnguard itself. The
// demo and the end-to-end tests run in it.
package scene

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"

	"github.com/ovnguard/ovnguard/lab/internal/up"
)

// fieldOwner owns the fields that a scene applies.
const fieldOwner = "ovnguard-scene"

// Scene is a running lab with clients for it.
type Scene struct {
	Lab  *up.Lab
	Kube kubernetes.Interface

	config  *rest.Config
	dynamic dynamic.Interface
	mapper  *restmapper.DeferredDiscoveryRESTMapper
}

// Open returns a scene in a running lab, with the rights of its administrator.
func Open(lab *up.Lab) (*Scene, error) {
	config, err := lab.Admin()
	if err != nil {
		return nil, err
	}
	config.QPS = -1 // the API server's own limits are enough
	config.WarningHandler = rest.NoWarnings{}
	s := &Scene{Lab: lab, config: config}
	if s.Kube, err = kubernetes.NewForConfig(config); err != nil {
		return nil, err
	}
	if s.dynamic, err = dynamic.NewForConfig(config); err != nil {
		return nil, err
	}
	d, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, err
	}
	s.mapper = restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(d))
	return s, nil
}

// Apply applies YAML documents, in order.
func (s *Scene) Apply(ctx context.Context, documents []byte) error {
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(documents), 4096)
	for {
		u := &unstructured.Unstructured{}
		if err := decoder.Decode(&u.Object); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read document: %w", err)
		}
		if len(u.Object) == 0 {
			continue
		}
		if err := s.apply(ctx, u); err != nil {
			return fmt.Errorf("apply %s %s: %w", u.GetKind(), u.GetName(), err)
		}
	}
}

func (s *Scene) apply(ctx context.Context, u *unstructured.Unstructured) error {
	kind := u.GroupVersionKind()
	mapping, err := s.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if meta.IsNoMatchError(err) {
		s.mapper.Reset()
		mapping, err = s.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	}
	if err != nil {
		return err
	}
	var resource dynamic.ResourceInterface = s.dynamic.Resource(mapping.Resource)
	if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
		resource = s.dynamic.Resource(mapping.Resource).Namespace(u.GetNamespace())
	}
	_, err = resource.Apply(ctx, u.GetName(), u, metav1.ApplyOptions{FieldManager: fieldOwner, Force: true})
	return err
}

// Namespace makes a namespace with these annotations, and waits until pods can be created in it.
func (s *Scene) Namespace(ctx context.Context, name string, annotations map[string]string) error {
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: annotations}}
	if _, err := s.Kube.CoreV1().Namespaces().Create(ctx, ns, metav1.CreateOptions{}); err != nil {
		return err
	}
	return Wait(ctx, "the service account of namespace "+name, func() (bool, error) {
		_, err := s.Kube.CoreV1().ServiceAccounts(name).Get(ctx, "default", metav1.GetOptions{})
		return err == nil, nil
	})
}

// Nbctl runs ovn-nbctl on the lab's Northbound database.
func (s *Scene) Nbctl(ctx context.Context, args ...string) (string, error) {
	args = append([]string{"--db=" + s.Lab.Info().NB, "--timeout=10"}, args...)
	out, err := exec.CommandContext(ctx, "ovn-nbctl", args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("ovn-nbctl %q: %w: %s", args, err, bytes.TrimSpace(out))
	}
	return string(bytes.TrimSpace(out)), nil
}

// pollEvery is the interval of Wait's calls.
const pollEvery = 20 * time.Millisecond

// Wait calls ask again and again until ok is true. An error ends it; the end of ctx is an error that names what was
// awaited.
func Wait(ctx context.Context, what string, ask func() (ok bool, err error)) error {
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for {
		if ok, err := ask(); err != nil || ok {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w", what, ctx.Err())
		case <-ticker.C:
		}
	}
}
