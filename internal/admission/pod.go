// Package admission answers admission reviews: what a pod's annotations must say so that its ports are what policy
// decides. The decision is made by package policy; here it is turned into a patch, warnings and refusals.
package admission

import (
	"fmt"
	"maps"
	"slices"

	"github.com/ovnguard/ovnguard/internal/audit"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
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
	// Refusals are the reasons to refuse the pod: where there is one, nothing is changed. Those of mode audit say what
	// the pod asked for in vain, and what would be changed if the policy enforced.
	Refusals []Refusal
	// Overruled are the wishes of the pod that are not granted.
	Overruled []Overruled
	// Verdict is what was decided for the NICs that were looked at.
	Verdict Verdict
}

// ChangePod returns what admission does to the annotations of a pod that is to be made, so that Kube-OVN reads what was
// decided for each NIC. It is idempotent: applied to its own result it changes nothing.
func (v *View) ChangePod(p *ParsedPod) Change {
	return v.change(p, p.NICs, make(map[kubeovn.Provider]policy.Recorded, len(p.NICs)), false)
}

// mended returns a pod that is to be made as it would be when the last word is spoken, if its policies enforced: what
// the mutating webhook puts right is refused by nobody then, and is not said to be where a policy only warns. It is the
// pod itself where they all enforce.
func (v *View) mended(p *ParsedPod) *ParsedPod {
	e := v.enforcing(p)
	if e == nil {
		return p
	}
	change := e.ChangePod(p)
	if change.Empty() { // or refused as it is
		return p
	}
	return p.with(change.Apply(p.Metadata.Annotations))
}

// enforcing returns a view by which a pod that is to be made is changed as if its policies enforced; nil where they all
// do, and where the pod's networks cannot be told.
func (v *View) enforcing(p *ParsedPod) *View {
	if p.Unread != nil {
		return nil
	}
	g := v.grounds(p, false)
	if !slices.ContainsFunc(
		p.NICs,
		func(nic kubeovn.NIC) bool { return v.decide(g, nic.Provider).Mode != policy.Enforce },
	) {
		return nil
	}
	enforced := *v
	enforced.asEnforced = true
	return &enforced
}

// ChangeNewNICs returns what admission does to the annotations of a running pod that gets further networks, so that
// Kube-OVN reads what was decided for those NICs. KubeVirt does that when an interface is plugged into a running
// machine.
func (v *View) ChangeNewNICs(old, p *ParsedPod) Change {
	before := make(map[kubeovn.Provider]bool)
	if old.Unread == nil {
		for _, nic := range old.NICs {
			before[nic.Provider] = true
		}
	}
	nics := slices.DeleteFunc(slices.Clone(p.NICs), func(nic kubeovn.NIC) bool { return before[nic.Provider] })
	if len(nics) == 0 {
		return Change{}
	}
	return v.change(p, nics, maps.Clone(old.Record), true)
}

