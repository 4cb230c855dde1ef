package cli

import (
	"context"
	"crypto/sha1"
	"fmt"
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/ovnguard/ovnguard/internal/kube"
	"github.com/ovnguard/ovnguard/internal/layout"
)

// cluster returns an API server with these objects, that serves these kinds and grants all rights but those to a
// resource.
func cluster(t *testing.T, kinds []schema.GroupVersionKind, denied string, objects ...client.Object) client.Client {
	t.Helper()
	scheme, err := kube.Scheme()
	if err != nil {
		t.Fatal(err)
	}
	mapper := meta.NewDefaultRESTMapper(nil)
	for _, k := range kinds {
		mapper.Add(k, meta.RESTScopeNamespace)
	}
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).WithRESTMapper(mapper).
		WithInterceptorFuncs(interceptor.Funcs{Create: func(
			_ context.Context, _ client.WithWatch, o client.Object, _ ...client.CreateOption,
		) error {
			if review, ok := o.(*authorizationv1.SelfSubjectAccessReview); ok {
				review.Status.Allowed = review.Spec.ResourceAttributes.Resource != denied
			}
			return nil
		}}).Build()
}

// configuration returns a configuration with a webhook that sees new pods.
func configuration(name string) client.Object {
	c := &admissionregistrationv1.MutatingWebhookConfiguration{}
	c.Name = name
	c.Webhooks = []admissionregistrationv1.MutatingWebhook{{
		Name: "inject.example.org",
		Rules: []admissionregistrationv1.RuleWithOperations{
			{
				Operations: []admissionregistrationv1.OperationType{"CREATE"},
				Rule: admissionregistrationv1.Rule{
					APIGroups:   []string{""},
					APIVersions: []string{"v1"},
					Resources:   []string{"pods"},
				},
			},
		},
	}}
	return c
}

func TestChecksOfDoctor(t *testing.T) {
	pods := schema.GroupVersionKind{Version: "v1", Kind: "Pod"}
	served := []schema.GroupVersionKind{pods, kube.PolicyKind, kube.ExceptionKind}
	for name, c := range map[string]struct {
		kinds   []schema.GroupVersionKind
		denied  string
		objects []client.Object
		want    []string
	}{
		"nothing is there": {
			nil, "", nil, []string{"rights pass", "definitions fail", "webhooks fail", "other webhooks pass"},
		},
		"all is granted": {served, "", nil, []string{"rights pass you have all", "definitions pass PortSecurityPolicy"}},
		"a right lacks":  {served, "pods", nil, []string{"rights fail you lack in the whole cluster: list pods"}},
		"a sidecar": {
			served, "",
			[]client.Object{configuration("mesh")},
			[]string{"other webhooks warn 1 webhook may change new pods: mesh/inject.example.org"},
		},
	} {
		api := cluster(t, c.kinds, c.denied, c.objects...)
		var d diagnosis
		d.rights(t.Context(), api)
		d.definitions(api.RESTMapper())
		d.registered(t.Context(), api)
		var said strings.Builder
		for _, made := range d.Checks {
			said.WriteString(made.Name + " " + string(made.Result) + " " + made.Says + "\n")
			if made.Result == fail && made.Fix == "" {
				t.Errorf("%s: %+v does not say what to do", name, made)
			}
		}
		for _, want := range c.want {
			if !strings.Contains(said.String(), want) {
				t.Errorf("%s: %q is missing from\n%s", name, want, said.String())
			}
		}
	}
}

func TestImages(t *testing.T) {
	for _, c := range []struct {
		images []string
		want   outcome
	}{{nil, warn}, {[]string{"a:1", "a:1"}, pass}, {[]string{"a:1", "a:2"}, warn}} {
		var d diagnosis
		var w []layout.Workload
		for _, i := range c.images {
			w = append(w, layout.Workload{Image: i})
		}
		if d.images(w); d.Checks[0].Result != c.want {
			t.Errorf("%q: %+v, want %s", c.images, d.Checks[0], c.want)
		}
	}
}

// A database without any port may be that of a new cluster.
func TestDoctorOfAnEmptyDatabase(t *testing.T) {
	isolate(t)
	text := emptySchema + "\n"
	db := written(t, "nb.db", fmt.Sprintf("OVSDB JSON %d %x\n%s", len(text), sha1.Sum([]byte(text)), text))
	code, out, errs := runMain("doctor", "--nb", db, "--from", checkCluster)
	if code != exitOK || !strings.Contains(out, "has no port at all") || !strings.Contains(out, "set --ovn-version") {
		t.Errorf("exit code %d: %s\n%s", code, errs, out)
	}
}
