package cli

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
)

// issued is a certificate with its key.
type issued struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func (i issued) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: i.cert.Raw})
}

// issue returns a certificate for localhost that ends after a while, signed by an authority; nil for one that signs
// itself.
func issue(t *testing.T, by *issued, left time.Duration) issued {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	form := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-100 * day), NotAfter: time.Now().Add(left),
		IsCA: by == nil, BasicConstraintsValid: true,
	}
	parent, signer := form, key
	if by != nil {
		parent, signer = by.cert, by.key
	}
	raw, err := x509.CreateCertificate(rand.Reader, form, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	return issued{cert, key}
}

// doctor says how long the certificates of the webhooks are valid, and whether the API server trusts what is served.
func TestWebhookCertificates(t *testing.T) {
	authority, ending, ended := issue(t, nil, 365*day), issue(t, nil, 10*day), issue(t, nil, -day)
	for name, c := range map[string]struct {
		bundle []byte
		served issued
		want   []string
	}{
		"good": {authority.pem(), issue(t, &authority, 90*day), []string{
			"pass the authority of the webhooks has 364 days left", "pass the certificate of the webhooks has 89 days left",
		}},
		"the authority was renewed": {append(ended.pem(), authority.pem()...), issue(t, &authority, 90*day), []string{
			"pass the authority of the webhooks has 364 days", "pass the certificate of the webhooks",
		}},
		"soon": {authority.pem(), issue(t, &authority, 13*day), []string{
			"pass the authority", "warn the certificate of the webhooks has 12 days left",
		}},
		"ended": {authority.pem(), issue(t, &authority, -time.Hour), []string{
			"pass the authority", "fail the certificate of the webhooks ended at",
		}},
		"the authority ends": {
			ending.pem(), issue(t, &ending, 90*day), []string{"warn the authority", "pass the certificate"},
		},
		"the authority ended": {ended.pem(), issue(t, &ended, 90*day), []string{
			"fail the authority of the webhooks ended", "pass the certificate",
		}},
		"another authority": {authority.pem(), issue(t, &ending, 90*day), []string{
			"pass the authority", "fail the certificate that the webhooks are served with is not trusted",
		}},
		"no certificate": {
			[]byte("x"), issue(t, &authority, 90*day), []string{"fail the authority of the webhooks in their"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewUnstartedServer(nil)
			s.TLS = &tls.Config{Certificates: []tls.Certificate{
				{Certificate: [][]byte{c.served.cert.Raw}, PrivateKey: c.served.key},
			}}
			s.StartTLS()
			t.Cleanup(s.Close)
			url := strings.Replace(s.URL, "127.0.0.1", "localhost", 1)
			config := &admissionregistrationv1.MutatingWebhookConfiguration{}
			config.Name = "ovnguard"
			config.Webhooks = []admissionregistrationv1.MutatingWebhook{{
				Name:         "pods.ovnguard.io",
				ClientConfig: admissionregistrationv1.WebhookClientConfig{URL: &url, CABundle: c.bundle},
			}}
			var o doctorOptions
			var d diagnosis
			api := cluster(t, nil, "", config)
			bundles := d.registered(t.Context(), api)
			d.Checks = nil
			o.webhookCertificates(t.Context(), &d, api, bundles)
			tellsChecks(t, &d, c.want)
			o.server.url, d.Checks = "https://127.0.0.1:1", nil
			o.webhookCertificates(t.Context(), &d, api, bundles)
			if last := d.Checks[len(d.Checks)-1]; string(c.bundle) != "x" &&
				(last.Result != warn || !strings.Contains(last.Says, "127.0.0.1:1")) {
				t.Errorf("nobody answers: %+v", last)
			}
		})
	}
	var d diagnosis
	var o doctorOptions
	if o.webhookCertificates(t.Context(), &d, cluster(t, nil, ""), nil); len(d.Checks) != 0 {
		t.Errorf("nothing is registered: %+v", d.Checks)
	}
}

// tellsChecks fails unless the checks are about certificates and begin with these words, and say what to do.
func tellsChecks(t *testing.T, d *diagnosis, want []string) {
	t.Helper()
	for i, made := range d.Checks {
		got := string(made.Result) + " " + made.Says
		if made.Name != "certificates" || i >= len(want) || !strings.HasPrefix(got, want[i]) ||
			(made.Fix == "") != (made.Result == pass) {
			t.Errorf("%+v, want %q", made, want)
		}
	}
	if len(d.Checks) != len(want) {
		t.Errorf("%d checks, want %q", len(d.Checks), want)
	}
}

// The files for the databases are looked at where they are given.
func TestDatabaseCertificates(t *testing.T) {
	authority, ended := issue(t, nil, 365*day), issue(t, nil, -day)
	soon, later := issue(t, &authority, day+time.Hour), issue(t, &authority, 90*day)
	for name, c := range map[string]struct {
		ca, cert string
		want     []string
	}{
		"none": {},
		"good": {
			written(t, "ca", string(ended.pem())+string(authority.pem())), written(t, "c", string(later.pem())),
			[]string{"pass the authority of the databases has 364", "pass the client certificate for the databases has 89"},
		},
		"soon": {
			written(t, "ca", string(ended.pem())), written(t, "c", string(soon.pem())+string(authority.pem())),
			[]string{"fail the authority of the databases ended", "warn the client certificate for the databases has 1 day"},
		},
		"no files": {"/nonexistent/ca", written(t, "c", "x"), []string{"fail --nb-ca: /nonexist", "fail --nb-cert: "}},
	} {
		var o doctorOptions
		o.tls.CA, o.tls.Certificate = c.ca, c.cert
		var d diagnosis
		o.databaseCertificates(&d)
		t.Run(name, func(t *testing.T) { tellsChecks(t, &d, c.want) })
	}
}
