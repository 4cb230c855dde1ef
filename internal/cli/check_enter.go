package cli

import (
	"fmt"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kube"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// enterManifests enters what the manifests say into the inventory as if they were applied, and writes into them what
// the API server and admission would: namespaces, identities, and when exceptions were asked for. approver is who is
// taken to have approved the exceptions among them; "" for nobody.
func enterManifests(
	inv *inventory.Inventory, manifests []manifest, namespace, approver string, now time.Time,
) (notes []string, err error) {
	for i := range manifests {
		m := &manifests[i]
		if m.GetNamespace() == "" && kube.Namespaced(m.GroupVersionKind()) {
			m.SetNamespace(namespace)
		}
		switch kind := m.GroupVersionKind(); {
		case kind.Group == "" && kind.Kind == "Namespace":
			applyNamespace(inv, m.Unstructured)
		case kind == kube.ExceptionKind: // when the owners are known
		case slices.Contains(kube.TemplateKinds(), kind) && m.GetUID() == "":
			identify(inv, m.Unstructured)
		}
		if m.GroupVersionKind() == kube.ExceptionKind {
			continue
		}
		if err := kube.EnterManifest(inv, m.Unstructured); err != nil {
			return nil, fmt.Errorf("%s: %w", m.where(), err)
		}
	}
	for i := range manifests {
		m := &manifests[i]
		if m.GroupVersionKind() != kube.ExceptionKind {
			continue
		}
		if note := ask(inv, m.Unstructured, approver, now); note != "" {
			notes = append(notes, note)
		}
		if err := kube.EnterManifest(inv, m.Unstructured); err != nil {
			return nil, fmt.Errorf("%s: %w", m.where(), err)
		}
	}
	var strange []string
	for i := range manifests {
		m := &manifests[i]
		name := m.GetNamespace()
		if !makesPods(m.GroupVersionKind()) && m.GroupVersionKind() != kube.ExceptionKind ||
			inv.Namespace(name).Err == nil {
			continue
		}
		strange = append(strange, name)
		inv.SetNamespace(policy.Namespace{Name: name, Labels: map[string]string{corev1.LabelMetadataName: name}})
	}
	for _, name := range strange {
		notes = append(notes, fmt.Sprintf(
			"namespace %s is neither in the cluster nor in the manifests; it is taken for one without annotations",
			name,
		))
	}
	return notes, nil
}

// makesPods reports whether the kind is that of pods or of what pods are made from.
func makesPods(kind schema.GroupVersionKind) bool {
	return kind.Group == "" && kind.Kind == "Pod" || slices.Contains(kube.TemplateKinds(), kind)
}

// applyNamespace adds to the manifest of a namespace the labels and annotations that it has in the cluster, as kubectl
// apply keeps them.
func applyNamespace(inv *inventory.Inventory, u *unstructured.Unstructured) {
	labels, annotations := map[string]string{}, map[string]string{}
	if is := inv.Namespace(u.GetName()); is.Err == nil {
		maps.Copy(labels, is.Labels)
		maps.Copy(annotations, is.Annotations)
	}
	maps.Copy(labels, u.GetLabels())
	maps.Copy(annotations, u.GetAnnotations())
	labels[corev1.LabelMetadataName] = u.GetName()
	u.SetLabels(labels)
	u.SetAnnotations(annotations)
}

// identify enters into the manifest of a workload its identity in the cluster, or a new one.
func identify(inv *inventory.Inventory, u *unstructured.Unstructured) {
	o, ok := inv.Workload(u.GetNamespace(), u.GetAPIVersion(), u.GetKind(), u.GetName())
	if !ok {
		o.UID = "manifest " + u.GetKind() + " " + u.GetNamespace() + "/" + u.GetName()
	}
	u.SetUID(types.UID(o.UID))
}

// ask writes into an exception what admission writes when it is asked for. The note says what of the cluster does not
// count for it.
func ask(inv *inventory.Inventory, u *unstructured.Unstructured, approver string, now time.Time) (note string) {
	set := func(value string, path ...string) {
		if is, _, _ := unstructured.NestedString(u.Object, path...); is == "" {
			_ = unstructured.SetNestedField(u.Object, value, path...) // what is no object is refused when it is entered
		}
	}
	set(now.UTC().Format(time.RFC3339), "spec", "requestedAt")
	set(manifestAuthor, "spec", "requestedBy")
	unstructured.RemoveNestedField(u.Object, "spec", "approvedBy")
	if approver != "" {
		set(approver, "spec", "approvedBy")
	}
	if owner, ok, _ := unstructured.NestedStringMap(u.Object, "spec", "target", "owner"); ok {
		o, found := inv.Workload(u.GetNamespace(), owner["apiVersion"], owner["kind"], owner["name"])
		if found {
			set(o.UID, "spec", "target", "owner", "uid")
		} else {
			note = fmt.Sprintf(
				"PortSecurityException %s/%s: its owner %s %s is neither in the cluster nor in the manifests",
				u.GetNamespace(),
				u.GetName(),
				owner["kind"],
				owner["name"],
			)
		}
	}
	inv.EachException(func(e *policy.Exception) {
		if approver == "" && e.Namespace == u.GetNamespace() && e.Name == u.GetName() && e.ApprovedBy != "" {
			note = fmt.Sprintf(
				"PortSecurityException %s/%s: the approval that it has in the cluster is not counted, since "+
					"it is lost where the request changes",
				e.Namespace,
				e.Name,
			)
		}
	})
	return note
}
