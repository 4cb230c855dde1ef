package uninstall

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
	"github.com/ovnguard/ovnguard/internal/journal"
	"github.com/ovnguard/ovnguard/internal/kube"
)

const own = "ovnguard-system"

// named returns the metadata of an object with the labels of what was installed.
func named(namespace, name string, labels ...string) metav1.ObjectMeta {
	m := metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{}}
	for i := 0; i < len(labels); i += 2 {
		m.Labels[labels[i]] = labels[i+1]
	}
	return m
}

// cluster returns objects as they are where the program runs; helm means that Helm installed it.
func cluster(helm bool) []client.Object {
	installed := []string{nameLabel, nameValue}
	if helm {
		installed = append(installed, byLabel, byHelm)
	}
	return []client.Object{
		&corev1.Namespace{ObjectMeta: named("", own, installed...)},
		&corev1.Namespace{ObjectMeta: named("", "ovnguard-selftest", installed...)},
		&rbacv1.ClusterRole{ObjectMeta: named("", OwnerRole, installed...)},
		&rbacv1.ClusterRole{ObjectMeta: named("", "ovnguard", installed...)},
		&rbacv1.ClusterRole{ObjectMeta: named("", "theirs")},
		&rbacv1.ClusterRoleBinding{ObjectMeta: named("", "ovnguard", installed...)},
		&rbacv1.RoleBinding{ObjectMeta: named(own, "ovnguard", installed...)},
		&corev1.Service{ObjectMeta: named(own, "ovnguard", installed...)},
		&appsv1.Deployment{
			ObjectMeta: named(own, "ovnguard", installed...),
			Spec:       appsv1.DeploymentSpec{Replicas: new(int32(2))},
		},
		&appsv1.Deployment{ObjectMeta: named(own, "theirs")},
		&admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: named("", "ovnguard")},
		&admissionregistrationv1.ValidatingWebhookConfiguration{ObjectMeta: named("", "ovnguard")},
		&admissionregistrationv1.ValidatingWebhookConfiguration{ObjectMeta: named("", "theirs")},
		&admissionregistrationv1.ValidatingAdmissionPolicy{ObjectMeta: named("", "ovnguard-floor")},
		&admissionregistrationv1.ValidatingAdmissionPolicyBinding{ObjectMeta: named("", "ovnguard-floor")},
		&coordinationv1.Lease{ObjectMeta: named(own, "ovnguard")},
		&corev1.ConfigMap{ObjectMeta: named(own, "ovnguard-journal-1", journal.Label, "true")},
		&corev1.ConfigMap{ObjectMeta: named(own, "ovnguard-kube-ovn")},
		&corev1.ConfigMap{ObjectMeta: named(own, "ovnguard-repair")},
		&corev1.ConfigMap{ObjectMeta: named(own, "theirs")},
		&corev1.ConfigMap{ObjectMeta: named("elsewhere", "theirs", journal.Label, "true")},
		&corev1.Secret{ObjectMeta: named(own, "ovnguard-webhook-certificate")},
		&corev1.Secret{ObjectMeta: named(own, "ovnguard-northbound")},
		&v1alpha1.PortSecurityPolicy{ObjectMeta: named("", "default")},
	}
}

func api(t *testing.T, funcs interceptor.Funcs, objects ...client.Object) client.WithWatch {
	t.Helper()
	scheme, err := kube.Scheme()
	if err != nil {
		t.Fatal(err)
	}
	// Definitions are read and deleted by their metadata alone.
	definition := schema.GroupVersion{Group: "apiextensions.k8s.io", Version: "v1"}
	scheme.AddKnownTypeWithName(definition.WithKind("CustomResourceDefinition"), &metav1.PartialObjectMetadata{})
	scheme.AddKnownTypeWithName(
		definition.WithKind("CustomResourceDefinitionList"),
		&metav1.PartialObjectMetadataList{},
	)
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).WithInterceptorFuncs(funcs).Build()
}

// uninstalled runs it and returns the lines as texts, and the error.
func uninstalled(t *testing.T, c client.Client, o Options) ([]string, error) {
	t.Helper()
	o.Namespace = own
	var lines []string
	u := &Uninstaller{Client: c, Options: o, Say: func(l Line) error {
		lines = append(lines, string(l.Result)+" "+l.What+": "+l.Why)
		return nil
	}}
	var err error
	synctest.Test(t, func(t *testing.T) { err = u.Run(t.Context()) })
	return lines, err
}

