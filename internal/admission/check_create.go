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
// what Kube-OVN will read. The verdict is what was decided for its NICs.
func (v *View) CheckCreate(p *Pod) ([]Refusal, Verdict) {
	c := v.newCheck(p, false)
	c.attachments(multus.Networks{})
	for _, key := range slices.Sorted(maps.Keys(p.Metadata.Annotations)) {
		if value := p.Metadata.Annotations[key]; value != "" || kubeovn.Present(key) {
			c.created(key, value)
		}
	}
	c.protected(nil)
	c.wholePod()
	c.owners(nil)
	c.portName()
	return c.refusals, c.verdict()
}

// created checks one annotation of a pod that is to be made.
func (c *check) created(key, value string) {
	class := kubeovn.ClassOf(key)
	if class == kubeovn.Harmless {
		return
	}
	c.aboutKey(key)
	switch class {
	case kubeovn.Harmless:
	case kubeovn.NetworkKey: // the networks have been read as a whole
		if value == "" && kubeovn.Present(key) {
			c.refuse(annotation(key), "leave it out, or name a network", "it names no network, and by being there it takes the default network's NIC from the pod")
		}
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
			c.refuse(annotation(key), "leave it out", "it lets the pod have addresses that others have, and only KubeVirt's accounts may write it, on the target of a live migration")
		}
	case kubeovn.EgressKey:
		c.egress(key)
	case kubeovn.GroupKey:
		c.groups(key)
	}
}

// protected checks that every NIC has the annotation that its level needs, but those that were there before: another webhook
// may have taken it away again.
func (c *check) protected(before []kubeovn.NIC) {
	for _, nic := range c.nics {
		key := nic.Provider.Key(kubeovn.PortSecurity)
		if c.about(nic.Provider); c.mode != policy.Enforce || c.pod.Metadata.Annotations[key] != "" || slices.Contains(before, nic) {
			continue // what is there has been looked at; where nothing is enforced, the mutating webhook has said it
		}
		c.level(key, "")
	}
}

// level checks that Kube-OVN reads what was decided.
func (c *check) level(key, value string) {
	d := c.decision(kubeovn.ProviderOf(key))
	if kubeovn.BaseSuffix(key) == kubeovn.Layer2Forward {
		if value == kubeovn.True && d.Forwarding == policy.Forbid {
			c.refuse(annotation(key), c.exceptionOr("layer2Forward: Allow"), "the %s forbids layer-2 forwarding", d.ForwardingFrom.Phrase())
		}
		return
	}
	if value != kubeovn.True && d.Level != policy.Open {
		c.refuse(annotation(key), `write "true"; `+c.exceptionOr("what the pod needs beyond its own addresses"),
			"%q would leave the NIC without protection, and the %s asks for %s", value, d.LevelFrom.Phrase(), d.Level)
	}
}

// grant checks addresses that the pod would like to share.
func (c *check) grant(key, value string) {
	ns := c.Namespace.Name
	if c.Namespace.Err != nil {
		c.refuse(annotation(key), "try again", "namespace %s could not be read, so that nothing is granted in it: %v", ns, c.Namespace.Err)
		return
	}
	if c.blind(annotation(key), inventory.Vips, inventory.Subnets, inventory.Policies, inventory.Exceptions) {
		return
	}
	makeVip := fmt.Sprintf("make a Vip whose spec.namespace is %s and whose spec.subnet is the NIC's (kubectl create, kind Vip of kubeovn.io/v1)", ns)
	if kubeovn.BaseSuffix(key) == kubeovn.VIP {
		if !slices.ContainsFunc(c.Inventory.VIPs(ns), func(v policy.VIP) bool { return v.Name == value }) {
			c.refuse(annotation(key), makeVip+", and name that", "the pod would take the address and the MAC of Vip %q, and namespace %s has no such Vip", value, ns)
		} else if v, _ := c.Inventory.Vip(value); v.Type != "" {
			c.refuse(annotation(key), "name a Vip without spec.type", "the pod would take the MAC of Vip %q, which is of type %s and has a port of its own, perhaps with the MAC of the gateway", value, v.Type)
		}
		return
	}
	for _, s := range c.decision(kubeovn.ProviderOf(key)).Steps {
		if s.Key != key || s.Outcome != policy.Refused && s.Outcome != policy.Invalid {
			continue
		}
		fix := makeVip + ", or " + c.exceptionOr("the address")
		if s.Outcome == policy.Invalid {
			fix = "write addresses with commas and no blanks between them"
		}
		c.refuse(annotation(key), fix, "%q: %s", s.Value, s.Detail)
	}
}

