package upgrade_test

import (
	"slices"
	"testing"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/upgrade"
	"github.com/ovnguard/ovnguard/portsec"
)

// port returns the picture of a port of pod shop/NAME with a column and annotations.
func port(name string, column []string, annotations map[string]string) inventory.Port {
	p := &inventory.Pod{
		PodKey: inventory.PodKey{Namespace: "shop", Name: name}, Owner: name, Annotations: annotations,
	}
	return inventory.Port{
		Name: name + ".shop", Provider: kubeovn.DefaultProvider, Pod: p,
		Row: &inventory.Row{Name: name + ".shop", PortSecurity: column},
	}
}

func release(t *testing.T, tag string) *kubeovn.Release {
	t.Helper()
	r, err := kubeovn.ParseRelease(tag)
	if err != nil {
		t.Fatal(err)
	}
	return &r
}

// What a column means after an upgrade is told with its direction, and whether it is sure.
func TestColumns(t *testing.T) {
	const mac = "0a:00:00:00:00:01"
	for name, c := range map[string]struct {
		column        []string
		before, after []portsec.Era
		effect        upgrade.Effect // "" for no change
		sure          bool
	}{
		"as Kube-OVN writes it": {
			[]string{mac + " 10.0.0.1"},
			[]portsec.Era{portsec.E2},
			[]portsec.Era{portsec.E3},
			"", false,
		},
		"a typo opens": {
			[]string{mac + " 10.0.0.1,10.0.0.2"}, []portsec.Era{portsec.E2}, []portsec.Era{portsec.E3}, upgrade.Opens, true,
		},
		"a typo beside a good element narrows": {
			[]string{mac + " 10.0.0.1", "0a:00:00:00:00:02 10.0.0.2 x"},
			[]portsec.Era{portsec.E2},
			[]portsec.Era{portsec.E3},
			upgrade.Narrows, true,
		},
		"VRRPv3 closes": {
			[]string{"VRRPv3 " + mac + " 00:00:5e:00:01:05 10.0.0.1"},
			[]portsec.Era{portsec.E2},
			[]portsec.Era{portsec.E3},
			upgrade.Narrows, true,
		},
		"IPv6 is checked otherwise": {
			[]string{mac + " fd00::1"}, []portsec.Era{portsec.E2}, []portsec.Era{portsec.E3}, upgrade.Discovery, true,
		},
		"a MAC alone beside addresses widens": {
			[]string{mac + " 10.0.0.1", mac}, []portsec.Era{portsec.E0}, []portsec.Era{portsec.E2}, upgrade.Widens, true,
		},
		"it depends on the build": {
			[]string{mac + " 10.0.0.1 x"},
			[]portsec.Era{portsec.E2, portsec.E3},
			[]portsec.Era{portsec.E3},
			upgrade.Opens, false,
		},
		"back again": {
			[]string{mac + " 10.0.0.1 x"}, []portsec.Era{portsec.E3}, []portsec.Era{portsec.E2}, upgrade.Narrows, true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := upgrade.Check(slices.Values([]inventory.Port{port("a", c.column, nil)}),
				upgrade.Plan{Before: c.before, After: c.after})
			switch {
			case r.Ports != 1:
				t.Errorf("%d ports", r.Ports)
			case c.effect == "" && len(r.Changes) > 0, c.effect != "" && len(r.Changes) != 1:
				t.Errorf("changes %+v, want %q", r.Changes, c.effect)
			case c.effect != "" && (r.Changes[0].Effect != c.effect || r.Changes[0].Sure != c.sure):
				t.Errorf("%s, sure %v: %+v; want %s, %v",
					r.Changes[0].Effect, r.Changes[0].Sure, r.Changes[0].Column, c.effect, c.sure)
			}
		})
	}
}

