// Package uninstall takes the program out of a cluster. What goes in is a client with somebody's rights; what comes out
// is a line for each object that was removed, stopped, stays or could not be removed, with the reason.
//
// The order is what matters: a webhook with failurePolicy Fail that nobody answers keeps every pod from being made. So
// the registration goes first, the program may end only when it is gone, and the rest follows.
package uninstall

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/ovnguard/ovnguard/internal/registration"
)

// Options say what is removed.
type Options struct {
	// Namespace is the program's own.
	Namespace string
	// DryRun has nothing changed: the lines say what would be.
	DryRun bool
	// KeepDefinitions leaves the definitions of PortSecurityPolicies and PortSecurityExceptions, and so all of these.
	KeepDefinitions bool
	// KeepInstalled leaves what was installed, such as roles and the Service, to whoever installed it: only what the
	// program made itself is removed.
	KeepInstalled bool
	// Wait is how long the replicas may take to end.
	Wait time.Duration
}

// Result is what became of an object.
type Result string

// Results. Under DryRun, nothing is removed or stopped yet.
const (
	Removed Result = "removed"
	Stopped Result = "stopped"
	// Stays means that the object is left on purpose.
	Stays Result = "stays"
	// Failed means that the object is there and could not be removed.
	Failed Result = "failed"
)

// Line tells of one object, or of a kind of them.
type Line struct {
	Result Result
	// What names the object: the kind, and the name with its namespace.
	What string
	// Why is the reason; empty where there is nothing to say.
	Why string
}

// Uninstaller takes the program out of a cluster. What is gone already is no error, so that it can run again.
type Uninstaller struct {
	Client client.Client
	Options
	// Narrow takes from ports what exceptions granted, once the program has ended; nil leaves the ports as they are.
	Narrow func(ctx context.Context) ([]Line, error)
	// Say is told of each line, as it comes.
	Say func(Line) error

	failed int
}

// ErrFailed means that something is left that should have been removed; the lines have said what.
var ErrFailed = errors.New("not everything could be removed")

// errStillRegistered ends the removal where it would leave a cluster that makes no pods.
var errStillRegistered = errors.New(
	"the webhooks are still registered, so the rest was left: without the program no pod could be made")

// Run removes everything that the options say. The error is ErrFailed where something is left.
func (u *Uninstaller) Run(ctx context.Context) error {
	if err := u.withdraw(ctx); err != nil {
		return err
	}
	if err := u.stop(ctx); err != nil {
		return err
	}
	if err := u.staysWithdrawn(ctx); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{
		u.ports, u.reports, u.definitions, u.kept, u.installed, u.rest,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	if u.failed > 0 {
		return ErrFailed
	}
	return nil
}

// OwnerRole is the ClusterRole to which the registration belongs where the program was installed with it.
const OwnerRole = "ovnguard-registration"

// withdraw removes the registration. What it belongs to goes first: a replica does not put it back then.
func (u *Uninstaller) withdraw(ctx context.Context) error {
	before := u.failed
	objects := []*metav1.PartialObjectMetadata{object(rbac("ClusterRole"), "", OwnerRole)}
	for _, o := range registration.Objects() {
		gvk, err := apiutil.GVKForObject(o, u.Client.Scheme())
		if err != nil {
			return err
		}
		objects = append(objects, object(gvk, "", o.GetName()))
	}
	for _, o := range objects {
		if err := u.remove(ctx, o, ""); err != nil {
			return err
		}
	}
	if u.failed > before {
		return errors.Join(ErrFailed, errStillRegistered)
	}
	return nil
}

// settled is how long the registration is watched before it counts as gone: a replica that still runs puts it back
// within milliseconds.
const settled = time.Second

// staysWithdrawn makes sure that nobody registers again, now that the replicas have ended.
func (u *Uninstaller) staysWithdrawn(ctx context.Context) error {
	if u.DryRun {
		return nil
	}
	again := false
	for end := time.Now().Add(settled); ; {
		back := false
		for _, o := range registration.Objects() {
			switch err := u.Client.Delete(ctx, o); {
			case err == nil:
				back = true
			case gone(err):
			default:
				return fmt.Errorf("make sure that nobody registers again: %w", err)
			}
		}
		switch {
		case back && again:
			if err := u.say(Line{Failed, "the registration of the webhooks", "a controller outside Deployments of " +
				"namespace " + u.Namespace + " still runs and puts it back: end that, and run this again"}); err != nil {
				return err
			}
			return errors.Join(ErrFailed, errStillRegistered)
		case !back && time.Now().After(end):
			return nil
		}
		again = again || back && time.Now().After(end)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(settled / 5):
		}
	}
}

// ports narrows the ports where that was asked for.
func (u *Uninstaller) ports(ctx context.Context) error {
	if u.Narrow == nil {
		return u.say(Line{Stays, "the ports of running pods", "each keeps what it may send now; what exceptions " +
			"granted stays granted until Kube-OVN makes the port again"})
	}
	lines, err := u.Narrow(ctx)
	for _, l := range lines {
		if err := u.say(l); err != nil {
			return err
		}
	}
	return err
}

// say tells of a line.
func (u *Uninstaller) say(l Line) error {
	if l.Result == Failed {
		u.failed++
	}
	return u.Say(l)
}

// remove removes an object that may be there, and says so. why is the reason that is given, if any.
func (u *Uninstaller) remove(ctx context.Context, o *metav1.PartialObjectMetadata, why string) error {
	what := title(o)
	if u.DryRun {
		switch err := u.Client.Get(ctx, client.ObjectKeyFromObject(o), o); {
		case gone(err):
			return nil
		case err != nil:
			return u.refused(what, err)
		}
		return u.say(Line{Removed, what, why})
	}
	// The client deletes by metadata only what its scheme knows, and definitions are not among that.
	whole := &unstructured.Unstructured{}
	whole.SetGroupVersionKind(o.GroupVersionKind())
	whole.SetNamespace(o.Namespace)
	whole.SetName(o.Name)
	err := u.Client.Delete(ctx, whole, client.PropagationPolicy(metav1.DeletePropagationBackground))
	switch {
	case err == nil:
		return u.say(Line{Removed, what, why})
	case gone(err), apierrors.IsForbidden(err) && gone(u.Client.Get(ctx, client.ObjectKeyFromObject(o), o)):
		return nil
	}
	return u.refused(what, err)
}

// refused says that the API server refuses something of an object. Where it does not answer, that is the error.
func (u *Uninstaller) refused(what string, err error) error {
	if _, answered := errors.AsType[*apierrors.StatusError](err); !answered {
		return fmt.Errorf("%s: %w", what, err)
	}
	return u.say(Line{Failed, what, err.Error()})
}

// gone reports whether an error means that there is no such object, or no such kind.
func gone(err error) bool { return apierrors.IsNotFound(err) || meta.IsNoMatchError(err) }

// object returns an object by its kind and name.
func object(gvk schema.GroupVersionKind, namespace, name string) *metav1.PartialObjectMetadata {
	o := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	o.SetGroupVersionKind(gvk)
	return o
}

// title names an object for people.
func title(o *metav1.PartialObjectMetadata) string {
	name := o.Name
	if o.Namespace != "" {
		name = o.Namespace + "/" + name
	}
	return o.Kind + " " + name
}

func rbac(kind string) schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: kind}
}

func core(kind string) schema.GroupVersionKind {
	return schema.GroupVersionKind{Version: "v1", Kind: kind}
}
