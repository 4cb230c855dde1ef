package controlplane

import (
	"fmt"

	"github.com/ovnguard/ovnguard/lab/internal/state"
)

const mastersGroup = "system:masters"

// Identities of the lab, by the names of their kubeconfigs.
const (
	// AdminIdentity may do everything.
	AdminIdentity = "admin"
	// TenantIdentity is a plain user: ClusterRole edit in TenantNamespace,
	// nothing elsewhere.
	TenantIdentity = "tenant"
	// KubeOVNIdentity is Kube-OVN's controller under the name that it has in a
	// real cluster of that layout, so that rules about it can be tried.
	KubeOVNIdentity = "kube-ovn"
)

// TenantNamespace is where the tenant may work.
const TenantNamespace = "tenant"

const (
	tenantUser = "tenant"
	// nodesGroup makes the Node authorizer take a user system:node:NAME for the
	// node NAME; labNodesGroup is bound to what Kube-OVN's daemon may do on top.
	nodesGroup    = "system:nodes"
	labNodesGroup = "ovnguard-lab:nodes"
)

// WriteIdentities writes the kubeconfigs of admin, tenant and Kube-OVN's
// controller and returns their paths by name.
func (c *ControlPlane) WriteIdentities() (map[string]string, error) {
	paths := map[string]string{}
	for _, identity := range []struct {
		name, user string
		groups     []string
	}{
		{AdminIdentity, "admin", []string{mastersGroup}},
		{TenantIdentity, tenantUser, nil},
		{KubeOVNIdentity, c.config.KubeOVN.User(), []string{
			"system:serviceaccounts", "system:serviceaccounts:" + c.config.KubeOVN.Completed().Namespace,
		}},
	} {
		path, err := c.WriteKubeconfig(identity.name, identity.user, identity.groups...)
		if err != nil {
			return nil, err
		}
		paths[identity.name] = path
	}
	return paths, nil
}

// WriteNodeKubeconfig writes the kubeconfig of a node and returns its path. A
// node is what it is in a real cluster, the user system:node:NAME in
// system:nodes, so that the Node authorizer keeps it to its own pods' status;
// and because the lab's node agent does the work of Kube-OVN's daemon as well,
// a second group adds what that one may do.
func (c *ControlPlane) WriteNodeKubeconfig(node string) (string, error) {
	return c.WriteKubeconfig(node, "system:node:"+node, nodesGroup, labNodesGroup)
}

// WriteKubeconfig stores a kubeconfig with a fresh certificate under a name
// and returns its path.
func (c *ControlPlane) WriteKubeconfig(name, user string, groups ...string) (string, error) {
	data, err := c.Kubeconfig(user, groups...)
	if err != nil {
		return "", fmt.Errorf("kubeconfig %s: %w", name, err)
	}
	path := c.config.Dir.Kubeconfig(name)
	return path, state.WriteFile(path, data, 0o600)
}
