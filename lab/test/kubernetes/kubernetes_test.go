//go:build kubernetes

// Package kubernetes tries what ovnguard installs on a real kube-apiserver of any release, alone with its etcd: the
// lab's, or one that scripts/kubernetes.sh built and OVNGUARD_LAB names.
package kubernetes

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	yamlutil "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/discovery"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ovnguard/ovnguard/deploy"
	"github.com/ovnguard/ovnguard/internal/admission"
	"github.com/ovnguard/ovnguard/internal/admissionpolicy"
	"github.com/ovnguard/ovnguard/internal/kube"
	"github.com/ovnguard/ovnguard/lab/internal/controlplane"
	"github.com/ovnguard/ovnguard/lab/internal/process"
	"github.com/ovnguard/ovnguard/lab/internal/scene"
	"github.com/ovnguard/ovnguard/lab/internal/state"
)

const (
	system  = "ovnguard-system"
	tenants = "tenants"
	mutator = "admissionregistration.k8s.io/v1/MutatingAdmissionPolicy"
	waiting = time.Minute
)

// server is an API server for the tests.
type server struct {
	*testing.T
	client.Client
	// version is such as v1.31.14.
	version string
	warned  *scene.Warnings
}

// within returns the server for a part of the test.
func (s *server) within(t *testing.T) *server {
	return &server{T: t, Client: s.Client, version: s.version, warned: s.warned}
}

// start starts the server and says which release it is.
func start(t *testing.T) *server {
	t.Helper()
	s := &server{T: t, warned: &scene.Warnings{}}
	dir, err := state.NewDir(t.TempDir())
	s.check(err)
	s.check(dir.Prepare(false))
	binary, err := controlplane.FindBinary()
	s.check(err)
	plane, err := controlplane.New(controlplane.Config{Dir: dir, Binary: binary})
	s.check(err)
	group := process.NewGroup(process.Options{OnExit: func(e *process.ExitError) { t.Error(e) }})
	t.Cleanup(func() {
		if err := group.Stop(); err != nil {
			t.Error(err)
		}
	})
	_, err = plane.StartAPIServer(t.Context(), group)
	s.check(err)
	config, err := plane.Admin()
	s.check(err)
	config.WarningHandler = s.warned
	scheme, err := kube.Scheme()
	s.check(err)
	s.Client, err = client.New(config, client.Options{Scheme: scheme})
	s.check(err)
	version, err := discovery.NewDiscoveryClientForConfigOrDie(config).ServerVersion()
	s.check(err)
	s.version = version.GitVersion
	if want := os.Getenv("KUBERNETES"); want != "" && want != s.version {
		t.Fatalf("the server is %s, want %s (KUBERNETES)", s.version, want)
	}
	t.Log("Kubernetes", s.version)
	return s
}

func (s *server) check(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// documents returns the objects of a YAML text that are Kubernetes' own or ovnguard's.
func (s *server) documents(text []byte) (out []*unstructured.Unstructured) {
	s.Helper()
	decoder := yamlutil.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096)
	for {
		o := &unstructured.Unstructured{}
		err := decoder.Decode(&o.Object)
		if errors.Is(err, io.EOF) {
			return out
		}
		s.check(err)
		group := o.GroupVersionKind().Group
		if len(o.Object) > 0 && group != "monitoring.coreos.com" && group != "cert-manager.io" {
			out = append(out, o)
		}
	}
}

// chart returns what the chart renders for the server's release.
func (s *server) chart(flags ...string) []*unstructured.Unstructured {
	s.Helper()
	cmd := exec.CommandContext(s.Context(), os.Getenv("HELM"), append([]string{
		"template", "guard", "../../../charts/ovnguard", "--namespace", system, "--kube-version", s.version,
	}, flags...)...)
	text, err := cmd.Output()
	if failed := new(exec.ExitError); errors.As(err, &failed) {
		err = fmt.Errorf("%w: %s", err, failed.Stderr)
	}
	s.check(err)
	return s.documents(text)
}

// try applies an object, read strictly.
func (s *server) try(o *unstructured.Unstructured, more ...client.PatchOption) error {
	return s.Patch(
		s.Context(),
		o,
		client.Apply, //nolint:staticcheck // what it is deprecated for cannot have fields read strictly
		append(
			more,
			client.FieldOwner("test"),
			client.ForceOwnership,
			client.FieldValidation(metav1.FieldValidationStrict),
		)...,
	)
}

// apply applies objects. The server may neither refuse one nor warn of it.
func (s *server) apply(objects []*unstructured.Unstructured, more ...client.PatchOption) {
	s.Helper()
	for _, o := range objects {
		if err := s.try(o.DeepCopy(), more...); err != nil {
			s.Errorf("%s %s: %v", o.GetKind(), o.GetName(), err)
		}
		if said := s.warned.Take(); len(said) > 0 {
			s.Errorf("%s %s: the API server warns: %s", o.GetKind(), o.GetName(), strings.Join(said, "; "))
		}
	}
}

