package kube

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ovnguard/ovnguard/internal/layout"
)

const (
	// mostUsers is how many users are asked about, at most: anybody may make a workload that looks like Kube-OVN's.
	mostUsers = 32
	// listAtATime is how many workloads an answer of the API server holds.
	listAtATime = 500
	// tlsPath is where Kube-OVN's programs look for certificates.
	tlsPath = "/var/run/tls"
)

// labelled selects the pods of one of Kube-OVN's programs by the label that all its charts give them.
func labelled(role layout.Role) client.ListOption { return client.MatchingLabels{"app": string(role)} }

// Evidence gathers how Kube-OVN is laid out.
type Evidence struct {
	// Live reads from the API server itself, and Reviews makes SubjectAccessReviews.
	Live    client.Reader
	Reviews client.Writer
	// Cache has all Deployments and DaemonSets; nil to list them from the API server.
	Cache client.Reader
}

// Gather returns which workloads run Kube-OVN's programs, wherever they are, and what their users, and those that were
// noted before, may do. What cannot be read is in the evidence, too.
func (g Evidence) Gather(ctx context.Context, noted []string) layout.Evidence {
	workloads, err := g.workloads(ctx)
	e := layout.Evidence{Workloads: workloads, Rights: make(map[string]layout.Rights)}
	if err != nil {
		e.Unread = err.Error()
	}
	for _, user := range slices.Concat(layout.Users(workloads, mostUsers), noted) {
		e.Rights[user] = rightsOf(ctx, g.Reviews, user)
	}
	return e
}

// workloads returns what runs Kube-OVN's programs, in the order in which it was made. Where no Deployment or DaemonSet
// runs one of them, pods with the label of Kube-OVN's charts are looked at.
func (g Evidence) workloads(ctx context.Context) ([]layout.Workload, error) {
	reader, page := g.Cache, int64(0)
	if reader == nil {
		reader, page = g.Live, listAtATime
	}
	var found []made
	var errs []error
	deployments, daemons := &appsv1.DeploymentList{}, &appsv1.DaemonSetList{}
	errs = append(errs, eachPage(ctx, reader, page, "deployments", deployments, func() {
		for i := range deployments.Items {
			d := &deployments.Items[i]
			found = append(found, madeOf("Deployment", d.ObjectMeta, &d.Spec.Template.Spec)...)
		}
	}), eachPage(ctx, reader, page, "daemonsets", daemons, func() {
		for i := range daemons.Items {
			d := &daemons.Items[i]
			found = append(found, madeOf("DaemonSet", d.ObjectMeta, &d.Spec.Template.Spec)...)
		}
	}))
	for _, role := range []layout.Role{layout.Controller, layout.Daemon} {
		if slices.ContainsFunc(found, func(m made) bool { return m.Role == role }) {
			continue
		}
		pods := &corev1.PodList{}
		errs = append(errs, eachPage(ctx, g.Live, listAtATime, "pods", pods, func() {
			for i := range pods.Items {
				found = append(found, madeOf("Pod", pods.Items[i].ObjectMeta, &pods.Items[i].Spec)...)
			}
		}, labelled(role)))
	}
	slices.SortStableFunc(found, func(a, b made) int { return a.at.Compare(b.at.Time) })
	workloads := make([]layout.Workload, len(found))
	for i, m := range found {
		workloads[i] = m.Workload
	}
	return workloads, errors.Join(errs...)
}

// eachPage lists objects, piece by piece where a page has an end; look looks at those that are in the list.
func eachPage(
	ctx context.Context,
	reader client.Reader,
	page int64,
	what string,
	list client.ObjectList,
	look func(),
	only ...client.ListOption,
) error {
	next := ""
	for {
		if err := reader.List(
			ctx,
			list,
			append(slices.Clip(only), client.Limit(page), client.Continue(next))...); err != nil {
			return fmt.Errorf("list %s: %w", what, err)
		}
		look()
		if next = list.GetContinue(); next == "" {
			return nil
		}
	}
}

// made is a workload, and when it was made.
type made struct {
	layout.Workload

	at metav1.Time
}

