// Package admission answers admission reviews: what a pod's annotations must say so that its ports are what policy
// decides. The decision is made by package policy; here it is turned into a patch, warnings and refusals.
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

// Change is what admission does to a pod's annotations.
type Change struct {
	// Set holds the annotations to write.
	Set map[string]string
	// Remove holds the keys to take out, sorted.
	Remove []string
	// Warnings are sentences for the author of the request.
	Warnings []string
	// Denials are the reasons to refuse the pod, each naming the field and the fix. Where there is one, nothing else counts.
	Denials []string
	// Violations are sentences on what the pod asked for in vain, and on what would be changed if the policy enforced.
	Violations []string
	// Verdict is what was decided for the NICs that were looked at.
	Verdict Verdict
}

// ChangePod gives what admission does to the annotations of a pod that is to be made, so that Kube-OVN reads what was decided
// for each NIC. It is idempotent: applied to its own result it changes nothing.
func (v *View) ChangePod(p *Pod, nics []kubeovn.NIC) Change {
	return v.change(p, nics, make(map[kubeovn.Provider]policy.Recorded, len(nics)), false)
}

// ChangeNewNICs gives what admission does to the annotations of a running pod that gets further networks, so that Kube-OVN reads
// what was decided for those NICs. KubeVirt does that when an interface is plugged into a running machine.
func (v *View) ChangeNewNICs(old, p *Pod, nics []kubeovn.NIC) Change {
	before := make(map[kubeovn.Provider]bool)
	if networks, err := multus.Parse(v.Namespace.Name, old.Metadata.Annotations); err == nil {
		for _, nic := range nicsOf(networks) {
			before[nic.Provider] = true
		}
	}
	nics = slices.DeleteFunc(slices.Clone(nics), func(nic kubeovn.NIC) bool { return before[nic.Provider] })
	if len(nics) == 0 {
		return Change{}
	}
	return v.change(p, nics, policy.ReadRecord(old.Metadata.Annotations), true)
}

// change is the work of both; record holds what was recorded of other NICs. The owners and the record of a running pod are trusted.
func (v *View) change(p *Pod, nics []kubeovn.NIC, record map[kubeovn.Provider]policy.Recorded, running bool) Change {
	c := Change{Set: make(map[string]string)}
	if v.Namespace.Err != nil {
		c.Warnings = append(c.Warnings, fmt.Sprintf(
			"ovnguard: namespace %s could not be read, so its annotations were not considered and the strict default applies", v.Namespace.Name))
	}
	if unread := v.Inventory.Unread(inventory.Policies, inventory.Exceptions); len(unread) > 0 {
		c.Warnings = append(c.Warnings, fmt.Sprintf("ovnguard: %s have not been read yet, and the strict default applies to what they would loosen", Listed(unread)))
	}
	annotations := p.Metadata.Annotations
	inherited := policy.Inherited(annotations)
	for _, nic := range nics {
		d := v.decide(p, nic.Provider, running)
		c.Verdict.add(nic.Provider, d)
		if d.Mode != policy.Enforce {
			if !running && slices.Contains(inherited, nic.Provider) {
				c.forget(nic.Provider.Key(kubeovn.PortSecurity), annotations)
			}
			c.wouldChange(nic.Provider, c.Apply(annotations), d)
			continue
		}
		c.explain(d, v.Namespace.Name)
		c.level(nic.Provider.Key(kubeovn.PortSecurity), annotations, d)
		c.forwarding(nic.Provider.Key(kubeovn.Layer2Forward), annotations, d)
		record[nic.Provider] = policy.Recorded{
			Level: d.Level.String(), From: string(d.LevelFrom),
			Layer2Forward: d.Forwarding.String(), ForwardingFrom: string(d.ForwardingFrom),
			Asked: annotations[nic.Provider.Key(kubeovn.PortSecurity)] != "" && !slices.Contains(inherited, nic.Provider),
			Named: nic.Provider == kubeovn.DefaultProvider && p.Metadata.Name != "",
		}
	}
	if len(c.Denials) > 0 {
		return Change{Warnings: c.Warnings, Denials: c.Denials, Violations: c.Violations, Verdict: c.Verdict}
	}
	if text := policy.Record(record); len(record) > 0 && text != annotations[policy.RecordAnnotation] {
		c.Set[policy.RecordAnnotation] = text
	}
	if !running && len(record) == 0 {
		// A record that nobody made here would have the guard take the pod for one that was decided.
		c.forget(policy.RecordAnnotation, annotations)
	}
	slices.Sort(c.Remove)
	return c
}

