package admission

import (
	"fmt"
	"time"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// View is what a review sees of the world: who asks, and the cluster at one moment.
type View struct {
	Accounts  Accounts
	User      string
	Namespace policy.Namespace
	Inventory *inventory.Inventory
	// Definitions is what was asked of networks for this review, by attachment without interface. For others the inventory counts.
	Definitions map[kubeovn.Attachment]Definition
	Now         time.Time
}

// Refusal is one reason why a request must not be.
type Refusal struct {
	// Field is what was refused, as in metadata.annotations["key"].
	Field string
	// Why is the rule, and Fix who or what would allow it.
	Why, Fix string
	// Mode is that of the policy the port falls under.
	Mode policy.Mode
}

// String gives the refusal as a sentence.
func (r Refusal) String() string {
	if r.Fix == "" {
		return r.Field + ": " + r.Why
	}
	return r.Field + ": " + r.Why + "; " + r.Fix
}

// annotation names an annotation as people find it in their manifest.
func annotation(key string) string { return fmt.Sprintf("metadata.annotations[%q]", key) }

// decide gives the decision for a NIC of the pod. An owner counts only where the account that makes such pods asks, or where
// the pod has it already: whoever makes a pod can write any owner into it.
func (v *View) decide(p *Pod, provider kubeovn.Provider, trustOwner bool) policy.Decision {
	return policy.Decide(v.query(p, provider, trustOwner))
}

// query gives what such a decision is made of.
func (v *View) query(p *Pod, provider kubeovn.Provider, trustOwner bool) policy.Query {
	facts := &inventory.Pod{
		PodKey: inventory.PodKey{Namespace: v.Namespace.Name, Name: p.Metadata.Name},
		Labels: p.Metadata.Labels, Annotations: p.Metadata.Annotations, Inherited: policy.Inherited(p.Metadata.Annotations),
	}
	if c := p.Metadata.controller(); c != nil && (trustOwner || v.Accounts.made(*c, v.User)) {
		facts.Controller = c
	}
	return v.Inventory.QueryIn(v.Namespace, facts, provider, v.Now)
}

// tightestMode gives the mode of the policy that does most about some NIC that the pod can have: for pods of which it cannot be told
// which NICs they have.
func (v *View) tightestMode(p *Pod) policy.Mode {
	if v.Namespace.Err != nil {
		return policy.Enforce
	}
	mode := policy.Audit
	policies := v.Inventory.Policies()
	for _, provider := range policy.Representatives(policies) {
		base, byLabel := policy.Match(policies, v.Namespace, provider)
		mode = min(mode, base.Mode)
		for i := range byLabel {
			if byLabel[i].Pods(p.Metadata.Labels) {
				mode = min(mode, byLabel[i].Mode)
			}
		}
	}
	return mode
}

// portOwner gives the name that the pod's ports bear.
func (m *Metadata) portOwner() string {
	if o := m.launcherOf(); o != nil {
		return o.Name
	}
	return m.Name
}

// launcherOf gives the machine whose launcher the pod passes for; nil where there is none.
func (m *Metadata) launcherOf() *OwnerReference {
	for i, o := range m.Owners {
		if kubeovn.OwnsLauncher(o.APIVersion, o.Kind) {
			return &m.Owners[i]
		}
	}
	return nil
}
