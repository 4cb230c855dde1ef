package governance

import (
	"cmp"
	"context"
	"net/netip"
	"slices"

	admissionv1 "k8s.io/api/admission/v1"
	authorizationv1 "k8s.io/api/authorization/v1"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// Vip judges Kube-OVN's Vip resources, which grant their addresses to pods of the namespace that they name.
func (g *Guard) Vip(ctx context.Context, req *admissionv1.AdmissionRequest) (Answer, error) {
	if err := of(req, "kubeovn.io", "vips", []string{"status"}, admissionv1.Create, admissionv1.Update); err != nil {
		return Answer{}, err
	}
	if g.kubeOVN(req) {
		return Answer{}, nil
	}
	object, old, err := decode[vip](req)
	if err != nil {
		return Answer{}, err
	}
	var a Answer
	if old != nil && old.Spec == object.Spec && old.Status == object.Status {
		return a, nil
	}
	name := cmp.Or(object.Metadata.Name, req.Name)
	if old == nil {
		if err := g.portName(&a, name, "Vip", isVirtual); err != nil {
			return Answer{}, err
		}
	}
	var was vip
	if old != nil {
		was = *old
	}
	if object.Status != was.Status {
		a.deny("status: what a Vip was given is Kube-OVN's to write, and pods of namespace %q may send from it; leave it out", object.Spec.Namespace)
	}
	if object.Spec != was.Spec {
		if err := g.vipTyped(ctx, &a, req, &object.Spec, &was.Spec); err != nil {
			return Answer{}, err
		}
		if err := g.vipFor(ctx, &a, req, object.Spec.Namespace); err != nil {
			return Answer{}, err
		}
		if old != nil && old.Spec.Namespace != object.Spec.Namespace {
			if err := g.vipFrom(ctx, &a, req, old.Spec.Namespace); err != nil {
				return Answer{}, err
			}
		}
		if err := g.known(whoseThisIs, inventory.Holding...); err != nil {
			return Answer{}, err
		}
		g.vipOn(ctx, &a, &object.Spec)
		g.Look(func(inv *inventory.Inventory) { a.vip(inv, name, &object.Spec) })
	}
	return a, nil
}

// vip is what is read of a Vip.
type vip struct {
	Metadata metadata `json:"metadata"`
	Spec     vipSpec  `json:"spec"`
	Status   struct {
		V4  string `json:"v4ip"`
		V6  string `json:"v6ip"`
		MAC string `json:"mac"`
	} `json:"status"`
}

type vipSpec struct {
	Namespace string `json:"namespace"`
	Subnet    string `json:"subnet"`
	Type      string `json:"type"`
	V4        string `json:"v4ip"`
	V6        string `json:"v6ip"`
	MAC       string `json:"macAddress"`
}

// vipTyped refuses a Vip that pods do not share, unless its author may change the subnet: Kube-OVN makes a port on its switch, and may
// give it the gateway's MAC. Those that Kube-OVN makes for its own load balancers are not looked at.
func (g *Guard) vipTyped(ctx context.Context, a *Answer, req *admissionv1.AdmissionRequest, now, was *vipSpec) error {
	kind := cmp.Or(now.Type, was.Type)
	if kind == "" {
		return nil
	}
	subnets := []string{now.Subnet}
	if *was != (vipSpec{}) && was.Subnet != now.Subnet {
		subnets = append(subnets, was.Subnet)
	}
	for _, subnet := range subnets {
		ok, err := g.may(ctx, req.UserInfo, authorizationv1.ResourceAttributes{Group: "kubeovn.io", Version: "v1", Resource: "subnets", Name: subnet, Verb: "update"})
		if err != nil {
			return err
		}
		if !ok {
			a.deny("spec.type: a Vip of type %q has a port of its own, with the gateway's MAC or for a machine on a node's network, and user %s may not update subnet %q; "+
				"leave the type out for a Vip that pods share, or have somebody make it who may", kind, req.UserInfo.Username, subnet)
			return nil
		}
	}
	return nil
}

// vipFor refuses a Vip for a namespace in which its author may not even make pods.
func (g *Guard) vipFor(ctx context.Context, a *Answer, req *admissionv1.AdmissionRequest, namespace string) error {
	if namespace == "" {
		return nil // it is for no pod's annotations
	}
	ok, err := g.mayMakePods(ctx, req, namespace)
	if err != nil {
		return err
	}
	if !ok {
		a.deny("spec.namespace: user %s may not make pods in namespace %s, and so may not give it addresses; name a namespace of your own", req.UserInfo.Username, namespace)
	}
	return nil
}

// vipFrom refuses to take a Vip, with the addresses that it was given, from a namespace in which the author may not make pods. One
// that is of no namespace is the cluster's own.
func (g *Guard) vipFrom(ctx context.Context, a *Answer, req *admissionv1.AdmissionRequest, namespace string) error {
	ok, err := g.mayMakePods(ctx, req, namespace)
	if err != nil {
		return err
	}
	switch {
	case ok:
	case namespace == "":
		a.deny("spec.namespace: the Vip is of no namespace, and user %s may not make pods in all of them, and so may not give its addresses to one; make a Vip of your own", req.UserInfo.Username)
	default:
		a.deny("spec.namespace: user %s may not make pods in namespace %s, and so may not take its Vip; make one of your own", req.UserInfo.Username, namespace)
	}
	return nil
}

// mayMakePods tells that the author of a request may make pods in the namespace; in every one where it is "".
func (g *Guard) mayMakePods(ctx context.Context, req *admissionv1.AdmissionRequest, namespace string) (bool, error) {
	return g.may(ctx, req.UserInfo, authorizationv1.ResourceAttributes{Version: "v1", Resource: "pods", Namespace: namespace, Verb: "create"})
}

// vipOn refuses a Vip on a subnet that its namespace may not use.
func (g *Guard) vipOn(ctx context.Context, a *Answer, s *vipSpec) {
	if s.Namespace == "" {
		return
	}
	ns := g.Cluster.Namespace(ctx, s.Namespace)
	g.Look(func(inv *inventory.Inventory) {
		subnet, ok := inv.Subnet(s.Subnet)
		if !ok || inv.Usable(subnet, ns) {
			return
		}
		kind, name := "Subnet", s.Subnet
		if vpc := inv.BoundByVPC(subnet); vpc != "" {
			kind, name = "Vpc", vpc
		}
		a.deny("spec.subnet: subnet %s is not for namespace %s; whoever may edit %s %s can add it to spec.namespaces", s.Subnet, s.Namespace, kind, name)
	})
}

// vip refuses the nodes' own subnet, and addresses that are another's.
func (a *Answer) vip(inv *inventory.Inventory, name string, s *vipSpec) {
	if (s.Namespace != "" || s.Type != "") && inv.OfNodes(s.Subnet) {
		a.deny("spec.subnet: subnet %s is the nodes' own, and what comes from it is let through to private subnets; name one that is for pods", s.Subnet)
	}
	for field, text := range map[string]string{"v4ip": s.V4, "v6ip": s.V6} {
		if text == "" {
			continue
		}
		address, err := policy.CanonicalAddress(text)
		if err != nil {
			a.deny("spec.%s: %v", field, err)
			continue
		}
		a.taken(inv, "spec."+field, name, s.Namespace, address)
	}
	if s.MAC != "" {
		if _, err := policy.StationMAC(s.MAC); err != nil {
			a.deny("spec.macAddress: %v; pods that take the Vip would have a port_security that checks nothing; leave it out to be given one", err)
		}
		for _, h := range inv.MACHolders(s.MAC) {
			if !isVip(h, name) {
				a.deny("spec.macAddress: %s is that of %s; leave it out to be given one", s.MAC, h)
			}
		}
	}
	slices.Sort(a.Denials)
}

// isVip tells that the holder is the Vip of that name. Other things may have its name.
func isVip(h inventory.Holder, name string) bool {
	return h == inventory.Holder{Kind: inventory.HeldByVip, Name: name}
}

// taken refuses an address that somebody has. What a Service of the Vip's namespace has outside the cluster may be the Vip's.
func (a *Answer) taken(inv *inventory.Inventory, field, name, namespace string, address netip.Addr) {
	for _, h := range inv.Holders(address) {
		if !isVip(h, name) && !h.OfService(namespace) {
			a.deny("%s: %s is that of %s; choose a free one", field, address, h)
			return
		}
	}
}
