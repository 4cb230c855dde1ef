package admission

import (
	"maps"
	"slices"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// Foreseen is what admission would do about a pod if it were made now.
type Foreseen struct {
	// Change is what the mutating webhook would make of the pod.
	Change Change
	// Refusals are the reasons to refuse the pod, each under the mode of its policy, and the notes of the change.
	Refusals []Refusal
	// Overruled are the wishes that would not be granted, also where policy does not enforce yet.
	Overruled []Overruled
	// Unjudged means that the pod would be refused before its NICs are looked at.
	Unjudged bool
}

// Overruled is a wish of a pod that admission does not grant, without refusing the pod.
type Overruled struct {
	// Field is the annotation with the wish, as in metadata.annotations["key"], and Value what it says.
	Field, Value string
	// Why is the rule.
	Why string
	// Mode is that of the policy the NIC falls under.
	Mode policy.Mode
}

// Foresee returns what admission would do about a pod if it were made now: what the mutating webhook would change, and
// what the validating webhook would refuse of the result.
func (v *View) Foresee(p *ParsedPod) Foreseen {
	if p.Spec.HostNetwork { // such a pod has no port of OVN
		return Foreseen{}
	}
	whole := p.Excess(nil)
	if whole == nil && p.Unread != nil && v.tightestMode(p.Pod) == policy.Enforce {
		whole = p.Unread
	}
	if whole != nil {
		return Foreseen{Refusals: []Refusal{*whole}, Unjudged: true}
	}
	f := Foreseen{Change: v.ChangePod(p)}
	f.Refusals, f.Overruled = f.Change.Refusals, f.Change.Overruled
	if e := v.enforcing(p); e != nil {
		f.Overruled = e.ChangePod(p).Overruled
	}
	made := p.with(f.Change.Apply(p.Metadata.Annotations))
	if f.Change.refuses() { // the rest is judged without what cannot be read, so that all reasons are told at once
		readable := p.with(withoutUnreadable(p.Metadata.Annotations))
		made = p.with(v.ChangePod(readable).Apply(readable.Metadata.Annotations))
	}
	refusals, verdict := v.CheckCreate(v.mended(made))
	f.Refusals = slices.Concat(f.Refusals, refusals)
	if f.Change.refuses() {
		f.Change.Verdict = verdict
	}
	return f
}

// with returns the pod with other annotations.
func (p *ParsedPod) with(annotations map[string]string) *ParsedPod {
	pod := *p.Pod
	pod.Metadata.Annotations = annotations
	return ParsePod(p.namespace, &pod, p)
}

// withoutUnreadable returns the annotations without those of a NIC's level that say neither on nor off.
func withoutUnreadable(annotations map[string]string) map[string]string {
	out := maps.Clone(annotations)
	maps.DeleteFunc(out, func(key, value string) bool {
		_, err := kubeovn.ParseToggle(value)
		return err != nil && kubeovn.ClassOf(key) == kubeovn.LevelKey
	})
	return out
}
