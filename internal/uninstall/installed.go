package uninstall

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// installedKinds are the kinds of what was installed with the program, in the order in which they are removed: rights
// go last.
var installedKinds = []struct {
	gvk        schema.GroupVersionKind
	namespaced bool
}{
	{schema.GroupVersionKind{Group: "monitoring.coreos.com", Version: "v1", Kind: "PrometheusRule"}, true},
	{schema.GroupVersionKind{Group: "monitoring.coreos.com", Version: "v1", Kind: "ServiceMonitor"}, true},
	{schema.GroupVersionKind{Group: "policy", Version: "v1", Kind: "PodDisruptionBudget"}, true},
	{schema.GroupVersionKind{Group: "networking.k8s.io", Version: "v1", Kind: "NetworkPolicy"}, true},
	{core("ConfigMap"), true},
	{core("Service"), true},
	{core("ResourceQuota"), true},
	{core("ServiceAccount"), true},
	{core("Namespace"), false},
	{rbac("RoleBinding"), true},
	{rbac("Role"), true},
	{rbac("ClusterRoleBinding"), false},
	{rbac("ClusterRole"), false},
}

// installed removes what was installed with the program, except what Helm installed and can still remove itself.
func (u *Uninstaller) installed(ctx context.Context) error {
	if u.KeepInstalled {
		return u.say(
			Line{Stays, "what was installed", "roles, Service and the rest are left to whoever installed them"},
		)
	}
	helms, released := 0, u.released(ctx)
	for _, kind := range installedKinds {
		namespace := ""
		if kind.namespaced {
			namespace = u.Namespace
		}
		all, err := u.list(ctx, kind.gvk, namespace, client.MatchingLabels{nameLabel: nameValue})
		if err != nil {
			return err
		}
		for i := range all {
			o := &all[i]
			switch {
			case o.Labels[byLabel] == byHelm && released:
				helms++
			case kind.gvk == core("Namespace") && o.Name == u.Namespace,
				kind.gvk == rbac("ClusterRole") && o.Name == OwnerRole:
			default:
				if err := u.remove(ctx, o, ""); err != nil {
					return err
				}
			}
		}
	}
	if helms == 0 {
		return nil
	}
	return u.say(
		Line{Stays, fmt.Sprintf("%d objects of a Helm release", helms), "Helm removes them: helm uninstall -n " +
			u.Namespace + " and the name of the release"},
	)
}

// released reports whether Helm may still know the release. It keeps that in the program's namespace: when that is
// gone, Helm removes nothing any more.
func (u *Uninstaller) released(ctx context.Context) bool {
	return !gone(u.Client.Get(ctx, client.ObjectKey{Name: u.Namespace}, object(core("Namespace"), "", u.Namespace)))
}

// rest says what is left on purpose.
func (u *Uninstaller) rest(ctx context.Context) error {
	for _, x := range []struct {
		gvk             schema.GroupVersionKind
		namespace, name string
		why             string
	}{
		{
			core("Secret"), u.Namespace, "ovnguard-northbound",
			"whoever made it knows who else uses the certificate; it goes with the namespace",
		},
		{
			core("Namespace"), "", u.Namespace,
			"it may hold objects of others; to remove it: kubectl delete namespace " + u.Namespace,
		},
	} {
		o := object(x.gvk, x.namespace, x.name)
		if u.Client.Get(ctx, client.ObjectKeyFromObject(o), o) != nil {
			continue // what may not be read is told of by those who may
		}
		if err := u.say(Line{Stays, title(o), x.why}); err != nil {
			return err
		}
	}
	return u.say(Line{
		Stays, "annotations on pods and namespaces, and bindings that you made to ovnguard's roles",
		"nothing reads them any more, except that Kube-OVN goes on to read its own keys",
	})
}
