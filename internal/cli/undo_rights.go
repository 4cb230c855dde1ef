package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
	"github.com/ovnguard/ovnguard/internal/admission"
	"github.com/ovnguard/ovnguard/internal/events"
	"github.com/ovnguard/ovnguard/internal/journal"
	"github.com/ovnguard/ovnguard/internal/kube"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/internal/repair/apply"
)

// whoAmI returns the user as the API server knows it, and from where.
func whoAmI(ctx context.Context, api client.Client) (string, error) {
	var review authenticationv1.SelfSubjectReview
	if err := api.Create(ctx, &review); err != nil {
		return "", fmt.Errorf("ask the API server who you are: %w", err)
	}
	host, err := os.Hostname()
	if err != nil {
		return "", err
	}
	return review.Status.UserInfo.Username + ", by ovnguard undo on " + host, nil
}

// mayUndo returns what says why a user may not take back what repair did to a pod. Admission asks the same where an
// annotation is taken back; the row is not the API server's, so that it is asked here.
func mayUndo(api client.Client, user string) func(ctx context.Context, namespace, pod string) error {
	return func(ctx context.Context, namespace, pod string) error {
		group := v1alpha1.GroupVersion.Group
		review := authorizationv1.SelfSubjectAccessReview{
			Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{
				Group: group, Version: "*", Resource: "pods", Namespace: namespace, Name: pod, Verb: admission.VerbUndo,
			}},
		}
		if err := api.Create(ctx, &review); err != nil {
			return fmt.Errorf(
				"ask the API server whether you may take changes of pod %s/%s back: %w",
				namespace,
				pod,
				err,
			)
		}
		if !review.Status.Allowed || review.Status.Denied {
			return fmt.Errorf(
				"%s needs the verb %q on pods.%s in namespace %s; an administrator can grant it by ClusterRole "+
					"ovnguard-undoer",
				user,
				admission.VerbUndo,
				group,
				namespace,
			)
		}
		return nil
	}
}

// warnOfRepair says which policies have repair put right again what is about to be taken back. Where that cannot be
// told nothing is said.
func warnOfRepair(ctx context.Context, errs io.Writer, api client.Client, units []journal.Unit) error {
	policies, err := kube.Cluster{Lookup: kube.Lookup{Live: api}}.Policies(ctx)
	if err != nil {
		return nil //nolint:nilerr // who undoes need not read policies
	}
	var told []string
	for _, unit := range units {
		whose := unit.Whose()
		var ns corev1.Namespace
		if api.Get(ctx, client.ObjectKey{Name: whose.Namespace}, &ns) != nil {
			continue
		}
		base, byLabel := policy.Match(policies, kube.NamespaceOf(&ns), providerOf(whose))
		for _, p := range append(byLabel, base) {
			if p.Mode != policy.Enforce || p.Repair != policy.RepairOn || slices.Contains(told, p.Name) {
				continue
			}
			told = append(told, p.Name)
			if _, err := fmt.Fprintf(
				errs,
				"%s has repair: repair, so repair would write its ports again at once; set its spec.repair to "+
					"log first\n",
				admission.PolicyTitle(p.Name),
			); err != nil {
				return err
			}
		}
	}
	return nil
}

// providerOf returns the provider of a change's NIC.
func providerOf(e journal.Entry) kubeovn.Provider {
	for key := range e.After.Annotations {
		if kubeovn.BaseSuffix(key) == kubeovn.PortSecurity {
			return kubeovn.ProviderOf(key)
		}
	}
	return kubeovn.DefaultProvider
}

// tell has an Event at the pod say that what repair did was taken back, and by whom. It changes nothing where that is
// not possible.
func tell(ctx context.Context, errs io.Writer, undoer *apply.Undoer, unit journal.Unit) error {
	whose, now := unit.Whose(), metav1.NewTime(time.Now())
	event := &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{Namespace: whose.Namespace, GenerateName: whose.Pod + "-"},
		InvolvedObject: corev1.ObjectReference{
			APIVersion: "v1",
			Kind:       "Pod",
			Namespace:  whose.Namespace,
			Name:       whose.Pod,
			UID:        types.UID(whose.PodUID),
		},
		Reason:         events.ReasonUndone,
		Type:           corev1.EventTypeWarning,
		FirstTimestamp: now,
		LastTimestamp:  now,
		Count:          1,
		Message:        fmt.Sprintf("What repair did to port %s was taken back by %s", whose.Port, undoer.Journal.By),
		Source:         corev1.EventSource{Component: "ovnguard"},
	}
	if err := undoer.Client.Create(ctx, event); err != nil && !apierrors.IsForbidden(err) {
		_, err := fmt.Fprintf(errs, "pod %s/%s: no Event says so: %v\n", whose.Namespace, whose.Pod, err)
		return err
	}
	return nil
}
