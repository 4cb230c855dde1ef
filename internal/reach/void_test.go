package reach

import (
	"slices"
	"strings"
	"testing"

	"github.com/ovnguard/ovnguard/internal/acl"
)

// TestThreatT55ForgedSources makes clusters in which a forged source walks through a policy, or does not.
func TestThreatT55ForgedSources(t *testing.T) {
	tests := []struct {
		name  string
		world func(t *testing.T) *world
		// want are "POLICY FORGERS TARGETS", and elsewhere.
		want      string
		elsewhere bool
	}{
		{
			"open port", func(t *testing.T) *world { return shop(t, open) },
			"NetworkPolicy shop/allow-web: dev/mallory to shop/db (tcp/5432)", true,
		},
		{"strict port", func(t *testing.T) *world { return shop(t, strict) }, "", false},
		{
			"granted the address", func(t *testing.T) *world { return shop(t, "10.16.0.0/28") },
			"NetworkPolicy shop/allow-web: dev/mallory to shop/db (tcp/5432)", true,
		},
		{"granted others", func(t *testing.T) *world { return shop(t, "10.16.1.0/24") }, "", false},
		{"bounded by an egress policy", func(t *testing.T) *world {
			w := shop(t, open)
			w.policy(strings.ReplaceAll(denyEgress, "NS", "dev"))
			add := w.group("dev", "no-egress", "mallory.dev")
			add(acl.FromPort, 2000, acl.Drop, "inport == @ && ip")
			return w
		}, "", false},
		{"trusted itself", func(t *testing.T) *world {
			w := shop(t, open)
			w.pod("dev", "mallory", "app=mallory", "10.16.0.66", strict)
			w.pod("shop", "web", "app=web", "10.16.0.7", open)
			return w
		}, "", false},
		{"of the same namespace", func(t *testing.T) *world {
			w := shop(t, strict)
			w.pod("shop", "cache", "app=cache", "10.16.0.70", open)
			return w
		}, "NetworkPolicy shop/allow-web: shop/cache to shop/db (tcp/5432)", false},
		{"another ACL stops it", func(t *testing.T) *world {
			w := shop(t, open)
			add := w.group("shop", "guard", "db.shop")
			add(acl.ToPort, 3000, acl.Drop, "outport == @ && ip4.src == 10.16.0.0/16")
			return w
		}, "", false},
		{"in another VPC", func(t *testing.T) *world {
			w := shop(t, strict)
			w.subnet("far", "10.99.0.0/16", "other")
			w.podOn("far", "dev", "eve", "", "10.99.0.5", open)
			return w
		}, "", false},
		{"on another subnet of the VPC", func(t *testing.T) *world {
			w := shop(t, strict)
			w.subnet("near", "10.17.0.0/16", "ovn-cluster")
			w.podOn("near", "dev", "eve", "", "10.17.0.5", open)
			return w
		}, "NetworkPolicy shop/allow-web: dev/eve to shop/db (tcp/5432)", true},
		{"security group", func(t *testing.T) *world {
			w := newWorld(t)
			db := w.pod("shop", "db", "app=db", "10.16.0.9", strict)
			w.pod("dev", "mallory", "", "10.16.0.66", open)
			add := w.groupOf(map[string]string{"type": "security_group", "sg": "office"}, "ovn.sg.office", []string{db})
			add(acl.ToPort, 2300, acl.AllowRelated, "outport == @ && ip4 && ip4.src == 192.168.7.0/24 && tcp.dst == 22")
			add(acl.ToPort, 2000, acl.Drop, "outport == @ && ip")
			w.known()
			return w
		}, "SecurityGroup office: dev/mallory to shop/db (tcp/22)", true},
		{"by what policies ask for, where ACLs are not known", func(t *testing.T) *world {
			w := newWorld(t)
			w.pod("shop", "db", "app=db", "10.16.0.9", strict)
			w.pod("shop", "web", "app=web", "10.16.0.7", strict)
			w.pod("dev", "mallory", "app=mallory", "10.16.0.66", open)
			w.policy(allowWeb)
			return w
		}, "NetworkPolicy shop/allow-web: dev/mallory to shop/db (tcp/5432)", true},
		{"a block of addresses", func(t *testing.T) *world {
			w := newWorld(t)
			db := w.pod("shop", "db", "app=db", "10.16.0.9", strict)
			w.pod("dev", "mallory", "", "10.16.0.66", "192.168.7.0/30")
			w.policy(strings.ReplaceAll(allowWeb, "{podSelector: {matchLabels: {app: web}}}",
				"{ipBlock: {cidr: 192.168.0.0/16, except: [192.168.8.0/24]}}"))
			add := w.group("shop", "allow-web", db)
			add(acl.ToPort, 2001, acl.AllowRelated,
				"outport == @ && ip && (ip4.src == 192.168.0.0/16 && ip4.src != {192.168.8.0/24}) && tcp.dst == 5432")
			add(acl.ToPort, 2000, acl.Drop, "outport == @ && ip")
			w.known()
			return w
		}, "NetworkPolicy shop/allow-web: dev/mallory to shop/db (tcp/5432)", true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			voids := test.world(t).cluster().Find().Voids
			var got []string
			for _, v := range voids {
				got = append(
					got,
					v.Policy.String()+": "+strings.Join(v.Forgers, ",")+" to "+strings.Join(v.Targets, ","),
				)
				if v.Elsewhere != test.elsewhere {
					t.Errorf("%s: elsewhere %v", v.Policy, v.Elsewhere)
				}
				if v.Example.Delivered != Yes && v.Example.ACLs != Unknown || v.Example.Honest {
					t.Errorf("the example is no way through: %+v", v.Example)
				}
			}
			if test.want == "" && got != nil || test.want != "" && !slices.Equal(got, []string{test.want}) {
				t.Errorf("found %q, want %q", got, test.want)
			}
		})
	}
}

const denyEgress = `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {namespace: NS, name: no-egress}
spec: {podSelector: {}, policyTypes: [Egress]}
`