// define applies the definitions and waits until they are served.
func (s *server) define() {
	s.Helper()
	s.apply(s.documents(slices.Concat(deploy.ExceptionDefinition, []byte("\n---\n"), deploy.PolicyDefinition)))
	s.eventually("the definitions to be served", func() bool {
		policies, exceptions := &unstructured.UnstructuredList{}, &unstructured.UnstructuredList{}
		policies.SetGroupVersionKind(kube.PolicyKind)
		exceptions.SetGroupVersionKind(kube.ExceptionKind)
		return s.List(s.Context(), policies) == nil && s.List(s.Context(), exceptions) == nil
	})
	for _, name := range []string{system, "ovnguard-selftest", tenants} {
		s.check(s.Create(s.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}))
		for _, account := range []string{"default", "ovnguard", "ovnguard-test"} {
			s.check(s.Create(s.Context(), &corev1.ServiceAccount{
				ObjectMeta: metav1.ObjectMeta{Namespace: name, Name: account},
			}))
		}
	}
}

func (s *server) eventually(what string, ask func() bool) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), waiting)
	defer cancel()
	if err := scene.Wait(ctx, what, func() (bool, error) { return ask(), nil }); err != nil {
		s.Fatal(err)
	}
}

// The API server takes all that is installed, read strictly, without a warning; it evaluates what the definitions, the
// webhooks and the admission policies have to say.
func TestInstalledObjects(t *testing.T) {
	ctrl.SetLogger(logr.Discard()) // the clients return errors
	s := start(t)
	s.define()
	byChart := []string{
		"--set", "webhook.registration=chart,kubeOVN.accounts={system:serviceaccount:kube-system:ovn}",
	}
	mutating := admissionregistrationv1.SchemeGroupVersion.WithKind("MutatingAdmissionPolicy")
	_, err := s.RESTMapper().RESTMapping(mutating.GroupKind(), mutating.Version)
	served := err == nil
	if !meta.IsNoMatchError(err) {
		s.check(err)
	}
	t.Logf("MutatingAdmissionPolicy v1 is served: %v", served)
	for name, flags := range map[string][]string{
		"as it is": nil,
		"with everything": {
			"--set", "metrics.enabled=true,metrics.dashboard.enabled=true,priorityClassQuota.create=true," +
				"uninstall.ports=narrow,uninstall.keepCRDs=false,clientCA.configMap=x,imagePullSecrets={mine}",
		},
		"webhooks by the chart": byChart,
		"manifests":             {"--set", "plain=true"},
	} {
		t.Run(name, func(t *testing.T) {
			s := s.within(t)
			s.apply(s.chart(flags...), client.DryRunAll)
		})
	}
	t.Run("conditions of definitions", func(t *testing.T) { conditionsCount(t, s.Client) })
	if served {
		byChart = append(byChart, "--api-versions", mutator)
	}
	t.Run("webhooks that nobody answers", func(t *testing.T) {
		s := s.within(t)
		s.webhooksEnd(s.chart(byChart...))
	})
	t.Run("admission policies", func(t *testing.T) {
		s := s.within(t)
		s.policiesCount(served)
	})
}

// conditionsCount makes policies and exceptions, right ones and wrong ones.
func conditionsCount(t *testing.T, c client.Client) {
	object := func(kind string, spec map[string]any) *unstructured.Unstructured {
		o := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
		o.SetAPIVersion("ovnguard.io/v1alpha1")
		o.SetKind(kind)
		o.SetName("tried")
		if kind == "PortSecurityException" {
			o.SetNamespace(tenants)
		}
		return o
	}
	exception := func(prefix, notBefore string) *unstructured.Unstructured {
		return object("PortSecurityException", map[string]any{
			"reason":    "tried on this release",
			"owner":     "net@example.org",
			"expiresAt": "2099-01-01T00:00:00Z",
			"notBefore": notBefore,
			"target":    map[string]any{"podSelector": map[string]any{}},
			"grant":     map[string]any{"pairs": []any{map[string]any{"prefix": prefix}}},
		})
	}
	for name, x := range map[string]struct {
		object *unstructured.Unstructured
		says   string
	}{
		"policy": {object("PortSecurityPolicy", map[string]any{"mode": "warn"}), ""},
		"mode":   {object("PortSecurityPolicy", map[string]any{"mode": "loose"}), "spec.mode"},
		"key": {
			object("PortSecurityPolicy", map[string]any{"inheritedKeys": []any{"a/b"}}),
			"this key cannot be handed down",
		},
		"exception": {exception("10.20.0.0/24", "2026-01-01T00:00:00Z"), ""},
		"range":     {exception("10.20.0.0/33", "2026-01-01T00:00:00Z"), "must be an address or a range"},
		"times":     {exception("10.20.0.0/24", "2099-01-02T00:00:00Z"), "notBefore must be earlier than expiresAt"},
	} {
		err := c.Create(t.Context(), x.object)
		switch {
		case x.says == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case x.says != "" && (err == nil || !strings.Contains(err.Error(), x.says)):
			t.Errorf("%s: %v, want %q", name, err, x.says)
		}
		if err == nil {
			if err := c.Delete(t.Context(), x.object); err != nil {
				t.Error(err)
			}
		}
	}
}

