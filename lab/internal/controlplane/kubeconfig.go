package controlplane

import (
	"fmt"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/ovnguard/ovnguard/lab/internal/pki"
	"github.com/ovnguard/ovnguard/lab/internal/state"
)

// contextName is the name of cluster and context in every kubeconfig of the lab.
const contextName = "ovnguard-lab"

// KubeconfigFor returns a kubeconfig for a lab that may run in another process: it signs with the authority in the
// state directory.
func KubeconfigFor(dir state.Dir, url, user string, groups []string) ([]byte, error) {
	ca, err := pki.LoadAuthority(dir.PKI(), Authority)
	if err != nil {
		return nil, err
	}
	return newKubeconfig(ca, url, user, groups, time.Now())
}

func newKubeconfig(ca *pki.Authority, url, user string, groups []string, now time.Time) ([]byte, error) {
	client, err := ca.Client(user, groups, now)
	if err != nil {
		return nil, err
	}
	config := api.NewConfig()
	config.Clusters[contextName] = &api.Cluster{Server: url, CertificateAuthorityData: ca.CertPEM()}
	config.AuthInfos[user] = &api.AuthInfo{ClientCertificateData: client.Cert, ClientKeyData: client.Key}
	config.Contexts[contextName] = &api.Context{Cluster: contextName, AuthInfo: user}
	config.CurrentContext = contextName
	data, err := clientcmd.Write(*config)
	if err != nil {
		return nil, fmt.Errorf("write kubeconfig for %q: %w", user, err)
	}
	return data, nil
}
