package webhook

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
)

// lookEvery is the shortest time between two checks of the file of authorities.
const lookEvery = time.Second

// Callers decides by certificate who may send reviews. Nobody is refused until the API server has shown that it
// presents such a certificate, and reviews without one have not come for a while: most API servers are not set up to
// present one, one of several may be set up later than the others, and a webhook that they cannot call would keep every
// pod from starting.
type Callers struct {
	file  string
	names []string
	// quiet is the time without any review without a certificate that must pass before those are refused.
	quiet time.Duration
	log   logr.Logger

	// proven means that a review of a self-test came with a certificate; bare is the time of the last review without one,
	// or the start.
	proven, enforced atomic.Bool
	bare             atomic.Pointer[time.Time]
	missing          atomic.Int64
	// expected is the name of an object that only the API server can know.
	expected atomic.Pointer[string]

	mu     sync.Mutex
	pool   *x509.CertPool
	looked time.Time
	stamp  os.FileInfo
}

// NewCallers reads the authorities in a PEM file; names are the subjects that count (common name or DNS name), none for
// all. The file is read again when it changes. Reviews without a certificate are refused when none has come for the
// time quiet.
func NewCallers(file string, names []string, quiet time.Duration, log logr.Logger) (*Callers, error) {
	c := &Callers{file: file, names: names, quiet: quiet, log: log}
	c.bare.Store(new(time.Now()))
	stamp, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if c.pool, err = readPool(file); err != nil {
		return nil, err
	}
	c.stamp, c.looked = stamp, time.Now()
	return c, nil
}

// readPool reads a PEM file; every block in it must be a certificate.
func readPool(file string) (*x509.CertPool, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool, n := x509.NewCertPool(), 0
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%s: part %d is no certificate: %w", file, n+1, err)
		}
		pool.AddCert(cert)
		n++
	}
	if n == 0 {
		return nil, fmt.Errorf("%s: want certificates of authorities in PEM form, there are none", file)
	}
	return pool, nil
}

// Enforced reports whether only callers with a certificate get answers. Once enforced, it stays so.
func (c *Callers) Enforced() bool {
	if c.enforced.Load() {
		return true
	}
	if !c.proven.Load() || time.Since(*c.bare.Load()) < c.quiet {
		return false
	}
	if !c.enforced.Swap(true) {
		c.log.Info(
			"the API server presents a client certificate, and no review came without one for a while; those are "+
				"refused from now on",
			"while",
			c.quiet.String(),
		)
	}
	return true
}

// Missing returns the number of reviews that came without a certificate that counts and were answered.
func (c *Callers) Missing() int64 { return c.missing.Load() }

// Expect sets the name of an object that was given to the API server and to nobody else: a caller that sends a review
// of it is the API server.
func (c *Callers) Expect(name string) { c.expected.Store(&name) }

// note records that a caller with a certificate sent a review of an object of this name: if only the API server can
// know the name, the certificate is its own.
func (c *Callers) note(name string) {
	if expected := c.expected.Load(); expected != nil && *expected == name && name != "" && !c.proven.Swap(true) {
		c.log.Info(
			"the API server presents a client certificate; reviews without one are refused when none has come for a "+
				"while",
			"while",
			c.quiet.String(),
		)
	}
}

// miss records that a caller without a certificate sent a review.
func (c *Callers) miss(from string) {
	c.missing.Add(1)
	now := time.Now()
	if before := c.bare.Swap(&now); c.proven.Load() && now.Sub(*before) >= c.quiet/2 {
		c.log.Info(
			"a review came without a client certificate, although the API server presents one; it was answered, as "+
				"one API server of several may not do so yet",
			"from",
			from,
		)
	}
}

// check returns an error that says why the caller of a request may not call.
func (c *Callers) check(r *http.Request) error {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return errors.New("the caller has presented no client certificate")
	}
	leaf, intermediates := r.TLS.PeerCertificates[0], x509.NewCertPool()
	for _, cert := range r.TLS.PeerCertificates[1:] {
		intermediates.AddCert(cert)
	}
	_, err := leaf.Verify(
		x509.VerifyOptions{
			Roots:         c.roots(),
			Intermediates: intermediates,
			KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		},
	)
	if err != nil {
		return fmt.Errorf("the caller's client certificate does not count: %w", err)
	}
	own := append([]string{leaf.Subject.CommonName}, leaf.DNSNames...)
	if len(c.names) > 0 && !slices.ContainsFunc(own, func(name string) bool { return slices.Contains(c.names, name) }) {
		return fmt.Errorf(
			"the caller's client certificate is of %q, want one of %s",
			leaf.Subject.CommonName,
			strings.Join(c.names, ", "),
		)
	}
	return nil
}

// roots returns the authorities, and reads them again where the file has changed. If the file cannot be read, the old
// ones stay.
func (c *Callers) roots() *x509.CertPool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.looked) < lookEvery {
		return c.pool
	}
	c.looked = time.Now()
	stamp, err := os.Stat(c.file)
	if err == nil && os.SameFile(stamp, c.stamp) && stamp.ModTime().Equal(c.stamp.ModTime()) &&
		stamp.Size() == c.stamp.Size() {
		return c.pool
	}
	var pool *x509.CertPool
	if err == nil {
		pool, err = readPool(c.file)
	}
	if err != nil {
		c.log.Error(err, "the authorities of callers cannot be read again; those from before stay", "file", c.file)
		return c.pool
	}
	c.pool, c.stamp = pool, stamp
	c.log.Info("the authorities of callers were read again", "file", c.file)
	return c.pool
}
