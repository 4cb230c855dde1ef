package reach

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/yaml"

	"github.com/ovnguard/ovnguard/internal/acl"
	"github.com/ovnguard/ovnguard/internal/intent"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/persistent"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/portsec"
)

// world is a cluster that a test makes.
type world struct {
	tb       testing.TB
	inv      *inventory.Inventory
	policies intent.Objects
	made     int
	ips      map[string]netip.Addr // by port
}

func newWorld(tb testing.TB) *world {
	tb.Helper()
	w := &world{tb: tb, inv: inventory.New(), ips: make(map[string]netip.Addr)}
	w.inv.SetSetup(kubeovn.Setup{Router: "ovn-cluster"})
	w.subnet("ovn-default", "10.16.0.0/16", "ovn-cluster")
	return w
}

func (w *world) subnet(name, cidr, vpc string) {
	p := netip.MustParsePrefix(cidr)
	w.inv.SetSubnet(inventory.Subnet{Name: name, UID: name, CIDRs: []netip.Prefix{p}, VPC: vpc})
}

// columns of a port.
const (
	strict = "strict"
	open   = "open"
)

// pod makes a pod with a port on a subnet. column is strict, open, or what the port has besides its identity.
func (w *world) pod(namespace, name, labels, ip, column string) string {
	return w.podOn("ovn-default", namespace, name, labels, ip, column)
}

func (w *world) podOn(subnet, namespace, name, labels, ip, column string) string {
	w.made++
	mac := fmt.Sprintf("0a:00:00:00:%02x:%02x", w.made>>8, w.made&0xff)
	port := kubeovn.PortName(name, namespace, kubeovn.DefaultProvider)
	set := make(map[string]string)
	for l := range strings.FieldsSeq(labels) {
		key, value, _ := strings.Cut(l, "=")
		set[key] = value
	}
	w.inv.SetNamespace(policy.Namespace{Name: namespace, UID: namespace, Labels: map[string]string{
		namespaceLabel: namespace, "team": namespace,
	}})
	w.inv.SetPod(&inventory.Pod{
		PodKey: inventory.PodKey{Namespace: namespace, Name: name}, UID: namespace + name, Owner: name, Labels: set,
	})
	w.inv.SetRecord(&inventory.Record{Name: port, MAC: mac, IPs: []string{ip}, Subnet: subnet})
	identity := mac + " " + ip
	row := &inventory.Row{
		UUID: "uuid-" + port, Name: port, Switch: subnet, Addresses: []string{identity},
		ExternalIDs: map[string]string{
			kubeovn.ExternalIDVendor: kubeovn.Vendor, kubeovn.ExternalIDPod: namespace + "/" + name,
		},
	}
	switch column {
	case open:
	case strict:
		row.PortSecurity = []string{identity}
	default:
		row.PortSecurity = []string{identity + " " + column}
	}
	w.inv.SetRow(row)
	w.ips[port] = netip.MustParseAddr(ip)
	return port
}

// policy adds a NetworkPolicy.
func (w *world) policy(text string) {
	var p networkingv1.NetworkPolicy
	if err := yaml.UnmarshalStrict([]byte(text), &p); err != nil {
		w.tb.Fatalf("%s\n%v", text, err)
	}
	w.policies.NetworkPolicies = append(w.policies.NetworkPolicies, &p)
}

// group makes the port group of a NetworkPolicy, and returns a function that adds an ACL to it.
func (w *world) group(
	namespace, name string,
	ports ...string,
) func(direction acl.Direction, priority int, action acl.Action, match string) {
	return w.groupOf(
		map[string]string{"np": namespace + "/" + name, "vendor": kubeovn.Vendor},
		name+"."+namespace,
		ports,
	)
}

func (w *world) groupOf(
	ids map[string]string, name string, ports []string,
) func(direction acl.Direction, priority int, action acl.Action, match string) {
	g := inventory.PortGroup{UUID: "group-" + name, Name: strings.ReplaceAll(name, "-", "."), ExternalIDs: ids}
	edit := new(persistent.Edit)
	for _, p := range ports {
		g.Ports.Add(edit, "uuid-"+p)
	}
	put := func() { copied := g; copied.ACLs = slices.Clone(g.ACLs); w.inv.SetPortGroup(&copied) }
	put()
	return func(direction acl.Direction, priority int, action acl.Action, match string) {
		a := &acl.ACL{
			UUID: fmt.Sprintf("acl-%s-%d", name, len(g.ACLs)), Direction: direction, Tier: 2, Priority: priority,
			Action: action, Match: strings.ReplaceAll(match, "@", "@"+g.Name),
			AfterLB: direction == acl.FromPort,
		}
		w.inv.SetACL(a)
		g.ACLs = append(g.ACLs, a.UUID)
		put()
	}
}

// set makes an address set.
func (w *world) set(name string, addresses ...string) {
	w.inv.SetAddressSet(&inventory.AddressSet{UUID: "set-" + name, Name: name, Addresses: addresses})
}

// known says that ACLs are read.
func (w *world) known() { w.inv.KnowGroups(); w.inv.KnowACLs() }

func (w *world) cluster() *Cluster {
	return New(Input{
		State: w.inv.Snapshot(), Eras: []portsec.Era{portsec.E3}, Policies: w.policies, Now: time.Unix(1e9, 0),
	})
}

// shop makes the cluster of the documents: a database that admits web, and mallory.
func shop(tb testing.TB, mallory string) *world {
	tb.Helper()
	w := newWorld(tb)
	db := w.pod("shop", "db", "app=db", "10.16.0.9", strict)
	w.pod("shop", "web", "app=web", "10.16.0.7", strict)
	w.pod("dev", "mallory", "app=mallory", "10.16.0.66", mallory)
	w.policy(allowWeb)
	add := w.group("shop", "allow-web", db)
	w.set("web", "10.16.0.7")
	add(acl.ToPort, 2001, acl.AllowRelated, "outport == @ && ip && ip4.src == $web && tcp.dst == 5432")
	add(acl.ToPort, 2000, acl.Drop, "outport == @ && ip")
	w.known()
	return w
}

const allowWeb = `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {namespace: shop, name: allow-web}
spec:
  podSelector: {matchLabels: {app: db}}
  ingress:
  - from: [{podSelector: {matchLabels: {app: web}}}]
    ports: [{protocol: TCP, port: 5432}]
`