// pod tries to make a pod and returns what it gets.
func (s *server) pod(annotations map[string]string, owners ...metav1.OwnerReference) (*corev1.Pod, error) {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: tenants, GenerateName: "tried-", Annotations: annotations, OwnerReferences: owners,
		},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "none"}}},
	}
	return pod, s.Create(s.Context(), pod, client.DryRunAll)
}

// webhooksEnd shows that webhooks which the chart registers refuse pods when the program has answered once and
// nobody does any more, and keep no pod from being made when what they belong to is gone.
func (s *server) webhooksEnd(objects []*unstructured.Unstructured) {
	objects = slices.DeleteFunc(objects, func(o *unstructured.Unstructured) bool {
		return o.GetName() != "ovnguard-registration" && (o.GetName() != "ovnguard" ||
			!strings.HasSuffix(o.GetKind(), "WebhookConfiguration"))
	})
	if len(objects) != 4 {
		s.Fatalf("%d objects, want the webhooks and what they belong to", len(objects))
	}
	s.apply(objects)
	asks := map[string]string{"ovn.kubernetes.io/port_security": "false"}
	if _, err := s.pod(asks); err != nil {
		s.Errorf("a pod is refused before the program has said that it answers: %v", err)
	}
	subject := `{"subjects":[{"kind":"ServiceAccount","namespace":"` + system + `","name":"ovnguard"}]}`
	binding := &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "ovnguard-registration"}}
	s.check(s.Patch(s.Context(), binding, client.RawPatch(types.MergePatchType, []byte(subject))))
	s.eventually("pods to be refused, since nobody answers", func() bool {
		_, err := s.pod(asks)
		return err != nil && strings.Contains(err.Error(), "failed calling webhook")
	})
	for _, o := range objects {
		if o.GetKind() == "ClusterRole" {
			s.check(s.Delete(s.Context(), o))
		}
	}
	s.eventually("pods to be made as they ask", func() bool {
		pod, err := s.pod(asks)
		return err == nil && pod.Annotations["ovn.kubernetes.io/port_security"] == "false"
	})
	for _, o := range objects {
		s.check(client.IgnoreNotFound(s.Delete(s.Context(), o)))
	}
}

// policiesCount installs the admission policies that the release serves, and looks at what they do about a pod that
// asks to be open.
func (s *server) policiesCount(mutates bool) {
	set, err := admissionpolicy.Make(admissionpolicy.Input{
		Namespace: system,
		Accounts: admission.Accounts{
			KubeOVN: []string{"system:serviceaccount:kube-system:ovn"}, Self: []string{deploy.Account},
		},
	})
	s.check(err)
	var all []client.Object
	for i := range set.Validating {
		all = append(all, &set.Validating[i], &set.ValidatingBindings[i])
	}
	if mutates {
		for i := range set.Mutating {
			all = append(all, &set.Mutating[i], &set.MutatingBindings[i])
		}
	}
	for _, o := range all {
		if err := s.Create(s.Context(), o); err != nil {
			s.Errorf("%s: %v", o.GetName(), err)
		}
	}
	if said := s.warned.Take(); len(said) > 0 {
		s.Errorf("the API server warns: %s", strings.Join(said, "; "))
	}
	s.Logf("%d policies and bindings were installed", len(all))
	s.eventually("the floor to refuse a pod with an owner that did not make it", func() bool {
		_, err := s.pod(
			nil,
			metav1.OwnerReference{
				APIVersion: "apps/v1",
				Kind:       "ReplicaSet",
				Name:       "web",
				UID:        "web",
				Controller: new(true),
			},
		)
		return err != nil && strings.Contains(err.Error(), "only the account of its controller may create one")
	})
	if !mutates {
		return
	}
	s.eventually("an ordinary pod to be made strict", func() bool {
		pod, err := s.pod(nil)
		return err == nil && pod.Annotations["ovn.kubernetes.io/port_security"] == "true"
	})
}
