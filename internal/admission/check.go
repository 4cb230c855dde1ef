package admission

import (
	"fmt"
	"strings"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/multus"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// check gathers what is wrong with a pod.
type check struct {
	*View
	*ParsedPod
	pod *Pod
	*grounds
	// networks is what the pod asks for, and unread says why that cannot be told; nics are the NICs that come of it.
	networks multus.Networks
	unread   *Refusal
	nics     []kubeovn.NIC
	// mode is that of the policy of what is being looked at.
	mode     policy.Mode
	refusals []Refusal
	sites    map[kubeovn.Provider]site
	// told, worded and more are how many reasons under each mode are in refusals, were put into words, and were only
	// counted.
	told, worded, more map[policy.Mode]int
	looked             lookups
}

// newCheck begins a check of the pod. trustOwner says whether the pod's owners are believed, as they are once the pod
// is there.
func (v *View) newCheck(p *ParsedPod, trustOwner bool) *check {
	c := &check{
		View:      v,
		ParsedPod: p,
		pod:       p.Pod,
		grounds:   v.grounds(p, trustOwner),
		networks:  p.Networks,
		unread:    p.Unread,
		nics:      p.NICs,
	}
	c.wholePod()
	return c
}

// wholePod says that what follows is about the pod as a whole: the policy that does most counts.
func (c *check) wholePod() {
	c.about(kubeovn.DefaultProvider)
	for _, nic := range c.nics {
		c.mode = min(c.mode, c.decision(nic.Provider).Mode)
	}
	if c.unread != nil {
		c.mode = min(c.mode, c.tightestMode(c.pod))
	}
}

// about says that what follows is about one NIC.
func (c *check) about(p kubeovn.Provider) { c.mode = c.decision(p).Mode }

// aboutKey says that what follows is about an annotation: about its NIC, or the whole pod where Kube-OVN reads it for
// every NIC.
func (c *check) aboutKey(k *Key) {
	if k.Suffix == "" || k.Name == kubeovn.AAPs || k.Suffix == kubeovn.VIP {
		c.wholePod()
		return
	}
	c.about(k.Provider)
}

// refuse adds a reason why the pod must not be. Arguments of type Private are told to the audit log alone, and two in a
// row that read the same to whoever asked are told once.
//
// No more reasons are put into words than an answer gives; the others are counted.
func (c *check) refuse(field, fix, why string, args ...any) {
	if c.told == nil {
		c.told, c.worded, c.more = make(map[policy.Mode]int), make(map[policy.Mode]int), make(map[policy.Mode]int)
	}
	if c.told[c.mode] >= maxReasons || c.worded[c.mode] >= maxWorded {
		c.more[c.mode]++
		return
	}
	c.worded[c.mode]++
	said := Say(why, args...)
	r := Refusal{Field: field, Why: said.Public, Fix: fix, Mode: c.mode}
	if said.Whole != said.Public {
		r.Whole = said.Whole
	}
	if last := len(c.refusals) - 1; last >= 0 && r.Whole != "" {
		if before := &c.refusals[last]; before.Whole != "" && before.Mode == r.Mode && before.String() == r.String() {
			before.Whole += ", and " + r.Whole
			return
		}
	}
	c.refusals = append(c.refusals, r)
	c.told[c.mode]++
}

// outcome returns all refusals, with how many there are beside those that were put into words.
func (c *check) outcome() []Refusal {
	out := c.refusals
	if c.late() {
		out = append(
			out,
			Refusal{
				Field: "metadata",
				Why:   "there was no time to judge all of it, and what is not judged is not let through",
				Fix:   "try again",
			},
		)
	}
	for _, mode := range []policy.Mode{policy.Enforce, policy.Warn, policy.Audit} {
		if more := c.more[mode]; more > 0 {
			out = append(out, Refusal{Mode: mode, More: more})
		}
	}
	return out
}

// decision returns the decision for a NIC.
func (c *check) decision(p kubeovn.Provider) policy.Decision { return c.decide(c.grounds, p) }

// ours reports whether a port of that name is the pod's own. A pod of a StatefulSet, or of a machine, finds its port
// from before.
func (c *check) ours(port string) bool {
	if c.looked.ports == nil {
		c.looked.ports = make(map[string]bool, len(c.nics))
		for _, nic := range c.nics {
			c.looked.ports[kubeovn.PortName(c.pod.Metadata.portOwner(c.Inventory.Setup().KeepVMIP), c.Namespace.Name,
				nic.Provider)] = true
		}
	}
	return c.looked.ports[port]
}

// blind refuses what cannot be judged until all of some kinds have been read: what is not there may only not be known
// yet.
func (c *check) blind(field string, kinds ...inventory.Kind) bool {
	unread := c.Inventory.Unread(kinds...)
	if len(unread) == 0 {
		return false
	}
	c.refuse(field, tryAgain, "ovnguard has not read %s yet, and cannot tell whose this is", Listed(unread))
	return true
}

// tryAgain is the fix for what is only not known yet.
const tryAgain = "try again in a moment; where it stays so, /readyz/audit of ovnguard says what it may not read"

// Listed returns kinds in a sentence.
func Listed(kinds []inventory.Kind) string {
	texts := make([]string, len(kinds))
	for i, k := range kinds {
		texts[i] = string(k)
	}
	return strings.Join(texts, ", ")
}

// exceptionOr names the object that would allow something.
func (c *check) exceptionOr(grant string) string {
	return fmt.Sprintf(
		"a PortSecurityException in namespace %s can grant %s (whoever has the role ovnguard-exception-author there "+
			"can make one; kubectl explain portsecurityexception.spec.grant)",
		c.Namespace.Name,
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
