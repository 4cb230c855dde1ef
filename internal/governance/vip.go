package governance

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"net/netip"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admission/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/util/json"

	"github.com/ovnguard/ovnguard/internal/admission"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// Vip judges Kube-OVN's Vip resources, which grant their addresses to pods of the namespace that they name. Deleting
// one frees its addresses for others, and deletes the ports of its name.
func (g *Guard) Vip(ctx context.Context, req *admissionv1.AdmissionRequest) (Answer, error) {
	err := of(req, "kubeovn.io", "vips", []string{"status"}, admissionv1.Create, admissionv1.Update, admissionv1.Delete)
	if err != nil || g.kubeOVN(req) {
		return Answer{}, err
	}
	object, old, err := decode[vip](req)
	if err != nil {
		return Answer{}, err
	}
	var a Answer
	if req.Operation == admissionv1.Delete {
		if slices.Contains(collectors, req.UserInfo.Username) {
			return a, nil // the owner is gone, and who wrote it into the Vip had the right to
		}
		err := g.vipRights(ctx, &a, req, &old.Spec.vipSpec, "delete its Vip, because others could then take "+
			"its addresses")
		return a, err
	}
	var was vip
	if old != nil {
		was = *old
	}
	name := cmp.Or(object.Metadata.Name, req.Name)
	if old == nil {
		if err := g.portName(&a, name, "Vip", isVirtual); err != nil {
			return Answer{}, err
		}
	}
	if !maps.EqualFunc(object.Status, was.Status, equality.Semantic.DeepEqual) {
		a.Deny(
			"status: only Kube-OVN writes the addresses of a Vip, and pods of namespace %q may send from them; "+
				"leave the change out",
			object.Spec.Namespace,
		)
	}
	if old != nil && object.same(old) {
		return a, nil
	}
	if err := g.vipRights(ctx, &a, req, &object.Spec.vipSpec, "give it addresses"); err != nil {
		return Answer{}, err
	}
	if old != nil && was.Spec.whose() != object.Spec.whose() {
		if err := g.vipRights(ctx, &a, req, &was.Spec.vipSpec, "take its Vip"); err != nil {
			return Answer{}, err
		}
	}
	if old != nil && object.Spec.vipSpec == was.Spec.vipSpec {
		return a, nil // neither its addresses nor its subnet are others than before
	}
	if err := g.known(whoseThisIs, inventory.Holding...); err != nil {
		return Answer{}, err
	}
	g.vipOn(ctx, &a, &object.Spec.vipSpec)
	g.Look(func(inv *inventory.State) {
		a.vip(inv, name, &object.Spec.vipSpec)
		a.vipPort(inv, name, &object.Spec.vipSpec)
	})
	return a, nil
}

// collectors are the accounts that Kubernetes uses to delete an object after its owner.
var collectors = []string{
	"system:serviceaccount:kube-system:generic-garbage-collector", "system:kube-controller-manager",
}

// vip is what is read of a Vip.
type vip struct {
	Metadata struct {
		metadata

		// OwnerReferences say with which objects the Vip is deleted.
		OwnerReferences []any `json:"ownerReferences"`
	} `json:"metadata"`
	Spec   vipFields `json:"spec"`
	Status stated    `json:"status"`
}

// vipFields is a Vip's spec: what is read of it, and all of it.
type vipFields struct {
	vipSpec

	all stated
}

// UnmarshalJSON implements json.Unmarshaler.
func (f *vipFields) UnmarshalJSON(text []byte) error {
	return errors.Join(json.Unmarshal(text, &f.vipSpec), json.Unmarshal(text, &f.all))
}

// whose returns the fields that decide who may write the Vip.
func (s *vipSpec) whose() vipSpec {
	return vipSpec{Namespace: s.Namespace, Subnet: s.Subnet, Type: s.Type}
}

type vipSpec struct {
	Namespace string `json:"namespace"`
	Subnet    string `json:"subnet"`
	Type      string `json:"type"`
	V4        string `json:"v4ip"`
	V6        string `json:"v6ip"`
	MAC       string `json:"macAddress"`
}

