package admission

import (
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

var portOfOther = &Check{
	ID: "OVGA21", Name: "port-name",
	Summary: "a pod name that gives a port of the pod the name of another port",
}

// portName refuses a pod whose ports would bear the names of others'. Those of a machine's launchers bear the name of
// the machine, which its author chose.
func (r *review) portName() {
	name, ns, mode := r.Metadata.portOwner(r.Inventory.Setup().KeepVMIP), r.Namespace.Name, r.modeOfPod()
	if r.Metadata.Name == "" {
		return // the API server makes the name before it asks for validation
	}
	field, whose, machine := "metadata.name", "the pod", ""
	if o := r.Metadata.launcherOf(); o != nil && r.Accounts.isKubeVirt(r.User) {
		field, whose, machine = "metadata.ownerReferences", "the machine", o.Name
	}
	if kubeovn.MayNameAnotherPort(name, ns) {
		r.refuse(
			portOfOther,
			mode,
			field,
			"give "+whose+" a name without dots",
			"its port would be named %s, the form of a port name for an attachment of another pod, and "+
				"Kube-OVN could not tell the two apart",
			kubeovn.PortName(name, ns, kubeovn.DefaultProvider),
		)
		return
	}
	// What the API server makes names of, nobody can steer to that of another port. Machines have the names that
	// somebody chose.
	made, ok := r.Record[kubeovn.DefaultProvider]
	chosen := !ok || made.Named || machine != ""
	if chosen && r.blind(mode, field, inventory.Pods, inventory.Records, inventory.Subnets, inventory.Attachments) {
		return
	}
	me, fix := inventory.PodKey{Namespace: ns, Name: r.Metadata.Name}, "give "+whose+" another name"
	for _, nic := range r.NICs {
		port := kubeovn.PortName(name, ns, nic.Provider)
		keeper, of := r.Inventory.Kept(port)
		switch other, taken := r.Inventory.ClaimedBy(port, me, machine); {
		case chosen && r.Inventory.NamesOutside(port):
			r.refuse(portOfOther, mode, field, "give "+whose+" a name without dots",
				"its port would be named %s, and this is the name of an IP resource of a NIC outside OVN", port)
		case taken:
			r.refuse(
				portOfOther,
				mode,
				field,
				fix,
				"its port would be named %s, and that name is %s",
				port,
				r.ofPod("taken by a port of pod ", other),
			)
		case keeper == "VirtualMachine" && machine == "":
			r.refuse(
				portOfOther,
				mode,
				field,
				fix,
				"its port would be named %s, and a virtual machine keeps the port with that name",
				port,
			)
		case keeper != "" && of != (inventory.PodKey{}) && of != inventory.PodKey{Namespace: ns, Name: name}:
			r.refuse(
				portOfOther,
				mode,
				field,
				fix,
				"its port would be named %s, and that name is %s",
				port,
				r.ofPod("taken by a "+keeper+" for its pod ", of),
			)
		}
	}
	// The IP resources of its NICs outside OVN must not be those of ports that there are.
	for _, a := range r.Networks.All() {
		if kind, known := r.Inventory.Kind(a); known && kind.OnOVN() {
			continue
		}
		resource := kubeovn.PortName(name, ns, kubeovn.OutsideProvider(a.Namespace, a.Name))
		if other, taken := r.Inventory.ClaimedBy(resource, me, machine); taken {
			r.refuse(
				portOfOther,
				mode,
				field,
				fix,
				"the IP resource of its NIC outside OVN would be named %s, and that name is %s",
				resource,
				r.ofPod("taken by a port of pod ", other),
			)
		}
	}
}

// ofPod returns the end of a sentence about what is another pod's; outside that pod's namespace it is only said to be
// taken.
func (r *review) ofPod(what string, other inventory.PodKey) Private {
	whole := what + other.String()
	if other.Namespace == r.Namespace.Name {
		return Private{whole, whole}
	}
	return Private{"taken", whole}
}
