package cli

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/ovnguard/ovnguard/internal/discovery"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/ovn"
	"github.com/ovnguard/ovnguard/portsec"
)

// connection holds the flags by which a command reaches the cluster and OVN's databases.
type connection struct {
	kubeconfig string
	// overrides are the flags that kubectl has for the same.
	overrides  clientcmd.ConfigOverrides
	northbound string
	southbound string
	tls        ovn.TLSFiles
	ovnVersion string
	kubeOVN    string
}

func (c *connection) addFlags(flags *pflag.FlagSet) {
	c.addKubernetesFlags(flags)
	c.addNorthboundFlag(flags)
	c.addTLSFlags(flags)
	flags.StringVar(
		&c.southbound,
		"sb",
		os.Getenv(envSouthbound),
		"endpoints of the Southbound database or a file of it, as --nb; default: $OVN_SB_DB, or none",
	)
	flags.StringVar(
		&c.ovnVersion,
		"ovn-version",
		"",
		"release of OVN that enforces on every node, such as 23.03.1; default: what the databases say",
	)
	addKubeOVNFlag(flags, &c.kubeOVN)
}

// addKubeOVNFlag adds the flag that names the release of Kube-OVN.
func addKubeOVNFlag(flags *pflag.FlagSet, release *string) {
	flags.StringVar(
		release,
		"kube-ovn-release",
		"",
		"image tag of the Kube-OVN on every node, such as v1.14.28; it tells builds of OVN with the same "+
			"version apart",
	)
}

// ovn returns what is known of the OVN that enforces: its version as the flag or a database says, and when it was built
// into the image that --kube-ovn-release names.
func (c *connection) ovn(version string) portsec.OVN {
	return builtFor(cmp.Or(c.ovnVersion, version), c.kubeOVN)
}

// builtFor returns what is known of the OVN of that version in the image of a release of Kube-OVN; an empty one, and
// one that check refuses, add nothing.
func builtFor(version, release string) portsec.OVN {
	out := portsec.OVN{Version: version}
	if from, until, err := kubeovn.BuiltBetween(release); err == nil {
		out.From, out.Until = from, until
	}
	return out
}

// checkRelease says what is wrong with --kube-ovn-release.
func checkRelease(release string) error {
	if release == "" {
		return nil
	}
	if _, _, err := kubeovn.BuiltBetween(release); err != nil {
		return fmt.Errorf("--kube-ovn-release: %w", err)
	}
	return nil
}

// addNorthboundFlag adds the flag that names the Northbound database.
func (c *connection) addNorthboundFlag(flags *pflag.FlagSet) {
	flags.StringVar(
		&c.northbound,
		"nb",
		os.Getenv(envNorthbound),
		"endpoints of the Northbound database, comma separated: unix:PATH, tcp:HOST:PORT, ssl:HOST:PORT; default: "+
			"$OVN_NB_DB",
	)
}

// envNorthbound and envSouthbound are the variables with the defaults of --nb and --sb.
const (
	envNorthbound = "OVN_NB_DB"
	envSouthbound = "OVN_SB_DB"
)

// northboundFrom returns the source of the value of --nb: the flag or the environment; "" where there is none.
func northboundFrom(flags *pflag.FlagSet, value string) string {
	switch {
	case value == "":
		return ""
	case flags.Changed("nb"):
		return "--nb"
	}
	return "$" + envNorthbound
}

// addFromFlag adds the flag that names a file with the objects of the cluster, and the name that it had before.
func addFromFlag(flags *pflag.FlagSet, path *string, more string) {
	const before = "kubernetes"
	flags.StringVar(path, "from", "", "file with the cluster's objects instead of a cluster"+more+"; also --"+before)
	flags.StringVar(path, before, "", "the same as --from")
	flags.Lookup(before).Hidden = true
}

// addTLSFlags adds the flags for ssl: endpoints.
func (c *connection) addTLSFlags(flags *pflag.FlagSet) {
	flags.StringVar(
		&c.tls.CA,
		"nb-ca",
		"",
		"file with the authority that signed the certificates of the databases' servers (ssl: endpoints of --nb and "+
			"--sb)",
	)
	flags.StringVar(&c.tls.Certificate, "nb-cert", "", "file with the client certificate for both databases")
	flags.StringVar(&c.tls.Key, "nb-key", "", "file with the client key for both databases")
}

