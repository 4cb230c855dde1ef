package reach

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ovnguard/ovnguard/internal/acl"
)

// TestThreatT56PolicyNotRealised breaks what OVN has for policies, and expects the policy to be named.
func TestThreatT56PolicyNotRealised(t *testing.T) {
	tests := []struct {
		name   string
		change func(w *world)
		// want are "POLICY passes stops" with the numbers of packets.
		want []string
		says string
	}{
		{"as it is asked for", func(*world) {}, nil, ""},
		{"the port is not in the group", func(w *world) {
			add := w.group("shop", "allow-web")
			add(acl.ToPort, 2001, acl.AllowRelated, "outport == @ && ip && ip4.src == $web && tcp.dst == 5432")
			add(acl.ToPort, 2000, acl.Drop, "outport == @ && ip")
		}, []string{"NetworkPolicy shop/allow-web 1 0"}, "tcp/61234 from 192.0.2.77, which is no pod's, to shop/db"},
		{
			"the set lacks a pod", func(w *world) { w.set("web") },
			[]string{"NetworkPolicy shop/allow-web 0 1"},
			"tcp/5432 from 10.16.0.7 (shop/web) to shop/db",
		},
		{
			"the set has another pod", func(w *world) { w.set("web", "10.16.0.7", "10.16.0.66") },
			[]string{"NetworkPolicy shop/allow-web 1 0"},
			"tcp/5432 from 10.16.0.66 (dev/mallory) to shop/db",
		},
		{
			"the set has an address of nobody", func(w *world) { w.set("web", "10.16.0.7", "203.0.113.5") },
			[]string{"NetworkPolicy shop/allow-web 1 0"},
			"tcp/5432 from 203.0.113.5 to shop/db",
		},
		{"the ACL that drops is gone", func(w *world) {
			add := w.group("shop", "allow-web", "db.shop")
			add(acl.ToPort, 2001, acl.AllowRelated, "outport == @ && ip && ip4.src == $web && tcp.dst == 5432")
		}, []string{"NetworkPolicy shop/allow-web 1 0"}, "192.0.2.77"},
		{"the ACL that admits has another port", func(w *world) {
			add := w.group("shop", "allow-web", "db.shop")
			add(acl.ToPort, 2001, acl.AllowRelated, "outport == @ && ip && ip4.src == $web && tcp.dst == 5433")
			add(acl.ToPort, 2000, acl.Drop, "outport == @ && ip")
		}, []string{"NetworkPolicy shop/allow-web 0 1"}, "tcp/5432"},
		{
			"an ACL is left from a policy that is gone", func(w *world) { w.policies.NetworkPolicies = nil },
			[]string{"NetworkPolicy shop/allow-web 0 1"},
			"192.0.2.77",
		},
		{"egress is not bounded", func(w *world) {
			w.policy(strings.ReplaceAll(denyEgress, "NS", "dev"))
		}, []string{"NetworkPolicy dev/no-egress 1 0"}, "from dev/mallory to 192.0.2.77"},
		{"meant for other NICs", func(w *world) {
			w.policies.NetworkPolicies[0].Annotations = map[string]string{policyFor: "lab/blue"}
			w.group("shop", "allow-web")
		}, nil, ""},
		{"what is not understood is not compared", func(w *world) {
			add := w.group("shop", "allow-web", "db.shop")
			add(acl.ToPort, 2000, acl.Drop, "outport == @ && ip && ct.mark == 1")
		}, nil, ""},
		{"a security group stops more", func(w *world) {
			add := w.groupOf(map[string]string{"type": "security_group", "sg": "s"}, "ovn.sg.s", []string{"db.shop"})
			add(acl.ToPort, 2900, acl.Drop, "outport == @ && ip")
		}, nil, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := shop(t, strict)
			test.change(w)
			c := w.cluster()
			if len(c.Problems()) > 0 {
				t.Fatal(c.Problems())
			}
			var got []string
			for _, u := range c.Find().Unrealised {
				got = append(got, fmt.Sprint(u.Policy, " ", u.PassesTotal, " ", u.StopsTotal))
				if text := strings.Join(slices.Concat(u.Passes, u.Stops), "; "); !strings.Contains(text, test.says) {
					t.Errorf("%s does not say %q", text, test.says)
				}
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("found %q, want %q", got, test.want)
			}
		})
	}
}
