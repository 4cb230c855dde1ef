package controller

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ovnguard/ovnguard/internal/admission"
	"github.com/ovnguard/ovnguard/internal/governance"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kube"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/monitor"
)

// world is what reviews look at: the live inventory and, where a cache may be behind, the API server.
type world struct {
	lookup   kube.Lookup
	monitor  *monitor.Monitor
	accounts admission.Accounts
	// reviews makes SubjectAccessReviews.
	reviews client.Writer
}

// guard gives what judges that which governs ports.
func (w *world) guard() *governance.Guard {
	return &governance.Guard{
		Cluster: kube.Cluster{Lookup: w.lookup, Reviews: w.reviews}, Accounts: w.accounts, Look: w.monitor.Read, Now: time.Now,
	}
}

// Look implements admission.World.
func (w *world) Look(ctx context.Context, namespace, user string, look func(*admission.View)) {
	ns := w.lookup.Namespace(ctx, namespace) // before the inventory is held: it may ask the API server
	w.monitor.Read(func(inv *inventory.Inventory) {
		look(&admission.View{Accounts: w.accounts, User: user, Namespace: ns, Inventory: inv, Now: time.Now()})
	})
}

// Definition implements admission.World.
func (w *world) Definition(ctx context.Context, a kubeovn.Attachment) (d admission.Definition) {
	d.Kind, d.Found, d.Err = w.lookup.Definition(ctx, a)
	return d
}

// Pod implements admission.World. It asks the API server: what is in a cache may be older than what is to be changed.
func (w *world) Pod(ctx context.Context, namespace, name string) (*admission.Pod, error) {
	var p corev1.Pod
	if err := w.lookup.Live.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &p); err != nil {
		return nil, err
	}
	out := &admission.Pod{Metadata: admission.Metadata{Name: p.Name, Labels: p.Labels, Annotations: p.Annotations}}
	out.Spec.HostNetwork = p.Spec.HostNetwork
	for _, o := range p.OwnerReferences {
		out.Metadata.Owners = append(out.Metadata.Owners, admission.OwnerReference{
			APIVersion: o.APIVersion, Kind: o.Kind, Name: o.Name, UID: string(o.UID), Controller: o.Controller != nil && *o.Controller,
		})
	}
	return out, nil
}
