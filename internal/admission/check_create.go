package admission

import (
	"fmt"
	"slices"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// CheckCreate says why a pod must not be made as it is. It is the last word: whatever other webhooks made of the pod,
// this is what Kube-OVN will read. The verdict is what was decided for its NICs.
func (v *View) CheckCreate(p *ParsedPod) ([]Refusal, Verdict) {
	c := v.newCheck(p, false)
	c.attachments(nil)
	for i := 0; i < len(p.Keys) && !c.late(); i++ {
		if k := &p.Keys[i]; k.counts() {
			c.created(k)
		}
	}
	c.protected(nil)
	c.wholePod()
	c.owners(nil)
	c.portName()
	return c.outcome(), c.verdict()
}

// created checks one annotation of a pod that is to be made.
func (c *check) created(k *Key) {
	key, value := k.Name, k.Value
	c.aboutKey(k)
	switch k.Class {
	case kubeovn.Harmless, kubeovn.WishKey, kubeovn.UnknownKey:
	case kubeovn.NetworkKey: // the networks have been read as a whole
		if value == "" && kubeovn.Present(key) {
			c.refuse(
				annotation(key),
				"leave it out, or name a network",
				"it names no network, and by being there it takes the default network's NIC from the pod",
			)
		}
	case kubeovn.LevelKey:
		c.level(key, value)
	case kubeovn.GrantKey:
		c.grant(k)
	case kubeovn.IdentityKey:
		if k.Elsewhere {
			c.refuse(
				annotation(key),
				"leave it out; the address of NIC "+string(
					k.Provider,
				)+" goes into annotation "+k.Provider.Key(
					kubeovn.IPAddress,
				),
				"the pod has NIC %s once, and Kube-OVN would plug it into a port of another name, which is not this "+
					"pod's",
				k.Provider,
			)
			break
		}
		c.identity(k)
	case kubeovn.OwnKey:
		if !c.Accounts.isKubeOVN(c.User) {
			c.refuse(annotation(key), "leave it out", "Kube-OVN writes this itself, and believes it whoever wrote it")
		}
	case kubeovn.MachineKey:
		if !c.Accounts.isKubeVirt(c.User) && !c.Accounts.isKubeOVN(c.User) {
			c.refuse(
				annotation(key),
				"leave it out",
				"it has the port handled as in a live migration, with addresses that others have or on a second "+
					"chassis, and only KubeVirt's accounts and Kube-OVN's may write it",
			)
		}
	case kubeovn.EgressKey:
		c.egress(key)
	case kubeovn.GroupKey:
		c.groups(key)
	}
}

// protected checks that every NIC has the annotation that its level needs, but those that were there before: another
// webhook may have taken it away again.
func (c *check) protected(before []kubeovn.NIC) {
	for _, nic := range c.nics {
		key := nic.Provider.Key(kubeovn.PortSecurity)
		if c.about(
			nic.Provider,
		); c.mode != policy.Enforce || c.pod.Metadata.Annotations[key] != "" ||
			slices.Contains(before, nic) {
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
			c.refuse(
				annotation(key),
				c.exceptionOr("layer2Forward: Allow"),
				"the %s forbids layer-2 forwarding",
				d.ForwardingFrom.Phrase(),
			)
		}
		return
	}
	if value != kubeovn.True && d.Value() == kubeovn.True {
		c.refuse(annotation(key), `write "true"; `+c.exceptionOr("what the pod needs beyond its own addresses"),
			"%q would leave the NIC without protection, and the %s asks for %s", value, d.LevelFrom.Phrase(), d.Level)
	}
}

// grant checks addresses that the pod would like to share.
func (c *check) grant(k *Key) {
	key, ns := k.Name, c.Namespace.Name
	if c.Namespace.Err != nil {
		c.refuse(
			annotation(key),
			"try again",
			"namespace %s could not be read, so that nothing is granted in it: %v",
			ns,
			c.Namespace.Err,
		)
		return
	}
	if c.blind(annotation(key), inventory.Vips, inventory.Subnets, inventory.Policies, inventory.Exceptions) {
		return
	}
	makeVip := fmt.Sprintf(
		"make a Vip whose spec.namespace is %s and whose spec.subnet is the NIC's (kubectl create, kind Vip of "+
			"kubeovn.io/v1)",
		ns,
	)
	if k.Suffix == kubeovn.VIP {
		c.vip(k, makeVip)
		return
	}
	missing := makeVip + ", or " + c.exceptionOr("the address")
	for _, s := range c.decision(k.Provider).Steps {
		if s.Key != key || s.Outcome != policy.Refused && s.Outcome != policy.Invalid {
			continue
		}
		fix := missing
		if s.Outcome == policy.Invalid {
			fix = "write addresses with commas and no blanks between them"
		}
		c.refuse(annotation(key), fix, "%q: %s", s.Value, s.Detail)
	}
}

func (c *check) egress(key string) {
	if d := c.decision(kubeovn.DefaultProvider); !d.ExternalAddresses {
		c.refuse(
			annotation(key),
			"leave it out, or ask an administrator, who decides that by spec.externalAddresses of a policy",
			"%s does not let pods take external addresses and routes",
			PolicyTitle(d.Policy),
		)
	}
}

// groups refuses security groups for a port to which an exception grants more than its identity: the group's address
// sets are computed from port_security, and every rule that refers to the group would grow by what was granted, or lose
// the port where its entry has no address. The Vips of a namespace are meant to be in them.
func (c *check) groups(key string) {
	if d := c.decision(
		kubeovn.ProviderOf(key),
	); d.Level == policy.MAC ||
		d.Level == policy.Extended && len(d.Exceptions) > 0 {
		c.refuse(
			annotation(key),
			"use a NetworkPolicy, or another port for what the exception is for",
			"the port may send from more than its own addresses (%s), which would change what the rules that refer "+
				"to its security groups let through",
			d.Level,
		)
	}
}

// owners refuses what passes for another's workload, but for the owners that were there before. It does so whatever the
// mode: an owner stays with the pod, and would bring it what is granted to that owner once the policy enforces.
func (c *check) owners(before []OwnerReference) {
	c.mode = policy.Enforce
	known := make(map[OwnerReference]bool, len(before))
	for _, o := range before {
		known[o] = true
	}
	for _, o := range c.pod.Metadata.Owners {
		if known[o] {
			continue
		}
		known[o] = true
		owner := policy.Owner{APIVersion: o.APIVersion, Kind: o.Kind, Name: o.Name, UID: o.UID}
		account, ofKubernetes := controllerOf(owner)
		switch {
		case c.Accounts.made(owner, c.User):
		case kubeovn.OwnsLauncher(o.APIVersion, o.Kind):
			c.refuse(
				"metadata.ownerReferences",
				"leave the owner out; KubeVirt makes the pods of its machines itself",
				"a pod of VirtualMachineInstance %s takes that machine's port, and only KubeVirt's accounts may make "+
					"one",
				o.Name,
			)
		case ofKubernetes && (o.Controller || o.Kind == "StatefulSet"):
			c.refuse(
				"metadata.ownerReferences",
				fmt.Sprintf("leave the owner out; the %s makes the pods of a %s itself", account, o.Kind),
				"a pod of %s %s has what is granted to that %s, or its port, and only the account of its controller "+
					"may make one",
				o.Kind,
				o.Name,
				o.Kind,
			)
		}
	}
}

// portName refuses a pod whose ports would bear the names of others'. Those of a machine's launchers bear the name of
// the machine, which its author chose.
func (c *check) portName() {
	name, ns := c.pod.Metadata.portOwner(c.Inventory.Setup().KeepVMIP), c.Namespace.Name
	if c.pod.Metadata.Name == "" {
		return // the API server makes the name before it asks for validation
	}
	field, whose, machine := "metadata.name", "the pod", ""
	if o := c.pod.Metadata.launcherOf(); o != nil && c.Accounts.isKubeVirt(c.User) {
		field, whose, machine = "metadata.ownerReferences", "the machine", o.Name
	}
	if kubeovn.MayNameAnotherPort(name, ns) {
		c.refuse(
			field,
			"give "+whose+" a name without dots",
			"its port would be named %s, as that of another pod's attachment is, and Kube-OVN would take the two for "+
				"one",
			kubeovn.PortName(name, ns, kubeovn.DefaultProvider),
		)
		return
	}
	// What the API server makes names of, nobody can steer to that of another port. Machines have the names that
	// somebody chose.
	made, ok := c.Record[kubeovn.DefaultProvider]
	chosen := !ok || made.Named || machine != ""
	if chosen && c.blind(field, inventory.Pods, inventory.Records, inventory.Subnets, inventory.Attachments) {
		return
	}
	me, fix := inventory.PodKey{Namespace: ns, Name: c.pod.Metadata.Name}, "give "+whose+" another name"
	for _, nic := range c.nics {
		port := kubeovn.PortName(name, ns, nic.Provider)
		keeper, of := c.Inventory.Kept(port)
		switch other, taken := c.Inventory.ClaimedBy(port, me, machine); {
		case chosen && c.Inventory.NamesOutside(port):
			c.refuse(field, "give "+whose+" a name without dots",
				"its port would be named %s, which is that of an IP resource of a NIC outside OVN", port)
		case taken:
			c.refuse(
				field,
				fix,
				"its port would be named %s, which is %s",
				port,
				c.ofPod("that of a port of pod ", other),
			)
		case keeper == "VirtualMachine" && machine == "":
			c.refuse(field, fix, "its port would be named %s, which a virtual machine keeps", port)
		case keeper != "" && of != (inventory.PodKey{}) && of != inventory.PodKey{Namespace: ns, Name: name}:
			c.refuse(
				field,
				fix,
				"its port would be named %s, which is %s",
				port,
				c.ofPod("what a "+keeper+" keeps for ", of),
			)
		}
	}
	// The IP resources of its NICs outside OVN must not be those of ports that there are.
	for _, a := range c.networks.All() {
		if kind, known := c.Inventory.Kind(a); known && kind.OnOVN() {
			continue
		}
		resource := kubeovn.PortName(name, ns, kubeovn.OutsideProvider(a.Namespace, a.Name))
		if other, taken := c.Inventory.ClaimedBy(resource, me, machine); taken {
			c.refuse(field, fix, "the IP resource of its NIC outside OVN would be named %s, which is %s",
				resource, c.ofPod("that of a port of pod ", other))
		}
	}
}

// ofPod returns the end of a sentence about what is another pod's; outside that pod's namespace it is only said to be
// taken.
func (c *check) ofPod(what string, other inventory.PodKey) Private {
	whole := what + other.String()
	if other.Namespace == c.Namespace.Name {
		return Private{whole, whole}
	}
	return Private{"taken", whole}
}
