// Package controller puts the service together. What goes in are its options; what comes out is that webhooks, audit
// and repair run, with how to ask whether they do.
package controller

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/validate/content"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/rest"

	"github.com/ovnguard/ovnguard/internal/admission"
	"github.com/ovnguard/ovnguard/internal/discovery"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/layout"
	"github.com/ovnguard/ovnguard/internal/leader"
	"github.com/ovnguard/ovnguard/internal/ovn"
	"github.com/ovnguard/ovnguard/portsec"
)

// Options say how the service runs.
type Options struct {
	// REST reaches the API server.
	REST *rest.Config
	// Build is that of this program. The Lease of the leader names it.
	Build leader.Build
	// Northbound lists the endpoints of the Northbound database, comma separated; empty for where Kube-OVN's controller
	// finds it.
	Northbound string
	// Southbound lists those of the Southbound database; empty where it is not followed.
	Southbound string
	// TLS holds the files for ssl: endpoints of both.
	TLS ovn.TLSFiles
	// OVNVersion is the release of OVN that enforces on every node, such as "23.03.1"; empty for what the databases
	// say.
	OVNVersion string
	// KubeOVNRelease is the tag of the image of Kube-OVN that runs, such as "v1.14.28"; empty where it is not known. It
	// tells builds of OVN apart that bear one version.
	KubeOVNRelease string
	// ClusterRouter, NodeSwitch, KeepVMIP and NonPrimary are what Kube-OVN's controller was told by the arguments of
	// these names; where they are not given, as Northbound and the accounts of Kube-OVN, they are detected.
	ClusterRouter, NodeSwitch string
	KeepVMIP, NonPrimary      *bool
	// Namespace is where the program keeps its certificate Secret.
	Namespace string
	// WebhookAddress is where the webhook listens, "host:port".
	WebhookAddress string
	// WebhookURL is how the API server reaches the webhook from outside a cluster, such as "https://localhost:9443".
	// Empty means through WebhookService.
	WebhookURL string
	// WebhookService names the Service in front of the webhook; used where WebhookURL is empty.
	WebhookService types.NamespacedName
	// OwnerRole is a ClusterRole to which the registration belongs; empty for Namespace alone.
	OwnerRole string
	// ClientCA is a file with the authorities of the API server's client certificates, empty where callers are not
	// looked at; ClientNames are the subjects that count, none for all; ClientQuiet is how long no review may have come
	// without such a certificate before those are refused.
	ClientCA    string
	ClientNames []string
	ClientQuiet time.Duration
	// SelfTestNamespace is where the self-test makes its pods, which are never kept; SelfTestInterval is how often.
	SelfTestNamespace string
	SelfTestInterval  time.Duration
	// AdmissionPolicies has the API server keep default and floor itself, besides the webhooks.
	AdmissionPolicies bool
	// Accounts are the users of Kube-OVN, of KubeVirt and of this program, which own certain keys.
	Accounts admission.Accounts
	// Repair bounds what is done about ports that are not what they must be.
	Repair RepairOptions
	// API serves the API to people, at WebhookAddress; Version is what it says of this program.
	API     bool
	Version string
	// MetricsAddress and HealthAddress are where metrics and health checks are served, "host:port"; "0" means nowhere.
	MetricsAddress string
	HealthAddress  string
}

