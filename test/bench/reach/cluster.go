package main

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/ovnguard/ovnguard/internal/acl"
	"github.com/ovnguard/ovnguard/internal/intent"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/persistent"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/test/bench/generated"
)

// Shape of the cluster: namespaces of a hundred pods, five workloads of twenty pods each, and seven teams of
// namespaces.
const (
	workloads = 5
	teams     = 7
	// Subnets have 4096 addresses each.
	subnetBits = 12
	// One port in oddEvery is open, and another one is granted a range.
	oddEvery = 100
)

// Priorities and the tier of ACLs, as Kube-OVN writes them.
const (
	denies, admits, policyTier = 2000, 2001, 2
)

// world is a cluster, and what makes it: the second opinion reads the objects.
type world struct {
	inv      *inventory.Inventory
	pods     []intent.Pod
	labels   map[string]map[string]string // of namespaces
	policies []*networkingv1.NetworkPolicy
	// uuids are those of the rows of pods.
	uuids []string
	acls  int
}

// newWorld makes a cluster of pods and policies, and what OVN has for them. In the worst case each port is open, and a
// policy in each namespace keeps all its pods from sending anything that another one does not admit.
func newWorld(pods, policies int, worst bool) *world {
	w := &world{inv: inventory.New(), labels: make(map[string]map[string]string)}
	w.inv.SetSetup(kubeovn.Setup{Router: "ovn-cluster"})
	for i := range pods {
		w.pod(i, worst)
	}
	rng := rand.New(rand.NewPCG(1, 0)) //nolint:gosec // it makes the same cluster each time
	for i := range policies {
		w.policy(i, rng)
	}
	if worst {
		for i := range len(w.labels) {
			w.denyEgress(i)
		}
	}
	w.inv.KnowGroups()
	w.inv.KnowACLs()
	return w
}

// pod enters a pod with its port.
func (w *world) pod(i int, worst bool) {
	o := generated.Generate(i)
	ns := generated.NamespaceOf(i/generated.PodsPerNamespace, "production")
	ns.Labels["team"] = strconv.Itoa(i / generated.PodsPerNamespace % teams)
	subnet := fmt.Sprintf("net-%d", i>>subnetBits)
	if _, known := w.labels[ns.Name]; !known {
		w.labels[ns.Name] = ns.Labels
		w.inv.SetNamespace(policy.Namespace{Name: ns.Name, UID: ns.Name, Labels: ns.Labels})
	}
	if i&(1<<subnetBits-1) == 0 {
		first := netip.AddrFrom4([4]byte{10, byte(16 + i>>16), byte(i >> 8), 0})
		w.inv.SetSubnet(inventory.Subnet{
			Name:  subnet,
			UID:   subnet,
			CIDRs: []netip.Prefix{netip.PrefixFrom(first, 32-subnetBits)},
			VPC:   "ovn-cluster",
		})
		w.inv.SetRouterPort(inventory.RouterPort{
			UUID: subnet, Name: "ovn-cluster-" + subnet, MAC: fmt.Sprintf("0a:ff:00:00:00:%02x", i>>subnetBits),
		})
	}
	o.Pod.Labels = map[string]string{
		"app": app(i % generated.PodsPerNamespace / (generated.PodsPerNamespace / workloads)),
	}
	o.Pod.Ports = []inventory.NamedPort{{Protocol: "TCP", Name: "http", Number: 8080}}
	o.Pod.Annotations[kubeovn.DefaultProvider.Key(kubeovn.LogicalSwitch)] = subnet
	o.Record.Subnet, o.Row.Switch, o.Row.ExternalIDs[kubeovn.ExternalIDSwitch] = subnet, subnet, subnet
	identity := o.Row.Addresses[0]
	switch {
	case worst, i%oddEvery == 7:
		o.Row.PortSecurity = nil
	case i%oddEvery == 57:
		o.Row.PortSecurity = []string{fmt.Sprintf("%s 10.16.%d.0/24", identity, i>>8)}
	default:
		o.Row.PortSecurity = []string{identity}
	}
	w.inv.SetPod(o.Pod)
	w.inv.SetRecord(o.Record)
	w.inv.SetRow(o.Row)
	p := intent.Pod{Namespace: o.Pod.Namespace, Name: o.Pod.Name, Labels: o.Pod.Labels}
	for _, ip := range o.Record.IPs {
		p.Addresses = append(p.Addresses, netip.MustParseAddr(ip))
	}
	w.pods, w.uuids = append(w.pods, p), append(w.uuids, o.Row.UUID)
}

func app(i int) string { return fmt.Sprintf("app-%d", i) }

