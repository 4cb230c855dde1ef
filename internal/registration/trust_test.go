package registration

import (
	"bytes"
	"context"
	"crypto/tls"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// authority returns the certificate of another authority each time.
func authority(t *testing.T) []byte {
	t.Helper()
	var writes int
	return made(t, api(t, &writes, nil)).Data[caFile]
}

func TestTrust(t *testing.T) {
	a, b, c := authority(t), authority(t), authority(t)
	for name, x := range map[string]struct{ ca, trusted, want []byte }{
		"empty":                    {nil, nil, nil},
		"emptied":                  {nil, a, nil},
		"first":                    {a, nil, a},
		"read again":               {a, a, a},
		"changed":                  {b, a, slices.Concat(b, a)},
		"changed, read again":      {b, slices.Concat(b, a), slices.Concat(b, a)},
		"no further back than one": {c, slices.Concat(b, a), slices.Concat(c, b)},
		"somebody added more":      {c, slices.Concat(c, b, a), slices.Concat(c, b)},
		"rubbish":                  {a, []byte("rubbish"), a},
		"rubbish behind":           {a, slices.Concat(a, []byte("rubbish")), a},
	} {
		t.Run(name, func(t *testing.T) {
			secret := &corev1.Secret{Data: map[string][]byte{caFile: x.ca, trustedFile: x.trusted}}
			got := trust(secret)
			if !bytes.Equal(got, x.want) {
				t.Fatalf("trusts\n%s\nwant\n%s", got, x.want)
			}
			secret.Data[trustedFile] = got
			if again := trust(secret); x.ca != nil && !bytes.Equal(again, got) {
				t.Errorf("noted, it trusts others\n%s", again)
			}
		})
	}
}

// Two replicas that started before and after the authority changed register the same, and come to rest.
func TestReplicasAgree(t *testing.T) {
	var writes int
	c := api(t, &writes, nil)
	o := valid()
	replica := func() *keeper {
		cert := &Certificate{mark: t.TempDir()}
		return &keeper{
			rotator: newRotator(o, cert.mark), client: c, certificate: cert,
			registrar: registrar{client: c, options: o, owner: ownerOf(c, o)},
			serving:   func(context.Context) error { return nil },
		}
	}
	turn := func(keepers ...*keeper) {
		t.Helper()
		for _, k := range keepers {
			if _, err := k.Reconcile(t.Context(), reconcile.Request{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	bundle := func() []byte {
		t.Helper()
		var config admissionregistrationv1.MutatingWebhookConfiguration
		if err := c.Get(t.Context(), client.ObjectKey{Name: configurationName}, &config); err != nil {
			t.Fatal(err)
		}
		return config.Webhooks[0].ClientConfig.CABundle
	}
	old := made(t, c)
	early := replica()
	turn(early)

	next := made(t, func() client.Client { var n int; return api(t, &n, nil) }())
	rotated := &corev1.Secret{}
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(old), rotated); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{caFile, caKeyFile, corev1.TLSCertKey, corev1.TLSPrivateKeyKey} {
		rotated.Data[key] = next.Data[key] // as the rotator does it: other keys stay
	}
	if err := c.Update(t.Context(), rotated); err != nil {
		t.Fatal(err)
	}
	late := replica()
	turn(late, early)
	want := slices.Concat(next.Data[caFile], old.Data[caFile])
	if got := bundle(); !bytes.Equal(got, want) {
		t.Errorf("trusts\n%s\nwant the new authority and the one before\n%s", got, want)
	}
	before := writes
	turn(early, late, replica(), early)
	if writes != before {
		t.Errorf("%d writes where nothing changed: replicas undo each other's", writes-before)
	}
}

// A new certificate is not served before every API server knows its authority, also not by a replica that finds it
// registered by another one; but at once if the served certificate is no longer trusted.
func TestServesOnlyWhatIsTrusted(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var writes int
		c := api(t, &writes, nil)
		o, blocked := valid(), false
		replica := func() *keeper {
			cert := &Certificate{mark: dir}
			return &keeper{
				rotator: newRotator(o, cert.mark), client: c, certificate: cert,
				registrar: registrar{client: c, options: o, owner: ownerOf(c, o)},
				serving: func(context.Context) error {
					if blocked {
						return errNoCertificate
					}
					return nil
				},
			}
		}
		both := []*keeper{replica(), replica()}
		turn := func() (again time.Duration) {
			t.Helper()
			for _, k := range both {
				got, err := k.Reconcile(t.Context(), reconcile.Request{})
				if err != nil {
					t.Fatal(err)
				}
				again = max(again, got.RequeueAfter)
			}
			return again
		}
		expect := func(when string, want *corev1.Secret) {
			t.Helper()
			cert, err := tls.X509KeyPair(want.Data[corev1.TLSCertKey], want.Data[corev1.TLSPrivateKeyKey])
			if err != nil {
				t.Fatal(err)
			}
			for i, k := range both {
				if got := k.certificate.current.Load(); got == nil || !got.Leaf.Equal(cert.Leaf) {
					t.Errorf("%s: replica %d serves another certificate", when, i)
				}
			}
		}
		replace := func() *corev1.Secret {
			t.Helper()
			var s corev1.Secret
			if err := c.Get(t.Context(), both[0].rotator.SecretKey, &s); err != nil {
				t.Fatal(err)
			}
			if err := c.Delete(t.Context(), &s); err != nil {
				t.Fatal(err)
			}
			turn() // it is made again
			if err := c.Get(t.Context(), both[0].rotator.SecretKey, &s); err != nil {
				t.Fatal(err)
			}
			return &s
		}
		first := made(t, c)
		turn()
		expect("there is no other", first)

		blocked = true
		second := replace()
		turn()
		time.Sleep(time.Minute)
		turn()
		expect("not registered yet", first)
		blocked = false
		if again := turn(); again <= 0 || again > heardWithin {
			t.Errorf("it is looked again after %s, want within %s", again, heardWithin)
		}
		expect("just registered", first)
		time.Sleep(heardWithin)
		turn()
		expect("registered for a while", second)

		replace()
		turn()
		expect("another one just registered", second)
		fourth := replace()
		turn()
		expect("the one before the last is trusted no longer", fourth)
	})
}
