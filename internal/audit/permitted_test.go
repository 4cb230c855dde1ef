package audit

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/portsec"
)

// Permissions of a port are reported with their permitters, also where there are findings.
func TestPermitted(t *testing.T) {
	namespaced := policy.Query{
		Provider: "ovn",
		Namespace: policy.Namespace{
			Name: "ns", Annotations: map[string]string{"ovn.kubernetes.io/port_security": "false"},
		},
	}
	labelled := policy.Query{
		Provider:  "ovn",
		Namespace: policy.Namespace{Name: "ns", Labels: map[string]string{policy.LevelLabel: "mac"}},
	}
	byPolicy := policy.Query{
		Provider: "ovn", Namespace: policy.Namespace{Name: "ns"},
		Policies: []policy.Policy{{Name: "gateways", Level: policy.MAC, Forwarding: policy.Allow}},
	}
	pairs := []portsec.AddressPair{{Prefix: netip.MustParsePrefix("192.0.2.0/28")}}
	exception := policy.Decision{
		Level: policy.Extended, LevelFrom: policy.FromException, Pairs: pairs, Forwarding: policy.Require,
		ForwardingFrom: policy.FromException, Exceptions: []string{"router"},
	}
	both := policy.Decision{
		Level:      policy.MAC,
		LevelFrom:  policy.FromPolicy,
		Policy:     "gateways",
		Pairs:      pairs,
		Exceptions: []string{"router"},
	}
	vip := policy.Decision{
		Level: policy.Extended, LevelFrom: policy.FromVIP, Pairs: pairs,
		Steps: []policy.Step{{Source: policy.FromVIP, Name: "shared", Outcome: policy.Applied}},
	}
	gateway := policy.Decision{
		Level: policy.MAC, LevelFrom: policy.FromGateway,
		Steps: []policy.Step{{Source: policy.FromGateway, Name: "VpcNatGateway gw", Outcome: policy.Applied}},
	}
	decided := func(d policy.Decision) func(*inventory.Port) {
		return func(p *inventory.Port) { p.Decision = d }
	}
	takesAll := func(p *inventory.Port) { p.Row.Addresses = append(p.Row.Addresses, "unknown") }
	cases := map[string]struct {
		port inventory.Port
		want []string
	}{
		"strict":                  {port(), nil},
		"strict, and open in OVN": {port(portSecurity()), nil},
		"by the namespace's annotation": {
			port(decided(policy.Decide(namespaced))), []string{"open namespace's ovn.kubernetes.io/port_security"},
		},
		"by the namespace's label": {
			port(decided(policy.Decide(labelled))), []string{"mac namespace's ovnguard.io/level"},
		},
		"by a policy, and layer-2 forwarding that nobody asked for": {
			port(decided(policy.Decide(byPolicy))), []string{"mac PortSecurityPolicy gateways"},
		},
		"by a policy, and layer-2 forwarding": {
			port(decided(policy.Decide(byPolicy)), takesAll),
			[]string{"mac PortSecurityPolicy gateways", "forwarding PortSecurityPolicy gateways"},
		},
		"by an exception": {
			port(decided(exception)),
			[]string{"extended PortSecurityException router", "forwarding PortSecurityException router"},
		},
		"by a policy and an exception": {
			port(decided(both)), []string{"mac PortSecurityPolicy gateways, PortSecurityException router"},
		},
		"by a Vip":      {port(decided(vip)), []string{"extended Vip shared"}},
		"as a gateway":  {port(decided(gateway)), []string{"mac VpcNatGateway gw"}},
		"of no pod":     {port(decided(exception), func(p *inventory.Port) { p.Pod = nil }), nil},
		"of an old pod": {port(decided(exception), func(p *inventory.Port) { p.Pod.Finished = true }), nil},
		"with no row yet": {
			port(decided(vip), func(p *inventory.Port) { p.Row = nil }),
			[]string{"extended Vip shared"},
		},
	}
	for name, c := range cases {
		var got []string
		for _, permission := range Evaluate(c.port, nil).Permitted {
			by := make([]string, len(permission.By))
			for i := range permission.By {
				by[i] = permission.By[i].String()
			}
			got = append(got, string(permission.Level)+" "+strings.Join(by, ", "))
			if permission.Port != "p.ns" || permission.Namespace != "ns" || permission.Pod != "p" ||
				permission.Provider != "ovn" {
				t.Errorf("%s: %+v", name, permission)
			}
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: -want +got\n%s", name, diff)
		}
	}
}
