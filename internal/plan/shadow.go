package plan

import (
	"maps"
	"slices"

	"github.com/ovnguard/ovnguard/internal/policy"
)

// Shadowed is a policy that never decides, because others come first wherever it picks.
type Shadowed struct {
	Policy string `json:"policy"`
	// Before and After name the policies that decide in its place; empty where it decides, or is not there.
	Before []string `json:"before"`
	After  []string `json:"after"`
}

// Changes reports whether the policy is shadowed on one side alone.
func (s *Shadowed) Changes() bool { return (len(s.Before) > 0) != (len(s.After) > 0) }

// shadowed returns the policies that never decide. Of those without a podSelector that holds for the pods that there
// may be; of the others for those that run.
func (c *comparison) shadowed(t tally) (out []Shadowed) {
	found := make(map[string]*[sides][]string)
	for side, s := range []struct {
		policies   []policy.Policy
		namespaces []policy.Namespace
	}{
		{c.before.Policies(), c.before.Namespaces()}, {c.after.Policies(), c.after.Namespaces()},
	} {
		for name, shadow := range policy.Shadows(s.policies, s.namespaces) {
			if shadow.Always() {
				entry(found, name)[side] = shadow.By
			}
		}
	}
	for name, of := range t.policies {
		for side := range of {
			if of[side].picked > 0 && of[side].decided == 0 {
				entry(found, name)[side] = slices.Sorted(maps.Keys(of[side].by))
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(found)) {
		of := found[name]
		out = append(out, Shadowed{
			Policy: name, Before: append([]string{}, of[sideBefore]...), After: append([]string{}, of[sideAfter]...),
		})
	}
	return out
}
