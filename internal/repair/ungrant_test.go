package repair

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/portsec"
)

// What exceptions granted is taken away, and nothing else is touched.
func TestUngrant(t *testing.T) {
	eras := portsec.OVN{Version: "25.03.3"}.Eras()
	wide := func(p *inventory.Port) {
		granted(p)
		p.Row.PortSecurity = []string{own, mac + " 10.30.0.0/24"}
	}
	opened := func(p *inventory.Port) {
		p.Decision.Level, p.Decision.LevelFrom, p.Decision.BaseLevel = policy.Open, policy.FromException, policy.Strict
		p.Row.PortSecurity = nil
		off(p)
	}
	logs := mode(policy.Enforce, policy.RepairLog)
	for name, c := range map[string]struct {
		port    inventory.Port
		granted bool
		kind    Kind
		column  []string
	}{
		"granted nothing":            {port(), false, Nothing, nil},
		"granted nothing, and open":  {port(open), false, Nothing, nil},
		"pairs":                      {port(wide), true, Write, []string{own}},
		"pairs, where repair logs":   {port(wide, logs), true, Write, []string{own}},
		"pairs that it does not use": {port(granted), true, Nothing, nil},
		"a level":                    {port(opened), true, Annotate, nil},
		"open by the namespace": {port(open, off, func(p *inventory.Port) {
			p.Decision.Level, p.Decision.BaseLevel = policy.Open, policy.Open
		}), false, Nothing, nil},
	} {
		a, granted := Ungrant(c.port, eras, testTime)
		if granted != c.granted || a.Kind != c.kind || !slices.Equal(a.PortSecurity, c.column) || a.Log {
			t.Errorf("%s: granted %v, %+v; want %v and %+v", name, granted, a, c.granted,
				Action{Kind: c.kind, PortSecurity: c.column})
		}
		if c.kind == Annotate {
			if diff := cmp.Diff("true", a.Annotations[ps]); diff != "" {
				t.Errorf("%s: the annotation, -want +got\n%s", name, diff)
			}
		}
	}
}
