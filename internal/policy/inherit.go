package policy

import (
	"maps"
	"slices"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// HandedDown returns the annotations that the namespace hands down to the NIC of a new pod, unless the pod has these
// keys itself. The policy for the NIC lists the keys, in every mode; a policy that selects pods by label has no say. A
// namespace that could not be read hands nothing down, and empty values are left out. A listed key that is not
// kubeovn.Inheritable is ignored.
func HandedDown(q Query) map[string]string {
	if q.Namespace.Err != nil {
		return nil
	}
	base, _ := match(&q)
	if base == nil {
		return nil
	}
	var out map[string]string
	for _, key := range base.InheritedKeys {
		provider, _, _ := kubeovn.SplitKey(key)
		value := q.Namespace.Annotations[key]
		if value == "" || provider != q.Provider || !kubeovn.Inheritable(key) {
			continue
		}
		if out == nil {
			out = make(map[string]string)
		}
		out[key] = value
	}
	return out
}

// InheritedSteps returns a step for each annotation of HandedDown, in order of their keys, for people.
func InheritedSteps(q Query) []Step {
	annotations := HandedDown(q)
	var steps []Step
	for _, key := range slices.Sorted(maps.Keys(annotations)) {
		base, _ := match(&q)
		steps = append(steps, Step{
			Source: FromNamespace, Key: key, Value: annotations[key], Outcome: Copied,
			Detail: "policy " + base.Name + " hands it down to new pods without this key",
		})
	}
	return steps
}
