package policy

import (
	"slices"
	"testing"
)

// A policy that others keep from deciding anything is distinguished from one that decides somewhere, and from one that
// comes later only by its name.
func TestShadows(t *testing.T) {
	all := func(name string, priority int32) Policy { return Policy{Name: name, Priority: priority} }
	shop := func(name string, priority int32, providers ...string) Policy {
		return Policy{
			Name:       name,
			Priority:   priority,
			Providers:  providers,
			Namespaces: func(l map[string]string) bool { return l["team"] == "shop" },
		}
	}
	namespaces := []Namespace{
		{Name: "a", Labels: map[string]string{"team": "shop"}},
		{Name: "b", Labels: map[string]string{"team": "bank"}},
	}
	for name, c := range map[string]struct {
		others       []Policy
		p            Policy
		by           []string
		always, tied bool
	}{
		"alone":                       {nil, shop("p", 0), nil, false, false},
		"before the general one":      {[]Policy{all("general", 0)}, shop("p", 5), nil, false, false},
		"behind one of more priority": {[]Policy{all("general", 9)}, shop("p", 5), []string{"general"}, true, false},
		"behind one by its name":      {[]Policy{all("general", 0)}, shop("p", 0), []string{"general"}, true, true},
		"a general one behind a special one, which is as it should be": {
			[]Policy{shop("a", 0)}, all("p", 0), []string{"a"}, false, false,
		},
		"behind one for one NIC": {[]Policy{shop("a", 0, "ovn")}, shop("p", 0), []string{"a"}, false, false},
		"for no namespace there is": {
			[]Policy{all("general", 9)},
			Policy{Name: "p", Namespaces: func(map[string]string) bool { return false }},
			nil, false, false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			policies := append(slices.Clone(c.others), c.p)
			SortPolicies(policies)
			got, there := Shadows(policies, namespaces)["p"]
			if !slices.Equal(got.By, c.by) || got.Always() != c.always || got.Tied != c.tied || !there {
				t.Errorf("%+v", got)
			}
		})
	}
}
