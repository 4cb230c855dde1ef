package cli

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ovnguard/ovnguard/internal/registration"
)

// certificateWarns is how long before its end a certificate is warned of. What the program makes is renewed 30 days
// before.
const certificateWarns = 14 * day

// certificatesIn returns the certificates of a PEM text; none of them is an error.
func certificatesIn(text []byte) (out []*x509.Certificate, err error) {
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	if len(out) == 0 {
		return nil, errors.New("it has no certificate in PEM form")
	}
	return out, nil
}

// lasting returns the certificate that ends last.
func lasting(list []*x509.Certificate) *x509.Certificate {
	return slices.MaxFunc(list, func(a, b *x509.Certificate) int { return a.NotAfter.Compare(b.NotAfter) })
}

// certificate notes how long a certificate is valid. breaks says what does not work without.
func (d *diagnosis) certificate(what string, c *x509.Certificate, now time.Time, breaks, fix string) {
	const name = "certificates"
	until := c.NotAfter.UTC().Format(time.RFC3339)
	left := c.NotAfter.Sub(now)
	days := counted(int(left.Hours()/24), "day")
	switch {
	case left <= 0:
		d.add(name, fail, fix, "%s ended at %s: %s", what, until, breaks)
	case now.Before(c.NotBefore):
		d.add(
			name,
			fail,
			"compare the clocks of this machine and of who made it",
			"%s is not valid before %s: %s",
			what,
			c.NotBefore.UTC().Format(time.RFC3339),
			breaks,
		)
	case left < certificateWarns:
		d.add(name, warn, fix, "%s has %s left, until %s; then %s", what, days, until, breaks)
	default:
		d.add(name, pass, "", "%s has %s left, until %s", what, days, until)
	}
}

// Texts about the certificate of the webhooks.
const (
	unanswered = "the API server refuses pods, because it trusts no answer of the webhooks"
	renewsIt   = "read the controller's log, which renews it 30 days before its end; " +
		"kubectl -n ovnguard-system delete secret " + registration.SecretName + " has a new one made"
)

// webhookCertificates checks the authorities with which the webhooks are registered, and the certificate that they are
// served with.
func (o *doctorOptions) webhookCertificates(ctx context.Context, d *diagnosis, c client.Reader, bundles [][]byte) {
	if len(bundles) == 0 {
		return
	}
	now := time.Now()
	roots := x509.NewCertPool()
	for _, bundle := range bundles {
		list, err := certificatesIn(bundle)
		if err != nil {
			d.add("certificates", fail, renewsIt, "the authority of the webhooks in their registration: %v: %s", err,
				unanswered)
			return
		}
		roots.AppendCertsFromPEM(bundle)
		d.certificate("the authority of the webhooks", lasting(list), now, unanswered, renewsIt)
	}
	served, name, err := o.servedCertificate(ctx, c)
	if err != nil {
		d.add("certificates", warn, "run this in the cluster, or forward a port and name it by --server (docs/api.md)",
			"the certificate that the webhooks are served with is not known: %v", err)
		return
	}
	// Its time is judged by itself, in words that say more.
	at := served.NotBefore.Add(served.NotAfter.Sub(served.NotBefore) / 2)
	if _, err := served.Verify(x509.VerifyOptions{Roots: roots, DNSName: name, CurrentTime: at}); err != nil {
		d.add("certificates", fail, "read the controller's log: it registers what it serves with; if another program "+
			"answers at that address, end it", "the certificate that the webhooks are served with is not trusted: %v: %s",
			err, unanswered)
		return
	}
	d.certificate("the certificate of the webhooks", served, now, unanswered, renewsIt)
}

// servedCertificate returns the certificate with which the webhooks are served, and the name that the API server wants
// in it. Nothing is sent.
func (o *doctorOptions) servedCertificate(
	ctx context.Context, c client.Reader,
) (served *x509.Certificate, name string, err error) {
	registered, err := registration.AddressOf(ctx, c)
	if err != nil {
		return nil, "", err
	}
	at := cmp.Or(o.server.url, registered.URL)
	u, err := url.Parse(at)
	if err != nil || u.Host == "" {
		return nil, "", fmt.Errorf("%q: want https://HOST or https://HOST:PORT", at)
	}
	ctx, cancel := context.WithTimeout(ctx, findTimeout)
	defer cancel()
	dialer := tls.Dialer{Config: &tls.Config{
		ServerName: registered.Name, MinVersion: tls.VersionTLS12,
		InsecureSkipVerify: true, //nolint:gosec // what is wrong with it is what this looks for
	}}
	opened, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), "443")))
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", at, err)
	}
	defer func() { _ = opened.Close() }() // nothing was sent
	secured, ok := opened.(*tls.Conn)
	if !ok || len(secured.ConnectionState().PeerCertificates) == 0 {
		return nil, "", fmt.Errorf("%s: it has none", at)
	}
	return secured.ConnectionState().PeerCertificates[0], registered.Name, nil
}

// databaseCertificates checks the files for the databases, where they are given.
func (o *doctorOptions) databaseCertificates(d *diagnosis) {
	for _, file := range []struct{ flag, path, what string }{
		{"nb-ca", o.tls.CA, "the authority of the databases"},
		{"nb-cert", o.tls.Certificate, "the client certificate for the databases"},
	} {
		if file.path == "" {
			continue
		}
		fix := fmt.Sprintf("renew it, and give the new file by --%s; Kube-OVN keeps its own in Secret kube-ovn-tls",
			file.flag)
		text, err := os.ReadFile(file.path)
		var list []*x509.Certificate
		if err == nil {
			list, err = certificatesIn(text)
		}
		if err != nil {
			d.add("certificates", fail, fix, "--%s: %s: %v", file.flag, file.path, err)
			continue
		}
		one := list[0] // others of the file signed it
		if file.flag == "nb-ca" {
			one = lasting(list)
		}
		d.certificate(file.what, one, time.Now(), "ovnguard and the databases refuse each other at ssl: endpoints", fix)
	}
}
