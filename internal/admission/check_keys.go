package admission

import (
	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

var fixedNetworks = &Check{
	ID: "OVGA05", Name: "networks-fixed",
	Summary: "a change of the networks of a running pod, unless KubeVirt plugs an interface in",
}

var ownKey = &Check{
	ID: "OVGA15", Name: "own-key",
	Summary: "an annotation that Kube-OVN writes itself and trusts, written by another account",
}

var machineKey = &Check{
	ID: "OVGA16", Name: "machine-key",
	Summary: "an annotation that makes Kube-OVN treat a port as in a live migration, written by an account that " +
		"is neither KubeVirt's nor Kube-OVN's",
}

var anotherPort = &Check{
	ID: "OVGA17", Name: "another-port",
	Summary: "an annotation that makes Kube-OVN plug a NIC into a port with another name",
}

// recreate is the fix where Kube-OVN reads something once, when it makes the port.
const recreate = "create the pod again with the values it needs"

// writtenByKubeOVN refuses a key that Kube-OVN writes itself.
func (r *review) writtenByKubeOVN(k *Key) {
	if !r.Accounts.isKubeOVN(r.User) {
		r.refuse(
			ownKey,
			r.modeOfKey(k),
			annotation(k.Name),
			"leave it out",
			"Kube-OVN writes this annotation itself and trusts its value, no matter who wrote it",
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
			"Kube-OVN reads this annotation again and trusts it, so only accounts of Kube-OVN may change it",
		)
	}
}

// byMachine refuses a key that makes Kube-OVN handle the port as one of a migrating machine; fix says what helps.
func (r *review) byMachine(k *Key, fix string) {
	if !r.Accounts.isKubeVirt(r.User) && !r.Accounts.isKubeOVN(r.User) {
		r.refuse(
			machineKey,
			r.modeOfKey(k),
			annotation(k.Name),
			fix,
			"with this annotation, Kube-OVN treats the port as in a live migration: it may have the address of "+
				"another port, or be on two chassis; only the accounts of KubeVirt and Kube-OVN may write it",
		)
	}
}

// elsewhere refuses a key that would plug a NIC into a port of another name.
func (r *review) elsewhere(k *Key) {
	nic := k.Provider
	r.refuse(
		anotherPort,
		r.modeOfKey(k),
		annotation(k.Name),
		"leave it out; the address of NIC "+string(nic)+" goes into annotation "+nic.Key(kubeovn.IPAddress),
		"the pod has NIC %s only once, and this key makes Kube-OVN plug it into a port with another name, "+
			"which is not a port of this pod",
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
			"the networks of a pod cannot change after it is created",
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
		"any user who may change the pod could have written it before the pod had the NIC, and with it "+
			"Kube-OVN treats the port as in a live migration",
	)
}