// stated is the fields of an object that say something. Clients in Go write those that say nothing, too.
type stated map[string]any

// UnmarshalJSON implements json.Unmarshaler.
func (s *stated) UnmarshalJSON(text []byte) error {
	var all map[string]any
	if err := json.Unmarshal(text, &all); err != nil {
		return err
	}
	maps.DeleteFunc(all, func(_ string, value any) bool {
		switch v := value.(type) {
		case nil:
			return true
		case string:
			return v == ""
		case []any:
			return len(v) == 0
		}
		return false
	})
	*s = all
	return nil
}

// same reports whether two states of a Vip are for the same pods, with the same addresses, and go with the same owners.
// Kube-OVN notes in labels of its own which port has the Vip, and on which subnet it is.
func (v *vip) same(o *vip) bool {
	noted := func(v *vip) map[string]string {
		labels := maps.Clone(v.Metadata.Labels)
		maps.DeleteFunc(labels, func(key, _ string) bool { return !strings.HasPrefix(key, kubeovn.LabelPrefix) })
		return labels
	}
	return maps.EqualFunc(v.Spec.all, o.Spec.all, equality.Semantic.DeepEqual) && maps.Equal(noted(v), noted(o)) &&
		equality.Semantic.DeepEqual(v.Metadata.OwnerReferences, o.Metadata.OwnerReferences)
}

// vipRights refuses a Vip for a namespace in which its author may not even make pods. One of no namespace, which could
// take every address of its subnet, is for whoever may change the subnet, and so is one that pods do not share:
// Kube-OVN makes a port on the switch for it, and may give it the gateway's MAC. to is what the author would do to the
// namespace.
func (g *Guard) vipRights(
	ctx context.Context, a *Answer, req *admissionv1.AdmissionRequest, s *vipSpec, to string,
) error {
	user := req.UserInfo.Username
	if s.Namespace != "" {
		ok, err := g.may(ctx, req.UserInfo, authorizationv1.ResourceAttributes{
			Version: "v1", Resource: "pods", Namespace: s.Namespace, Verb: "create",
		})
		if err != nil {
			return err
		}
		if !ok {
			a.Deny("spec.namespace: user %s may not create pods in namespace %s, and so may not %s; create a "+
				"Vip for a namespace in which you may create pods", user, s.Namespace, to)
		}
	}
	if s.Namespace != "" && s.Type == "" {
		return nil
	}
	ok, err := g.may(ctx, req.UserInfo, authorizationv1.ResourceAttributes{
		Group: "kubeovn.io", Version: "v1", Resource: "subnets", Name: s.Subnet, Verb: "update",
	})
	switch {
	case err != nil:
		return err
	case ok:
	case s.Type != "":
		a.Deny(
			"spec.type: a Vip of type %q has its own port, with the MAC of the gateway or for a machine on a "+
				"node's network, and user %s does not have the right to update subnet %q, which it needs; "+
				"for a Vip that pods share leave the type out, or ask a user who may update the subnet",
			s.Type,
			user,
			s.Subnet,
		)
	default:
		a.Deny("spec.namespace: a Vip without a namespace belongs to the cluster, and user %s does not have "+
			"the right to update subnet %q, which it needs; create a Vip for a namespace in which "+
			"you may create pods, or ask a user who may update the subnet", user, s.Subnet)
	}
	return nil
}

// vipOn refuses a Vip on a subnet that there is not, or that its namespace may not use. Of a subnet that is not known
// nothing can be said: neither whose it is, nor which addresses on it somebody has.
func (g *Guard) vipOn(ctx context.Context, a *Answer, s *vipSpec) {
	var ns policy.Namespace
	if s.Namespace != "" {
		ns = g.Cluster.Namespace(ctx, s.Namespace)
	}
	g.Look(func(inv *inventory.State) {
		subnet, ok := inv.Subnet(s.Subnet)
		if !ok {
			a.Deny("spec.subnet: there is no subnet %q; name an existing subnet, or create it first", s.Subnet)
			return
		}
		if s.Namespace == "" || inv.Usable(subnet, ns) {
			return
		}
		kind, name := "Subnet", s.Subnet
		if vpc := inv.BoundByVPC(subnet); vpc != "" {
			kind, name = "Vpc", vpc
		}
		a.Deny(
			"spec.subnet: subnet %s is not for namespace %s; a user who may edit %s %s can add it to "+
				"spec.namespaces",
			s.Subnet,
			s.Namespace,
			kind,
			name,
		)
	})
}

