package plan

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/ovnguard/ovnguard/internal/admission"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/internal/preview"
	"github.com/ovnguard/ovnguard/portsec"
)

var now = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)

var eras = portsec.Eras()

// Keys of the tests.
const (
	secure  = "ovn.kubernetes.io/port_security"
	forward = "ovn.kubernetes.io/layer2_forward"
	vips    = "ovn.kubernetes.io/port_vips"
	eip     = "ovn.kubernetes.io/eip"
)

// town returns a cluster with the namespaces "t" and "u".
func town() *inventory.Inventory {
	inv := inventory.New()
	for _, ns := range []string{"t", "u"} {
		inv.SetNamespace(policy.Namespace{Name: ns, Labels: map[string]string{"name": ns}})
	}
	inv.SetSubnet(inventory.Subnet{Name: "ovn-default", CIDRs: []netip.Prefix{netip.MustParsePrefix("10.16.0.0/16")}})
	inv.SetOVN(portsec.OVN{})
	return inv
}

// identity returns the n-th identity, as Kube-OVN writes it into a row.
func identity(n int) (mac, ip, text string) {
	mac, ip = fmt.Sprintf("0a:00:00:00:00:%02x", n), fmt.Sprintf("10.16.0.%d", n)
	return mac, ip, mac + " " + ip
}

// runs enters a pod with a port whose row has these columns. wishes are its annotations, key, value, key, value.
func runs(
	inv *inventory.Inventory,
	namespace string,
	n int,
	portSecurity []string,
	unknown bool,
	wishes ...string,
) string {
	mac, ip, text := identity(n)
	name := fmt.Sprintf("p%d", n)
	p := &inventory.Pod{
		PodKey: inventory.PodKey{Namespace: namespace, Name: name}, UID: "uid-" + name, Owner: name,
		Labels: map[string]string{"app": "web"},
		Annotations: map[string]string{
			kubeovn.DefaultProvider.Key(kubeovn.Allocated):     kubeovn.True,
			kubeovn.DefaultProvider.Key(kubeovn.MACAddress):    mac,
			kubeovn.DefaultProvider.Key(kubeovn.IPAddress):     ip,
			kubeovn.DefaultProvider.Key(kubeovn.LogicalSwitch): "ovn-default",
		},
	}
	for i := 0; i < len(wishes); i += 2 {
		p.Annotations[wishes[i]] = wishes[i+1]
	}
	port := kubeovn.PortName(name, namespace, kubeovn.DefaultProvider)
	inv.SetPod(p)
	inv.SetRecord(&inventory.Record{
		Name: port, MAC: mac, IPs: []string{ip}, Subnet: "ovn-default",
		Of: inventory.PodKey{Namespace: namespace, Name: name},
	})
	row := &inventory.Row{
		UUID: "row-" + name, Name: port, Switch: "ovn-default", Addresses: []string{text}, PortSecurity: portSecurity,
		ExternalIDs: map[string]string{
			kubeovn.ExternalIDVendor: kubeovn.Vendor, kubeovn.ExternalIDPod: namespace + "/" + name,
			kubeovn.ExternalIDSwitch: "ovn-default",
		},
	}
	if unknown {
		row.Addresses = append(row.Addresses, kubeovn.AddressUnknown)
	}
	inv.SetRow(row)
	return port
}

// over returns a policy for namespace "t" that enforces and repairs, changed.
func over(name string, change ...func(*policy.Policy)) policy.Policy {
	p := policy.Policy{
		Name: name, Repair: policy.RepairOn, ExceptionsIn: []string{"t"},
		Namespaces: func(labels map[string]string) bool { return labels["name"] == "t" },
		Limits: policy.Limits{
			Pairs: 8, Prefix4: 8, Prefix6: 8, Lifetime: 1000 * time.Hour, Level: policy.MAC,
		},
	}
	for _, c := range change {
		c(&p)
	}
	return p
}

// grant returns an exception for all pods of namespace "t" that grants a prefix.
func grant(name, prefix string) policy.Exception {
	return policy.Exception{
		Namespace: "t", Name: name, Pods: func(map[string]string) bool { return true },
		Asked: now.Add(-time.Hour), Expires: now.Add(time.Hour), Level: policy.Extended,
		Pairs:      []portsec.AddressPair{{Prefix: netip.MustParsePrefix(prefix)}},
		SharedWith: []string{""},
	}
}

// sideOf returns the inventory as one side of a question.
func sideOf(inv *inventory.Inventory) Side {
	return Side{Cluster: &preview.Cluster{
		Inventory: inv.Snapshot(), Accounts: admission.DefaultAccounts(), LeftOut: "ovnguard-system", Now: now,
	}}
}

// planned returns what a change of the inventory would do.
func planned(inv *inventory.Inventory, change func(), about ...inventory.PodKey) Result {
	q := Question{Before: sideOf(inv), Eras: eras, Exceptions: about}
	change()
	q.After = sideOf(inv)
	return Compare(q)
}

// portNamed returns the change of a port; nil where it does not change.
func (r *Result) portNamed(name string) *Port {
	for i := range r.Workloads {
		for j := range r.Workloads[i].Ports {
			if p := &r.Workloads[i].Ports[j]; p.Name == name {
				return p
			}
		}
	}
	return nil
}
