package registration

import (
	"context"
	"errors"
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// The webhook is registered when there is a certificate and it answers, never before, and again when somebody removes
// it.
func TestKeeper(t *testing.T) {
	var writes int
	c := api(t, &writes, nil)
	o := valid()
	cert := &Certificate{mark: t.TempDir()}
	answers := errors.New("connection refused")
	k := &keeper{
		rotator: newRotator(
			o,
			cert.mark,
		),
		client:      c,
		certificate: cert,
		registrar:   registrar{client: c, options: o, owner: ownerOf(c, o)},
		serving:     func(context.Context) error { return answers },
	}
	turn := func(says string) {
		t.Helper()
		_, err := k.Reconcile(t.Context(), reconcile.Request{NamespacedName: k.rotator.SecretKey})
		if (says == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want %q", err, says)
		}
	}
	registered := func(want bool) *admissionregistrationv1.MutatingWebhookConfiguration {
		t.Helper()
		var config admissionregistrationv1.MutatingWebhookConfiguration
		err := c.Get(t.Context(), client.ObjectKey{Name: configurationName}, &config)
		if (err == nil) != want || err != nil && !apierrors.IsNotFound(err) {
			t.Errorf("registered: %v, want %v", err, want)
		}
		return &config
	}
	secret := func() *corev1.Secret {
		t.Helper()
		var s corev1.Secret
		if err := c.Get(t.Context(), k.rotator.SecretKey, &s); err != nil {
			t.Fatal(err)
		}
		return &s
	}

	turn("") // no Secret: it is made
	first := secret()
	registered(false)
	turn("") // it does not answer yet
	if _, err := cert.Get(nil); err != nil {
		t.Errorf("it cannot begin to answer: %v", err)
	}
	registered(false)
	answers = nil
	turn("")
	config := registered(true)

	if err := c.Delete(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	turn("")
	registered(true)

	before := writes
	turn("")
	if writes != before {
		t.Errorf("%d writes where nothing had changed", writes-before)
	}

	if err := c.Delete(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	turn("")
	turn("")
	k.known = k.known.Add(-heardWithin)
	turn("")
	want := string(secret().Data[caFile]) + string(first.Data[caFile])
	if got := string(registered(true).Webhooks[0].ClientConfig.CABundle); got != want {
		t.Errorf(
			"after the Secret was made again, the API server trusts\n%s\nwant the new authority and the one before\n%s",
			got,
			want,
		)
	}

	half := secret()
	half.Data[corev1.TLSPrivateKeyKey] = first.Data[corev1.TLSPrivateKeyKey]
	if err := c.Update(t.Context(), half); err != nil {
		t.Fatal(err)
	}
	turn(SecretName)
}

// unreadable is a client on which every read fails.
type unreadable struct{ client.Client }

func (unreadable) Get(context.Context, client.ObjectKey, client.Object, ...client.GetOption) error {
	return errors.New("down")
}

func TestKeeperCannotRead(t *testing.T) {
	var writes int
	c := api(t, &writes, nil)
	k := &keeper{
		rotator: newRotator(valid(), ""), client: unreadable{c}, registrar: registrar{owner: ownerOf(c, valid())},
	}
	if _, err := k.Reconcile(
		t.Context(),
		reconcile.Request{},
	); err == nil || !strings.Contains(err.Error(), SecretName) ||
		writes > 0 {
		t.Errorf("got %v and %d writes, want an error that names the Secret", err, writes)
	}
}
