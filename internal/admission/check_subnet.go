package admission

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

var foreignSubnet = &Check{
	ID: "OVGA14", Name: "subnet",
	Summary: "a subnet or an IPPool that does not exist, or is for other namespaces",
}

// subnet checks that pods of the namespace may be on a subnet: Kube-OVN puts a pod on whatever it names.
func (r *review) subnet(mode policy.Mode, field, name string) {
	if r.Accounts.home(r.Namespace.Name) {
		return
	}
	s, known := r.Inventory.Subnet(name)
	switch {
	case !known:
		r.refuse(
			foreignSubnet,
			mode,
			field,
			"name an existing subnet, or create it first and try again",
			"there is no subnet %q",
			name,
		)
	case r.Inventory.OfNodes(name):
		r.refuse(
			foreignSubnet,
			mode,
			field,
			"name a subnet for pods",
			"subnet %s is for nodes only, and Kube-OVN lets its traffic through to private subnets",
			name,
		)
	case !r.mayUse(s):
		r.refuse(
			foreignSubnet,
			mode,
			field,
			"name a subnet of this namespace, or "+r.bindSubnet(s),
			"subnet %s is for other namespaces",
			name,
		)
	}
}

// namedPool checks that pods of the namespace may take addresses from a pool: Kube-OVN gives them from whatever it
// names, and newer releases put the pod on the pool's subnet.
func (r *review) namedPool(mode policy.Mode, field, name string) {
	if r.Accounts.home(r.Namespace.Name) {
		return
	}
	p, known := r.Inventory.Pool(name)
	switch {
	case (inventory.Pool{Name: name}).Noted(r.Namespace):
	case !known:
		r.refuse(
			foreignSubnet,
			mode,
			field,
			"name an existing IPPool, or create it first and try again",
			"there is no IPPool %q",
			name,
		)
	case !p.Usable(r.Namespace):
		r.refuse(
			foreignSubnet,
			mode,
			field,
			"name an IPPool of this namespace, or "+r.bind("IPPool", name, true),
			"IPPool %s is for other namespaces",
			name,
		)
	default:
		r.subnet(mode, field, p.Subnet)
	}
}

// network checks that pods of the namespace may be on the subnet of an attachment, unless the pod names another one
// for the NIC. A definition of another namespace is open to all of them, as far as Multus and Kube-OVN are asked. Which
// subnet Kube-OVN takes of several, and whether it reads the attachment as one on OVN, is not the pod's to say.
func (r *review) network(a kubeovn.Attachment) {
	if r.Accounts.home(r.Namespace.Name) {
		return
	}
	provider := providerOf(a)
	for _, p := range append(r.spellings(provider), provider.Attachment().Outside()) {
		own := p.Key(kubeovn.LogicalSwitch)
		if r.Metadata.Annotations[own] != "" { // what is named there is looked at by itself
			continue
		}
		subnets := r.Inventory.SubnetsFor(p)
		i := slices.IndexFunc(subnets, func(s inventory.Subnet) bool { return !r.mayUse(s) })
		if i < 0 {
			continue
		}
		r.refuse(
			foreignSubnet,
			r.modeOfNIC(provider),
			annotation(r.networkKey(a)),
			"ask for a network of this namespace, name a subnet of it for the NIC with annotation "+own+", or "+r.bindSubnet(
				subnets[i],
			),
			"network %s/%s uses subnet %s, which is for other namespaces",
			a.Namespace,
			a.Name,
			subnets[i].Name,
		)
		return
	}
}

// bindSubnet says what would let pods of the namespace be on a subnet.
func (r *review) bindSubnet(s inventory.Subnet) string {
	if vpc := r.Inventory.BoundByVPC(s); vpc != "" {
		return r.bind("Vpc", vpc, true)
	}
	return r.bind("Subnet", s.Name, len(s.Namespaces) > 0)
}

// bind says, with the command, how whoever may edit an object of Kube-OVN adds the namespace to those that it is for;
// listed reports whether there are some.
func (r *review) bind(kind, name string, listed bool) string {
	ns := r.Namespace.Name
	path, value := "/spec/namespaces/-", fmt.Sprintf("%q", ns)
	if !listed {
		path, value = "/spec/namespaces", "["+value+"]"
	}
	return fmt.Sprintf(
		`ask for %s to be added to the spec.namespaces of %s %s (kubectl patch %s %s --type=json -p '[{"op":"add","path":%q,"value":%s}]', by a user who may edit it)`,
		ns,
		kind,
		name,
		strings.ToLower(kind),
		name,
		path,
		value,
	)
}
