package uninstall

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ovnguard/ovnguard/internal/controller"
	"github.com/ovnguard/ovnguard/internal/discovery"
	"github.com/ovnguard/ovnguard/internal/journal"
	"github.com/ovnguard/ovnguard/internal/kube"
	"github.com/ovnguard/ovnguard/internal/leader"
	"github.com/ovnguard/ovnguard/internal/openreports"
	"github.com/ovnguard/ovnguard/internal/registration"
)

// reports removes the Reports of OpenReports that are this program's.
func (u *Uninstaller) reports(ctx context.Context) error {
	for _, kind := range []string{"Report", "ClusterReport"} {
		gvk := schema.GroupVersionKind{Group: "openreports.io", Version: "v1alpha1", Kind: kind}
		all, err := u.list(ctx, gvk, "", client.MatchingLabels{openreports.Label: openreports.LabelValue})
		if err != nil {
			return err
		}
		for i := range all {
			if all[i].Name == openreports.Name {
				if err := u.remove(ctx, &all[i], ""); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// definitions removes the definitions of what people wrote, and with them all of that.
func (u *Uninstaller) definitions(ctx context.Context) error {
	for _, kind := range []schema.GroupVersionKind{kube.ExceptionKind, kube.PolicyKind} {
		plural, _ := meta.UnsafeGuessKindToResource(kind)
		definition := object(
			schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"},
			"", plural.Resource+"."+kind.Group,
		)
		all, err := u.list(ctx, kind, "")
		if err != nil {
			return err
		}
		objects := fmt.Sprintf("with %d of its objects", len(all))
		if !u.KeepDefinitions {
			if err := u.remove(ctx, definition, objects); err != nil {
				return err
			}
			continue
		}
		if gone(u.Client.Get(ctx, client.ObjectKeyFromObject(definition), definition)) {
			continue
		}
		if err := u.say(Line{Stays, title(definition), objects + ", so that they count again when ovnguard is back; " +
			"to remove them: kubectl delete crd " + definition.Name}); err != nil {
			return err
		}
	}
	return nil
}

// kept removes what the program kept for itself: who leads, the journal of repair, what it noted, its certificate.
func (u *Uninstaller) kept(ctx context.Context) error {
	lease := schema.GroupVersionKind{Group: "coordination.k8s.io", Version: "v1", Kind: "Lease"}
	all, err := u.list(ctx, core("ConfigMap"), u.Namespace, client.MatchingLabels{journal.Label: "true"})
	if err != nil {
		return err
	}
	objects := []*metav1.PartialObjectMetadata{object(lease, u.Namespace, leader.LeaseName)}
	for i := range all {
		objects = append(objects, &all[i])
	}
	objects = append(objects,
		object(core("ConfigMap"), u.Namespace, controller.ConfirmationName),
		object(core("ConfigMap"), u.Namespace, discovery.LayoutName),
		object(core("Secret"), u.Namespace, registration.SecretName))
	for _, o := range objects {
		if err := u.remove(ctx, o, ""); err != nil {
			return err
		}
	}
	return nil
}

// list returns the objects of a kind, in a namespace or in all. A kind that is not served has none; what may not be
// listed is said.
func (u *Uninstaller) list(
	ctx context.Context, gvk schema.GroupVersionKind, namespace string, more ...client.ListOption,
) ([]metav1.PartialObjectMetadata, error) {
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(gvk.GroupVersion().WithKind(gvk.Kind + "List"))
	if err := u.Client.List(ctx, list, append(more, client.InNamespace(namespace))...); err != nil && !gone(err) {
		where := "of all namespaces"
		if namespace != "" {
			where = "of namespace " + namespace
		}
		return nil, u.refused(gvk.Kind+"s "+where, err)
	}
	for i := range list.Items {
		list.Items[i].SetGroupVersionKind(gvk)
	}
	return list.Items, nil
}
