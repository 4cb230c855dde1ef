// Package admission answers admission reviews: what a pod's annotations must say so that its ports are what policy
// decides. The decision is made by package policy; here it is turned into a patch, warnings and refusals.
package admission

import (
	"fmt"
	"maps"
	"slices"

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
	// Denials are the reasons to refuse the pod, each naming the field and the fix. Where there is one, nothing else counts.
	Denials []string
}

// ChangePod gives what admission does to the annotations of a pod with these NICs in this namespace. It is idempotent:
// applied to its own result it changes nothing.
func ChangePod(annotations map[string]string, nics []kubeovn.NIC, ns policy.Namespace) Change {
	c := Change{Set: make(map[string]string)}
	if ns.Err != nil {
		c.Warnings = append(c.Warnings, fmt.Sprintf(
			"ovnguard: namespace %s could not be read, so its annotations were not considered and the strict default applies", ns.Name))
	}
	record := make(map[kubeovn.Provider]policy.Recorded, len(nics))
	inherited := policy.Inherited(annotations)
	for _, nic := range nics {
		d := policy.Decide(policy.Query{Provider: nic.Provider, Namespace: ns, Pod: policy.Pod{Annotations: annotations, Inherited: inherited}})
		c.explain(d, ns.Name)
		c.level(nic.Provider.Key(kubeovn.PortSecurity), annotations, d)
		c.forwarding(nic.Provider.Key(kubeovn.Layer2Forward), annotations, d)
		key := nic.Provider.Key(kubeovn.PortSecurity)
		record[nic.Provider] = policy.Recorded{
			Level: d.Level.String(), From: string(d.LevelFrom),
			Layer2Forward: d.Forwarding.String(), ForwardingFrom: string(d.ForwardingFrom),
			Asked: annotations[key] != "" && !slices.Contains(inherited, nic.Provider),
		}
	}
	if len(c.Denials) > 0 {
		return Change{Warnings: c.Warnings, Denials: c.Denials}
	}
	if text := policy.Record(record); text != annotations[policy.RecordAnnotation] {
		c.Set[policy.RecordAnnotation] = text
	}
	slices.Sort(c.Remove)
	return c
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

// explain turns refused and unreadable wishes into warnings and denials.
func (c *Change) explain(d policy.Decision, namespace string) {
	for _, s := range d.Refusals() {
		switch {
		case s.Outcome == policy.Invalid && s.Source == policy.FromPod:
			c.Denials = append(c.Denials, fmt.Sprintf(
				"metadata.annotations[%q]: %s; write one of them, or remove the annotation to inherit from the namespace", s.Key, s.Detail))
		case s.Outcome == policy.Invalid:
			c.Warnings = append(c.Warnings, fmt.Sprintf(
				"ovnguard: annotation %s of namespace %s was ignored: %s", s.Key, namespace, s.Detail))
		case s.Outcome == policy.Refused:
			c.Warnings = append(c.Warnings, fmt.Sprintf(
				"ovnguard: annotation %s=%q was not applied: %s; to loosen the namespace, its administrator can run: kubectl annotate namespace %s %s=%s --overwrite",
				s.Key, s.Value, s.Detail, namespace, s.Key, looser(s.Key)))
		}
	}
}

// looser gives the value that would loosen the key on a namespace.
func looser(key string) string {
	if _, suffix, _ := kubeovn.SplitKey(key); suffix == kubeovn.Layer2Forward {
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

// forwarding takes out a wish for layer-2 forwarding that nothing allows and normalises one that is allowed.
func (c *Change) forwarding(key string, annotations map[string]string, d policy.Decision) {
	value, present := annotations[key]
	if !present {
		return
	}
	t, err := kubeovn.ParseToggle(value)
	switch {
	case err != nil: // refused by explain
	case t == kubeovn.On && d.Forwarding == policy.Allow:
		if value != kubeovn.True {
			c.Set[key] = kubeovn.True
		}
	case t == kubeovn.On:
		c.Remove = append(c.Remove, key)
	}
}
