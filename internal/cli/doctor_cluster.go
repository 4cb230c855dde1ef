package cli

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ovnguard/ovnguard/internal/api"
	"github.com/ovnguard/ovnguard/internal/kube"
	"github.com/ovnguard/ovnguard/internal/layout"
	"github.com/ovnguard/ovnguard/internal/registration"
)

// examineCluster checks the API server and what it tells.
func (o *doctorOptions) examineCluster(ctx context.Context, d *diagnosis, flags *pflag.FlagSet) error {
	server, api, err := o.connect(ctx)
	if err != nil {
		return err
	}
	d.add("api server", pass, "", "reached at %s, Kubernetes %s", server.Address, server.Version)
	wanted := o.told.wanted(flags, o.northbound)
	wanted.Accounts = o.accounts.KubeOVN
	l, evidence, err := evident(ctx, api, wanted)
	if err != nil {
		return err
	}
	d.Layout, o.northbound = &l, l.Northbound.Is
	if l.Clear() {
		d.add("layout", pass, "", "it is known who writes Kube-OVN's keys: %s", strings.Join(l.Accounts.Is, ", "))
	}
	for _, p := range l.Unclear {
		fix := ""
		if p.Flag != "" {
			fix = "set --" + p.Flag
		}
		d.add("layout", fail, fix, "%s; until then admission refuses nothing", p.Text)
	}
	d.images(evidence.Workloads)
	d.rights(ctx, api)
	d.definitions(api.RESTMapper())
	d.registered(ctx, api)
	return nil
}

// images checks the releases of Kube-OVN that run.
func (d *diagnosis) images(workloads []layout.Workload) {
	var images []string
	for _, w := range workloads {
		if w.Image != "" && !slices.Contains(images, w.Image) {
			images = append(images, w.Image)
		}
	}
	switch len(images) {
	case 0:
		d.add("kube-ovn", warn, "", "no workload tells the image of Kube-OVN")
	case 1:
		d.add("kube-ovn", pass, "", "image %s", images[0])
	default:
		d.add("kube-ovn", warn, "finish the upgrade of Kube-OVN, if one is under way",
			"workloads run several images: %s", strings.Join(images, ", "))
	}
}

// right is something that the commands do in the cluster.
type right struct {
	verb string
	of   schema.GroupResource
}

// String returns the right as people grant it.
func (r right) String() string { return r.verb + " " + r.of.String() }

// readRights returns the rights that status, audit and doctor use: to list the kinds that the cluster serves, and the
// registration.
func readRights(mapper meta.RESTMapper) (rights []right, err error) {
	add := func(r right) {
		if !slices.Contains(rights, r) {
			rights = append(rights, r)
		}
	}
	var kinds []schema.GroupVersionKind
	for _, s := range kube.Sources() {
		kinds = append(kinds, s.Kind)
	}
	for _, kind := range slices.Concat(kinds, kube.TemplateKinds()) {
		m, err := mapper.RESTMapping(kind.GroupKind(), kind.Version)
		switch {
		case meta.IsNoMatchError(err):
		case err != nil:
			return nil, err
		default:
			add(right{"list", m.Resource.GroupResource()})
		}
	}
	const registered = "admissionregistration.k8s.io"
	add(right{"list", schema.GroupResource{Group: registered, Resource: "mutatingwebhookconfigurations"}})
	add(right{"get", schema.GroupResource{Group: registered, Resource: "validatingwebhookconfigurations"}})
	add(right{"list", schema.GroupResource{Group: "discovery.k8s.io", Resource: "endpointslices"}})
	add(right{"create", schema.GroupResource{Group: "authorization.k8s.io", Resource: "subjectaccessreviews"}})
	return rights, nil
}

// rights checks what the user of the command may do.
func (d *diagnosis) rights(ctx context.Context, api client.Client) {
	const name = "rights"
	all, err := readRights(api.RESTMapper())
	if err != nil {
		d.add(name, unmade, "", "the API server does not tell what it serves: %v", err)
		return
	}
	var lacking []string
	for _, r := range all {
		review := &authorizationv1.SelfSubjectAccessReview{
			Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{
				Verb: r.verb, Group: r.of.Group, Resource: r.of.Resource,
			}},
		}
		if err := api.Create(ctx, review); err != nil {
			d.add(name, unmade, "", "your rights could not be asked: %v", err)
			return
		}
		if !review.Status.Allowed || review.Status.Denied {
			lacking = append(lacking, r.String())
		}
	}
	if len(lacking) > 0 {
		d.add(name, fail, "have an administrator grant them by a ClusterRole",
			"you lack in the whole cluster: %s", strings.Join(lacking, ", "))
		return
	}
	d.add(name, pass, "", "you have all %d that status, audit and doctor use", len(all))
}

// definitions checks whether the cluster serves this project's kinds.
func (d *diagnosis) definitions(mapper meta.RESTMapper) {
	for _, kind := range []schema.GroupVersionKind{kube.PolicyKind, kube.ExceptionKind} {
		switch _, err := mapper.RESTMapping(kind.GroupKind(), kind.Version); {
		case err == nil:
			d.add("definitions", pass, "", "%s is served", kind.Kind)
		case meta.IsNoMatchError(err):
			d.add("definitions", fail, "kubectl apply -f deploy/crds", "%s %s is not served", kind.Kind,
				kind.GroupVersion())
		default:
			d.add("definitions", unmade, "", "%s: %v", kind.Kind, err)
		}
	}
}

// registered checks the webhooks: this program's, and those of others that may change pods.
func (d *diagnosis) registered(ctx context.Context, c client.Reader) {
	const name = "webhooks"
	s, err := registration.Stands(ctx, c)
	seen := api.Webhooks{Standing: s}
	switch {
	case err != nil:
		d.add(name, unmade, "", "%v", err)
	case s.Registered == 0:
		d.add(name, fail, "run ovnguard controller, by kubectl apply -f deploy/controller.yaml", "%s",
			"none is registered: pods are made as they ask")
	case len(s.Missing) > 0:
		d.add(name, fail, "run the version of the controller that this command has, and read its log",
			"of %d webhooks these are not registered: %s", s.Wanted, strings.Join(s.Missing, ", "))
	case len(s.Weak) > 0:
		d.add(name, fail, "read the controller's log: it puts its webhooks back unless somebody keeps changing them",
			"failurePolicy lets requests through unanswered at %s", strings.Join(s.Weak, ", "))
	case s.Silent != "":
		d.add(name, fail, "look at the controller's pods: kubectl -n ovnguard-system get pods", "%s", s.Silent)
	default:
		d.add(name, pass, "", "%s", webhooksText(&seen))
	}
	others, err := registration.OtherMutators(ctx, c)
	switch {
	case err != nil:
		d.add("other webhooks", unmade, "", "%v", err)
	case len(others) > 0:
		d.add(
			"other webhooks",
			warn,
			"make sure that none of them writes keys of Kube-OVN's: ovnguard refuses such pods",
			"%s may change new pods: %s",
			counted(len(others), "webhook"),
			strings.Join(others, ", "),
		)
	default:
		d.add("other webhooks", pass, "", "none changes new pods")
	}
}
