package controlplane

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/ovnguard/ovnguard/lab/internal/pki"
	"github.com/ovnguard/ovnguard/lab/internal/state"
)

// NodeAddress is the address, on every node with a kubelet, where the lab's servers are reached from that node and its
// pods: kube-apiserver at NodeAPIPort, and OVN's Northbound database at NodeNorthboundPort.
const (
	NodeAddress        = "172.31.254.1"
	NodeAPIPort        = 6443
	NodeNorthboundPort = 6641
)

// ClusterDNS is the address that pods on nodes with a kubelet ask for names; nothing answers there.
const ClusterDNS = "10.96.0.10"

// Files in Dir.PKI for kube-apiserver's calls of kubelets, and of what is on the nodes.
const (
	kubeletClient = "kubelet-client"
	egressConfig  = "egress.yaml"
)

// writeForKubelets writes kube-apiserver's client certificate for kubelets, and the configuration by which it reaches
// them.
func writeForKubelets(dir state.Dir, ca *pki.Authority, now time.Time) error {
	client, err := ca.Client("kube-apiserver-kubelet-client", []string{mastersGroup}, now)
	if err != nil {
		return fmt.Errorf("control plane: %w", err)
	}
	if err := client.Write(dir.PKI(), kubeletClient); err != nil {
		return fmt.Errorf("control plane: %w", err)
	}
	// Webhooks by URL are not of the cluster: they are called directly.
	text := fmt.Sprintf(`apiVersion: apiserver.k8s.io/v1beta1
kind: EgressSelectorConfiguration
egressSelections:
- name: cluster
  connection:
    proxyProtocol: HTTPConnect
    transport: {uds: {udsName: %q}}
`, dir.Egress())
	return state.WriteFile(filepath.Join(dir.PKI(), egressConfig), []byte(text), 0o600)
}

// kubeletFlags returns kube-apiserver's flags for kubelets.
func (c *ControlPlane) kubeletFlags() []string {
	if !c.config.Kubelets {
		return nil
	}
	file := func(name string) string { return filepath.Join(c.config.Dir.PKI(), name) }
	return []string{
		"--egress-selector-config-file=" + file(egressConfig),
		"--kubelet-client-certificate=" + file(kubeletClient+".crt"),
		"--kubelet-client-key=" + file(kubeletClient+".key"),
		"--kubelet-certificate-authority=" + file(Authority+".crt"),
		"--kubelet-preferred-address-types=" + string(corev1.NodeInternalIP),
	}
}

// APIServerAddress returns where kube-apiserver listens.
func (c *ControlPlane) APIServerAddress() string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(c.ports.APIServer))
}

// KubeletFiles are files for the programs on a node with a kubelet.
type KubeletFiles struct {
	// Kubeconfig and ProxyKubeconfig are those of kubelet and kube-proxy.
	Kubeconfig, ProxyKubeconfig string
	// Authority is the file of the authority that kubelet believes; Certificate and Key are its own.
	Authority, Certificate, Key string
}

// WriteKubelet writes the files for a node with a kubelet at an address. Kubelet has the user and the rights of a real
// one.
func (c *ControlPlane) WriteKubelet(node, ip string) (KubeletFiles, error) {
	pkiFile := func(name string) string { return filepath.Join(c.config.Dir.PKI(), name) }
	pair := node + "-kubelet"
	files := KubeletFiles{
		Kubeconfig: c.config.Dir.Kubeconfig(pair), ProxyKubeconfig: c.config.Dir.Kubeconfig("kube-proxy"),
		Authority: pkiFile(Authority + ".crt"), Certificate: pkiFile(pair + ".crt"), Key: pkiFile(pair + ".key"),
	}
	server, err := c.ca.Server(node, []string{ip, node}, time.Now())
	if err == nil {
		err = server.Write(c.config.Dir.PKI(), pair)
	}
	if err != nil {
		return files, fmt.Errorf("certificate of kubelet on %s: %w", node, err)
	}
	url := "https://" + net.JoinHostPort(NodeAddress, strconv.Itoa(NodeAPIPort))
	for path, user := range map[string]string{
		files.Kubeconfig: "system:node:" + node, files.ProxyKubeconfig: "system:kube-proxy",
	} {
		var groups []string
		if path == files.Kubeconfig {
			groups = []string{nodesGroup}
		}
		data, err := newKubeconfig(c.ca, url, user, groups, time.Now())
		if err == nil {
			err = state.WriteFile(path, data, 0o600)
		}
		if err != nil {
			return files, fmt.Errorf("kubeconfig for %s: %w", node, err)
		}
	}
	return files, nil
}

// PublishAPIServer makes the Service kubernetes lead to kube-apiserver by way of NodeAddress.
func PublishAPIServer(ctx context.Context, client kubernetes.Interface) error {
	ready, name, protocol, port := true, "https", corev1.ProtocolTCP, int32(NodeAPIPort)
	_, err := client.DiscoveryV1().EndpointSlices(metav1.NamespaceDefault).Create(ctx, &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Name: "kubernetes", Labels: map[string]string{discoveryv1.LabelServiceName: "kubernetes"},
		},
		AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints: []discoveryv1.Endpoint{{
			Addresses: []string{NodeAddress}, Conditions: discoveryv1.EndpointConditions{Ready: &ready},
		}},
		Ports: []discoveryv1.EndpointPort{{Name: &name, Protocol: &protocol, Port: &port}},
	}, metav1.CreateOptions{})
	if err := unlessExists(err); err != nil {
		return fmt.Errorf("control plane: publish kube-apiserver to pods: %w", err)
	}
	return nil
}