// A key counts where the two releases read it differently, in each direction.
func TestKeys(t *testing.T) {
	key := func(s kubeovn.Suffix) string { return kubeovn.DefaultProvider.Key(s) }
	for name, c := range map[string]struct {
		annotations map[string]string
		from, to    string
		key         string // "" for no change
		sure        bool
	}{
		"a network in port_vips": {
			map[string]string{key(kubeovn.PortVIPs): "10.0.0.1,10.0.0.0/24"}, "v1.12.35", "v1.13.0", key(kubeovn.PortVIPs), true,
		},
		"addresses in port_vips": {
			map[string]string{key(kubeovn.PortVIPs): "10.0.0.1,fd00::1"},
			"v1.12.35", "v1.13.0", "", false,
		},
		"between later ones": {
			map[string]string{key(kubeovn.PortVIPs): "10.0.0.0/24"},
			"v1.13.0", "v1.16.2", "", false,
		},
		"aaps, backwards":        {map[string]string{kubeovn.AAPs: "v"}, "v1.14.0", "v1.12.0", kubeovn.AAPs, true},
		"the release is unknown": {map[string]string{kubeovn.AAPs: "v"}, "", "v1.14.0", kubeovn.AAPs, false},
		"groups with blanks": {
			map[string]string{key(kubeovn.SecurityGroups): "a, b"},
			"v1.11.0", "v1.12.0", key(kubeovn.SecurityGroups), true,
		},
		"groups without": {
			map[string]string{key(kubeovn.SecurityGroups): "a,b"},
			"v1.11.0", "v1.12.0", "", false,
		},
		"a machine's old consent": {
			map[string]string{key(kubeovn.AllowLiveMigration): "true"},
			"v1.12.0", "v1.14.0", key(kubeovn.AllowLiveMigration), true,
		},
		"a family": {
			map[string]string{key("ip_family"): "ipv4"},
			"v1.16.0", "v1.17.0", key("ip_family"), true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			plan := upgrade.Plan{
				Before: []portsec.Era{portsec.E2},
				After:  []portsec.Era{portsec.E2},
				To:     release(t, c.to),
			}
			if c.from != "" {
				plan.From = release(t, c.from)
			}
			r := upgrade.Check(slices.Values([]inventory.Port{port("a", nil, c.annotations)}), plan)
			if c.key == "" {
				if len(r.Changes) > 0 {
					t.Errorf("changes %+v", r.Changes)
				}
				return
			}
			if len(r.Changes) != 1 || r.Changes[0].Key != c.key || r.Changes[0].Effect != upgrade.Key ||
				r.Changes[0].Sure != c.sure || r.Changes[0].Meaning == "" {
				t.Errorf("changes %+v, want %s, sure %v", r.Changes, c.key, c.sure)
			}
		})
	}
	spelled := port("a", nil, map[string]string{kubeovn.Networks: "n@e1,n@e2"})
	spelled.NICSpelling = true
	r := upgrade.Check(slices.Values([]inventory.Port{spelled}),
		upgrade.Plan{From: release(t, "v1.15.0"), To: release(t, "v1.16.0")})
	if len(r.Changes) != 1 || r.Changes[0].Key != kubeovn.Networks {
		t.Errorf("an attachment listed twice: %+v", r.Changes)
	}
}

// Only an upgrade from OVN of 22.03 or older to a later one switches the checks off meanwhile.
func TestWindow(t *testing.T) {
	e := func(eras ...portsec.Era) []portsec.Era { return eras }
	for name, c := range map[string]struct {
		before, after []portsec.Era
		notChecking   string
		want          upgrade.Window
	}{
		"from 1.11":          {e(portsec.E0), e(portsec.E2), "", upgrade.OpenWindow},
		"from 1.12":          {e(portsec.E1, portsec.E2), e(portsec.E3), "", upgrade.NoWindow},
		"not known":          {portsec.Eras(), e(portsec.E3), "", upgrade.MayOpen},
		"to what is not new": {e(portsec.E0), e(portsec.E0), "", upgrade.NoWindow},
		"left over":          {e(portsec.E2), e(portsec.E3), "22.03", upgrade.OpenAlready},
	} {
		p := port("a", nil, nil)
		p.NotChecking = c.notChecking
		got := upgrade.Check(slices.Values([]inventory.Port{p}), upgrade.Plan{Before: c.before, After: c.after}).Window
		if got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}