// policy enters a policy for one workload. Its three rules admit a workload of its own namespace, one of the namespaces
// of a team, and a block of addresses outside the cluster, each on two ports.
func (w *world) policy(i int, rng *rand.Rand) {
	namespace := generated.NamespaceOf(i%len(w.labels), "").Name
	target, near, far := app(rng.IntN(workloads)), app(rng.IntN(workloads)), app(rng.IntN(workloads))
	team := strconv.Itoa(rng.IntN(teams))
	numbers := []int32{8080, int32(5000 + rng.IntN(10))}
	labelled := func(key, value string) *metav1.LabelSelector {
		return &metav1.LabelSelector{MatchLabels: map[string]string{key: value}}
	}
	o := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: fmt.Sprintf("np-%d", i)}}
	o.Spec.PodSelector = *labelled("app", target)
	var ports []networkingv1.NetworkPolicyPort
	for _, n := range numbers {
		ports = append(ports, networkingv1.NetworkPolicyPort{Port: new(intstr.FromInt32(n))})
	}
	for _, from := range []networkingv1.NetworkPolicyPeer{
		{PodSelector: labelled("app", near)},
		{NamespaceSelector: labelled("team", team), PodSelector: labelled("app", far)},
		{IPBlock: &networkingv1.IPBlock{CIDR: "192.168.0.0/16", Except: []string{"192.168.7.0/24"}}},
	} {
		o.Spec.Ingress = append(o.Spec.Ingress, networkingv1.NetworkPolicyIngressRule{
			From: []networkingv1.NetworkPolicyPeer{from}, Ports: ports,
		})
	}
	w.ask(o)
	w.realise(o, w.selected(func(p *intent.Pod) bool { return p.Namespace == namespace && p.Labels["app"] == target }),
		acl.ToPort, []set{
			{
				allow: w.addresses(
					func(p *intent.Pod) bool { return p.Namespace == namespace && p.Labels["app"] == near },
				),
			},
			{allow: w.addresses(func(p *intent.Pod) bool {
				return w.labels[p.Namespace]["team"] == team && p.Labels["app"] == far
			})},
			{allow: []string{"192.168.0.0/16"}, except: []string{"192.168.7.0/24"}},
		}, numbers)
}

// denyEgress enters a policy that keeps the pods of a namespace from sending.
func (w *world) denyEgress(i int) {
	namespace := generated.NamespaceOf(i, "").Name
	o := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "no-egress"}}
	o.Spec.PolicyTypes = []networkingv1.PolicyType{networkingv1.PolicyTypeEgress}
	w.ask(o)
	w.realise(o, w.selected(func(p *intent.Pod) bool { return p.Namespace == namespace }), acl.FromPort, nil, nil)
}

func (w *world) ask(o *networkingv1.NetworkPolicy) {
	w.policies = append(w.policies, o)
	w.inv.SetNetworkPolicy(
		inventory.NetworkPolicyKey{Kind: inventory.NetworkPolicies, Namespace: o.Namespace, Name: o.Name}, o,
	)
}

// selected returns the pods that are meant, as indexes.
func (w *world) selected(meant func(*intent.Pod) bool) (found []int) {
	for i := range w.pods {
		if meant(&w.pods[i]) {
			found = append(found, i)
		}
	}
	return found
}

// port returns the name of a pod's port.
func (w *world) port(i int) string {
	return kubeovn.PortName(w.pods[i].Name, w.pods[i].Namespace, kubeovn.DefaultProvider)
}

// addresses returns the addresses of the pods that are meant.
func (w *world) addresses(meant func(*intent.Pod) bool) (found []string) {
	for _, i := range w.selected(meant) {
		for _, a := range w.pods[i].Addresses {
			found = append(found, a.String())
		}
	}
	return found
}

// set is the sources that a rule admits.
type set struct{ allow, except []string }

// realise enters the port group, address sets and ACLs of a policy, as Kube-OVN writes them: for each family one ACL
// that drops, and those that admit by an address set for each rule and port.
func (w *world) realise(o *networkingv1.NetworkPolicy, targets []int, d acl.Direction, sets []set, ports []int32) {
	name := strings.ReplaceAll(o.Name+"."+o.Namespace, "-", ".")
	group := inventory.PortGroup{
		UUID:        name,
		Name:        name,
		ExternalIDs: map[string]string{"np": o.Namespace + "/" + o.Name, "vendor": kubeovn.Vendor},
	}
	edit := new(persistent.Edit)
	for _, i := range targets {
		group.Ports.Add(edit, w.uuids[i])
	}
	add := func(priority int, action acl.Action, match string) {
		w.acls++
		a := &acl.ACL{
			UUID: fmt.Sprintf("acl-%d", w.acls), Direction: d, Tier: policyTier, Priority: priority, Action: action,
			Match: match, AfterLB: d == acl.FromPort,
		}
		w.inv.SetACL(a)
		group.ACLs = append(group.ACLs, a.UUID)
	}
	end, source := "outport", "src"
	if d == acl.FromPort {
		end, source = "inport", "dst"
	}
	add(denies, acl.Drop, fmt.Sprintf("%s == @%s && ip", end, name))
	for _, family := range []string{"ip4", "ip6"} {
		for n, s := range sets {
			for what, members := range map[string][]string{"allow": s.allow, "except": s.except} {
				set := fmt.Sprintf("%s.%s.%d.%s", name, family, n, what)
				w.inv.SetAddressSet(&inventory.AddressSet{UUID: set, Name: set, Addresses: slices.DeleteFunc(
					slices.Clone(members), func(m string) bool { return strings.Contains(m, ":") != (family == "ip6") },
				)})
			}
			for _, port := range ports {
				add(admits, acl.AllowRelated, fmt.Sprintf(
					"%[1]s == @%[2]s && ip && %[3]s.%[4]s == $%[2]s.%[3]s.%[5]d.allow && %[3]s.%[4]s != $%[2]s.%[3]s.%[5]d.except && "+
						"tcp.dst == %[6]d",
					end,
					name,
					family,
					source,
					n,
					port,
				))
			}
		}
	}
	w.inv.SetPortGroup(&group)
}
