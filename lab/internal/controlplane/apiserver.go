package controlplane

import (
	"context"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/ovnguard/ovnguard/lab/internal/process"
)

// StartAPIServer starts etcd and kube-apiserver in one child and waits until the server is ready, including the default
// roles of RBAC. Clients with their own objects need only the server: some tests use it alone.
func (c *ControlPlane) StartAPIServer(ctx context.Context, group *process.Group) (*process.Process, error) {
	health := c.URL() + "/readyz"
	return group.Start(ctx, process.Spec{
		Name: APIServer,
		Path: c.config.Binary,
		Args: append(
			[]string{"component", APIServer, "--etcd-dir", c.config.Dir.Etcd(), "--"},
			c.apiServerFlags()...),
		LogPath: c.config.Dir.Log(APIServer),
		Ready:   c.answers(health),
		Health:  health,
		// kube-apiserver waits for open watches; without the wait nothing is lost.
		StopTimeout: 3 * time.Second,
	})
}

func (c *ControlPlane) apiServerFlags() []string {
	file := func(name string) string { return filepath.Join(c.config.Dir.PKI(), name) }
	flags := []string{
		"--etcd-servers=" + etcdURL(c.config.Dir.Etcd()),
		"--bind-address=127.0.0.1",
		"--secure-port=" + strconv.Itoa(c.ports.APIServer),
		"--advertise-address=127.0.0.1",
		// A loopback address is not allowed in Endpoints; where something reaches the server through its service, the lab
		// writes them.
		"--endpoint-reconciler-type=none",
		"--service-cluster-ip-range=" + ServiceRange,
		"--tls-cert-file=" + file(serverPair+".crt"),
		"--tls-private-key-file=" + file(serverPair+".key"),
		"--client-ca-file=" + file(Authority+".crt"),
		"--requestheader-client-ca-file=" + file(frontAuthority+".crt"),
		"--requestheader-allowed-names=" + frontClient,
		"--requestheader-username-headers=X-Remote-User",
		"--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file=" + file(frontClient+".crt"),
		"--proxy-client-key-file=" + file(frontClient+".key"),
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file=" + file(serviceAccounts+".pub"),
		"--service-account-signing-key-file=" + file(serviceAccounts+".key"),
		"--authorization-mode=Node,RBAC",
		"--allow-privileged=true",
		"--admission-control-config-file=" + file(admissionConfig),
	}
	return slices.Concat(flags, c.auditFlags(), c.kubeletFlags())
}

// etcdSocket returns the path of the socket where etcd serves clients. The file permissions of the state directory
// protect it, so it needs no certificates.
func etcdSocket(dir string) string { return filepath.Join(dir, "client.sock") }

func etcdURL(dir string) string { return "unix://" + etcdSocket(dir) }

// answers returns a readiness check for a URL of one of the servers.
func (c *ControlPlane) answers(url string) func(context.Context) error {
	return func(ctx context.Context) error { return process.CheckHealth(ctx, url, c.ca.Pool()) }
}