// forget takes out an annotation that is there.
func (c *Change) forget(key string, annotations map[string]string) {
	if _, there := annotations[key]; there {
		c.Remove = append(c.Remove, key)
	}
}

// wouldChange notes that enforcing would change the pod, and warns where the policy says so.
func (c *Change) wouldChange(provider kubeovn.Provider, annotations map[string]string, d policy.Decision) {
	key := provider.Key(kubeovn.PortSecurity)
	if d.Level == policy.Open || annotations[key] == kubeovn.True {
		return
	}
	text := fmt.Sprintf("%s (mode %s) asks for %s on NIC %s, and the pod is made without it; enforcing would set annotation %s=true",
		PolicyTitle(d.Policy), d.Mode, d.Level, provider, key)
	c.Violations = append(c.Violations, text)
	if d.Mode == policy.Warn {
		c.Warnings = append(c.Warnings, "ovnguard: "+text)
	}
}

// Empty tells that the pod stays as it is.
func (c Change) Empty() bool { return len(c.Set) == 0 && len(c.Remove) == 0 }

// Apply gives the annotations after the change; the argument is not touched.
func (c Change) Apply(annotations map[string]string) map[string]string {
	out := maps.Clone(annotations)
	if out == nil {
		out = make(map[string]string)
	}
	for _, key := range c.Remove {
		delete(out, key)
	}
	maps.Copy(out, c.Set)
	return out
}

// explain turns refused and unreadable wishes into warnings and denials. What the validating webhook refuses is left to it.
func (c *Change) explain(d policy.Decision, namespace string) {
	for _, s := range d.Refusals() {
		switch onLevel := kubeovn.ClassOf(s.Key) == kubeovn.LevelKey; {
		case s.Source == policy.FromException:
			c.Warnings = append(c.Warnings, fmt.Sprintf("ovnguard: PortSecurityException %s does not count: %s", s.Name, s.Detail))
		case s.Source == policy.FromNamespace:
			c.Warnings = append(c.Warnings, fmt.Sprintf("ovnguard: %s of namespace %s was ignored: %s", s.Key, namespace, s.Detail))
		case s.Source != policy.FromPod || !onLevel:
		case s.Outcome == policy.Invalid:
			c.Denials = append(c.Denials, fmt.Sprintf(
				"%s: %s; write one of them, or remove the annotation to inherit from the namespace", annotation(s.Key), s.Detail))
		default:
			c.Violations = append(c.Violations, fmt.Sprintf("%s=%q was not applied: %s", annotation(s.Key), s.Value, s.Detail))
			c.Warnings = append(c.Warnings, fmt.Sprintf(
				"ovnguard: annotation %s=%q was not applied: %s; to loosen the namespace, whoever has the verb exempt on namespaces.ovnguard.io can run: kubectl annotate namespace %s %s=%s --overwrite",
				s.Key, s.Value, s.Detail, namespace, s.Key, looser(s.Key)))
		}
	}
}

// looser gives the value that would loosen the key on a namespace.
func looser(key string) string {
	if kubeovn.BaseSuffix(key) == kubeovn.Layer2Forward {
		return "true"
	}
	return "false"
}

// level writes the value that makes Kube-OVN realise the decision, whatever look-alike the pod wrote.
func (c *Change) level(key string, annotations map[string]string, d policy.Decision) {
	if want := d.Level.Value(); annotations[key] != want {
		c.Set[key] = want
	}
}

// forwarding puts in the layer-2 forwarding that an exception grants, since Kube-OVN reads it when it makes the port and never
// again, takes out a wish that nothing allows, and normalises one that is allowed.
func (c *Change) forwarding(key string, annotations map[string]string, d policy.Decision) {
	value, present := annotations[key]
	t, err := kubeovn.ParseToggle(value)
	switch {
	case err != nil: // refused by explain
	case d.Forwarding == policy.Require, t == kubeovn.On && d.Forwarding == policy.Allow:
		if value != kubeovn.True {
			c.Set[key] = kubeovn.True
		}
	case present && t == kubeovn.On:
		c.Remove = append(c.Remove, key)
	}
}
