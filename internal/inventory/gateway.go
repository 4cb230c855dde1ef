package inventory

import (
	"cmp"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// Gateway is a VpcNatGateway or a VpcEgressGateway, as far as it matters to the ports of its pods.
type Gateway struct {
	Object policy.Owner
	// Namespace is where its pods are; empty for a VpcNatGateway that leaves that to Kube-OVN's own namespace.
	Namespace string
	// Workload is the name of its Deployment; empty for a VpcNatGateway, whose workload kubeovn.OfNATGateway tells.
	Workload string
	// Made is when it was made. No workload of it is older.
	Made time.Time
	// Prefixes and Subnets are whose packets leave through it with the addresses that they have; Any means that these
	// may be any.
	Prefixes []netip.Prefix
	Subnets  []string
	Any      bool
}

// gatewayKey names a Gateway. A VpcNatGateway is of no namespace, wherever its pods are.
type gatewayKey struct{ kind, namespace, name string }

func (g *Gateway) key() gatewayKey {
	if g.Object.Kind == kubeovn.KindNATGateway {
		return gatewayKey{g.Object.Kind, "", g.Object.Name}
	}
	return gatewayKey{g.Object.Kind, g.Namespace, g.Object.Name}
}

// SetGateway adds or replaces a gateway and returns the names of the ports of its pods.
func (inv *Inventory) SetGateway(g Gateway) []string {
	before := inv.gateways.Get(g.key())
	if before != nil && reflect.DeepEqual(*before, g) {
		return nil
	}
	inv.owners.gateways.Set(inv.edit, g.key(), &g)
	touched := inv.portsThrough(inv.homeOf(&g), g.Object.UID)
	if before == nil {
		return touched
	}
	return union(touched, inv.portsThrough(inv.homeOf(before), before.Object.UID))
}

// DeleteGateway takes the gateway out, where it is still the one with that UID, and returns the names of the same
// ports.
func (inv *Inventory) DeleteGateway(g Gateway) []string {
	before := inv.gateways.Get(g.key())
	if before == nil || before.Object.UID != g.Object.UID {
		return nil
	}
	touched := inv.portsThrough(inv.homeOf(before), before.Object.UID)
	inv.owners.gateways.Delete(inv.edit, g.key())
	return touched
}

// homeOf returns the namespace of the gateway's pods.
func (ow *owners) homeOf(g *Gateway) string { return cmp.Or(g.Namespace, ow.home) }

// portsThrough returns the names of the ports of a namespace's pods that are, or seem to be, owned by the object with
// that UID in some step.
func (inv *Inventory) portsThrough(namespace, uid string) (names []string) {
	for p := range inv.podsIn(namespace) {
		owned := slices.ContainsFunc(inv.Owners(p.Controller), func(o policy.Owner) bool { return o.UID == uid })
		if owned || namespace == inv.home && p.Annotations[kubeovn.NATGateway] != "" {
			inv.affectMeant(p)
			names = append(names, inv.pods.ports[p.PodKey]...)
		}
	}
	return distinct(names)
}

// portsThroughSubnet returns the names of the ports of gateways through which packets from the subnet leave.
func (inv *Inventory) portsThroughSubnet(subnet string) (names []string) {
	for g := range inv.gateways.Values() {
		if slices.Contains(g.Subnets, subnet) {
			names = append(names, inv.portsThrough(inv.homeOf(g), g.Object.UID)...)
		}
	}
	return distinct(names)
}

// GatewayIn reports whether some gateway has its pods in the namespace.
func (ow *owners) GatewayIn(namespace string) bool {
	for g := range ow.gateways.Values() {
		if ow.homeOf(g) == namespace {
			return true
		}
	}
	return false
}

// Forwarder is what proves to be a pod that forwards for others.
type Forwarder struct {
	// Kind is kubeovn.KindNATGateway, kubeovn.KindEgressGateway, or empty for the load balancer of a VPC.
	Kind string
	// Title names the gateway for people, as in "VpcNatGateway east".
	Title string
	// Gateway is the object; nil where it is not known. A pod in Kube-OVN's own namespace proves itself without.
	Gateway *Gateway
	// Trusted means that the pod is in Kube-OVN's own namespace, so that administrators made the gateway and chose its
	// image.
	Trusted bool
}

// forwarderOf returns what the pod proves to forward as; nil where it does not. owners is its chain of owners as Owners
// gives it, and what comes back is that chain with the gateway in the end where the pod is proved to be of it, and
// nowhere else.
//
// Elsewhere than in Kube-OVN's own namespace nothing but the chain counts: the pod's controller, that one's Deployment,
// and the gateway, each with its UID, in the pod's namespace, and not made before the gateway. The Deployment has the
// one name that Kube-OVN gives it, so that no other one passes for it by writing the reference that Kube-OVN writes
// (SetOwnerReference, which names no controller).
func (ow *owners) forwarderOf(p *Pod, owners []policy.Owner) (*Forwarder, []policy.Owner) {
	trusted := p.Namespace == ow.home
	if last := len(owners) - 1; last >= 0 && kubeovn.IsGateway(owners[last].APIVersion, owners[last].Kind) {
		if g := ow.proved(p, owners); g != nil {
			return &Forwarder{Kind: g.Object.Kind, Title: g.title(), Gateway: g, Trusted: trusted}, owners
		}
		owners = slices.Clip(owners[:last])
	}
	if !trusted || p.Controller == nil || !strings.HasPrefix(p.Controller.APIVersion, "apps/") {
		return nil, owners
	}
	if name := p.Annotations[kubeovn.NATGateway]; name != "" && p.Labels[kubeovn.NATGatewayLabel] == kubeovn.True {
		app := p.Labels[kubeovn.AppLabel]
		if !kubeovn.OfNATGateway(app, name) ||
			p.Controller.Name != app && !strings.HasPrefix(p.Controller.Name, app+"-") {
			return nil, owners
		}
		f := &Forwarder{Kind: kubeovn.KindNATGateway, Title: kubeovn.KindNATGateway + " " + name, Trusted: true}
		g := ow.gateways.Get(gatewayKey{kubeovn.KindNATGateway, "", name})
		if g != nil && ow.homeOf(g) == p.Namespace {
			f.Gateway = g
			owners = append(slices.Clip(owners), g.Object) // up to 1.16, Kube-OVN writes no reference
		}
		return f, owners
	}
	name := p.Labels[kubeovn.EgressGatewayLabel]
	if name != "" && p.Labels[kubeovn.AppLabel] == kubeovn.EgressGatewayApp {
		// Its pods are made before anybody has heard of the workload, which a pod elsewhere has to wait for.
		g := &Gateway{Object: policy.Owner{Kind: kubeovn.KindEgressGateway, Name: name}, Namespace: p.Namespace}
		f := &Forwarder{Kind: kubeovn.KindEgressGateway, Title: g.title(), Trusted: true}
		if f.Gateway = ow.gateways.Get(g.key()); f.Gateway != nil {
			owners = append(slices.Clip(owners), f.Gateway.Object)
		}
		return f, owners
	}
	if p.Labels[kubeovn.LoadBalancerLabel] == kubeovn.True {
		return &Forwarder{Title: "the load balancer " + p.Labels[kubeovn.AppLabel], Trusted: true}, owners
	}
	return nil, owners
}

// proved returns the gateway in the end of the chain where all of it is as Kube-OVN makes it; nil otherwise.
func (ow *owners) proved(p *Pod, chain []policy.Owner) *Gateway {
	last := len(chain) - 1
	object := chain[last]
	key := gatewayKey{object.Kind, "", object.Name}
	if object.Kind == kubeovn.KindEgressGateway {
		key.namespace = p.Namespace
	}
	g := ow.gateways.Get(key)
	if g == nil || g.Object != object || ow.homeOf(g) != p.Namespace || last == 0 {
		return nil
	}
	for _, o := range chain[:last] {
		known, ok := ow.workloads.Find(o.UID)
		if !ok || known.object != o || known.namespace != p.Namespace || known.made.IsZero() ||
			known.made.Before(g.Made) {
			return nil
		}
	}
	workload := chain[last-1]
	switch {
	case workload.APIVersion != "apps/v1":
	case workload.Kind != "Deployment" && (workload.Kind != "StatefulSet" || g.Workload != ""):
	case g.Workload != "" && workload.Name == g.Workload,
		g.Workload == "" && kubeovn.OfNATGateway(workload.Name, g.Object.Name):
		return g
	}
	return nil
}

func (g *Gateway) title() string {
	if g.Object.Kind == kubeovn.KindNATGateway {
		return g.Object.Kind + " " + g.Object.Name
	}
	return g.Object.Kind + " " + g.Namespace + "/" + g.Object.Name
}
