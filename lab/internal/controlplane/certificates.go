package controlplane

import (
	"fmt"
	"time"

	"github.com/ovnguard/ovnguard/lab/internal/pki"
)

// makeCertificates makes the certificates of the three servers in dir: authorities and the service account key once,
// leaf certificates at every start.
func makeCertificates(dir string, now time.Time) (*pki.Authority, error) {
	ca, err := pki.EnsureAuthority(dir, Authority, now)
	if err != nil {
		return nil, fmt.Errorf("control plane: %w", err)
	}
	front, err := pki.EnsureAuthority(dir, frontAuthority, now)
	if err != nil {
		return nil, fmt.Errorf("control plane: %w", err)
	}
	if err := pki.EnsureKey(dir, serviceAccounts); err != nil {
		return nil, fmt.Errorf("control plane: %w", err)
	}
	server, err := ca.Server("ovnguard-lab", []string{
		"127.0.0.1", "localhost", firstServiceIP, NodeAddress,
		"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local",
	}, now)
	if err != nil {
		return nil, fmt.Errorf("control plane: %w", err)
	}
	if err := server.Write(dir, serverPair); err != nil {
		return nil, fmt.Errorf("control plane: %w", err)
	}
	client, err := front.Client(frontClient, nil, now)
	if err != nil {
		return nil, fmt.Errorf("control plane: %w", err)
	}
	if err := client.Write(dir, frontClient); err != nil {
		return nil, fmt.Errorf("control plane: %w", err)
	}
	return ca, writeAdmission(dir, ca, now)
}
