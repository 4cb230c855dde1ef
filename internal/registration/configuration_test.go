package registration

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/yaml"

	"github.com/ovnguard/ovnguard/internal/admission"
	"github.com/ovnguard/ovnguard/internal/kube"
)

// valid returns valid options, after some changes.
func valid(changes ...func(*Options)) Options {
	o := Options{
		Namespace: "ovnguard-system",
		Service:   types.NamespacedName{Namespace: "ovnguard-system", Name: "ovnguard"},
		Accounts:  func() admission.Accounts { return admission.Accounts{} },
	}
	for _, change := range changes {
		change(&o)
	}
	return o
}

// counting sets the accounts of the options.
func counting(a admission.Accounts) func(*Options) {
	return func(o *Options) { o.Accounts = func() admission.Accounts { return a } }
}

var update = flag.Bool("update", false, "write the golden files again")

// The registration is a promise to the cluster: which requests reach the webhook, when, and what happens without an
// answer.
func TestPodWebhook(t *testing.T) {
	for name, o := range map[string]Options{
		"webhook-service.yaml": valid(),
		"webhook-url.yaml": valid(
			func(o *Options) { o.URL, o.Namespace = "https://localhost:9443", "elsewhere" },
		),
	} {
		bundle := []byte("authority\n")
		mutating, validating := configurations(o, bundle)
		got, err := yaml.Marshal(map[string]any{"mutating": mutating, "validating": validating})
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(path, got, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s: -want +got (-update writes it again)\n%s", name, diff)
		}
	}
}

// api returns a client of an API server with these objects; writes are counted, and fail as fail says.
func api(t *testing.T, writes *int, fail func() error, objects ...client.Object) client.WithWatch {
	t.Helper()
	scheme, err := kube.Scheme()
	if err != nil {
		t.Fatal(err)
	}
	write := func(next func() error) error {
		*writes++
		if fail != nil {
			if err := fail(); err != nil {
				return err
			}
		}
		return next()
	}
	own := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "ovnguard-system", UID: "namespace"}}
	return fake.NewClientBuilder().
		WithScheme(scheme).
		WithObjects(append(objects, own)...).
		WithInterceptorFuncs(interceptor.Funcs{
			Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
				return write(func() error { return c.Create(ctx, o, opts...) })
			},
			Update: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.UpdateOption) error {
				return write(func() error { return c.Update(ctx, o, opts...) })
			},
		}).
		Build()
}

func TestRegister(t *testing.T) {
	var writes int
	c := api(t, &writes, nil)
	r, bundle := registrar{client: c, options: valid()}, []byte("A\n")
	expect := func(want bool, count int) {
		t.Helper()
		got, _, err := r.register(t.Context(), bundle, nil)
		if err != nil || got != want || writes != count {
			t.Errorf("written %v, %v, %d writes; want %v and %d", got, err, writes, want, count)
		}
	}
	config := func() *admissionregistrationv1.MutatingWebhookConfiguration {
		t.Helper()
		var have admissionregistrationv1.MutatingWebhookConfiguration
		if err := c.Get(t.Context(), client.ObjectKey{Name: configurationName}, &have); err != nil {
			t.Fatal(err)
		}
		return &have
	}
	expect(true, 2)
	expect(false, 2)
	good := config().Webhooks

	ignore := admissionregistrationv1.Ignore
	weak := config()
	weak.Labels = map[string]string{"theirs": "stays"}
	weak.Webhooks[0].FailurePolicy = &ignore
	weak.Webhooks = append(weak.Webhooks, admissionregistrationv1.MutatingWebhook{Name: "foreign.example.org"})
	if err := c.Update(t.Context(), weak); err != nil {
		t.Fatal(err)
	}
	expect(true, 4)
	if diff := cmp.Diff(good, config().Webhooks); diff != "" || config().Labels["theirs"] != "stays" {
		t.Errorf("not put back; labels %v, -want +got\n%s", config().Labels, diff)
	}

	bundle = []byte("B\nA\n")
	expect(true, 6)
	if got := config().Webhooks[0].ClientConfig.CABundle; !bytes.Equal(got, []byte("B\nA\n")) {
		t.Errorf("trusts %q, want both authorities", got)
	}
}

func TestRegisterFails(t *testing.T) {
	var writes int
	r := registrar{client: api(t, &writes, func() error { return errors.New("down") }), options: valid()}
	if _, _, err := r.register(
		t.Context(),
		nil,
		nil,
	); err == nil ||
		!strings.Contains(err.Error(), "MutatingWebhookConfiguration ovnguard") {
		t.Errorf("got %v, want an error that names what could not be written", err)
	}
}

// The API server calls exactly one of two webhooks for the same request: with the right, or without it.
func TestByRight(t *testing.T) {
	for verb, what := range map[string]string{"exempt": "namespaces", "approve": "portsecurityexceptions"} {
		condition := make(map[string]string)
		for _, w := range webhooks {
			if strings.HasPrefix(w.Path, "/guard-"+what) {
				conditions := w.conditions(facts{})
				if len(conditions) != 1 {
					t.Errorf("%s has %d conditions, of which the API server evaluates each", w.name(), len(conditions))
				}
				condition[w.Path] = conditions[0].Expression
			}
		}
		lacks, has := condition["/guard-"+what], condition["/guard-"+what+"-"+verb]
		question := "check('" + verb + "').allowed())"
		if i := strings.LastIndex(
			lacks,
			" && (!(",
		); i < 0 || lacks[:i] != has[:i] ||
			lacks[i+len(" && (!("):len(lacks)-2] != has[i+len(" && ("):len(has)-1] ||
			!strings.HasSuffix(has, question) {
			t.Errorf("%s:\nwithout: %s\nwith:    %s", what, lacks, has)
		}
		if slices.ContainsFunc(webhooks, func(w Webhook) bool {
			return strings.HasSuffix(w.Path, "-"+verb) && !strings.HasSuffix(w.name(), "-"+verb+".ovnguard.io")
		}) {
			t.Errorf("%s: the name is not that of the path", what)
		}
	}
}

func TestServerName(t *testing.T) {
	if got, want := valid().serverName(), "ovnguard.ovnguard-system.svc"; got != want {
		t.Errorf("by Service: %q, want %q", got, want)
	}
	if got, want := valid(
		func(o *Options) { o.URL = "https://localhost:9443" },
	).serverName(),
		"localhost"; got != want {
		t.Errorf("by URL: %q, want %q", got, want)
	}
}
