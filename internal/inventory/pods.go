package inventory

import (
	"iter"
	"slices"
	"strings"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/persistent"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// pods is the pods, which of them use an attachment, and which machines migrate.
type pods struct {
	byNamespace persistent.Map[string, persistent.Map[string, *Pod]] // by namespace and name; none in it is empty
	users       sets[kubeovn.Attachment, PodKey]                     // key without interface
	migrations  persistent.Map[PodKey, []Migration]                  // by machine
}

// pod returns a pod; nil where there is none of that name.
func (ps *pods) pod(key PodKey) *Pod { return ps.byNamespace.Get(key.Namespace).Get(key.Name) }

// podsIn walks over the pods of a namespace.
func (ps *pods) podsIn(namespace string) iter.Seq[*Pod] {
	return ps.byNamespace.Get(namespace).Values()
}

// unreadPodOf says why not all ports of the pod are known whose name a row carries; "" where they are.
func (ps *pods) unreadPodOf(r *Row) string {
	namespace, name, _ := strings.Cut(r.ExternalIDs[kubeovn.ExternalIDPod], "/")
	if p := ps.pod(PodKey{namespace, name}); p != nil {
		return p.Unread
	}
	return ""
}

// podEditor changes the pods, and finds the ports of some by their namespace, their owner or their machine.
type podEditor struct {
	*pods
	*changes

	ports     map[PodKey][]string  // the names of the ports of its NICs
	owned     sets[string, PodKey] // UID of a controller to its pods
	askers    map[PodKey]bool      // pods that ask for addresses of Vips
	named     map[PodKey][]string  // the security groups that it names for its NICs
	naming    sets[string, PodKey] // by security group, the pods that name it
	migrating map[PodKey]string    // migrations to their machines, by names in one namespace
}

func newPodEditor(ps *pods, c *changes) podEditor {
	return podEditor{
		pods:      ps,
		changes:   c,
		ports:     make(map[PodKey][]string),
		askers:    make(map[PodKey]bool),
		named:     make(map[PodKey][]string),
		migrating: make(map[PodKey]string),
	}
}

// set enters a pod that is not there.
func (ed *podEditor) set(p *Pod) {
	pods := ed.byNamespace.Get(p.Namespace)
	pods.Set(ed.edit, p.Name, p)
	ed.byNamespace.Set(ed.edit, p.Namespace, pods)
	for _, a := range p.networks() {
		ed.users.add(ed.edit, a, p.PodKey)
	}
	if p.Controller != nil {
		ed.owned.add(ed.edit, p.Controller.UID, p.PodKey)
	}
	if p.asksForVIPs() {
		ed.askers[p.PodKey] = true
	}
}

// remove takes a pod out, and its namespace with it when it was the last there.
func (ed *podEditor) remove(p *Pod) {
	pods := ed.byNamespace.Get(p.Namespace)
	if pods.Delete(ed.edit, p.Name); pods.Len() == 0 {
		ed.byNamespace.Delete(ed.edit, p.Namespace)
	} else {
		ed.byNamespace.Set(ed.edit, p.Namespace, pods)
	}
	for _, a := range p.networks() {
		ed.users.remove(ed.edit, a, p.PodKey)
	}
	if p.Controller != nil {
		ed.owned.remove(ed.edit, p.Controller.UID, p.PodKey)
	}
	delete(ed.askers, p.PodKey)
}

// nameGroups notes which security groups the pod names for these NICs, so that its ports are found by them. Of a NIC
// that names more than admission lets it, those beyond are left to the sweep. What the pod says about NICs that it does
// not have may be as long as annotations can be, and nobody reads it.
func (ed *podEditor) nameGroups(p *Pod, nics []kubeovn.NIC) {
	for _, nic := range nics {
		all := kubeovn.GroupNames(p.Annotations[nic.Provider.Key(kubeovn.SecurityGroups)])
		for _, group := range all[:min(len(all), policy.ListLimit)] {
			ed.naming.add(ed.edit, group, p.PodKey)
			ed.named[p.PodKey] = append(ed.named[p.PodKey], group)
		}
	}
}

// forgetGroups forgets which security groups a pod names.
func (ed *podEditor) forgetGroups(key PodKey) {
	for _, group := range ed.named[key] {
		ed.naming.remove(ed.edit, group, key)
	}
	delete(ed.named, key)
}

// portsOf returns the names of the ports that these pods claim.
func (ed *podEditor) portsOf(keys iter.Seq[PodKey]) []string {
	var names []string
	for key := range keys {
		names = append(names, ed.ports[key]...)
	}
	return distinct(names)
}

// portsIn returns the names of the ports that the pods of a namespace claim.
func (ed *podEditor) portsIn(namespace string) []string {
	var names []string
	for p := range ed.podsIn(namespace) {
		names = append(names, ed.ports[p.PodKey]...)
	}
	return distinct(names)
}

// portsOfAskers returns the names of the ports of pods that ask for addresses of Vips.
func (ed *podEditor) portsOfAskers(namespace string) []string {
	var names []string
	for key := range ed.askers {
		if key.Namespace == namespace {
			names = append(names, ed.ports[key]...)
		}
	}
	return names
}

// portsNaming returns the names of the ports of the pods that name one of these security groups.
func (ed *podEditor) portsNaming(groups []string) (names []string) {
	for _, group := range groups {
		names = append(names, ed.portsOf(ed.naming.of(group))...)
	}
	return names
}

// portsOwned returns the names of the ports of the pods that an object owns.
func (ed *podEditor) portsOwned(uid string) []string { return ed.portsOf(ed.owned.of(uid)) }

// SetPod adds or replaces a pod and returns the names of the ports that this touches.
func (inv *Inventory) SetPod(p *Pod) []string {
	if !inv.setup.KeepVMIP && p.Owner != p.Name {
		own := *p
		own.Owner, p = p.Name, &own // the port is the pod's own, whatever machine it runs
	}
	touched := inv.DeletePod(p.PodKey)
	inv.pods.set(p)
	inv.affectPod(p)
	return union(slices.Concat(touched, inv.ports.maybeOf(p)), inv.enterNICs(p))
}

// DeletePod takes a pod out and returns the names of the ports that this touches.
func (inv *Inventory) DeletePod(key PodKey) []string {
	p := inv.pod(key)
	if p == nil {
		return nil
	}
	inv.affectPod(p)
	inv.pods.remove(p)
	return append(inv.leaveNICs(p), inv.ports.maybeOf(p)...)
}

// enterNICs enters the pod's NICs and returns the names of their ports.
func (inv *Inventory) enterNICs(p *Pod) []string {
	if p.HostNetwork {
		return nil
	}
	nics := inv.nics(p)
	names := inv.ports.enter(p, nics)
	inv.pods.ports[p.PodKey] = names
	inv.pods.nameGroups(p, nics)
	return inv.withDuplicatesOfVips(names)
}

// leaveNICs takes all NICs of the pod out and returns the names of their ports.
func (inv *Inventory) leaveNICs(p *Pod) []string {
	names := inv.pods.ports[p.PodKey]
	delete(inv.pods.ports, p.PodKey)
	inv.pods.forgetGroups(p.PodKey)
	inv.ports.leave(p.PodKey, names)
	return inv.withDuplicatesOfVips(names)
}

// renewNICs enters the NICs of these pods again, because what their attachments make has changed.
func (inv *Inventory) renewNICs(keys iter.Seq[PodKey]) []string {
	var touched []string
	for key := range keys {
		p := inv.pod(key)
		touched = append(append(touched, inv.leaveNICs(p)...), inv.enterNICs(p)...)
		inv.affectPod(p)
	}
	return union(touched, nil)
}

// SetAttachment says what the attachment makes and returns the names of the ports of the pods that use it.
func (inv *Inventory) SetAttachment(a kubeovn.Attachment, kind kubeovn.AttachmentKind) []string {
	a.Interface = ""
	inv.network.setKind(a, kind)
	return inv.renewNICs(inv.users.of(a))
}

// DeleteAttachment forgets an attachment and returns the names of the ports of the pods that use it.
func (inv *Inventory) DeleteAttachment(a kubeovn.Attachment) []string {
	a.Interface = ""
	inv.network.deleteKind(a)
	return inv.renewNICs(inv.users.of(a))
}

// ended reports whether the pod no longer uses its port.
func (p *Pod) ended() bool { return p.Finished || p.Terminating }

// launches reports whether the pod runs the machine whose port it uses, of which some of these objects that own it is
// one.
func (p *Pod) launches(owners []policy.Owner) bool {
	return p.Owner != p.Name && slices.ContainsFunc(owners, func(o policy.Owner) bool {
		return o.Name == p.Owner && kubeovn.OwnsLauncher(o.APIVersion, o.Kind)
	})
}

// networks returns the attachments of the pod as keys for the maps: without interface.
func (p *Pod) networks() []kubeovn.Attachment {
	list := make([]kubeovn.Attachment, 0, len(p.Attachments)+1)
	if p.DefaultNetwork != nil {
		list = append(list, *p.DefaultNetwork)
	}
	list = append(list, p.Attachments...)
	for i := range list {
		list[i].Interface = ""
	}
	return list
}

// asksForVIPs reports whether some annotation of the pod names addresses of Vips.
func (p *Pod) asksForVIPs() bool {
	for key := range p.Annotations {
		if isVIPs(key) {
			return true
		}
	}
	return false
}

// isVIPs reports whether an annotation lists Vips or addresses of Vips.
func isVIPs(key string) bool {
	if key == kubeovn.AAPs {
		return true
	}
	_, suffix, ok := kubeovn.SplitKey(key)
	return ok && suffix == kubeovn.PortVIPs
}
