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
	// KubeOVNIdentity is Kube-OVN's controller, under the user name that it has in a real cluster of that layout, so that
	// rules about it can be tested.
	KubeOVNIdentity = "kube-ovn"
)

// TenantNamespace is the namespace in which the tenant may work.
const TenantNamespace = "tenant"

const (
	tenantUser = "tenant"
	// nodesGroup makes the Node authorizer treat a user system:node:NAME as the node NAME; labNodesGroup is bound to the
	// additional rights of Kube-OVN's daemon.
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

// WriteNodeKubeconfig writes the kubeconfig of a node and returns its path. A node has the same user as in a real
// cluster, system:node:NAME in system:nodes, so that the Node authorizer restricts it to the status of its own pods; a
// second group adds the rights of Kube-OVN's daemon, because the lab's node agent does that work as well.
func (c *ControlPlane) WriteNodeKubeconfig(node string) (string, error) {
	return c.WriteKubeconfig(node, "system:node:"+node, nodesGroup, labNodesGroup)
}

// WriteKubeconfig writes a kubeconfig with a new certificate under a name and returns its path.
func (c *ControlPlane) WriteKubeconfig(name, user string, groups ...string) (string, error) {
	data, err := c.Kubeconfig(user, groups...)
	if err != nil {
		return "", fmt.Errorf("kubeconfig %s: %w", name, err)
	}
	path := c.config.Dir.Kubeconfig(name)
	return path, state.WriteFile(path, data, 0o600)
}
