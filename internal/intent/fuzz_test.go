package intent

import (
	"encoding/json"
	"net/netip"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/network-policy-api/apis/v1alpha1"
	"sigs.k8s.io/network-policy-api/apis/v1alpha2"
)

// What an object says never makes judging fail, and what is allowed for certain is not listed as unsure.
func FuzzObjects(f *testing.F) {
	r := newRandom(f)
	for range 30 {
		c := r.cluster()
		for _, o := range c.NetworkPolicies {
			o.Namespace = "shop"
			seed(f, o)
		}
		for _, o := range c.ClusterNetworkPolicies {
			seed(f, o)
		}
		for _, o := range c.AdminNetworkPolicies {
			seed(f, o)
		}
		for _, o := range c.BaselineAdminNetworkPolicies {
			seed(f, o)
		}
	}
	for _, text := range []string{
		`{"spec":{"podSelector":{"matchLabels":{"":"\u0000"}},"ingress":[{}]}}`,
		`{"spec":{"ingress":[{"ports":[{"port":-1,"endPort":-2},{"endPort":3}],"from":[{},{"ipBlock":{}}]}]}}`,
		`{"spec":{"subject":{"pods":{}},"ingress":[{"from":[{}],"ports":[{}],"protocols":[{},{"tcp":{"destinationPort":{}}}]}]}}`,
		`{"spec":{"egress":[{"to":[{"networks":["::ffff:1.2.3.4/96","x"]},{"nodes":{},"domainNames":[""]}]}]}}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		c := town()
		np, cnp := new(networkingv1.NetworkPolicy), new(v1alpha2.ClusterNetworkPolicy)
		anp, banp := new(v1alpha1.AdminNetworkPolicy), new(v1alpha1.BaselineAdminNetworkPolicy)
		if json.Unmarshal(text, np) == nil {
			np.Namespace = "shop"
			c.NetworkPolicies = append(c.NetworkPolicies, np, nil)
		}
		if json.Unmarshal(text, cnp) == nil {
			c.ClusterNetworkPolicies = append(c.ClusterNetworkPolicies, cnp, nil)
		}
		if json.Unmarshal(text, anp) == nil {
			c.AdminNetworkPolicies = append(c.AdminNetworkPolicies, anp, nil)
		}
		if json.Unmarshal(text, banp) == nil {
			c.BaselineAdminNetworkPolicies = append(c.BaselineAdminNetworkPolicies, banp, nil)
		}
		i := New(c)
		unsure := false
		for _, r := range i.IngressRules() {
			unsure = unsure || r.Unsure
		}
		for from := -1; from < len(c.Pods); from++ {
			for to := -1; to < len(c.Pods); to++ {
				for _, protocol := range []Protocol{TCP, UDP, SCTP, ICMP, ""} {
					p := Packet{Sender: from, Receiver: to, Protocol: protocol, Port: 80}
					if from >= 0 {
						p.Source = c.Pods[from].Addresses[0]
					}
					if to >= 0 {
						p.Destination = c.Pods[to].Addresses[0]
					}
					v := i.Judge(p)
					if (v.Unknown || v.Egress.Unknown || v.Ingress.Unknown) && len(i.Problems()) == 0 {
						t.Fatalf("%+v is unknown and nothing says why", p)
					}
					if v.Ingress.Policy != nil && v.Ingress.Rule < -1 ||
						v.Allowed != (v.Egress.Allowed && v.Ingress.Allowed) {
						t.Fatalf("%+v: %+v", p, v)
					}
				}
			}
		}
		if unsure && len(i.Problems()) == 0 {
			t.Fatal("a rule is unsure and nothing says why")
		}
		i.PodsAt(netip.Addr{})
	})
}

func seed(f *testing.F, o any) {
	text, err := json.Marshal(o)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
}