// madeOf returns the workloads of Kube-OVN's that an object has: one for each of its programs that a container starts.
func madeOf(kind string, meta metav1.ObjectMeta, spec *corev1.PodSpec) (all []made) {
	for i := range spec.Containers {
		c := &spec.Containers[i]
		command := slices.Concat(c.Command, c.Args)
		role, ok := layout.RoleOf(command)
		if !ok {
			continue
		}
		w := layout.Workload{
			Role: role, Kind: kind, Namespace: meta.Namespace, Name: meta.Name, Account: spec.ServiceAccountName,
			Command: command, Image: c.Image, TLSSecret: tlsSecret(spec, c),
		}
		for _, v := range c.Env {
			w.Env = append(w.Env, layout.Variable{Name: v.Name, Value: v.Value, Elsewhere: v.ValueFrom != nil})
		}
		all = append(all, made{w, meta.CreationTimestamp})
	}
	return all
}

// tlsSecret returns the Secret that a container mounts for its certificates; "" for none.
func tlsSecret(spec *corev1.PodSpec, c *corev1.Container) string {
	for _, m := range c.VolumeMounts {
		if strings.TrimSuffix(m.MountPath, "/") != tlsPath {
			continue
		}
		for _, v := range spec.Volumes {
			if v.Name == m.Name && v.Secret != nil {
				return v.Secret.SecretName
			}
		}
	}
	return ""
}

// writes are the rights without which nobody writes Kube-OVN's keys, and which nobody else has: to change any pod, and
// any record of an address.
var writes = []authorizationv1.ResourceAttributes{
	{Verb: "patch", Resource: "pods"},
	{Verb: "update", Group: IPKind.Group, Resource: "ips"},
}

// rightsOf asks the API server whether a service account may write what Kube-OVN writes, everywhere.
func rightsOf(ctx context.Context, reviews client.Writer, user string) (r layout.Rights) {
	rest := strings.TrimPrefix(user, "system:serviceaccount:")
	namespace, _, _ := strings.Cut(rest, ":")
	who := authenticationv1.UserInfo{Username: user, Groups: []string{
		"system:serviceaccounts", "system:serviceaccounts:" + namespace, "system:authenticated",
	}}
	for _, what := range writes {
		may, err := Cluster{Reviews: reviews}.May(ctx, who, what)
		name := what.Resource
		if what.Group != "" {
			name += "." + what.Group
		}
		switch {
		case err != nil:
			return layout.Rights{Unknown: err.Error()}
		case !may:
			r.Lacks = append(r.Lacks, what.Verb+" "+name)
		}
	}
	return r
}

// StripWorkload drops from a Deployment or a DaemonSet what Workloads does not read: of those that are not Kube-OVN's,
// nearly all.
func StripWorkload(object any) (any, error) {
	switch o := object.(type) {
	case *appsv1.Deployment:
		o.Status = appsv1.DeploymentStatus{}
	case *appsv1.DaemonSet:
		o.Status = appsv1.DaemonSetStatus{}
	}
	template := template(object)
	meta, ok := object.(metav1.Object)
	if !ok || template == nil {
		return object, nil
	}
	meta.SetManagedFields(nil)
	meta.SetAnnotations(nil)
	meta.SetLabels(nil)
	runs := slices.ContainsFunc(template.Spec.Containers, func(c corev1.Container) bool {
		_, ok := layout.RoleOf(slices.Concat(c.Command, c.Args))
		return ok
	})
	if !runs {
		*template = corev1.PodTemplateSpec{}
	}
	return object, nil
}

// RunsKubeOVN reports whether a Deployment or a DaemonSet that StripWorkload made smaller runs one of Kube-OVN's
// programs.
func RunsKubeOVN(object any) bool {
	if gone, ok := object.(toolscache.DeletedFinalStateUnknown); ok {
		object = gone.Obj
	}
	t := template(object)
	return t != nil && len(t.Spec.Containers) > 0
}

// SameWorkload reports whether two such objects start the same pods.
func SameWorkload(a, b any) bool { return equality.Semantic.DeepEqual(template(a), template(b)) }

// template returns that of a Deployment or a DaemonSet; nil for anything else.
func template(object any) *corev1.PodTemplateSpec {
	switch o := object.(type) {
	case *appsv1.Deployment:
		return &o.Spec.Template
	case *appsv1.DaemonSet:
		return &o.Spec.Template
	}
	return nil
}