// Validate says everything that is wrong with the options, each with the flag that sets it and what to give instead.
func (o Options) Validate() error {
	var errs []error
	bad := func(flag, format string, args ...any) {
		errs = append(errs, fmt.Errorf("--%s: "+format, append([]any{flag}, args...)...))
	}
	if o.Northbound != "" {
		if _, err := ovn.ParseEndpoints(o.Northbound); err != nil {
			bad("nb", "%w", err)
		}
	}
	if o.Southbound != "" {
		if _, err := ovn.ParseEndpoints(o.Southbound); err != nil {
			bad("sb", "%w", err)
		}
	}
	if o.OVNVersion != "" {
		if _, _, err := portsec.EraOf(o.OVNVersion); err != nil {
			bad("ovn-version", "%w", err)
		}
	}
	if o.KubeOVNRelease != "" {
		if _, _, err := kubeovn.BuiltBetween(o.KubeOVNRelease); err != nil {
			bad("kube-ovn-release", "%w", err)
		}
	}
	if wrong := validation.IsDNS1123Label(o.Namespace); len(wrong) > 0 {
		bad("namespace", "%q: want the namespace for the certificate Secret: %s", o.Namespace, wrong[0])
	}
	if _, _, err := splitAddress(o.WebhookAddress); err != nil {
		bad("webhook-address", "%w", err)
	}
	if o.WebhookURL != "" {
		if err := checkURL(o.WebhookURL); err != nil {
			bad("webhook-url", "%w", err)
		}
	} else if len(validation.IsDNS1123Label(o.WebhookService.Namespace)) > 0 ||
		len(validation.IsDNS1035Label(o.WebhookService.Name)) > 0 {
		bad("webhook-service", "%q: want namespace/name of a Service", o.WebhookService)
	}
	if wrong := content.IsPathSegmentName(o.OwnerRole); len(wrong) > 0 {
		bad("owner-role", "%q: want the name of a ClusterRole: it %s", o.OwnerRole, wrong[0])
	}
	if len(o.ClientNames) > 0 && o.ClientCA == "" {
		bad(
			"client-names",
			"%s: give the authorities of their certificates with --client-ca as well",
			strings.Join(o.ClientNames, ","),
		)
	}
	if o.ClientQuiet < 0 {
		bad("client-quiet", "%s: want no less than 0", o.ClientQuiet)
	}
	if wrong := validation.IsDNS1123Label(o.SelfTestNamespace); len(wrong) > 0 {
		bad(
			"selftest-namespace",
			"%q: want a namespace for the pods of the self-test: %s",
			o.SelfTestNamespace,
			wrong[0],
		)
	} else if o.SelfTestNamespace == o.Namespace {
		bad(
			"selftest-namespace",
			"%q: want another namespace than that of --namespace, whose pods are not sent to the webhook",
			o.SelfTestNamespace,
		)
	}
	if o.SelfTestInterval < time.Second {
		bad("selftest-interval", "%s: want at least 1s", o.SelfTestInterval)
	}
	if o.Repair.Enabled {
		if o.Repair.Rate < 1 {
			bad("repair-rate", "%d: want at least one port each second, or --repair=false", o.Repair.Rate)
		}
		if o.Repair.Percent < 0 || o.Repair.Percent > 100 {
			bad("repair-limit-percent", "%d: want 0 to 100", o.Repair.Percent)
		}
		if o.Repair.Floor < 0 {
			bad("repair-limit-ports", "%d: want no less than 0", o.Repair.Floor)
		}
	}
	for _, l := range []struct{ flag, address string }{{"metrics-address", o.MetricsAddress}, {
		"health-address",
		o.HealthAddress,
	}} {
		if l.address == nowhere {
			continue
		}
		if _, _, err := splitAddress(l.address); err != nil {
			bad(l.flag, "%w; or %s for nowhere", err, nowhere)
		}
	}
	return errors.Join(errs...)
}

// ovn returns what the options say of the OVN that enforces.
func (o Options) ovn() portsec.OVN {
	out := portsec.OVN{Version: o.OVNVersion}
	if from, until, err := kubeovn.BuiltBetween(
		o.KubeOVNRelease,
	); err == nil { // an empty one is none, and Validate refuses others
		out.From, out.Until = from, until
	}
	return out
}

// wanted returns what flags say of the layout.
func (o Options) wanted() layout.Wanted {
	return layout.Wanted{
		Accounts:   o.Accounts.KubeOVN,
		Router:     o.ClusterRouter,
		NodeSwitch: o.NodeSwitch,
		KeepVMIP:   o.KeepVMIP,
		NonPrimary: o.NonPrimary,
		Northbound: o.Northbound,
	}
}

// placed returns the options with what the layout says in place of flags that were not given.
func (o Options) placed(l layout.Layout) Options {
	o.Accounts.KubeOVN, o.Northbound = l.Accounts.Is, l.Northbound.Is
	o.TLS = discovery.TLSFiles(o.TLS, o.Northbound)
	return o
}

// self returns the account as which the program runs; empty where that is not known.
func (o Options) self() string {
	if len(o.Accounts.Self) == 0 {
		return ""
	}
	return o.Accounts.Self[0]
}

// nowhere is the address that turns a listener off.
const nowhere = "0"

// checkURL says what is wrong with the URL by which the API server reaches the webhook. It is the beginning of a longer
// one, so nothing may follow host and port.
func checkURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || *u != (url.URL{Scheme: u.Scheme, Host: u.Host}) {
		return fmt.Errorf("%q: want https://host:port and nothing more", text)
	}
	if net.ParseIP(u.Hostname()) != nil {
		return fmt.Errorf("%q: certificates are made for names only; use a name such as localhost", text)
	}
	if u.Port() != "" {
		_, _, err = splitAddress(u.Host)
	}
	return err
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
