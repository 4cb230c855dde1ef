package admission

import (
	"slices"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// early refuses what has Kube-OVN write port_security of a strict NIC before it has noted the NIC's address and MAC on the pod. The port may
// be there by then, made a moment ago or by the last pod of that name; what is written has no MAC, and OVN lets a port send anything that has
// nothing else.
func (c *check) early(was *check, keys []string) {
	i := slices.IndexFunc(keys, kubeovn.WritesSecurity)
	if i < 0 || c.Accounts.isKubeOVN(c.User) {
		return
	}
	nic, ok := c.unmade(was)
	if !ok {
		return
	}
	c.about(nic)
	c.refuse(annotation(keys[i]), "try again once Kube-OVN has made the port (annotation "+nic.Key(kubeovn.Allocated)+" is then \"true\"), or make the pod anew with what it shall have",
		"Kube-OVN would write port_security of NIC %s without an address and a MAC, which it has not noted on the pod yet, and the port would be open", nic)
}

// unmade gives a NIC of OVN that is strict, and was, and that Kube-OVN has not allocated.
func (c *check) unmade(was *check) (kubeovn.Provider, bool) {
	before, after := was.pod.Metadata.Annotations, c.pod.Metadata.Annotations
	nics := kubeovn.NICs(was.networks.Default, was.networks.Attachments, func(a kubeovn.Attachment) kubeovn.AttachmentKind {
		kind, _ := c.Inventory.Kind(a)
		return kind
	})
	isMade := func(nic kubeovn.NIC) bool { return before[nic.Provider.Key(kubeovn.Allocated)] == kubeovn.True }
	someMade := slices.ContainsFunc(nics, isMade)
	for _, nic := range nics {
		key := nic.Provider.Key(kubeovn.PortSecurity)
		switch {
		case isMade(nic), before[key] != kubeovn.True || after[key] != kubeovn.True:
		case someMade && (nic.Spelling || nic.Provider == kubeovn.DefaultProvider):
			// Another release would have it, or Kube-OVN is not the cluster's first network.
		default:
			return nic.Provider, true
		}
	}
	return "", false
}
