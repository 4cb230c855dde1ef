package policy

import "slices"

// Shadow says of a policy without a podSelector what keeps it from deciding.
type Shadow struct {
	// By are the names of the policies that decide in its place somewhere, in order.
	By []string
	// Decides means that it decides about some NIC of some namespace.
	Decides bool
	// Tied means that one of By comes first by its name alone, at the same priority, though this policy is for fewer
	// namespaces or NICs.
	Tied bool
}

// Always reports whether others decide everything that the policy picks.
func (s Shadow) Always() bool { return len(s.By) > 0 && !s.Decides }

// Shadows returns, by name, what keeps each policy without a podSelector from deciding in these namespaces. policies
// are in order.
func Shadows(policies []Policy, namespaces []Namespace) map[string]Shadow {
	general := slices.DeleteFunc(slices.Clone(policies), func(p Policy) bool { return p.Pods != nil })
	nics := Representatives(general)
	picked := make([]int, len(general)) // how many namespaces each is for
	behind := make([][]int, len(general))
	shadows := make([]Shadow, len(general))
	for _, ns := range namespaces {
		var here []int
		for i := range general {
			if general[i].Namespaces.picks(ns.Labels) {
				here = append(here, i)
				picked[i]++
			}
		}
		for _, nic := range nics {
			best := -1
			for _, i := range here {
				switch {
				case !general[i].Providers.Pick(nic):
				case best < 0:
					best, shadows[i].Decides = i, true
				case !slices.Contains(behind[i], best):
					behind[i] = append(behind[i], best)
				}
			}
		}
	}
	out := make(map[string]Shadow, len(general))
	for i, s := range shadows {
		for _, best := range behind[i] {
			s.By = append(s.By, general[best].Name)
			narrower := picked[i] < picked[best] || general[best].Providers.PickAll() && !general[i].Providers.PickAll()
			s.Tied = s.Tied || general[best].Priority == general[i].Priority && narrower
		}
		slices.Sort(s.By)
		out[general[i].Name] = s
	}
	return out
}
