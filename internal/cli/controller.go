package cli

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/ovnguard/ovnguard/deploy"
	"github.com/ovnguard/ovnguard/internal/admission"
	"github.com/ovnguard/ovnguard/internal/controller"
	"github.com/ovnguard/ovnguard/internal/layout"
	"github.com/ovnguard/ovnguard/internal/leader"
)

// controllerOptions are the flags of the command.
type controllerOptions struct {
	connection
	controller.Options
	told      told
	service   string
	logFormat string
}

// Usual limits of repair: of all ports, in percent, and how many ports at least.
const (
	repairPercent = 20
	repairPorts   = 100
)

func newControllerCommand() *cobra.Command {
	var o controllerOptions
	cmd := &cobra.Command{
		Use:   "controller",
		Short: "Serve the admission webhook and follow the ports in OVN",
		Long: `Serves the webhook that makes the ports of new pods as policy says, registers it with the
API server, makes and renews its certificate, and follows the Northbound database: metrics
and Events say which ports are not as decided.

Runs until it is interrupted.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd) },
	}
	flags := cmd.Flags()
	o.addFlags(flags)
	flags.StringVar(&o.Namespace, "namespace", namespaceDefault(), "namespace for the certificate Secret")
	flags.StringVar(&o.WebhookAddress, "webhook-address", ":9443", "where the webhook listens, host:port")
	flags.StringVar(
		&o.WebhookURL,
		"webhook-url",
		"",
		"how the API server reaches the webhook from outside a cluster, such as https://localhost:9443; default: "+
			"through --webhook-service",
	)
	flags.StringVar(
		&o.service,
		"webhook-service",
		"ovnguard-system/ovnguard",
		"Service in front of the webhook, namespace/name",
	)
	flags.StringVar(
		&o.OwnerRole,
		"owner-role",
		"",
		"ClusterRole to which the registration of the webhooks belongs: while it is not there, nothing is registered, "+
			"and when it is deleted, the registration goes with it; default: none, only the namespace of --namespace "+
			"counts",
	)
	flags.StringVar(
		&o.ClientCA,
		"client-ca",
		"",
		"file with the authorities of the API server's client certificates: callers without a certificate are "+
			"refused after a self-test has seen the API server present one and --client-quiet has passed; "+
			"default: any caller is answered",
	)
	flags.StringSliceVar(
		&o.ClientNames,
		"client-names",
		nil,
		"accepted subjects of client certificates; default: all that the authorities have signed",
	)
	flags.DurationVar(
		&o.ClientQuiet,
		"client-quiet",
		10*time.Minute,
		"with --client-ca: callers without a certificate are refused only after no review came from such a "+
			"caller for this long; set it longer than you need to give every API server a certificate",
	)
	flags.StringVar(
		&o.SelfTestNamespace,
		"selftest-namespace",
		"ovnguard-selftest",
		"namespace in which the self-test creates pods with dry run; none is stored",
	)
	flags.DurationVar(&o.SelfTestInterval, "selftest-interval", 30*time.Second, "how often the self-test runs")
	flags.BoolVar(
		&o.AdmissionPolicies,
		"admission-policies",
		false,
		"install admission policies in the API server: then ordinary pods need no webhook, and the default and "+
			"the floor hold even while no webhook answers",
	)
	addAccounts(flags, &o.Accounts)
	addKubeOVNAccounts(flags, &o.Accounts, nil, "; default: the accounts of Kube-OVN's workloads")
	o.told.addFlags(flags)
	flags.BoolVar(
		&o.Repair.Enabled,
		"repair",
		true,
		"repair ports if their policy says repair: repair; with false no port is ever changed",
	)
	flags.IntVar(&o.Repair.Rate, "repair-rate", 200, "how many ports repair writes each second, at most")
	flags.BoolVar(
		&o.API,
		"api",
		true,
		"serve the read-only API to who may list pods, where the webhook listens; the command line uses it",
	)
	addBrakeFlags(flags, &o.Repair.Percent, &o.Repair.Floor)
	flags.StringVar(&o.MetricsAddress, "metrics-address", ":8080", "where metrics are served, host:port; 0 for nowhere")
	flags.StringVar(
		&o.HealthAddress,
		"health-address",
		":8081",
		"where /healthz and /readyz are served, host:port; 0 for nowhere",
	)
	flags.StringVar(&o.logFormat, "log-format", "json", "json or text")
	return cmd
}

// addAccounts adds the flags for the users that own certain keys.
func addAccounts(flags *pflag.FlagSet, a *admission.Accounts) {
	usual := admission.DefaultAccounts()
	flags.StringSliceVar(&a.KubeVirt, "kubevirt-accounts", usual.KubeVirt, "users that make KubeVirt's launcher pods")
	flags.StringSliceVar(&a.Self, "own-accounts", []string{deploy.Account}, "users as which this program runs")
}

// addKubeOVNAccounts adds the flag for the users of Kube-OVN.
func addKubeOVNAccounts(flags *pflag.FlagSet, a *admission.Accounts, usual []string, more string) {
	flags.StringSliceVar(
		&a.KubeOVN,
		layout.FlagAccounts,
		usual,
		"users that may write what Kube-OVN notes about ports"+more,
	)
}

func (o *controllerOptions) run(cmd *cobra.Command) error {
	log, err := newLogger(cmd.ErrOrStderr(), o.logFormat)
	if err != nil {
		return usage(err)
	}
	flags := cmd.Flags()
	o.ClusterRouter, o.NodeSwitch, o.KeepVMIP, o.NonPrimary = o.told.router, o.told.nodeSwitch, o.told.keepVMIP(
		flags,
	), o.told.nonPrimary(
		flags,
	)
	o.Northbound, o.Southbound, o.TLS, o.OVNVersion, o.KubeOVNRelease = o.northbound, o.southbound, o.tls,
		o.ovnVersion, o.kubeOVN
	o.Version = version
	if namespace, name, found := strings.Cut(o.service, "/"); found {
		o.WebhookService = types.NamespacedName{Namespace: namespace, Name: name}
	} else if o.WebhookURL == "" {
		return usage(fmt.Errorf("--webhook-service: %q: want namespace/name of a Service", o.service))
	}
	if err := errors.Join(o.checkTLS(), o.Validate()); err != nil {
		return usage(err)
	}
	if o.REST, err = o.rest(); err != nil {
		return err
	}
	own := ownBuild()
	o.Build = leader.Build{Version: own.Version, Commit: own.Commit, Date: own.Date}
	ctrl.SetLogger(log)
	klog.SetLogger(log)
	limitMemory(log)
	if err := controller.Run(cmd.Context(), o.Options, log); err != nil {
		return unreachable(err)
	}
	return nil
}

func newLogger(w io.Writer, format string) (logr.Logger, error) {
	switch format {
	case "json":
		return logr.FromSlogHandler(slog.NewJSONHandler(w, nil)), nil
	case "text":
		return logr.FromSlogHandler(slog.NewTextHandler(w, nil)), nil
	}
	return logr.Logger{}, fmt.Errorf("--log-format: %q: want json or text", format)
}

// namespaceDefault is the pod's own namespace where the program runs in one.
func namespaceDefault() string {
	if namespace, ok := os.LookupEnv("POD_NAMESPACE"); ok && namespace != "" {
		return namespace
	}
	return "ovnguard-system"
}
