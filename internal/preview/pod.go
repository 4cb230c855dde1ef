package preview

import (
	"encoding/json"
	"maps"
	"strings"

	"github.com/ovnguard/ovnguard/internal/admission"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// runs reports whether the pod runs, or is to, on the network of OVN. Mirrors of static pods are not sent to admission.
func runs(p *inventory.Pod) bool {
	return !p.HostNetwork && !p.Finished && !p.Terminating &&
		(p.Controller == nil || p.Controller.APIVersion != "v1" || p.Controller.Kind != "Node")
}

// WorkloadOf returns what the pod is made from: of the objects that own it, the one that people write; or the pod
// itself.
func (c *Cluster) WorkloadOf(p *inventory.Pod) policy.Owner {
	if p.Controller == nil {
		return policy.Owner{APIVersion: "v1", Kind: "Pod", Name: p.Name, UID: p.UID}
	}
	top := *p.Controller
	for _, o := range c.Inventory.Owners(p.Controller) {
		if kubeovn.IsGateway(o.APIVersion, o.Kind) {
			break // which says nothing about pods
		}
		if top = o; !isMade(o) {
			break
		}
	}
	return top
}

// isMade reports whether objects of that kind are mostly made from others, with what those say about pods.
func isMade(o policy.Owner) bool {
	switch groupOf(o.APIVersion) + "/" + o.Kind {
	case "apps/ReplicaSet", "batch/Job", kubeovn.MachineGroup + "/VirtualMachineInstance":
		return true
	}
	return false
}

// groupOf returns the group of an API version.
func groupOf(apiVersion string) string {
	group, _, grouped := strings.Cut(apiVersion, "/")
	if !grouped {
		return ""
	}
	return group
}

// mayBeRefused reports whether admission could refuse the pod: whether it asks for something that a check looks at, or
// the name of its port may be another's. Nearly all pods are passed over by that, and not judged.
func (c *Cluster) mayBeRefused(p *inventory.Pod) bool {
	if p.DefaultNetwork != nil || len(p.Attachments)+len(p.Chosen) > 0 || p.Unread != "" {
		return true
	}
	for key, value := range p.Annotations {
		if looksAt(key, value) && !notedByKubeOVN(key, p.Annotations) {
			return true
		}
	}
	return strings.Contains(p.Owner, ".") || c.portTaken(p)
}

// portTaken reports whether another pod has, or an object keeps, the port that the pod's name makes.
func (c *Cluster) portTaken(p *inventory.Pod) bool {
	port := kubeovn.PortName(p.Owner, p.Namespace, kubeovn.DefaultProvider)
	if keeper, _ := c.Inventory.Kept(port); keeper != "" && keeper != keeperOf(p) {
		return true
	}
	if c.Inventory.NamesOutside(port) {
		return true
	}
	machine := ""
	if p.Owner != p.Name {
		machine = p.Owner
	}
	_, taken := c.Inventory.ClaimedBy(port, p.PodKey, machine)
	return taken
}

// keeperOf returns the kind of owner that keeps the pod's port while no pod runs.
func keeperOf(p *inventory.Pod) string {
	switch {
	case p.Owner != p.Name:
		return inventory.KeeperVirtualMachine
	case p.Controller != nil && p.Controller.Kind == "StatefulSet":
		return inventory.KeeperStatefulSet
	}
	return ""
}

// looksAt reports whether a check of admission may refuse a pod because of an annotation.
func looksAt(key, value string) bool {
	switch kubeovn.ClassOf(key) { //nolint:exhaustive // nothing is refused for the others
	case kubeovn.GrantKey, kubeovn.IdentityKey, kubeovn.OwnKey, kubeovn.MachineKey, kubeovn.EgressKey,
		kubeovn.GroupKey, kubeovn.NetworkKey:
		return true
	case kubeovn.LevelKey:
		_, err := kubeovn.ParseToggle(value)
		return err != nil
	}
	return false
}

// notedByKubeOVN reports whether an annotation of a pod that runs is what Kube-OVN wrote there, whoever asked for it
// before: its own notes, and the identity of a NIC that it has allocated.
func notedByKubeOVN(key string, annotations map[string]string) bool {
	switch kubeovn.ClassOf(key) { //nolint:exhaustive // Kube-OVN writes nothing of the others
	case kubeovn.OwnKey:
		return true
	case kubeovn.IdentityKey:
		provider, suffix, _ := kubeovn.SplitKey(key)
		switch suffix { //nolint:exhaustive // the others are wishes
		case kubeovn.IPAddress, kubeovn.MACAddress, kubeovn.LogicalSwitch:
			return annotations[provider.Key(kubeovn.Allocated)] == kubeovn.True
		}
	}
	return false
}

// madeAgain returns the pod as it would be made again: without what Kube-OVN and ovnguard wrote on it, and with what
// its manifest is known to ask for.
func madeAgain(p *inventory.Pod) *admission.Pod {
	annotations := maps.Clone(p.Annotations)
	if annotations == nil {
		annotations = make(map[string]string)
	}
	maps.DeleteFunc(annotations, func(key, _ string) bool { return notedByKubeOVN(key, p.Annotations) })
	maps.Copy(annotations, p.Chosen)
	delete(annotations, policy.RecordAnnotation)
	delete(annotations, policy.UndoAnnotation)
	for _, nic := range p.Inherited {
		delete(annotations, nic.Key(kubeovn.PortSecurity))
	}
	if _, kept := annotations[kubeovn.Networks]; !kept && len(p.Attachments) > 0 {
		annotations[kubeovn.Networks] = networksText(p.Attachments)
	}
	if _, kept := annotations[kubeovn.DefaultNetwork]; !kept && p.DefaultNetwork != nil {
		annotations[kubeovn.DefaultNetwork] = networksText([]kubeovn.Attachment{*p.DefaultNetwork})
	}
	out := &admission.Pod{Metadata: admission.Metadata{Name: p.Name, Labels: p.Labels, Annotations: annotations}}
	if o := p.Controller; o != nil {
		out.Metadata.Owners = []admission.OwnerReference{
			{APIVersion: o.APIVersion, Kind: o.Kind, Name: o.Name, UID: o.UID, Controller: true},
		}
	}
	return out
}

// networksText returns the annotation that names the networks.
func networksText(all []kubeovn.Attachment) string {
	type element struct {
		Name      string `json:"name"`
		Namespace string `json:"namespace"`
		Interface string `json:"interface,omitempty"`
	}
	list := make([]element, len(all))
	for i, a := range all {
		list[i] = element{a.Name, a.Namespace, a.Interface}
	}
	text, err := json.Marshal(list)
	if err != nil {
		return "" // texts can always be written
	}
	return string(text)
}
