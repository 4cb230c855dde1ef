package admission

import (
	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

var fixedNetworks = &Check{
	ID: "OVGA05", Name: "networks-fixed",
	Summary: "a change of the networks of a running pod, except for KubeVirt plugging an interface in",
}

var ownKey = &Check{
	ID: "OVGA15", Name: "own-key",
	Summary: "an annotation that Kube-OVN writes itself and believes, by anybody else",
}

var machineKey = &Check{
	ID: "OVGA16", Name: "machine-key",
	Summary: "an annotation that has a port handled as in a live migration, by others than KubeVirt and Kube-OVN",
}

var anotherPort = &Check{
	ID: "OVGA17", Name: "another-port",
	Summary: "an annotation because of which Kube-OVN would plug a NIC into a port of another name",
}

// recreate is the fix where Kube-OVN reads something once, when it makes the port.
const recreate = "make the pod again with what it shall have"

// writtenByKubeOVN refuses a key that Kube-OVN writes itself.
func (r *review) writtenByKubeOVN(k *Key) {
	if !r.Accounts.isKubeOVN(r.User) {
		r.refuse(
			ownKey,
			r.modeOfKey(k),
			annotation(k.Name),
			"leave it out",
			"Kube-OVN writes this itself, and believes it whoever wrote it",
		)
	}
}

// changedByKubeOVN refuses a change of a key that Kube-OVN reads again.
func (r *review) changedByKubeOVN(k *Key) {
	if !r.Accounts.isKubeOVN(r.User) {
		r.refuse(
			ownKey,
			r.modeOfKey(k),
			annotation(k.Name),
			recreate,
			"Kube-OVN reads this again and believes it, so only its own accounts may change it",
		)
	}
}

// byMachine refuses a key by which Kube-OVN handles the port as that of a machine that migrates; fix says what helps.
func (r *review) byMachine(k *Key, fix string) {
	if !r.Accounts.isKubeVirt(r.User) && !r.Accounts.isKubeOVN(r.User) {
		r.refuse(
			machineKey,
			r.modeOfKey(k),
			annotation(k.Name),
			fix,
			"it has the port handled as in a live migration, with addresses that others have or on a second chassis, "+
				"and only KubeVirt's accounts and Kube-OVN's may write it",
		)
	}
}

// elsewhere refuses a key because of which a NIC would be plugged into a port of another name.
func (r *review) elsewhere(k *Key) {
	nic := k.Provider
	r.refuse(
		anotherPort,
		r.modeOfKey(k),
		annotation(k.Name),
		"leave it out; the address of NIC "+string(nic)+" goes into annotation "+nic.Key(kubeovn.IPAddress),
		"the pod has NIC %s once, and Kube-OVN would plug it into a port of another name, which is not this pod's",
		nic,
	)
}

// networksChanged refuses a change of what networks a running pod has.
func (r *review) networksChanged(k *Key) {
	if !r.Accounts.isKubeVirt(r.User) {
		r.refuse(
			fixedNetworks,
			r.modeOfKey(k),
			annotation(k.Name),
			recreate,
			"the networks of a pod are fixed when it is made",
		)
	}
}

// pluggedIn checks one annotation that was there before the NIC that it is about. Nobody looked at it then, and whoever
// plugs the NIC in has not written it.
func (r *review) pluggedIn(k *Key) {
	if k.Class != kubeovn.MachineKey {
		r.created(k)
		return
	}
	r.refuse(
		machineKey,
		r.modeOfKey(k),
		annotation(k.Name),
		"remove it, and plug the NIC in again",
		"it was written before the pod had the NIC, by whoever may change the pod, and it has the port handled as in "+
			"a live migration",
	)
}
