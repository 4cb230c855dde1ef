// Package review provides the facts for reviews: the present inventory, the API server where a cache may be behind, and
// the known rights of the user of a request. Admission and governance use it.
package review

import (
	"context"
	"time"

	"golang.org/x/time/rate"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
	"github.com/ovnguard/ovnguard/internal/admission"
	"github.com/ovnguard/ovnguard/internal/governance"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/journal"
	"github.com/ovnguard/ovnguard/internal/kube"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/monitor"
	"github.com/ovnguard/ovnguard/internal/repair"
	"github.com/ovnguard/ovnguard/internal/webhook"
)

// World provides the facts for reviews: the live inventory and, where a cache may be behind, the API server.
type World struct {
	lookup  kube.Lookup
	monitor *monitor.Monitor
	// accounts returns the users of Kube-OVN, KubeVirt and this program at the moment.
	accounts func() admission.Accounts
	// reviews makes SubjectAccessReviews.
	reviews client.Writer
	// asked limits the rate of those reviews.
	asked *pace
	// journal is the journal of repair.
	journal *journal.Reader
	// known is a right that the API server checked before its call; the zero value is none.
	known Right
}

// New returns a world without a known right of the requests' users. accounts returns the users of Kube-OVN, KubeVirt
// and this program at the moment; reviews makes SubjectAccessReviews.
func New(
	lookup kube.Lookup,
	m *monitor.Monitor,
	accounts func() admission.Accounts,
	reviews client.Writer,
	j *journal.Reader,
) *World {
	return &World{
		lookup: lookup, monitor: m, accounts: accounts, reviews: reviews, journal: j,
		asked: newPace(rate.Every(askEach), askMany),
	}
}

// Accounts returns the users of Kube-OVN, KubeVirt and this program as they count now.
func (w *World) Accounts() admission.Accounts { return w.accounts() }

// Right says whether the user of a request has a verb.
type Right struct {
	Verb string
	Has  bool
}

// Knowing returns the same world for a webhook that the API server calls only for users with, or without, that right.
func (w *World) Knowing(r Right) *World {
	knows := *w
	knows.known = r
	return &knows
}

// askEach and askMany bound how often, and how many times at once, the API server is asked for rights. Only Vips and
// shared addresses need a question: an expression could name no more than one of their namespaces and subnets at a
// time, or none.
const (
	askEach = 10 * time.Millisecond
	askMany = 100
)

// rights answers questions about the known right, and asks for all others.
type rights struct {
	kube.Cluster

	known Right
	asked *pace
}

// May implements governance.Cluster.
func (r rights) May(
	ctx context.Context,
	user authenticationv1.UserInfo,
	what authorizationv1.ResourceAttributes,
) (bool, error) {
	if what.Group == v1alpha1.GroupVersion.Group && what.Verb == r.known.Verb {
		return r.known.Has, nil
	}
	if err := r.asked.wait(ctx, webhook.Source(ctx)); err != nil {
		return false, err
	}
	return r.Cluster.May(ctx, user, what)
}

// Guard returns the judge of one request about an object that governs ports: its accounts are those of this moment.
func (w *World) Guard() *governance.Guard {
	eras := w.monitor.Eras()
	return &governance.Guard{
		Cluster: rights{
			kube.Cluster{Lookup: w.lookup, Reviews: w.reviews},
			w.known,
			w.asked,
		},
		Accounts: w.accounts(),
		Look:     w.monitor.Read,
		Rewrites: func(p inventory.Port) bool {
			kind := repair.Plan(p, eras, repair.History{}, time.Now()).Kind
			return kind == repair.Annotate || kind == repair.Write
		},
		Now: time.Now,
	}
}

// Look implements admission.World.
func (w *World) Look(ctx context.Context, namespace, user string, look func(*admission.View)) {
	ns := w.lookup.Namespace(ctx, namespace) // it may ask the API server: the other facts are newer afterwards
	w.monitor.Read(func(inv *inventory.State) {
		look(&admission.View{
			Accounts: w.accounts(), User: user, Namespace: ns, Inventory: inv, Now: time.Now(),
		})
	})
}

// Repaired implements admission.World. It reads nothing for a user who may not take the changes back.
func (w *World) Repaired(ctx context.Context, ids []string) (admission.Repaired, error) {
	if w.known != (Right{admission.VerbUndo, true}) {
		return admission.Repaired{}, admission.ErrNoUndo
	}
	if err := w.asked.wait(ctx, webhook.Source(ctx)); err != nil {
		return admission.Repaired{}, err
	}
	unit, err := w.journal.Standing(ctx, ids...)
	if err != nil {
		return admission.Repaired{}, err
	}
	wrote, found := unit.Values()
	return admission.Repaired{PodUID: unit.Whose().PodUID, Before: found.Annotations, After: wrote.Annotations}, nil
}

// Definition implements admission.World.
func (w *World) Definition(ctx context.Context, a kubeovn.Attachment) (d admission.Definition) {
	d.Kind, d.Found, d.Err = w.lookup.Definition(ctx, a)
	return d
}

// Pod implements admission.World. It asks the API server: a cache may have an older pod than the one to be changed.
func (w *World) Pod(ctx context.Context, namespace, name string) (*admission.Pod, error) {
	var p corev1.Pod
	if err := w.lookup.Live.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &p); err != nil {
		return nil, err
	}
	out := &admission.Pod{Metadata: admission.Metadata{Name: p.Name, Labels: p.Labels, Annotations: p.Annotations}}
	out.Spec.HostNetwork = p.Spec.HostNetwork
	for _, o := range p.OwnerReferences {
		out.Metadata.Owners = append(out.Metadata.Owners, admission.OwnerReference{
			APIVersion: o.APIVersion,
			Kind:       o.Kind,
			Name:       o.Name,
			UID:        string(o.UID),
			Controller: o.Controller != nil && *o.Controller,
		})
	}
	return out, nil
}