// vipPort refuses a type with which the Vip's port would bear the name of a pod's: Kube-OVN names it like the port of a
// pod that has the Vip's name (ovs.PodNameToPortName in its handleAddVirtualIP), and deletes the port of that name with
// the Vip.
func (a *Answer) vipPort(inv *inventory.State, name string, s *vipSpec) {
	subnet, ok := inv.Subnet(s.Subnet)
	if s.Type == "" || !ok {
		return
	}
	port := kubeovn.PortName(name, s.Namespace, cmp.Or(subnet.Provider, kubeovn.DefaultProvider))
	var whose string
	if pod, claimed := inv.ClaimedBy(port, inventory.PodKey{}, ""); claimed {
		whose = "taken by a port of pod " + pod.String()
	} else if inv.Record(port) != nil {
		whose = "taken by an IP resource"
	} else {
		return
	}
	a.Deny("metadata.name: the port of a Vip of type %q would be named %s, and that name is %s; deleting the "+
		"Vip would delete that port; choose another name", s.Type, port, whose)
}

// vip refuses the nodes' own subnet, and addresses that are another's.
func (a *Answer) vip(inv *inventory.State, name string, s *vipSpec) {
	if (s.Namespace != "" || s.Type != "") && inv.OfNodes(s.Subnet) {
		a.Deny(
			"spec.subnet: subnet %s is for nodes only, and Kube-OVN lets its traffic through to private "+
				"subnets; name a subnet for pods",
			s.Subnet,
		)
	}
	for field, text := range map[string]string{"v4ip": s.V4, "v6ip": s.V6} {
		if text == "" {
			continue
		}
		address, err := policy.CanonicalAddress(text)
		if err != nil {
			a.Deny("spec.%s: %v", field, err)
			continue
		}
		a.taken(inv, "spec."+field, name, s, address)
	}
	if s.MAC != "" {
		if _, err := policy.StationMAC(s.MAC); err != nil {
			a.Deny(
				"spec.macAddress: %v; OVN could not use the port_security of pods with this Vip, and would "+
					"check nothing; leave the field out to get a MAC from Kube-OVN",
				err,
			)
		}
		for _, h := range inv.TakenMAC(s.MAC, []string{inv.VPCOf(s.Subnet)}) {
			if !isVip(h, name) {
				a.Deny(
					"spec.macAddress: %s is %s; leave the field out to get a MAC from Kube-OVN",
					s.MAC,
					admission.Whose(inv, s.Namespace, h),
				)
			}
		}
	}
	slices.SortFunc(a.Refusals, func(r, o admission.Refusal) int { return strings.Compare(r.Why, o.Why) })
}

// isVip reports whether the holder is the Vip of that name. Other things may have its name.
func isVip(h inventory.Holder, name string) bool {
	return h == inventory.Holder{Kind: inventory.HeldByVip, Name: name}
}

// taken refuses an address that somebody has or keeps on the Vip's network. What a Service of the Vip's namespace has
// outside the cluster may be the Vip's, and a load balancer's Vip has the address of its rule.
func (a *Answer) taken(inv *inventory.State, field, name string, s *vipSpec, address netip.Addr) {
	for _, h := range inv.Taken(address, []string{inv.VPCOf(s.Subnet)}, inv.Namespace(s.Namespace)) {
		rule := h.Kind == inventory.HeldByRule && s.Type == kubeovn.VipSwitchLB
		if !isVip(h, name) && !h.OfService(s.Namespace) && !rule {
			a.Deny("%s: %s is %s; choose a free address", field, address, admission.Whose(inv, s.Namespace, h))
			return
		}
	}
}