// at returns the place of the line that begins with the text.
func at(lines []string, text string) int {
	return slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, text) })
}

// there reports whether the object is there.
func there(t *testing.T, c client.Client, o client.Object) bool {
	t.Helper()
	err := c.Get(t.Context(), client.ObjectKeyFromObject(o), o)
	if client.IgnoreNotFound(err) != nil {
		t.Fatal(err)
	}
	return err == nil
}

// Everything goes in the right order, others' objects stay, and a second time there is nothing to do.
func TestUninstall(t *testing.T) {
	c := api(t, interceptor.Funcs{}, cluster(false)...)
	lines, err := uninstalled(t, c, Options{})
	if err != nil {
		t.Fatalf("%v in\n%s", err, strings.Join(lines, "\n"))
	}
	last := -1
	for _, text := range []string{
		"removed ClusterRole ovnguard-registration", "removed ValidatingWebhookConfiguration ovnguard",
		"removed MutatingWebhookConfiguration ovnguard", "removed ValidatingAdmissionPolicyBinding ovnguard-floor",
		"removed Deployment ovnguard-system/ovnguard", "stays the ports",
		"removed Lease", "removed ConfigMap ovnguard-system/ovnguard-journal-1",
		"removed Secret ovnguard-system/ovnguard-webhook", "removed Service", "removed Namespace ovnguard-selftest",
		"removed RoleBinding", "removed ClusterRoleBinding ovnguard", "removed ClusterRole ovnguard:",
		"stays Secret ovnguard-system/ovnguard-northbound", "stays Namespace ovnguard-system",
	} {
		i := at(lines, text)
		if i <= last {
			t.Errorf("%q is line %d, after line %d", text, i, last)
		}
		last = max(last, i)
	}
	for _, o := range cluster(false) {
		theirs := o.GetName() == "theirs" || o.GetName() == own || o.GetName() == "ovnguard-northbound"
		if _, policy := o.(*v1alpha1.PortSecurityPolicy); policy {
			continue // goes with its definition, which the fake does not do
		}
		if there(t, c, o) != theirs {
			t.Errorf("%T %s: there %v, want %v", o, o.GetName(), !theirs, theirs)
		}
	}
	lines, err = uninstalled(t, c, Options{})
	if err != nil || slices.ContainsFunc(lines, func(l string) bool { return !strings.HasPrefix(l, "stays") }) {
		t.Errorf("a second time: %v in\n%s", err, strings.Join(lines, "\n"))
	}
}