// change is the work of both; record holds what was recorded of other NICs. The owners and the record of a running pod
// are trusted.
func (v *View) change(
	p *ParsedPod,
	nics []kubeovn.NIC,
	record map[kubeovn.Provider]policy.Recorded,
	running bool,
) Change {
	c := Change{Set: make(map[string]string)}
	if v.Namespace.Err != nil {
		c.Warnings = append(c.Warnings, fmt.Sprintf(
			"ovnguard: namespace %s could not be read; its annotations were ignored and the strict default "+
				"applies",
			v.Namespace.Name,
		))
	}
	if unread := v.Inventory.Unread(inventory.Policies, inventory.Exceptions); len(unread) > 0 {
		c.Warnings = append(
			c.Warnings,
			fmt.Sprintf(
				"ovnguard: %s have not been read yet; until then the strict default applies",
				Listed(unread),
			),
		)
	}
	annotations := p.Metadata.Annotations
	g := v.grounds(p, running)
	if !running {
		v.dropMigration(&c, p, g)
	}
	for _, nic := range nics {
		if v.late() {
			break
		}
		d := v.decide(g, nic.Provider)
		c.Verdict.add(nic.Provider, d)
		if !running {
			c.inherit(g.handedDown(nic.Provider), annotations)
		}
		if d.Mode != policy.Enforce && !v.asEnforced {
			if !running && slices.Contains(p.Inherited, nic.Provider) {
				c.forget(nic.Provider.Key(kubeovn.PortSecurity), annotations)
			}
			c.wouldChange(nic.Provider, c.Apply(annotations), d)
			continue
		}
		c.explain(d, v.Namespace.Name)
		if p := v.Inventory.Passing(g.facts, nic.Provider, &d, v.Now); p != nil && p.Cut {
			c.cutOff(nic.Provider, p)
		}
		c.level(nic.Provider.Key(kubeovn.PortSecurity), annotations, d)
		c.forwarding(nic.Provider.Key(kubeovn.Layer2Forward), annotations, d)
		asked, overruled := p.wish(nic.Provider, d)
		record[nic.Provider] = policy.Recorded{
			Level: d.Level.String(), From: string(d.LevelFrom),
			Layer2Forward: d.Forwarding.String(), ForwardingFrom: string(d.ForwardingFrom),
			Asked: asked, Overruled: overruled,
			Named: nic.Provider == kubeovn.DefaultProvider && p.Metadata.Name != "",
		}
	}
	if c.refuses() {
		return Change{Warnings: c.Warnings, Refusals: c.Refusals, Overruled: c.Overruled, Verdict: c.Verdict}
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

// wish returns what the pod's author asked for by port_security on a NIC: to be strict, or something that was not
// applied. Where admission wrote the annotation, the record of that time tells.
func (p *ParsedPod) wish(nic kubeovn.Provider, d policy.Decision) (asked bool, overruled string) {
	value := p.Metadata.Annotations[nic.Key(kubeovn.PortSecurity)]
	switch {
	case slices.Contains(p.Inherited, nic):
		return false, p.Record[nic].Overruled
	case value == "":
		return false, ""
	}
	if t, err := kubeovn.ParseToggle(value); err != nil || t != kubeovn.Off || d.Level == policy.Open {
		return true, ""
	}
	return false, value
}

// dropMigration takes out the wish that the pod may have an address which another pod has, wherever it does not come
// from a machine's template by KubeVirt's account: people copy it, and nothing is lost with it.
func (v *View) dropMigration(c *Change, p *ParsedPod, g *grounds) {
	if v.Accounts.isKubeVirt(v.User) || v.Accounts.isKubeOVN(v.User) {
		return
	}
	for _, k := range p.Keys {
		if k.Suffix != kubeovn.AllowLiveMigration || v.decide(g, k.Provider).Mode != policy.Enforce && !v.asEnforced {
			continue // where nothing is enforced, the guard says it
		}
		c.forget(k.Name, p.Metadata.Annotations)
		const why = "it is only for the template of a KubeVirt machine, because the pods of a machine share an address " +
			"while it migrates"
		c.Overruled = append(
			c.Overruled,
			Overruled{annotation(k.Name), k.Value, why, v.decide(g, k.Provider).Mode},
		)
		text := annotation(k.Name) + " was removed: " + why
		c.note(text)
		c.Warnings = append(c.Warnings, "ovnguard: "+text)
	}
}

// inherit writes the annotations that the namespace hands down, unless the pod carries the key. An empty value counts
// as carrying it: it is how a pod refuses the namespace's value, since Kube-OVN takes an empty value for none.
func (c *Change) inherit(handedDown, annotations map[string]string) {
	for key, value := range handedDown {
		if _, there := annotations[key]; !there {
			c.Set[key] = value
		}
	}
}

// refuses reports whether the pod is refused as it is.
func (c *Change) refuses() bool {
	return slices.ContainsFunc(c.Refusals, func(r Refusal) bool { return r.Mode == policy.Enforce })
}

// note leaves a sentence to the audit log.
func (c *Change) note(text string) {
	c.Refusals = append(c.Refusals, Refusal{Why: text, Mode: policy.Audit})
}

// forget takes out an annotation that is there.
func (c *Change) forget(key string, annotations map[string]string) {
	if _, there := annotations[key]; there {
		c.Remove = append(c.Remove, key)
	}
}

// wouldChange notes that enforcing would change the pod, and warns where the policy says so.
func (c *Change) wouldChange(provider kubeovn.Provider, annotations map[string]string, d policy.Decision) {
	say := func(text string) {
		c.note(text)
		if d.Mode == policy.Warn {
			c.Warnings = append(c.Warnings, "ovnguard: "+text)
		}
	}
	key := provider.Key(kubeovn.PortSecurity)
	if _, err := kubeovn.ParseToggle(annotations[key]); err != nil {
		return // it would be refused, as the guard says
	}
	if d.Level != policy.Open && annotations[key] != kubeovn.True {
		say(
			fmt.Sprintf(
				"%s (mode %s) asks for %s on NIC %s, but the pod is created without it; in mode enforce, "+
					"ovnguard would set annotation %s=true",
				PolicyTitle(d.Policy),
				d.Mode,
				d.Level,
				provider,
				key,
			),
		)
	}
	key = provider.Key(kubeovn.Layer2Forward)
	switch t, err := kubeovn.ParseToggle(annotations[key]); {
	case err != nil: // the guard says it
	case d.Forwarding == policy.Forbid && t == kubeovn.On:
		say(
			fmt.Sprintf(
				"%s (mode %s) forbids layer-2 forwarding on NIC %s, but the pod asks for it; in mode enforce, "+
					"ovnguard would remove annotation %s",
				PolicyTitle(d.Policy),
				d.Mode,
				provider,
				key,
			),
		)
	case d.Forwarding == policy.Require && annotations[key] != kubeovn.True:
		say(
			fmt.Sprintf(
				"an exception grants layer-2 forwarding on NIC %s, but the pod is created without it (mode "+
					"%s); in mode enforce, ovnguard would set annotation %s=true",
				provider,
				d.Mode,
				key,
			),
		)
	}
}

// Empty reports whether the pod stays as it is.
func (c Change) Empty() bool { return len(c.Set) == 0 && len(c.Remove) == 0 }

// Apply returns the annotations after the change; the argument is not touched.
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

// explain turns refused and unreadable wishes into warnings and denials. What the validating webhook refuses is left to
// it.
func (c *Change) explain(d policy.Decision, namespace string) {
	for _, s := range d.Refusals() {
		switch onLevel := kubeovn.ClassOf(s.Key) == kubeovn.LevelKey; {
		case s.Source == policy.FromException:
			c.Warnings = append(
				c.Warnings,
				fmt.Sprintf("ovnguard: PortSecurityException %s has no effect: %s", s.Name, s.Detail),
			)
		case s.Source == policy.FromNamespace:
			c.Warnings = append(
				c.Warnings,
				fmt.Sprintf("ovnguard: %s of namespace %s was ignored: %s", s.Key, namespace, s.Detail),
			)
		case s.Source != policy.FromPod || !onLevel:
		case s.Outcome == policy.Invalid:
			c.Refusals = append(c.Refusals, Refusal{
				Check: checkOfLevel(s.Key), Field: annotation(s.Key), Why: s.Detail,
				Fix: "write one of these values, or remove the annotation to use the value of the namespace",
			})
		default:
			c.Overruled = append(c.Overruled, Overruled{annotation(s.Key), s.Value, s.Detail, d.Mode})
			c.note(fmt.Sprintf("%s=%q was not applied: %s", annotation(s.Key), s.Value, s.Detail))
			c.Warnings = append(c.Warnings, fmt.Sprintf(
				"ovnguard: annotation %s=%q was not applied: %s; to grant the pod more, create a "+
					"PortSecurityException in namespace %s; if all pods of the namespace need more, a user with "+
					"the verb exempt on namespaces.ovnguard.io can loosen the namespace (%s)",
				s.Key,
				s.Value,
				s.Detail,
				namespace,
				checkOfLevel(s.Key).ID,
			))
		}
	}
}

// cutOff warns that the NIC of a gateway's pod forwards nothing, and names the exception that it needs.
func (c *Change) cutOff(provider kubeovn.Provider, p *inventory.Passing) {
	text := fmt.Sprintf(
		"the pod belongs to %s, and its NIC %s forwards nothing until there is a PortSecurityException for it",
		p.Title,
		provider,
	)
	if p.Hindrance != "" {
		text += " (which has an effect only after this is solved: " + p.Hindrance + ")"
	}
	c.note(text)
	if command := audit.ExceptionCommand(p); command != "" {
		text += "; create it with: " + command
	}
	c.Warnings = append(c.Warnings, "ovnguard: "+text)
}

// level writes the value that makes Kube-OVN realise the decision, whatever look-alike the pod wrote.
func (c *Change) level(key string, annotations map[string]string, d policy.Decision) {
	if want := d.Value(); annotations[key] != want {
		c.Set[key] = want
	}
}

// forwarding puts in the layer-2 forwarding that an exception grants, since Kube-OVN reads it when it makes the port
// and never again, takes out a wish that nothing allows, and normalises one that is allowed.
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
