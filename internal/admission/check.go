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
	pod        *Pod
	trustOwner bool
	// networks is what the pod asks for, and unread says why that cannot be told; nics are the NICs that come of it.
	networks multus.Networks
	unread   *Refusal
	nics     []kubeovn.NIC
	// mode is that of the policy of what is being looked at.
	mode     policy.Mode
	refusals []Refusal
	decided  map[kubeovn.Provider]policy.Decision
}

// newCheck begins a check of the pod. trustOwner tells that the pod's owners are believed, as they are once the pod is there.
func (v *View) newCheck(p *Pod, trustOwner bool) *check {
	c := &check{View: v, pod: p, trustOwner: trustOwner}
	c.networks, c.unread = networksOf(v.Namespace.Name, p)
	c.nics = nicsOf(c.networks) // the default one, where they cannot be told
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

// aboutKey says that what follows is about an annotation: about its NIC, or the whole pod where Kube-OVN reads it for every NIC.
func (c *check) aboutKey(key string) {
	if _, suffix, ok := kubeovn.SplitKey(key); !ok || key == kubeovn.AAPs || suffix == kubeovn.VIP {
		c.wholePod()
		return
	}
	c.about(kubeovn.ProviderOf(key))
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

// ours tells that a port of that name is the pod's own. A pod of a StatefulSet, or of a machine, finds its port from before.
func (c *check) ours(port string) bool {
	for _, nic := range c.nics {
		if port == kubeovn.PortName(c.pod.Metadata.portOwner(), c.Namespace.Name, nic.Provider) {
			return true
		}
	}
	return false
}

// blind refuses what cannot be judged until all of some kinds have been read: what is not there may only not be known yet.
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

// Listed gives kinds in a sentence.
func Listed(kinds []inventory.Kind) string {
	texts := make([]string, len(kinds))
	for i, k := range kinds {
		texts[i] = string(k)
	}
	return strings.Join(texts, ", ")
}

// exceptionOr names the object that would allow something.
func (c *check) exceptionOr(grant string) string {
	return fmt.Sprintf("a PortSecurityException in namespace %s can grant %s (whoever has the role ovnguard-exception-author there can make one; kubectl explain portsecurityexception.spec.grant)",
		c.Namespace.Name, grant)
}

// PolicyTitle names a policy in sentences and in notes; "" is the built-in default.
func PolicyTitle(name string) string {
	if name == "" {
		return "the built-in default"
	}
	return "PortSecurityPolicy " + name
}
