// Package controlplane runs a real Kubernetes control plane on loopback: etcd
// and kube-apiserver in one child process, kube-controller-manager and
// kube-scheduler in two more.
//
// The three commands come from the module k8s.io/kubernetes. They cannot share
// one process, since each insists on its own signal handler and logging, so
// the lab's binary starts itself again for each of them.
package controlplane

import (
	"errors"
	"fmt"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/ovnguard/ovnguard/lab/internal/pki"
	"github.com/ovnguard/ovnguard/lab/internal/state"
)

// Names of the child processes. Each is also the name of the log, of the pid
// file, and of the hidden command of the lab's binary that runs it.
const (
	APIServer         = "apiserver"
	ControllerManager = "controller-manager"
	Scheduler         = "scheduler"
)

// Authority is the name, in Dir.PKI, of the certificate authority of servers
// and clients.
const Authority = "ca"

const (
	frontAuthority  = "front-proxy-ca"
	frontClient     = "front-proxy-client"
	serverPair      = "server"
	serviceAccounts = "service-account"

	// ServiceRange is the range of the Services' addresses.
	ServiceRange = "10.96.0.0/12"
	// firstServiceIP is the address of the service "kubernetes".
	firstServiceIP = "10.96.0.1"
)

// Config configures a control plane.
type Config struct {
	// Dir is the state directory; Dir.Prepare must have been called.
	Dir state.Dir
	// Binary is the path of the lab's own binary.
	Binary string
	// Audit makes kube-apiserver keep an audit log, see ControlPlane.AuditLog.
	Audit bool
	// KubeOVN is the layout of Kube-OVN.
	KubeOVN KubeOVN
	// Kubelets makes kube-apiserver call kubelets, Services and pods, by way of Dir.Egress.
	Kubelets bool
}

// ControlPlane is the state of a control plane: its configuration, ports and certificates.
type ControlPlane struct {
	config Config
	ca     *pki.Authority
	ports  ports
}

// New makes certificates and chooses ports. It starts nothing.
func New(config Config) (*ControlPlane, error) {
	if config.Dir == "" || config.Binary == "" {
		return nil, errors.New("control plane: both Dir and Binary must be set")
	}
	ca, err := makeCertificates(config.Dir.PKI(), time.Now())
	if err != nil {
		return nil, err
	}
	if config.Kubelets {
		if err := writeForKubelets(config.Dir, ca, time.Now()); err != nil {
			return nil, err
		}
	}
	if config.Audit {
		if err := writeAuditPolicy(config.Dir.PKI()); err != nil {
			return nil, err
		}
	}
	p, err := choosePorts(config.Dir)
	if err != nil {
		return nil, err
	}
	return &ControlPlane{config: config, ca: ca, ports: p}, nil
}

// URL returns the address of kube-apiserver.
func (c *ControlPlane) URL() string { return localURL(c.ports.APIServer) }

// Kubeconfig returns a kubeconfig with a new client certificate of the user in the groups. kube-apiserver adds the
// group system:authenticated by itself.
func (c *ControlPlane) Kubeconfig(user string, groups ...string) ([]byte, error) {
	return newKubeconfig(c.ca, c.URL(), user, groups, time.Now())
}

// RESTConfig returns a client's configuration with a new certificate of the user in the groups. It sets no rate limit.
func (c *ControlPlane) RESTConfig(user string, groups ...string) (*rest.Config, error) {
	kubeconfig, err := c.Kubeconfig(user, groups...)
	if err != nil {
		return nil, err
	}
	config, err := clientcmd.RESTConfigFromKubeConfig(kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("client configuration for %q: %w", user, err)
	}
	config.QPS = -1
	return config, nil
}

// Admin returns a RESTConfig for a member of system:masters.
func (c *ControlPlane) Admin() (*rest.Config, error) {
	return c.RESTConfig("admin", mastersGroup)
}
