package inventory

import (
	"time"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/persistent"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// Workload is an object that may own pods.
type Workload struct {
	Object    policy.Owner
	Namespace string
	// Made is when it was made; zero where that is not known.
	Made time.Time
	// Parent owns it in turn; nil where nothing does.
	Parent *policy.Owner
	// Ordinals are those of the pods of a StatefulSet; nil where they are not known.
	Ordinals *Ordinals
}

// owners is the objects that exist and may own pods, and Kube-OVN's gateways. It answers who owns a pod, and for what
// gateway it forwards.
type owners struct {
	home          string                         // the namespace where Kube-OVN's controller runs
	workloads     persistent.Map[string, *owner] // by UID
	keepers       persistent.Map[keeperKey, keeper]
	gateways      persistent.Map[gatewayKey, *Gateway]
	doubtMachines bool
}

// Owners returns the chain of objects that own what has this controller, the nearest first. An owner that does not
// exist with this very identity is not believed: whoever makes a pod can write any owner into it, and admission holds
// them to the account of the controller that makes such pods. Of a Deployment there is none, since it makes no pods but
// ReplicaSets. The last of the chain may be a gateway that a workload only says is its owner.
func (ow *owners) Owners(controller *policy.Owner) []policy.Owner {
	if controller != nil && controller.Kind == "Deployment" {
		return nil
	}
	var chain []policy.Owner
	for o := controller; o != nil && len(chain) < 4; {
		known, ok := ow.workloads.Find(o.UID)
		if !ok || known.object != *o {
			break
		}
		if chain == nil {
			chain = make([]policy.Owner, 0, 2) // most are a ReplicaSet and its Deployment
		}
		chain = append(chain, *o)
		if o = known.parent; o != nil {
			if _, followed := ow.workloads.Find(o.UID); !followed {
				return append(chain, *o) // the owner of an owner need not be of a kind that is watched
			}
		}
	}
	return chain
}

// Workload returns the object of that kind and name that may own pods; ok is false where none is known.
func (ow *owners) Workload(namespace, apiVersion, kind, name string) (o policy.Owner, ok bool) {
	for w := range ow.workloads.Values() {
		if w.namespace == namespace && w.object.APIVersion == apiVersion && w.object.Kind == kind &&
			w.object.Name == name {
			return w.object, true
		}
	}
	return policy.Owner{}, false
}

// policyPod returns what policy reads of a pod.
func (ow *owners) policyPod(p *Pod) policy.Pod {
	out := policy.Pod{Labels: p.Labels, Annotations: p.Annotations, Lists: p.Lists, Inherited: p.Inherited}
	var f *Forwarder
	if f, out.Owners = ow.forwarderOf(p, ow.Owners(p.Controller)); f != nil && f.Trusted {
		out.Gateway = f.Title
	}
	return out
}

// ownerEditor changes who owns pods.
type ownerEditor struct {
	*owners
	*changes
}

// set adds or replaces an object, and returns what was known of it. It reports whether that was something else.
func (ed *ownerEditor) set(uid string, now *owner) (before *owner, changed bool) {
	before, ok := ed.workloads.Find(uid)
	if ok && before.equal(now) {
		return before, false
	}
	ed.workloads.Set(ed.edit, uid, now)
	return before, true
}

// delete takes an object out.
func (ed *ownerEditor) delete(uid string) {
	ed.workloads.Delete(ed.edit, uid)
}

// keeper returns the key by which ports are kept for an object; ok is false where none are kept for its kind.
func (o *owner) keeper() (key keeperKey, ok bool) {
	kind := o.object.Kind
	ok = kind == KeeperStatefulSet || kind == KeeperVirtualMachine
	return keeperKey{kind, PodKey{o.namespace, o.object.Name}}, ok
}

// With returns the state as it would be with a workload that does not exist yet and has no pods.
func (inv *State) With(w Workload) *State {
	s := *inv
	s.workloads.Set(
		new(persistent.Edit),
		w.Object.UID,
		&owner{object: w.Object, parent: w.Parent, namespace: w.Namespace, made: w.Made},
	)
	return &s
}

// SetOwner is SetWorkload where only the object and its owner are known.
func (inv *Inventory) SetOwner(o policy.Owner, parent *policy.Owner) []string {
	return inv.SetWorkload(Workload{Object: o, Parent: parent})
}

// SetWorkload says that an object exists that may own pods. It returns the names of the ports of the pods that it owns,
// and of a gateway's workload those of the pods behind it.
func (inv *Inventory) SetWorkload(w Workload) []string {
	now := &owner{object: w.Object, parent: w.Parent, namespace: w.Namespace, made: w.Made, ordinals: w.Ordinals}
	before, changed := inv.owners.set(w.Object.UID, now)
	if !changed {
		return nil
	}
	inv.affectOwned(w.Object.UID)
	touched := union(inv.pods.portsOwned(w.Object.UID), inv.portsBehind(w.Object.UID, before, now))
	if key, ok := now.keeper(); ok {
		inv.owners.keepers.Set(inv.edit, key, keeper{w.Object.UID, w.Ordinals})
		touched = append(touched, inv.ports.dependents.of(key)...)
	}
	return touched
}

// DeleteOwner says that the object is gone and returns the names of the ports of the pods that it owned.
func (inv *Inventory) DeleteOwner(uid string) []string {
	was := inv.workloads.Get(uid)
	touched := inv.portsBehind(uid, was)
	if was != nil {
		if key, ok := was.keeper(); ok && inv.keepers.Get(key).uid == uid {
			inv.owners.keepers.Delete(inv.edit, key)
			touched = append(touched, inv.ports.dependents.of(key)...)
		}
	}
	inv.owners.delete(uid)
	inv.affectOwned(uid)
	return union(inv.pods.portsOwned(uid), touched)
}

// portsBehind returns the names of the ports of the pods of a gateway's workload, as it is or was.
func (inv *Inventory) portsBehind(uid string, states ...*owner) (names []string) {
	for _, o := range states {
		if o != nil && o.parent != nil && kubeovn.IsGateway(o.parent.APIVersion, o.parent.Kind) {
			names = append(names, inv.portsThrough(o.namespace, uid)...)
		}
	}
	return names
}

// DoubtMachines says that machines are not read, so that of an owner which seems to be one it is not known whether it
// exists.
func (inv *Inventory) DoubtMachines() { inv.owners.doubtMachines = true }

// equal reports whether the same is known of an object.
func (o *owner) equal(other *owner) bool {
	return o.object == other.object && equalOwner(o.parent, other.parent) && o.namespace == other.namespace &&
		o.made.Equal(other.made) &&
		(o.ordinals == other.ordinals || o.ordinals != nil && other.ordinals != nil && *o.ordinals == *other.ordinals)
}

// owner is an object that exists, with what owns it.
type owner struct {
	object    policy.Owner
	parent    *policy.Owner
	namespace string
	made      time.Time
	ordinals  *Ordinals
}

// equalOwner reports whether two are the same, or both none.
func equalOwner(a, b *policy.Owner) bool { return a == b || a != nil && b != nil && *a == *b }
