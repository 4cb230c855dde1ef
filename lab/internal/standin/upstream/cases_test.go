package upstream

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/lab/internal/standin/crd"
	"github.com/ovnguard/ovnguard/lab/internal/standin/ipam"
	"github.com/ovnguard/ovnguard/lab/internal/standin/nb"
)

// notPorts are the worked cases about ports of no pod, which Port does not make.
const notPorts = "system none"

// TestPortOfWorkedCases runs the rules with the addresses of each worked case and compares the row, without servers.
func TestPortOfWorkedCases(t *testing.T) {
	text, err := os.ReadFile("../testdata/cases.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Name, Phase string
		Pod         struct {
			Namespace, Name string
			Owner           *metav1.OwnerReference
		}
		Annotations map[string]string `json:"pod_annotations"`
		Provider    kubeovn.Provider
		Subnet, VPC string
		Resolved    struct{ IP, MAC, VIPs string } `json:"resolved_inputs"`
		PortName    string                         `json:"expected_lsp_name"`
		Addresses   []string                       `json:"expected_addresses"`
		Security    []string                       `json:"expected_port_security"`
		ExternalIDs map[string]string              `json:"expected_external_ids"`
		Resources   []struct {
			Name   string
			Spec   crd.VipSpec
			Status crd.VipStatus
		} `json:"custom_resources"`
	}
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	played := 0
	for _, c := range cases {
		if strings.Contains(notPorts, c.Phase) {
			continue
		}
		played++
		t.Run(c.Name, func(t *testing.T) {
			pod := &corev1.Pod{
				ObjectMeta: metav1.ObjectMeta{Namespace: c.Pod.Namespace, Name: c.Pod.Name, Annotations: c.Annotations},
			}
			if c.Pod.Owner != nil {
				pod.OwnerReferences = []metav1.OwnerReference{*c.Pod.Owner}
			}
			n := NIC{Provider: c.Provider}
			vip := func(name string) (*crd.Vip, bool) {
				for _, r := range c.Resources {
					if r.Name == name {
						return &crd.Vip{Spec: r.Spec, Status: r.Status}, true
					}
				}
				return nil, false
			}
			vips := VIPs(pod, n, c.Subnet, vip)
			if got := strings.Join(vips, ","); got != c.Resolved.VIPs {
				t.Errorf("VIPs %q, want %q", got, c.Resolved.VIPs)
			}
			row := Port(
				pod,
				Allocation{
					NIC:        n,
					Subnet:     subnet(c.Subnet, c.VPC),
					Lease:      lease(c.Resolved.IP, c.Resolved.MAC),
					VIPs:       vips,
					DefaultVPC: "ovn-cluster",
				},
			)
			if Forward(pod, n) {
				row.Addresses = append(row.Addresses, kubeovn.AddressUnknown)
			}
			if c.Phase == "update" {
				pod.Annotations = withAllocation(c.Annotations, c.Provider, c.Resolved.IP, c.Resolved.MAC)
				row = Secure(pod, n, vips, row)
			}
			compareRow(t, row, c.PortName, c.Addresses, c.Security)
			if diff := cmp.Diff(c.ExternalIDs, row.ExternalIDs); c.ExternalIDs != nil && diff != "" {
				t.Errorf("external_ids -want +got\n%s", diff)
			}
		})
	}
	if played < 36 {
		t.Errorf("%d cases were played, want at least 36", played)
	}
}

func compareRow(t *testing.T, row nb.LogicalSwitchPort, name string, addresses, security []string) {
	t.Helper()
	if row.Name != name {
		t.Errorf("name %q, want %q", row.Name, name)
	}
	if !slices.Equal(row.Addresses, addresses) {
		t.Errorf("addresses %q, want %q", row.Addresses, addresses)
	}
	if !slices.Equal(row.PortSecurity, security) {
		t.Errorf("port_security %q, want %q", row.PortSecurity, security)
	}
}

func subnet(name, vpc string) *crd.Subnet {
	return &crd.Subnet{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       crd.SubnetSpec{Vpc: vpc, CIDRBlock: "10.16.0.0/16", Gateway: "10.16.0.1"},
	}
}

func lease(addresses, mac string) ipam.Lease {
	l := ipam.Lease{MAC: mac}
	for _, a := range splitList(addresses) {
		if strings.Contains(a, ":") {
			l.V6 = a
		} else {
			l.V4 = a
		}
	}
	return l
}

// withAllocation returns the annotations of a pod after its allocation.
func withAllocation(given map[string]string, p kubeovn.Provider, addresses, mac string) map[string]string {
	all := map[string]string{
		p.Key(kubeovn.IPAddress):  addresses,
		p.Key(kubeovn.MACAddress): mac,
		p.Key(kubeovn.Allocated):  kubeovn.True,
	}
	maps.Copy(all, given)
	return all
}
