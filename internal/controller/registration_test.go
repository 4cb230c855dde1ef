package controller

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/yaml"

	"github.com/ovnguard/ovnguard/internal/kube"
)

var update = flag.Bool("update", false, "write the golden files anew")

// What is registered is a promise to the cluster: who is asked, when, and what happens without an answer.
func TestPodWebhook(t *testing.T) {
	for name, o := range map[string]Options{
		"webhook-service.yaml": valid(),
		"webhook-url.yaml": valid(
			func(o *Options) { o.WebhookURL, o.Namespace = "https://localhost:9443", "elsewhere" },
		),
	} {
		bundle := []byte("authority\n")
		got, err := yaml.Marshal(map[string]any{"mutating": mutating(o, bundle), "validating": validating(o, bundle)})
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
			t.Errorf("%s: -want +got (-update writes it anew)\n%s", name, diff)
		}
	}
}

// api returns a client of an API server that holds these objects; what is written is counted, and fails as fail says.
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
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).WithInterceptorFuncs(interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
			return write(func() error { return c.Create(ctx, o, opts...) })
		},
		Update: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.UpdateOption) error {
			return write(func() error { return c.Update(ctx, o, opts...) })
		},
	}).Build()
}

func TestRegister(t *testing.T) {
	var writes int
	c := api(t, &writes, nil)
	r, bundle := registrar{client: c, options: valid()}, []byte("A\n")
	expect := func(want bool, count int) {
		t.Helper()
		got, _, err := r.register(t.Context(), bundle)
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
	); err == nil ||
		!strings.Contains(err.Error(), "MutatingWebhookConfiguration ovnguard") {
		t.Errorf("got %v, want an error that names what could not be written", err)
	}
}
