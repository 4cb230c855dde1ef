package cli

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/ovnguard/ovnguard/internal/ovn"
)

// connection holds the flags by which a command reaches the cluster and the Northbound database.
type connection struct {
	kubeconfig string
	context    string
	northbound string
	tls        ovn.TLSFiles
}

func (c *connection) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&c.kubeconfig, "kubeconfig", "", "kubeconfig file; default: $KUBECONFIG, ~/.kube/config, or the pod's own account")
	flags.StringVar(&c.context, "context", "", "context of the kubeconfig to use")
	flags.StringVar(&c.northbound, "nb", os.Getenv("OVN_NB_DB"), "endpoints of the Northbound database, comma separated: unix:PATH, tcp:HOST:PORT, ssl:HOST:PORT; default: $OVN_NB_DB")
	flags.StringVar(&c.tls.CA, "nb-ca", "", "file with the authority that signed the Northbound servers' certificates (ssl: endpoints)")
	flags.StringVar(&c.tls.Certificate, "nb-cert", "", "file with the client certificate for the Northbound database")
	flags.StringVar(&c.tls.Key, "nb-key", "", "file with the client key for the Northbound database")
}

// checkTLS makes sure that ssl: endpoints come with the files that they need.
func (c *connection) checkTLS() error {
	if !slices.ContainsFunc(strings.Split(c.northbound, ","), func(e string) bool { return strings.HasPrefix(strings.TrimSpace(e), "ssl:") }) {
		return nil
	}
	var errs []error
	for _, file := range []struct{ flag, path, what string }{
		{"nb-ca", c.tls.CA, "the authority's certificate"},
		{"nb-cert", c.tls.Certificate, "the client certificate"},
		{"nb-key", c.tls.Key, "the client key"},
	} {
		if file.path == "" {
			errs = append(errs, fmt.Errorf("--%s: is required for ssl: endpoints: the file with %s", file.flag, file.what))
		} else if _, err := os.Stat(file.path); err != nil {
			errs = append(errs, fmt.Errorf("--%s: %w", file.flag, err))
		}
	}
	return errors.Join(errs...)
}

// rest gives the configuration for the API server.
func (c *connection) rest() (*rest.Config, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = c.kubeconfig
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: c.context}).ClientConfig()
	if err != nil {
		if clientcmd.IsEmptyConfig(err) {
			return nil, usage(errors.New("--kubeconfig: no cluster is configured; give a kubeconfig file, set $KUBECONFIG, or run in a pod"))
		}
		return nil, usage(fmt.Errorf("--kubeconfig: %w", err))
	}
	return config, nil
}
