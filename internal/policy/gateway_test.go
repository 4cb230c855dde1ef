package policy

import (
	"maps"
	"testing"
	"time"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// A policy for all pods does not cut off a gateway that administrators made; a policy for its namespace or its label
// does.
func TestDecideGateway(t *testing.T) {
	labelled := func(key, value string) Selector {
		return func(l map[string]string) bool { return l[key] == value }
	}
	except := func(key, value string) Selector {
		return func(l map[string]string) bool { return l[key] != value }
	}
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		policies   []Policy
		labels     map[string]string
		exceptions []Exception
		level      Level
		from       Source
		value      string
	}{
		"nothing said":     {level: MAC, from: FromGateway, value: "false"},
		"a policy for all": {policies: []Policy{{Name: "all"}}, level: MAC, from: FromGateway, value: "false"},
		"a policy for all but some": {
			policies: []Policy{{Name: "most", Namespaces: except("team", "x")}}, level: MAC, from: FromGateway,
			value: "false",
		},
		"a policy for its namespace": {
			policies: []Policy{{Name: "infra", Namespaces: labelled("name", "kube-system")}}, level: Strict,
			from: FromPolicy, value: "true",
		},
		"a policy for its label": {
			policies: []Policy{{Name: "all"}, {Name: "nat", Priority: 1, Pods: labelled("app", "nat")}}, level: Strict,
			from: FromPolicy, value: "true",
		},
		"a policy for any label": {
			policies: []Policy{{Name: "any", Pods: everything}}, level: MAC, from: FromGateway, value: "false",
		},
		"an open policy": {
			policies: []Policy{{Name: "all", Level: Open}}, level: Open, from: FromPolicy, value: "false",
		},
		"mac, by policy": {
			policies: []Policy{{Name: "all", Level: MAC}}, level: MAC, from: FromPolicy, value: "true",
		},
		"its namespace says strict": {
			labels: map[string]string{LevelLabel: "strict"}, level: Strict, from: FromNamespace, value: "true",
		},
		"an exception says open": {
			policies: []Policy{
				{Name: "all", ExceptionsIn: []string{"kube-system"}, Limits: Limits{Level: Open, Lifetime: time.Hour}},
			},
			exceptions: []Exception{
				{
					Name: "e", Namespace: "kube-system", Pods: everything, Level: Open, Asked: now,
					Expires: now.Add(time.Hour),
				},
			},
			level: Open, from: FromException, value: "false",
		},
	} {
		t.Run(name, func(t *testing.T) {
			labels := map[string]string{"name": "kube-system"}
			maps.Copy(labels, c.labels)
			q := Query{
				Provider:  kubeovn.DefaultProvider,
				Namespace: Namespace{Name: "kube-system", Labels: labels},
				Policies:  c.policies,
				Pod: Pod{
					Labels:  map[string]string{"app": "nat"},
					Gateway: "VpcNatGateway east",
				},
				Exceptions: c.exceptions,
				Now:        now,
			}
			SortPolicies(q.Policies)
			for how, d := range map[string]Decision{"alone": Decide(q), "narrowed": Decide(q.Narrow())} {
				if d.Level != c.level || d.LevelFrom != c.from || d.Value() != c.value {
					t.Errorf(
						"%s: %s from the %s, annotation %s; steps %+v",
						how,
						d.Level,
						d.LevelFrom,
						d.Value(),
						d.Steps,
					)
				}
			}
			q.Pod.Gateway, q.Exceptions = "", nil
			if d := Decide(q); d.LevelFrom == FromGateway {
				t.Errorf("a pod that is no gateway's is decided as %s from the gateway", d.Level)
			}
		})
	}
}
