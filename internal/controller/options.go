// Package controller runs the service: the admission webhook with its certificates and its registration, and the audit
// that follows the cluster and the Northbound database.
package controller

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"github.com/ovnguard/ovnguard/internal/ovn"
)

// Options say how the service runs.
type Options struct {
	// REST reaches the API server.
	REST *rest.Config
	// Northbound lists the endpoints of the Northbound database, comma separated.
	Northbound string
	// NorthboundTLS holds the files for ssl: endpoints.
	NorthboundTLS ovn.TLSFiles
	// Namespace is where the program keeps its certificate Secret.
	Namespace string
	// WebhookAddress is where the webhook listens, "host:port".
	WebhookAddress string
	// WebhookURL is how the API server reaches the webhook from outside a cluster, such as "https://localhost:9443".
	// Empty means through WebhookService.
	WebhookURL string
	// WebhookService names the Service in front of the webhook; used where WebhookURL is empty.
	WebhookService types.NamespacedName
	// MetricsAddress and HealthAddress are where metrics and health checks are served, "host:port"; "0" means nowhere.
	MetricsAddress string
	HealthAddress  string
}

// Validate says everything that is wrong with the options, each with the flag that sets it.
func (o Options) Validate() error {
	var errs []error
	bad := func(flag, format string, args ...any) {
		errs = append(errs, fmt.Errorf("--%s: "+format, append([]any{flag}, args...)...))
	}
	if o.Northbound == "" {
		bad("nb", "is required, for example unix:/var/run/ovn/ovnnb_db.sock or tcp:10.0.0.1:6641")
	} else if _, err := ovn.ParseEndpoints(o.Northbound); err != nil {
		bad("nb", "%w", err)
	}
	if o.Namespace == "" {
		bad("namespace", "is required: the namespace for the certificate Secret")
	}
	if _, _, err := splitAddress(o.WebhookAddress); err != nil {
		bad("webhook-address", "%w", err)
	}
	switch {
	case o.WebhookURL != "":
		if u, err := url.Parse(o.WebhookURL); err != nil || u.Scheme != "https" || u.Hostname() == "" || strings.Trim(u.Path, "/") != "" {
			bad("webhook-url", "%q: want https://host:port", o.WebhookURL)
		} else if net.ParseIP(u.Hostname()) != nil {
			bad("webhook-url", "%q: certificates are made for names only; use a name such as localhost", o.WebhookURL)
		}
	case o.WebhookService.Name == "" || o.WebhookService.Namespace == "":
		bad("webhook-service", "%q: want namespace/name", o.WebhookService)
	}
	return errors.Join(errs...)
}

// splitAddress takes a listening address apart; the host may be empty.
func splitAddress(address string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, fmt.Errorf("%q: want host:port: %w", address, err)
	}
	port, err = strconv.Atoi(text)
	if err != nil || port < 1 || port > 65535 {
		return "", 0, fmt.Errorf("%q: the port must be a number from 1 to 65535", address)
	}
	return host, port, nil
}

// serverName is the name by which the API server reaches the webhook, and which its certificate carries.
func (o Options) serverName() string {
	if o.WebhookURL != "" {
		u, err := url.Parse(o.WebhookURL)
		if err == nil {
			return u.Hostname()
		}
	}
	return o.WebhookService.Name + "." + o.WebhookService.Namespace + ".svc"
}