// A dry run changes nothing, and names what the real one removes.
func TestDryRun(t *testing.T) {
	writes := 0
	c := api(t, interceptor.Funcs{
		Delete: func(context.Context, client.WithWatch, client.Object, ...client.DeleteOption) error {
			writes++
			return nil
		},
		Patch: func(context.Context, client.WithWatch, client.Object, client.Patch, ...client.PatchOption) error {
			writes++
			return nil
		},
	}, cluster(false)...)
	dry, err := uninstalled(t, c, Options{DryRun: true})
	if err != nil || writes > 0 {
		t.Fatalf("%v, %d writes", err, writes)
	}
	real, err := uninstalled(t, api(t, interceptor.Funcs{}, cluster(false)...), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(dry, real) {
		t.Errorf("dry run\n%s\nreal\n%s", strings.Join(dry, "\n"), strings.Join(real, "\n"))
	}
}

// What Helm installed is left to it, but the replicas end.
func TestHelmKeepsItsOwn(t *testing.T) {
	for name, o := range map[string]Options{"by Helm's label": {}, "as asked": {KeepInstalled: true}} {
		c := api(t, interceptor.Funcs{}, cluster(true)...)
		lines, err := uninstalled(t, c, o)
		if err != nil || at(lines, "stopped Deployment ovnguard-system/ovnguard: it had 2 replicas") < 0 {
			t.Errorf("%s: %v in\n%s", name, err, strings.Join(lines, "\n"))
		}
		var d appsv1.Deployment
		key := client.ObjectKey{Namespace: own, Name: "ovnguard"}
		if err := c.Get(t.Context(), key, &d); err != nil || *d.Spec.Replicas != 0 {
			t.Errorf("%s: %v, %v replicas", name, err, d.Spec.Replicas)
		}
		for _, o := range []client.Object{
			&rbacv1.ClusterRole{ObjectMeta: named("", "ovnguard")}, &corev1.Service{ObjectMeta: named(own, "ovnguard")},
		} {
			if !there(t, c, o) {
				t.Errorf("%s: %T is gone", name, o)
			}
		}
		if there(t, c, &corev1.Secret{ObjectMeta: named(own, "ovnguard-webhook-certificate")}) {
			t.Errorf("%s: the certificate is left", name)
		}
	}
}

// What Helm installed is removed when the namespace is gone, in which Helm kept the release: Helm removes nothing then.
func TestNoReleaseIsLeft(t *testing.T) {
	c := api(t, interceptor.Funcs{}, slices.DeleteFunc(cluster(true), func(o client.Object) bool {
		return o.GetNamespace() == own || o.GetName() == own
	})...)
	lines, err := uninstalled(t, c, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range []client.Object{
		&corev1.Namespace{ObjectMeta: named("", "ovnguard-selftest")},
		&rbacv1.ClusterRole{ObjectMeta: named("", "ovnguard")},
		&rbacv1.ClusterRoleBinding{ObjectMeta: named("", "ovnguard")},
	} {
		if there(t, c, o) {
			t.Errorf("%T %s is left after\n%s", o, o.GetName(), strings.Join(lines, "\n"))
		}
	}
	if !there(t, c, &rbacv1.ClusterRole{ObjectMeta: named("", "theirs")}) {
		t.Error("what somebody else made is gone")
	}
}

// With --keep-crds, what people wrote stays, and how many that are is said.
func TestDefinitionsAreKept(t *testing.T) {
	definition := &metav1.PartialObjectMetadata{ObjectMeta: named("", "portsecuritypolicies.ovnguard.io")}
	definition.SetGroupVersionKind(
		schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"})
	for keep, want := range map[bool]string{true: "stays", false: "removed"} {
		c := api(t, interceptor.Funcs{}, append(cluster(false), definition.DeepCopy())...)
		lines, err := uninstalled(t, c, Options{KeepDefinitions: keep})
		text := want + " CustomResourceDefinition portsecuritypolicies.ovnguard.io: with 1 of its objects"
		if err != nil || at(lines, text) < 0 {
			t.Errorf("keep %v: %v, want %q in\n%s", keep, err, text, strings.Join(lines, "\n"))
		}
		if there(t, c, definition.DeepCopy()) != keep {
			t.Errorf("keep %v: the definition is there %v", keep, !keep)
		}
	}
}

// forbid refuses to delete what the function picks.
func forbid(pick func(client.Object) bool) interceptor.Funcs {
	return interceptor.Funcs{
		Delete: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.DeleteOption) error {
			if pick(o) {
				return apierrors.NewForbidden(
					schema.GroupResource{Resource: "some"},
					o.GetName(),
					errors.New("no right"),
				)
			}
			return c.Delete(ctx, o, opts...)
		},
	}
}

// While the webhooks cannot be unregistered, the program goes on running: without it no pod could be made.
func TestRegistrationThatStaysEndsIt(t *testing.T) {
	isHook := func(o client.Object) bool {
		return o.GetObjectKind().GroupVersionKind().Kind == "MutatingWebhookConfiguration"
	}
	c := api(t, forbid(isHook), cluster(false)...)
	lines, err := uninstalled(t, c, Options{})
	if !errors.Is(err, ErrFailed) || !strings.Contains(err.Error(), "still registered") {
		t.Errorf("%v", err)
	}
	if at(lines, "failed MutatingWebhookConfiguration ovnguard") < 0 {
		t.Errorf("it is not said what is left in\n%s", strings.Join(lines, "\n"))
	}
	if !there(t, c, &appsv1.Deployment{ObjectMeta: named(own, "ovnguard")}) {
		t.Error("the program was stopped all the same")
	}
}

// Where a right is missing for something else, all the rest goes, and what is left is said.
func TestRightsThatAreMissing(t *testing.T) {
	c := api(t, forbid(func(o client.Object) bool {
		kind := o.GetObjectKind().GroupVersionKind().Kind
		return kind == "Secret" || kind == "ClusterReport"
	}), cluster(false)...)
	lines, err := uninstalled(t, c, Options{})
	if !errors.Is(err, ErrFailed) || at(lines, "failed Secret ovnguard-system/ovnguard-webhook-certificate") < 0 {
		t.Errorf("%v in\n%s", err, strings.Join(lines, "\n"))
	}
	if at(lines, "removed ClusterRole ovnguard:") < 0 {
		t.Errorf("the rest was left in\n%s", strings.Join(lines, "\n"))
	}
}

// A controller that nobody stopped puts the registration back: that is said, and nothing else is removed.
func TestSomebodyRegistersAgain(t *testing.T) {
	hook := &admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: named("", "ovnguard")}
	c := api(t, interceptor.Funcs{
		Delete: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.DeleteOption) error {
			err := c.Delete(ctx, o, opts...)
			if err == nil && o.GetName() == "ovnguard" && strings.Contains(gvkOf(o), "MutatingWebhook") {
				return errors.Join(err, c.Create(ctx, hook.DeepCopy()))
			}
			return err
		},
	}, cluster(false)...)
	lines, err := uninstalled(t, c, Options{})
	if !errors.Is(err, ErrFailed) || at(lines, "failed the registration of the webhooks") < 0 {
		t.Errorf("%v in\n%s", err, strings.Join(lines, "\n"))
	}
	if !there(t, c, &corev1.Secret{ObjectMeta: named(own, "ovnguard-webhook-certificate")}) {
		t.Error("the certificate is gone while webhooks are registered")
	}
}

