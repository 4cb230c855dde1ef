package reach

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/ovnguard/ovnguard/internal/acl"
	"github.com/ovnguard/ovnguard/internal/intent"
)

// randomWorld makes a cluster with random policies, and the ACLs that realise them.
func randomWorld(t *testing.T, rng *rand.Rand) *world {
	w := newWorld(t)
	w.subnet("near", "10.17.0.0/16", "ovn-cluster")
	namespaces, apps := []string{"a", "b"}, []string{"web", "db", "x"}
	columns := []string{strict, strict, open, "10.16.0.0/29", "192.0.2.0/24", "10.16.0.3 10.16.0.4"}
	pick := func(of []string) string { return of[rng.IntN(len(of))] }
	type made struct{ port, namespace, app, ip string }
	var pods []made
	for i := range 10 {
		subnet, third := "ovn-default", 16
		if rng.IntN(4) == 0 {
			subnet, third = "near", 17
		}
		p := made{"", pick(namespaces), pick(apps), fmt.Sprintf("10.%d.0.%d", third, i+1)}
		p.port = w.podOn(subnet, p.namespace, fmt.Sprintf("p%d", i), "app="+p.app, p.ip, pick(columns))
		pods = append(pods, p)
	}
	for n := range 1 + rng.IntN(4) {
		namespace, app, name := pick(namespaces), pick(apps), fmt.Sprintf("np%d", n)
		var targets []string
		for _, p := range pods {
			if p.namespace == namespace && p.app == app {
				targets = append(targets, p.port)
			}
		}
		add := w.group(namespace, name, targets...)
		text := fmt.Sprintf("metadata: {namespace: %s, name: %s}\nspec:\n  podSelector: {matchLabels: {app: %s}}\n",
			namespace, name, app)
		if rng.IntN(4) == 0 {
			w.policy(text + "  policyTypes: [Egress]\n")
			add(acl.FromPort, 2000, acl.Drop, "inport == @ && ip")
			continue
		}
		var rules strings.Builder
		for r := range 1 + rng.IntN(2) {
			port, of, trusted := 1000+rng.IntN(3), pick(namespaces), pick(apps)
			match := "ip4.src == 192.0.2.0/24"
			if rng.IntN(3) == 0 {
				rules.WriteString("  - from: [{ipBlock: {cidr: 192.0.2.0/24}}]\n")
			} else {
				fmt.Fprintf(
					&rules,
					"  - from: [{namespaceSelector: {matchLabels: {team: %s}}, podSelector: {matchLabels: "+
						"{app: %s}}}]\n",
					of,
					trusted,
				)
				set := fmt.Sprintf("%s.%s.%d", namespace, name, r)
				var addresses []string
				for _, p := range pods {
					if p.namespace == of && p.app == trusted {
						addresses = append(addresses, p.ip)
					}
				}
				w.set(set, addresses...)
				match = "ip4.src == $" + set
			}
			fmt.Fprintf(&rules, "    ports: [{protocol: TCP, port: %d}]\n", port)
			add(
				acl.ToPort,
				2001,
				acl.AllowRelated,
				fmt.Sprintf("outport == @ && ip && %s && tcp.dst == %d", match, port),
			)
		}
		w.policy(text + "  ingress:\n" + rules.String())
		add(acl.ToPort, 2000, acl.Drop, "outport == @ && ip")
	}
	w.known()
	return w
}

// TestVoidsAreAllThereAre compares what is found with what all packets show that there could be, and finds no policy
// that is not realised.
func TestVoidsAreAllThereAre(t *testing.T) {
	walked := 0
	for seed := range uint64(400) {
		w := randomWorld(t, rand.New(rand.NewPCG(seed, 1)))
		c := w.cluster()
		found := c.Find()
		if u := found.Unrealised; len(u) > 0 {
			t.Fatalf("seed %d: not realised: %+v", seed, u)
		}
		var got []string
		for _, v := range found.Voids {
			got = append(got, v.Policy.String())
			if !slices.Contains(v.Forgers, v.Example.From.Owner()) || v.Example.Delivered != Yes {
				t.Errorf("seed %d: the example is no way through: %+v", seed, v.Example)
			}
		}
		want := byAllPackets(c)
		if !slices.Equal(got, want) {
			t.Fatalf("seed %d: found %q, packets show %q", seed, got, want)
		}
		walked += len(got)
	}
	if walked < 100 {
		t.Errorf("only %d policies were void: the clusters try nothing", walked)
	}
}

// byAllPackets returns the policies that some packet walks through.
func byAllPackets(c *Cluster) []string {
	through := make(map[string]bool)
	sources := []netip.Addr{netip.MustParseAddr("192.0.2.1")}
	for a := range c.at {
		sources = append(sources, a)
	}
	rules := c.intent.IngressRules()
	for i := range c.ports {
		from := &c.ports[i]
		for j := range c.ports {
			to := &c.ports[j]
			for port := range uint16(3) {
				p := Packet{intent.TCP, 1000 + port}
				own, _ := from.Honest(to.Address())
				if i == j || c.Walk(from, to, own, p).ACLs == Yes {
					continue
				}
				for _, a := range sources {
					if slices.Contains(from.Own.IPs, a) || slices.Contains(to.Own.IPs, a) ||
						c.Walk(from, to, from.Forged(a), p).Delivered != Yes {
						continue
					}
					for _, r := range rules {
						if trusts(c, &r, a) && slices.Contains(r.Targets, to.pod) && r.Ports[0].First == p.Port {
							through[r.Policy.String()] = true
						}
					}
				}
			}
		}
	}
	var all []string
	for p := range through {
		all = append(all, p)
	}
	slices.SortFunc(all, strings.Compare)
	return all
}

func trusts(c *Cluster, r *intent.Rule, a netip.Addr) bool {
	return slices.ContainsFunc(r.Sources, func(p netip.Prefix) bool { return p.Contains(a) }) ||
		slices.ContainsFunc(c.intent.PodsAt(a), func(i int) bool { return slices.Contains(r.Pods, i) })
}

// TestFoundAlikeInAnyOrder holds that the same is found, in the same words, in whatever order things were read.
func TestFoundAlikeInAnyOrder(t *testing.T) {
	text := func(w *world) string {
		found := w.cluster().Find()
		data, err := json.Marshal([]any{found.Facts(), found.Radii})
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	for seed := range uint64(20) {
		w := randomWorld(t, rand.New(rand.NewPCG(seed, 1)))
		w.set("a.np0.0", "10.16.0.9", "10.16.0.8", "10.16.0.7", "203.0.113.1", "203.0.113.2")
		want := text(w)
		for range 5 { // maps are walked in another order each time
			if got := text(w); got != want {
				t.Fatalf("seed %d: found %s, and before %s", seed, got, want)
			}
		}
	}
}
