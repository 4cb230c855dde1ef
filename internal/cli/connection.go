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
	"github.com/ovnguard/ovnguard/portsec"
)

// connection holds the flags by which a command reaches the cluster and OVN's databases.
type connection struct {
	kubeconfig string
	context    string
	northbound string
	southbound string
	tls        ovn.TLSFiles
	ovnVersion string
}

func (c *connection) addFlags(flags *pflag.FlagSet) {
	c.addKubernetesFlags(flags)
	flags.StringVar(&c.northbound, "nb", os.Getenv("OVN_NB_DB"), "endpoints of the Northbound database, comma separated: unix:PATH, tcp:HOST:PORT, ssl:HOST:PORT; default: $OVN_NB_DB")
	flags.StringVar(&c.southbound, "sb", os.Getenv("OVN_SB_DB"), "endpoints of the Southbound database, as --nb; default: $OVN_SB_DB, or none")
	flags.StringVar(&c.tls.CA, "nb-ca", "", "file with the authority that signed the certificates of the databases' servers (ssl: endpoints of --nb and --sb)")
	flags.StringVar(&c.tls.Certificate, "nb-cert", "", "file with the client certificate for both databases")
	flags.StringVar(&c.tls.Key, "nb-key", "", "file with the client key for both databases")
	flags.StringVar(&c.ovnVersion, "ovn-version", "", "release of OVN that enforces on every node, such as 23.03.1; default: what the databases say")
}

// addKubernetesFlags adds the flags by which a command reaches the cluster alone.
func (c *connection) addKubernetesFlags(flags *pflag.FlagSet) {
	flags.StringVar(&c.kubeconfig, "kubeconfig", "", "kubeconfig file; default: $KUBECONFIG, ~/.kube/config, or the pod's own account")
	flags.StringVar(&c.context, "context", "", "context of the kubeconfig to use")
}

// check says what is wrong with the flags that name OVN: endpoints of --sb, files for ssl: endpoints, the release.
func (c *connection) check() error {
	var errs []error
	if c.southbound != "" {
		if _, err := ovn.ParseEndpoints(c.southbound); err != nil {
			errs = append(errs, fmt.Errorf("--sb: %w", err))
		}
	}
	if c.ovnVersion != "" {
		if _, _, err := portsec.EraOf(c.ovnVersion); err != nil {
			errs = append(errs, fmt.Errorf("--ovn-version: %w", err))
		}
	}
	return errors.Join(append(errs, c.checkTLS())...)
}

// checkTLS makes sure that ssl: endpoints come with the files that they need.
func (c *connection) checkTLS() error {
	endpoints := slices.Concat(strings.Split(c.northbound, ","), strings.Split(c.southbound, ","))
	if !slices.ContainsFunc(endpoints, func(e string) bool { return strings.HasPrefix(strings.TrimSpace(e), "ssl:") }) {
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
	config.QPS = -1 // the API server's own limits are enough
	return config, nil
}
