package governance

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"strings"

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
	if old == nil && strings.Contains(name, ".") {
		a.deny("metadata.name: %q could be that of a pod's port, as in \"pod.namespace\", and deleting the Vip would delete the port; choose a name without dots", name)
	}
	var was vip
	if old != nil {
		was = *old
	}
	if object.Status != was.Status {
		a.deny("status: what a Vip was given is Kube-OVN's to write, and pods of namespace %q may send from it; leave it out", object.Spec.Namespace)
	}
	if object.Spec != was.Spec {
		if err := g.vipFor(ctx, &a, req, object.Spec.Namespace); err != nil {
			return Answer{}, err
		}
		if old != nil && old.Spec.Namespace != object.Spec.Namespace {
			if err := g.vipFrom(ctx, &a, req, old.Spec.Namespace); err != nil {
				return Answer{}, err
			}
		}
		if err := g.known(inventory.Holding...); err != nil {
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
	V4        string `json:"v4ip"`
	V6        string `json:"v6ip"`
	MAC       string `json:"macAddress"`
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
	if s.Namespace != "" && inv.OfNodes(s.Subnet) {
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
		a.taken(inv, "spec."+field, name, address)
	}
	if s.MAC != "" {
		if _, err := policy.StationMAC(s.MAC); err != nil {
			a.deny("spec.macAddress: %v; pods that take the Vip would have a port_security that checks nothing; leave it out to be given one", err)
		}
		for _, port := range inv.MACHolders(s.MAC) {
			if port != name {
				a.deny("spec.macAddress: %s is that of port %s; leave it out to be given one", s.MAC, port)
			}
		}
	}
	slices.Sort(a.Denials)
}

// taken refuses an address that somebody has.
func (a *Answer) taken(inv *inventory.Inventory, field, name string, address netip.Addr) {
	for _, h := range inv.Holders(address) {
		if h.Name != name {
			a.deny("%s: %s is that of %s; choose a free one", field, address, h)
			return
		}
	}
}
