package policy

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/portsec"
)

// A narrowed query leads to the same decisions as the whole one, for each NIC, in any order of questions.
func TestNarrowDecidesAlike(t *testing.T) {
	nics := []kubeovn.Provider{kubeovn.DefaultProvider, "blue.gw.ovn", "red.gw.ovn"}
	rapid.Check(t, func(t *rapid.T) {
		q := drawQuery(t)
		for i := range q.Exceptions {
			q.Exceptions[i].Name += strconv.Itoa(i)
			q.Exceptions[i].Providers = rapid.SampledFrom([]Providers{nil, {"blue.gw.ovn"}, {"*.gw.ovn"}}).
				Draw(t, "exception's NICs")
		}
		for i := range q.Policies {
			q.Policies[i].Providers = rapid.SampledFrom([]Providers{nil, {"ovn"}, {"*"}, {"*.ovn"}}).
				Draw(t, "policy's NICs")
		}
		if rapid.Bool().Draw(t, "unread") {
			q.Namespace.Err = errors.New("forbidden")
		}
		q.VPCs = []string{"ovn-cluster"}
		for i := range rapid.IntRange(0, 3).Draw(t, "Vips") {
			q.VIPs = append(q.VIPs, VIP{
				Name: fmt.Sprintf("v%d", i),
				VPC:  rapid.SampledFrom([]string{"ovn-cluster", "island"}).Draw(t, "VPC"),
				Addresses: []netip.Addr{
					netip.AddrFrom4([4]byte{10, 0, 0, byte(rapid.IntRange(1, 3).Draw(t, "address"))}),
				},
			})
		}
		for _, nic := range nics {
			q.Pod.Annotations[nic.Key(kubeovn.PortVIPs)] = rapid.SampledFrom([]string{
				"", "10.0.0.1",
				"10.0.0.2,10.0.0.1,10.0.0.1", "x",
			}).
				Draw(t, "shared")
		}
		q.Pod.Annotations[kubeovn.AAPs] = rapid.SampledFrom([]string{"", "v0", "v1, v9"}).Draw(t, "named")
		narrow, asked := q.Narrow(), false
		for _, i := range rapid.SliceOfN(rapid.IntRange(0, len(nics)-1), 1, 6).Draw(t, "asked") {
			q.Provider, narrow.Provider = nics[i], nics[i]
			whole, narrowed := Decide(q), Decide(narrow)
			if asked { // the steps of exceptions may have been reported
				if len(narrowed.Steps) < len(whole.Steps) {
					whole.Steps = slices.DeleteFunc(whole.Steps, func(s Step) bool { return s.Source == FromException })
				}
			}
			asked = true
			if diff := cmp.Diff(
				whole,
				narrowed,
				cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
			); diff != "" {
				t.Fatalf("%s (-whole +narrowed):\n%s", nics[i], diff)
			}
		}
	})
}

// A set of pairs holds what one of its pairs holds.
func TestPairSetHoldsWhatOneOfItHolds(t *testing.T) {
	holds := func(outer, inner portsec.AddressPair) bool {
		return outer.MAC == inner.MAC && (!outer.Prefix.IsValid() ||
			inner.Prefix.IsValid() && outer.Prefix.Bits() <= inner.Prefix.Bits() && outer.Prefix.Overlaps(inner.Prefix))
	}
	draw := rapid.Custom(func(t *rapid.T) portsec.AddressPair {
		p := portsec.AddressPair{MAC: rapid.SampledFrom([]portsec.MAC{{}, {2, 0, 0, 0, 0, 1}}).Draw(t, "MAC")}
		if a := rapid.SampledFrom([]string{"10.0.0.1", "10.0.3.1", "2001:db8::1", ""}).Draw(t, "address"); a != "" {
			addr := netip.MustParseAddr(a)
			p.Prefix = netip.PrefixFrom(addr, rapid.SampledFrom([]int{8, 22, 24, 32, addr.BitLen()}).Draw(t, "bits"))
		}
		return p
	})
	held := 0
	rapid.Check(t, func(t *rapid.T) {
		pairs, p := rapid.SliceOfN(draw, 0, 4).Draw(t, "pairs"), draw.Draw(t, "pair")
		want := false
		for _, o := range pairs {
			want = want || holds(o, p)
		}
		if got := pairSetOf(pairs).holds(p); got != want {
			t.Fatalf("holds %v, want %v", got, want)
		}
		if want {
			held++
		}
	})
	if held == 0 {
		t.Error("none of the drawn pairs was held")
	}
}

// Lists count up to a limit, for every caller.
func TestLongListsOfAddresses(t *testing.T) {
	var text strings.Builder
	var vips []VIP
	for i := range ListLimit + 1 {
		a := netip.AddrFrom4([4]byte{10, 0, 1, byte(i)})
		text.WriteString(a.String() + "," + a.String() + ",")
		vips = append(vips, VIP{Name: fmt.Sprint("v", i), VPC: "v", Addresses: []netip.Addr{a}})
	}
	d := Decide(Query{
		Provider: kubeovn.DefaultProvider, Namespace: Namespace{Name: "ns"}, VPCs: []string{"v"}, VIPs: vips,
		Pod: Pod{Annotations: map[string]string{"ovn.kubernetes.io/port_vips": strings.TrimSuffix(text.String(), ",")}},
	})
	if refused := d.Refusals(); len(d.Pairs) != ListLimit || len(refused) != 1 ||
		refused[0].Key != "ovn.kubernetes.io/port_vips" {
		t.Errorf("%d pairs, refused %+v", len(d.Pairs), refused)
	}
}

// The mode of a pod with unknown NICs is the strictest one of the policies for any NIC.
func TestTightestMode(t *testing.T) {
	web, db := func(l map[string]string) bool { return l["app"] == "web" },
		func(l map[string]string) bool { return l["app"] == "db" }
	for name, c := range map[string]struct {
		policies []Policy
		want     Mode
	}{
		"none":                         {nil, Enforce},
		"one for all":                  {[]Policy{{Mode: Audit}}, Audit},
		"one for all, in words":        {[]Policy{{Mode: Audit, Providers: Providers{"*"}}}, Audit},
		"one for some NICs":            {[]Policy{{Mode: Audit, Providers: Providers{"ovn"}}}, Enforce},
		"one behind another":           {[]Policy{{Mode: Audit}, {Mode: Enforce}}, Audit},
		"one before it":                {[]Policy{{Mode: Warn, Providers: Providers{"blue.*"}}, {Mode: Audit}}, Warn},
		"one for such pods before it":  {[]Policy{{Mode: Warn, Pods: web}, {Mode: Audit}}, Warn},
		"one for other pods before it": {[]Policy{{Mode: Warn, Pods: db}, {Mode: Audit}}, Audit},
		"one for other namespaces":     {[]Policy{{Mode: Warn, Namespaces: db}, {Mode: Audit}}, Audit},
	} {
		if got := TightestMode(c.policies, Namespace{Name: "ns"}, map[string]string{"app": "web"}); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}
