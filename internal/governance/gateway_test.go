package governance

import "testing"

func TestThreatT46WorkloadOfAGateway(t *testing.T) {
	workload := func(refs ...object) object {
		return object{"metadata": object{"name": "x-east", "namespace": "t", "ownerReferences": refs}}
	}
	ref := func(apiVersion, kind, uid string) object {
		return object{"apiVersion": apiVersion, "kind": kind, "name": "east", "uid": uid}
	}
	nat, egress := ref("kubeovn.io/v1", "VpcNatGateway", "u"), ref("kubeovn.io/v1", "VpcEgressGateway", "u")
	for name, c := range map[string]struct {
		now, old any
		user     string
		words    []string
	}{
		"new, of a NAT gateway":     {now: workload(nat), words: []string{"ownerReferences", "VpcNatGateway east"}},
		"new, of an egress gateway": {now: workload(egress), words: []string{"VpcEgressGateway east", "leave"}},
		"in any version":            {now: workload(ref("kubeovn.io/v2", "VpcNatGateway", "u")), words: []string{"east"}},
		"which comes to be one's":   {now: workload(nat), old: workload(), words: []string{"ownerReferences"}},
		"which comes to be another's": {
			now: workload(nat), old: workload(ref("kubeovn.io/v1", "VpcNatGateway", "v")), words: []string{"ownerReferences"},
		},
		"which was one's":        {now: workload(nat), old: workload(nat)},
		"which is one's no more": {now: workload(), old: workload(nat)},
		"by Kube-OVN":            {now: workload(nat), user: "system:serviceaccount:kube-system:ovn"},
		"of something else":      {now: workload(ref("apps/v1", "Deployment", "u"))},
		"of another group":       {now: workload(ref("example.org/v1", "VpcNatGateway", "u"))},
		"of nothing":             {now: workload()},
	} {
		t.Run(name, func(t *testing.T) {
			for _, resource := range []string{"deployments.apps", "statefulsets.apps"} {
				req := request(t, resource, c.now, c.old)
				if c.user != "" {
					req.UserInfo.Username = c.user
				}
				a, err := guardOf(honouring()).GatewayWorkload(t.Context(), req)
				expect(t, a, err, c.words...)
			}
		})
	}
	of := request(t, "daemonsets.apps", workload(nat), nil)
	if _, err := guardOf(honouring()).GatewayWorkload(t.Context(), of); err == nil {
		t.Error("a DaemonSet was judged as a gateway's workload")
	}
}
