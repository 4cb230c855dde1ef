package layout

import "testing"

func TestFiltering(t *testing.T) {
	controller := func(args ...string) []Workload {
		return []Workload{
			{
				Role:      Controller,
				Kind:      "Deployment",
				Namespace: "kube-system",
				Name:      "kube-ovn-controller",
				Command:   args,
			},
		}
	}
	usual := "Kube-OVN's default, as Deployment kube-system/kube-ovn-controller says nothing else"
	for name, c := range map[string]struct {
		workloads                []Workload
		known, network, clusters bool
		enforcement, from        string
	}{
		"no controller": {
			nil, false, true, false, EnforceStandard, "Kube-OVN's default, as no workload of Kube-OVN's says anything else",
		},
		"defaults": {controller("/kube-ovn/start-controller.sh"), true, true, false, EnforceStandard, usual},
		"told": {
			controller("--enable-np=false", "--enable-anp", "--np-enforcement=lax"), true, false, true, EnforceLax,
			"argument --np-enforcement of Deployment kube-system/kube-ovn-controller",
		},
		"kept elsewhere": {
			[]Workload{{
				Role: Controller, Kind: "Deployment", Namespace: "kube-system", Name: "kube-ovn-controller",
				Command: []string{"--enable-np=$(NP)"}, Env: []Variable{{Name: "NP", Elsewhere: true}},
			}}, false, true, false, EnforceStandard, usual,
		},
	} {
		f := filtering(c.workloads)
		if f.Known != c.known || f.NetworkPolicies.Is != c.network || f.ClusterPolicies.Is != c.clusters ||
			f.Enforcement != (Value[string]{c.enforcement, c.from}) {
			t.Errorf("%s: %+v", name, f)
		}
	}
}
