package kube

import (
	"context"
	"fmt"
	"time"

	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// cacheTimeout is how long a cache that is still being filled may keep a review waiting before the API server is asked.
// A cache that is filled answers at once.
const cacheTimeout = 250 * time.Millisecond

// Lookup answers admission's questions from a cache and, where the cache has no answer, from the API server: a pod may
// be created in the same breath as its namespace.
type Lookup struct {
	Cache client.Reader
	Live  client.Reader
}

// Namespace returns the namespace, with Err set where neither the cache nor the API server has it.
func (l Lookup) Namespace(ctx context.Context, name string) policy.Namespace {
	var ns corev1.Namespace
	if err := l.get(ctx, client.ObjectKey{Name: name}, &ns); err != nil {
		return policy.Namespace{Name: name, Err: err}
	}
	return NamespaceOf(&ns)
}

// Definition returns what the definition of a network says now. It asks the API server: what is in a cache may be gone.
func (l Lookup) Definition(
	ctx context.Context,
	a kubeovn.Attachment,
) (kind kubeovn.AttachmentKind, found bool, err error) {
	var nad nadv1.NetworkAttachmentDefinition
	if err := l.Live.Get(ctx, client.ObjectKey{Namespace: a.Namespace, Name: a.Name}, &nad); err != nil {
		if apierrors.IsNotFound(err) || meta.IsNoMatchError(err) {
			return kubeovn.KindUnknown, false, nil
		}
		return kubeovn.KindUnknown, false, err
	}
	_, kind = AttachmentOf(&nad)
	return kind, true, nil
}

func (l Lookup) get(ctx context.Context, key client.ObjectKey, into client.Object) error {
	cached := l.getCached(ctx, key, into)
	if cached == nil {
		return nil
	}
	if err := l.Live.Get(ctx, key, into); err != nil {
		if apierrors.IsNotFound(err) {
			return err
		}
		return fmt.Errorf("not in the cache (%w) and the API server gave no answer: %w", cached, err)
	}
	return nil
}

func (l Lookup) getCached(ctx context.Context, key client.ObjectKey, into client.Object) error {
	ctx, cancel := context.WithTimeout(ctx, cacheTimeout)
	defer cancel()
	return l.Cache.Get(ctx, key, into)
}
