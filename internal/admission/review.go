package admission

import (
	"fmt"
	"strings"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// review is what is known of a pod that is to be made or changed, with what the checks refuse about it.
type review struct {
	*View
	*ParsedPod
	*grounds

	refusals []Refusal
	sites    map[kubeovn.Provider]site
	// told, worded and more are how many reasons under each mode are in refusals, were put into words, and were only
	// counted.
	told, worded, more map[policy.Mode]int
	looked             lookups
}

// newReview begins the review of a pod. trustOwner says whether the pod's owners are believed, as they are once the pod
// is there.
func (v *View) newReview(p *ParsedPod, trustOwner bool) *review {
	return &review{View: v, ParsedPod: p, grounds: v.grounds(p, trustOwner)}
}

// modeOfNIC returns the mode of the policy of a NIC.
func (r *review) modeOfNIC(p kubeovn.Provider) policy.Mode { return r.decision(p).Mode }

// modeOfPod returns the mode of the policy that does most about some NIC of the pod.
func (r *review) modeOfPod() policy.Mode {
	mode := r.modeOfNIC(kubeovn.DefaultProvider)
	for _, nic := range r.NICs {
		mode = min(mode, r.modeOfNIC(nic.Provider))
	}
	if r.Unread != nil {
		mode = min(mode, r.tightestMode(r.Pod))
	}
	return mode
}

// modeOfKey returns the mode for an annotation: that of its NIC, or of the whole pod where Kube-OVN reads it for every
// NIC.
func (r *review) modeOfKey(k *Key) policy.Mode {
	if k.Suffix == "" || k.Name == kubeovn.AAPs || k.Suffix == kubeovn.VIP {
		return r.modeOfPod()
	}
	return r.modeOfNIC(k.Provider)
}

// refuse adds a reason why the pod must not be: what a check found under a policy of this mode. Arguments of type
// Private are told to the audit log alone, and two in a row that read the same to whoever asked are told once.
//
// No more reasons are put into words than an answer gives; the others are counted.
func (r *review) refuse(check *Check, mode policy.Mode, field, fix, why string, args ...any) {
	mode = check.under(mode)
	if r.told == nil {
		r.told, r.worded, r.more = make(map[policy.Mode]int), make(map[policy.Mode]int), make(map[policy.Mode]int)
	}
	if r.told[mode] >= maxReasons || r.worded[mode] >= maxWorded {
		r.more[mode]++
		return
	}
	r.worded[mode]++
	said := Say(why, args...)
	refusal := Refusal{Check: check, Field: field, Why: said.Public, Fix: fix, Mode: mode}
	if said.Whole != said.Public {
		refusal.Whole = said.Whole
	}
	if last := len(r.refusals) - 1; last >= 0 && refusal.Whole != "" {
		before := &r.refusals[last]
		if before.Whole != "" && before.Mode == mode && before.String() == refusal.String() {
			before.Whole += ", and " + refusal.Whole
			return
		}
	}
	r.refusals = append(r.refusals, refusal)
	r.told[mode]++
}

// outcome returns all refusals, with how many there are besides those that were put into words.
func (r *review) outcome() []Refusal {
	out := r.refusals
	if r.late() {
		out = append(
			out,
			Refusal{
				Check: outOfTime,
				Field: "metadata",
				Why:   "there was no time to check all of it, so it is refused",
				Fix:   "try again",
			},
		)
	}
	for _, mode := range []policy.Mode{policy.Enforce, policy.Warn, policy.Audit} {
		if more := r.more[mode]; more > 0 {
			out = append(out, Refusal{Mode: mode, More: more})
		}
	}
	return out
}

// decision returns the decision for a NIC.
func (r *review) decision(p kubeovn.Provider) policy.Decision { return r.decide(r.grounds, p) }

// ours reports whether a port of that name is the pod's own, or goes when the pod is made. A pod of a StatefulSet, or
// of a machine, finds its port from before.
func (r *review) ours(port string) bool {
	if r.Replaces[port] {
		return true
	}
	if r.looked.ports == nil {
		r.looked.ports = make(map[string]bool, len(r.NICs))
		for _, nic := range r.NICs {
			r.looked.ports[kubeovn.PortName(r.Metadata.portOwner(r.Inventory.Setup().KeepVMIP), r.Namespace.Name,
				nic.Provider)] = true
		}
	}
	return r.looked.ports[port]
}

var outOfTime = &Check{
	ID: "OVGA02", Name: "out-of-time", Always: true, Passing: true,
	Summary: "a request that could not be checked within the time limit of a review",
}

var notReadYet = &Check{
	ID: "OVGA03", Name: "not-read-yet", Passing: true,
	Summary: "a request that ovnguard cannot check until it has read all objects of a kind, just after its start",
}

// blind refuses what cannot be judged until all of some kinds have been read: what is not there may only not be known
// yet.
func (r *review) blind(mode policy.Mode, field string, kinds ...inventory.Kind) bool {
	unread := r.Inventory.Unread(kinds...)
	if len(unread) == 0 {
		return false
	}
	told := len(r.refusals)
	r.refuse(
		notReadYet,
		mode,
		field,
		tryAgain,
		"ovnguard has not read %s yet, so it does not know yet if others have this",
		Listed(unread),
	)
	if len(r.refusals) > told {
		r.refusals[told].Unread = Listed(unread)
	}
	return true
}

// tryAgain is the fix for what is only not known yet.
const tryAgain = "try again in a moment; if this does not end, /readyz/audit of ovnguard names the kinds it is not " +
	"allowed to read"

// Listed returns kinds in a sentence.
func Listed(kinds []inventory.Kind) string {
	texts := make([]string, len(kinds))
	for i, k := range kinds {
		texts[i] = string(k)
	}
	return strings.Join(texts, ", ")
}

// exceptionOr names the object that would allow something.
func (r *review) exceptionOr(grant string) string {
	return fmt.Sprintf(
		"a PortSecurityException in namespace %s can grant %s (a user with the role "+
			"ovnguard-exception-author there can create one; see kubectl explain "+
			"portsecurityexception.spec.grant)",
		r.Namespace.Name,
		grant,
	)
}

// PolicyTitle names a policy in sentences and in notes; "" is the built-in default.
func PolicyTitle(name string) string {
	if name == "" {
		return "the built-in default"
	}
	return "PortSecurityPolicy " + name
}
