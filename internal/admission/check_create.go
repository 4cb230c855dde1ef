package admission

import (
	"fmt"
	"maps"
	"slices"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/multus"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// maxAttachments bounds how many networks a pod may list: each costs every component that reads the pod.
const maxAttachments = 32

// CheckCreate says why a pod must not be made as it is. It is the last word: whatever other webhooks made of the pod, this is
// what Kube-OVN will read.
func (v *View) CheckCreate(p *Pod) []Refusal {
	c := &check{View: v, pod: p, mode: v.decide(p, kubeovn.DefaultProvider, false).Mode}
	c.networks()
	for _, key := range slices.Sorted(maps.Keys(p.Metadata.Annotations)) {
		if value := p.Metadata.Annotations[key]; value != "" {
			c.created(key, value)
		}
	}
	c.owner()
	c.portName()
	return c.refusals
}

// check gathers what is wrong with a pod.
type check struct {
	*View
	pod        *Pod
	trustOwner bool
	// mode is that of the policy for the default NIC, which counts for what belongs to no NIC.
	mode     policy.Mode
	refusals []Refusal
	decided  map[kubeovn.Provider]policy.Decision
}

func (c *check) refuse(field, fix, why string, args ...any) {
	c.refusals = append(c.refusals, Refusal{Field: field, Why: fmt.Sprintf(why, args...), Fix: fix, Mode: c.mode})
}

// decision gives the decision for a NIC, made once.
func (c *check) decision(p kubeovn.Provider) policy.Decision {
	d, ok := c.decided[p]
	if !ok {
		if c.decided == nil {
			c.decided = make(map[kubeovn.Provider]policy.Decision)
		}
		d = c.decide(c.pod, p, c.trustOwner)
		c.decided[p] = d
	}
	return d
}

// providerOf gives the provider that a key is about: that of the default network for keys without one.
func providerOf(key string) kubeovn.Provider {
	if p, _, ok := kubeovn.SplitKey(key); ok && kubeovn.ClassOf(key) != kubeovn.MachineKey && key != kubeovn.AAPs {
		return p
	}
	return kubeovn.DefaultProvider
}

// created checks one annotation of a pod that is to be made.
func (c *check) created(key, value string) {
	switch kubeovn.ClassOf(key) {
	case kubeovn.Harmless, kubeovn.NetworkKey: // the networks have been read as a whole
	case kubeovn.LevelKey:
		c.level(key, value)
	case kubeovn.GrantKey:
		c.grant(key, value)
	case kubeovn.IdentityKey:
		c.identity(key, value)
	case kubeovn.OwnKey:
		if !c.Accounts.isKubeOVN(c.User) {
			c.refuse(annotation(key), "leave it out", "Kube-OVN writes this itself, and believes it whoever wrote it")
		}
	case kubeovn.MachineKey:
		if !c.Accounts.isKubeVirt(c.User) && !c.Accounts.isKubeOVN(c.User) {
			c.refuse(annotation(key), "leave it out", "it gives the pod the port of a virtual machine, and only KubeVirt's accounts may write it")
		}
	case kubeovn.EgressKey:
		c.egress(key)
	case kubeovn.GroupKey:
		c.groups(key)
	}
}

// level checks that Kube-OVN reads what was decided.
func (c *check) level(key, value string) {
	provider, suffix, _ := kubeovn.SplitKey(key)
	d := c.decision(provider)
	if suffix == kubeovn.Layer2Forward {
		if value == kubeovn.True && d.Forwarding == policy.Forbid {
			c.refuse(annotation(key), c.exceptionOr("layer2Forward: Allow"), "the %s forbids layer-2 forwarding", d.ForwardingFrom.Phrase())
		}
		return
	}
	if value != kubeovn.True && d.Level != policy.Open {
		c.refuse(annotation(key), c.exceptionOr("what the pod needs"), "%q would leave the NIC without protection, and the %s asks for %s", value, d.LevelFrom.Phrase(), d.Level)
	}
}

// exceptionOr names the object that would allow something.
func (c *check) exceptionOr(grant string) string {
	return fmt.Sprintf("a PortSecurityException in namespace %s can grant %s", c.Namespace.Name, grant)
}

// grant checks addresses that the pod would like to share.
func (c *check) grant(key, value string) {
	if kubeovn.BaseSuffix(key) == kubeovn.VIP {
		if !slices.ContainsFunc(c.Inventory.VIPs(c.Namespace.Name), func(v policy.VIP) bool { return v.Name == value }) {
			c.refuse(annotation(key), "name a Vip whose spec.namespace is "+c.Namespace.Name,
				"the pod would take the address and the MAC of Vip %q, and namespace %s has no such Vip", value, c.Namespace.Name)
		}
		return
	}
	provider := providerOf(key)
	for _, s := range c.decision(provider).Steps {
		if s.Key == key && (s.Outcome == policy.Refused || s.Outcome == policy.Invalid) {
			c.refuse(annotation(key), fmt.Sprintf("make a Vip with spec.namespace %s, or %s", c.Namespace.Name, c.exceptionOr("the address")), "%q: %s", s.Value, s.Detail)
		}
	}
}

func (c *check) egress(key string) {
	if d := c.decision(kubeovn.DefaultProvider); !d.ExternalAddresses {
		c.refuse(annotation(key), "a PortSecurityPolicy with externalAddresses: Allow for the namespace lets pods do that", "%s does not let pods take external addresses and routes", policyTitle(d.Policy))
	}
}

// groups refuses security groups for a port that may send from more than its identity: the group's address sets are computed
// from port_security, and every rule that refers to the group would grow by what was granted.
func (c *check) groups(key string) {
	if d := c.decision(providerOf(key)); d.Level > policy.Strict {
		c.refuse(annotation(key), "use a NetworkPolicy, or another port for what the exception is for",
			"the port may send from more than its own addresses (%s), which would widen every rule that refers to its security groups", d.Level)
	}
}

// owner refuses what passes for another's workload.
func (c *check) owner() {
	if c.Accounts.isKubeVirt(c.User) {
		return
	}
	for _, o := range c.pod.Metadata.Owners {
		if kubeovn.OwnsLauncher(o.APIVersion, o.Kind) {
			c.refuse("metadata.ownerReferences", "leave the owner out; KubeVirt makes the pods of its machines itself",
				"a pod of VirtualMachineInstance %s takes that machine's port, and only KubeVirt's accounts may make one", o.Name)
		}
	}
}

// portName refuses a pod whose ports would bear the names of others'.
func (c *check) portName() {
	if c.pod.Metadata.Name == "" {
		return // the API server makes the name, and the validating call comes after that
	}
	owner := c.pod.Metadata.portOwner()
	networks, err := multus.Parse(c.Namespace.Name, c.pod.Metadata.Annotations)
	if err != nil {
		return // refused already
	}
	me := inventory.PodKey{Namespace: c.Namespace.Name, Name: c.pod.Metadata.Name}
	for _, nic := range nicsOf(networks) {
		name := kubeovn.PortName(owner, c.Namespace.Name, nic.Provider)
		if other, taken := c.Inventory.ClaimedBy(name, me); taken && !c.Accounts.isKubeVirt(c.User) {
			c.refuse("metadata.name", "give the pod another name", "its port would be named %s, which is that of a port of pod %s", name, other)
		}
		if keeper := c.Inventory.KeptFor(name); keeper == "VirtualMachine" && !c.Accounts.isKubeVirt(c.User) {
			c.refuse("metadata.name", "give the pod another name", "its port would be named %s, which a virtual machine keeps", name)
		}
	}
}

func policyTitle(name string) string {
	if name == "" {
		return "the built-in default"
	}
	return "PortSecurityPolicy " + name
}