// addKubernetesFlags adds the flags by which a command reaches the cluster alone.
func (c *connection) addKubernetesFlags(flags *pflag.FlagSet) {
	flags.StringVar(
		&c.kubeconfig,
		"kubeconfig",
		"",
		"kubeconfig file; default: $KUBECONFIG, ~/.kube/config, or the pod's own account",
	)
	names := clientcmd.RecommendedConfigOverrideFlags("")
	clientcmd.BindOverrideFlags(&c.overrides, flags, clientcmd.ConfigOverrideFlags{
		CurrentContext: names.CurrentContext, Timeout: names.Timeout,
		ContextOverrideFlags: clientcmd.ContextOverrideFlags{
			ClusterName: names.ContextOverrideFlags.ClusterName, AuthInfoName: names.ContextOverrideFlags.AuthInfoName,
		},
		AuthOverrideFlags: clientcmd.AuthOverrideFlags{
			Impersonate:       names.AuthOverrideFlags.Impersonate,
			ImpersonateGroups: names.AuthOverrideFlags.ImpersonateGroups,
		},
	})
	for name, text := range map[string]string{
		"context": "context of the kubeconfig to use", "cluster": "cluster of the kubeconfig to use",
		"user":     "user of the kubeconfig to use",
		"as":       "user to act as, such as system:serviceaccount:shop:default",
		"as-group": "group to act as, together with --as; may be given several times",
		"request-timeout": "how long one request to the API server may take, such as 5s; 0 for as long as --timeout " +
			"allows",
	} {
		flags.Lookup(name).Usage = text
	}
}

// check says what is wrong with the flags that name OVN: endpoints of --sb, files for ssl: endpoints, the release.
func (c *connection) check() error {
	var errs []error
	if c.southbound != "" {
		errs = append(errs, checkDatabase("--sb", c.southbound))
	}
	if c.ovnVersion != "" {
		if _, _, err := portsec.EraOf(c.ovnVersion); err != nil {
			errs = append(errs, fmt.Errorf("--ovn-version: %w", err))
		}
	}
	return errors.Join(append(errs, checkRelease(c.kubeOVN), c.checkTLS())...)
}

// checkTLS makes sure that ssl: endpoints come with the files that they need.
func (c *connection) checkTLS() error {
	endpoints := slices.Concat(strings.Split(c.northbound, ","), strings.Split(c.southbound, ","))
	if !slices.ContainsFunc(endpoints, func(e string) bool { return strings.HasPrefix(strings.TrimSpace(e), "ssl:") }) {
		return nil
	}
	if mounted := discovery.TLSFiles(c.tls, "ssl:"); fileExists(mounted.CA) {
		c.tls = mounted // in a pod of the program's own
	}
	var errs []error
	for _, file := range []struct{ flag, path, what string }{
		{"nb-ca", c.tls.CA, "the authority's certificate"},
		{"nb-cert", c.tls.Certificate, "the client certificate"},
		{"nb-key", c.tls.Key, "the client key"},
	} {
		if file.path == "" {
			errs = append(
				errs,
				fmt.Errorf("--%s: is required for ssl: endpoints: the file with %s", file.flag, file.what),
			)
		} else if _, err := os.Stat(file.path); err != nil {
			errs = append(errs, fmt.Errorf("--%s: %w", file.flag, err))
		}
	}
	return errors.Join(errs...)
}

func fileExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// errNoCluster is the cause where neither flags nor the environment name a cluster.
var errNoCluster = errors.New(
	"--kubeconfig: no cluster is configured; give a kubeconfig file, set $KUBECONFIG, or run in a pod",
)

// loader returns what reads the kubeconfig.
func (c *connection) loader() clientcmd.ClientConfig {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = c.kubeconfig
	return clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &c.overrides)
}

// contextNamespace returns the namespace of the kubeconfig's context, as kubectl uses it without -n.
func (c *connection) contextNamespace() string {
	namespace, _, err := c.loader().Namespace()
	if err != nil {
		return metav1.NamespaceDefault // whoever connects says what is wrong
	}
	return namespace
}

// rest returns the configuration for the API server.
func (c *connection) rest() (*rest.Config, error) {
	if _, err := clientcmd.ParseTimeout(c.overrides.Timeout); c.overrides.Timeout != "" && err != nil {
		return nil, usage(fmt.Errorf("--request-timeout: %q: want a time such as 5s", c.overrides.Timeout))
	}
	if len(c.overrides.AuthInfo.ImpersonateGroups) > 0 && c.overrides.AuthInfo.Impersonate == "" {
		return nil, usage(errors.New("--as-group: give --as as well: a group is impersonated together with a user"))
	}
	config, err := c.loader().ClientConfig()
	if err != nil {
		if clientcmd.IsEmptyConfig(err) {
			return nil, usage(errNoCluster)
		}
		return nil, usage(fmt.Errorf("--kubeconfig: %w", err))
	}
	config.QPS = -1 // the API server's own limits are enough
	return config, nil
}
