package admission

import (
	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// CheckCreate says why a pod must not be made as it is. It is the last word: whatever other webhooks made of the pod,
// this is what Kube-OVN will read. The verdict is what was decided for its NICs.
func (v *View) CheckCreate(p *ParsedPod) ([]Refusal, Verdict) {
	r := v.newReview(p, false)
	r.attachments(nil)
	for i := 0; i < len(p.Keys) && !r.late(); i++ {
		if k := &p.Keys[i]; k.counts() {
			r.created(k)
		}
	}
	r.protected(nil)
	r.owners(nil)
	r.portName()
	return r.outcome(), r.verdict()
}

// created checks one annotation of a pod that is to be made.
func (r *review) created(k *Key) {
	switch k.Class {
	case kubeovn.Harmless, kubeovn.WishKey, kubeovn.UnknownKey:
	case kubeovn.NetworkKey:
		r.namesNetworks(k)
	case kubeovn.LevelKey:
		r.level(k.Name, k.Value)
	case kubeovn.GrantKey:
		r.grant(k)
	case kubeovn.IdentityKey:
		if k.Elsewhere {
			r.elsewhere(k)
		} else {
			r.identity(k)
		}
	case kubeovn.OwnKey:
		r.writtenByKubeOVN(k)
	case kubeovn.MachineKey:
		r.byMachine(k, "leave it out")
	case kubeovn.EgressKey:
		r.egress(k.Name)
	case kubeovn.GroupKey:
		r.groups(k.Name)
	}
}
