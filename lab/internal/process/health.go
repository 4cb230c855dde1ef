package process

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// healthTimeout bounds one health check.
const healthTimeout = 2 * time.Second

// CheckHealth asks a process at the address from its Spec or Record. Servers with TLS must have a certificate from
// roots. An empty address is healthy.
func CheckHealth(ctx context.Context, address string, roots *x509.CertPool) error {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	switch {
	case address == "":
		return nil
	case strings.HasPrefix(address, "unix:"):
		conn, err := new(net.Dialer).DialContext(ctx, "unix", strings.TrimPrefix(address, "unix:"))
		if err != nil {
			return fmt.Errorf("health: %w", err)
		}
		return conn.Close()
	case strings.HasPrefix(address, "https://"):
		return get(ctx, address, roots)
	}
	return fmt.Errorf("health: address %q: must begin with https:// or unix: to be asked", address)
}

func get(ctx context.Context, url string, roots *x509.CertPool) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return fmt.Errorf("health: %w", err)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return fmt.Errorf("health: %w", err)
	}
	defer func() { _ = response.Body.Close() }() // it is only read
	if response.StatusCode == http.StatusOK {
		return nil
	}
	// Kubernetes' servers list the checks that fail.
	body, err := io.ReadAll(io.LimitReader(response.Body, 2<<10))
	if err != nil {
		return fmt.Errorf("health: %w", err)
	}
	return fmt.Errorf("health: %s says %s: %s", url, response.Status, strings.TrimSpace(string(body)))
}