func gvkOf(o client.Object) string {
	if kind := o.GetObjectKind().GroupVersionKind().Kind; kind != "" {
		return kind
	}
	if _, is := o.(*admissionregistrationv1.MutatingWebhookConfiguration); is {
		return "MutatingWebhookConfiguration"
	}
	return ""
}

// A pod that does not end, as on a node that is away, is said and keeps nothing else from going.
func TestReplicaThatDoesNotEnd(t *testing.T) {
	pod := &corev1.Pod{ObjectMeta: named(own, "ovnguard-1", nameLabel, nameValue)}
	c := api(t, interceptor.Funcs{}, append(cluster(true), pod)...)
	lines, err := uninstalled(t, c, Options{Wait: time.Millisecond})
	if !errors.Is(err, ErrFailed) || at(lines, "failed 1 pods of namespace ovnguard-system") < 0 ||
		at(lines, "removed Secret") < 0 {
		t.Errorf("%v in\n%s", err, strings.Join(lines, "\n"))
	}
}

// An API server that does not answer ends it.
func TestServerThatIsAway(t *testing.T) {
	c := api(t, interceptor.Funcs{
		Delete: func(context.Context, client.WithWatch, client.Object, ...client.DeleteOption) error {
			return errors.New("connection refused")
		},
	}, cluster(false)...)
	if _, err := uninstalled(t, c, Options{}); err == nil || errors.Is(err, ErrFailed) {
		t.Errorf("%v, want what the client says", err)
	}
}

// Ports are narrowed after the program has ended and before the exceptions are gone.
func TestPortsAreNarrowedBetween(t *testing.T) {
	c := api(t, interceptor.Funcs{}, cluster(false)...)
	var lines []string
	u := &Uninstaller{
		Client: c, Options: Options{Namespace: own},
		Narrow: func(ctx context.Context) ([]Line, error) {
			if there(t, c, &appsv1.Deployment{ObjectMeta: named(own, "ovnguard")}) {
				t.Error("the program still runs")
			}
			if !there(t, c, &v1alpha1.PortSecurityPolicy{ObjectMeta: named("", "default")}) {
				t.Error("the policies are gone")
			}
			return []Line{{Result: Failed, What: "port a"}}, nil
		},
		Say: func(l Line) error {
			lines = append(lines, string(l.Result)+" "+l.What)
			return nil
		},
	}
	var err error
	synctest.Test(t, func(t *testing.T) { err = u.Run(t.Context()) })
	if !errors.Is(err, ErrFailed) || !slices.Contains(lines, "failed port a") {
		t.Errorf("%v in %v", err, lines)
	}
}