func (c *check) egress(key string) {
	if d := c.decision(kubeovn.DefaultProvider); !d.ExternalAddresses {
		fix := fmt.Sprintf("an administrator can create a PortSecurityPolicy for namespace %s with spec.externalAddresses: Allow", c.Namespace.Name)
		if d.Policy != "" {
			fix = fmt.Sprintf(`an administrator can run: kubectl patch portsecuritypolicy %s --type=merge -p '{"spec":{"externalAddresses":"Allow"}}'`, d.Policy)
		}
		c.refuse(annotation(key), fix,
			"%s does not let pods take external addresses and routes", PolicyTitle(d.Policy))
	}
}

// groups refuses security groups for a port to which an exception grants more than its identity: the group's address sets are
// computed from port_security, and every rule that refers to the group would grow by what was granted, or lose the port where
// its entry has no address. The Vips of a namespace are meant to be in them.
func (c *check) groups(key string) {
	if d := c.decision(kubeovn.ProviderOf(key)); d.Level == policy.MAC || d.Level == policy.Extended && len(d.Exceptions) > 0 {
		c.refuse(annotation(key), "use a NetworkPolicy, or another port for what the exception is for",
			"the port may send from more than its own addresses (%s), which would change what the rules that refer to its security groups let through", d.Level)
	}
}

// owners refuses what passes for another's workload, but for the owners that were there before. It does so whatever the mode: an owner
// stays with the pod, and would bring it what is granted to that owner once the policy enforces.
func (c *check) owners(before []OwnerReference) {
	c.mode = policy.Enforce
	for _, o := range c.pod.Metadata.Owners {
		if slices.Contains(before, o) {
			continue
		}
		owner := policy.Owner{APIVersion: o.APIVersion, Kind: o.Kind, Name: o.Name, UID: o.UID}
		account, known := controllerOf(owner)
		switch {
		case c.Accounts.made(owner, c.User):
		case kubeovn.OwnsLauncher(o.APIVersion, o.Kind):
			c.refuse("metadata.ownerReferences", "leave the owner out; KubeVirt makes the pods of its machines itself",
				"a pod of VirtualMachineInstance %s takes that machine's port, and only KubeVirt's accounts may make one", o.Name)
		case known && (o.Controller || o.Kind == "StatefulSet"):
			c.refuse("metadata.ownerReferences", fmt.Sprintf("leave the owner out; the %s makes the pods of a %s itself", account, o.Kind),
				"a pod of %s %s has what is granted to that %s, or its port, and only the account of its controller may make one", o.Kind, o.Name, o.Kind)
		}
	}
}

// portName refuses a pod whose ports would bear the names of others'. Those of a machine's launchers bear the name of the machine, which
// its author chose.
func (c *check) portName() {
	name, ns := c.pod.Metadata.portOwner(), c.Namespace.Name
	if c.pod.Metadata.Name == "" {
		return // the API server makes the name before it asks for validation
	}
	field, whose, machine := "metadata.name", "the pod", ""
	if o := c.pod.Metadata.launcherOf(); o != nil && c.Accounts.isKubeVirt(c.User) {
		field, whose, machine = "metadata.ownerReferences", "the machine", o.Name
	}
	if kubeovn.MayNameAnotherPort(name, ns) {
		c.refuse(field, "give "+whose+" a name without dots",
			"its port would be named %s, as that of another pod's attachment is, and Kube-OVN would take the two for one", kubeovn.PortName(name, ns, kubeovn.DefaultProvider))
		return
	}
	// What the API server makes names of, nobody can steer to that of another port. Machines have the names that somebody chose.
	made, ok := policy.ReadRecord(c.pod.Metadata.Annotations)[kubeovn.DefaultProvider]
	if (!ok || made.Named || machine != "") && c.blind(field, inventory.Pods, inventory.Records) {
		return
	}
	me, fix := inventory.PodKey{Namespace: ns, Name: c.pod.Metadata.Name}, "give "+whose+" another name"
	for _, nic := range c.nics {
		port := kubeovn.PortName(name, ns, nic.Provider)
		keeper, of := c.Inventory.Kept(port)
		switch other, taken := c.Inventory.ClaimedBy(port, me, machine); {
		case taken:
			c.refuse(field, fix, "its port would be named %s, which is that of a port of pod %s", port, other)
		case keeper == "VirtualMachine" && machine == "":
			c.refuse(field, fix, "its port would be named %s, which a virtual machine keeps", port)
		case keeper != "" && of != (inventory.PodKey{}) && of != inventory.PodKey{Namespace: ns, Name: name}:
			c.refuse(field, fix, "its port would be named %s, which a %s keeps for %s", port, keeper, of)
		}
	}
}
