package inventory

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/portsec"
)

// exceptionFor returns an exception for the pods of namespace ns with this label, and that many pairs.
func exceptionFor(name, app string, pairs int, ends time.Time) policy.Exception {
	e := policy.Exception{
		Namespace: "ns",
		Name:      name,
		Pods:      func(labels map[string]string) bool { return labels["app"] == app },
		Expires:   ends,
		Asked:     ends.Add(-time.Hour),
	}
	for i := range pairs {
		e.Pairs = append(
			e.Pairs,
			portsec.AddressPair{Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{172, 16, byte(i >> 8), byte(i)}), 32)},
		)
	}
	return e
}

func podOf(app string) *Pod {
	return &Pod{PodKey: PodKey{"ns", app}, Owner: app, Labels: map[string]string{"app": app}}
}

// The number of exceptions that count in a namespace is bounded; when one begins or ceases to count, its ports are
// judged again.
func TestThreat33ManyExceptions(t *testing.T) {
	now := time.Unix(1e6, 0)
	inv := New()
	inv.SetNamespace(policy.Namespace{Name: "ns"})
	inv.SetPolicy(
		policy.Policy{
			Name:         "p",
			ExceptionsIn: []string{"ns"},
			Limits:       policy.Limits{Pairs: ExceptionsLimit, Prefix4: 32, Lifetime: 24 * time.Hour},
		},
	)
	inv.SetPod(podOf("a"))
	inv.SetPod(podOf("b"))
	counts := func(app string) int { return len(inv.Port(app+".ns", now).Decision.Exceptions) }
	reason := func(e policy.Exception) policy.Reason {
		standing := inv.Standing(e)
		r, why := standing.Standing(&inv.Policies()[0], now)
		if r != policy.InEffect && why == "" {
			t.Errorf("nothing is said of %s", r)
		}
		return r
	}

	b := exceptionFor("b", "b", ExceptionsLimit/2+1, now.Add(time.Hour))
	inv.SetException(b)
	ended := exceptionFor("ended", "a", ExceptionsLimit, now)
	inv.SetException(ended)
	if counts("b") != 1 || reason(b) != policy.InEffect {
		t.Fatal("one that has ended takes the room of another")
	}
	long := exceptionFor("long", "a", ExceptionsLimit/2, now.Add(2*time.Hour))
	if listed := inv.Listed(&long, now); listed != ExceptionsLimit+1 {
		t.Errorf("%d are listed", listed)
	}
	if touched := inv.SetException(long); !slices.Equal(touched, []string{"a.ns", "b.ns"}) {
		t.Errorf("touched %q, want the port that it is for, and the one whose exception counts no more", touched)
	}
	if counts("a") != 1 || counts("b") != 0 || reason(b) != policy.TooManyExceptions ||
		reason(long) != policy.InEffect {
		t.Errorf("%d and %d count, b is %s", counts("a"), counts("b"), reason(b))
	}
	if touched := inv.DeleteException("ns", "long"); !slices.Contains(touched, "b.ns") || counts("b") != 1 {
		t.Errorf("touched %q, %d count: there is room again", touched, counts("b"))
	}
	long.Pairs = long.Pairs[1:]
	if touched := inv.SetException(long); counts("a") != 1 || counts("b") != 1 {
		t.Errorf("touched %q, %d and %d count, which have just room", touched, counts("a"), counts("b"))
	}
	// An exception without pairs has a cost, too.
	for i := range ExceptionsLimit {
		inv.SetException(exceptionFor(strconv.Itoa(i), "a", 0, now.Add(3*time.Hour)))
	}
	if counts("a") != ExceptionsLimit || counts("b") != 0 {
		t.Errorf("%d and %d count", counts("a"), counts("b"))
	}
}

// However exceptions come and go: the ones that count are the longest prefix that fits, all queries agree on them, and
// each port with another counting exception than before is affected.
func TestCountedExceptions(t *testing.T) {
	now := time.Unix(1e6, 0)
	rapid.Check(t, func(t *rapid.T) {
		inv := New()
		inv.SetPod(podOf("a"))
		inv.SetPod(podOf("b"))
		count := func() map[string]bool {
			names := make(map[string]bool)
			for _, e := range counted(inv.Exceptions("ns")) {
				names[e.Name] = true
			}
			return names
		}
		for range rapid.IntRange(1, 12).Draw(t, "changes") {
			before, app := count(), make(map[string]string)
			for _, e := range inv.Exceptions("ns") {
				app[e.Name] = e.Ticket
			}
			name := rapid.SampledFrom([]string{"u", "v", "w", "x", "y", "z"}).Draw(t, "name")
			var touched []string
			if rapid.IntRange(0, 3).Draw(t, "delete") == 0 {
				touched = inv.DeleteException("ns", name)
			} else {
				of := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "for")
				e := exceptionFor(
					name,
					of,
					rapid.IntRange(0, 3).Draw(t, "pairs")*ExceptionsLimit/4,
					now.Add(time.Duration(rapid.IntRange(0, 3).Draw(t, "end"))*time.Hour),
				)
				e.Ticket, app[name] = of, of
				touched = inv.SetException(e)
			}
			after := count()
			for name, app := range app {
				if before[name] != after[name] && !slices.Contains(touched, app+".ns") {
					t.Fatalf(
						"%s counts %v, and counted %v; touched is only %q",
						name,
						after[name],
						before[name],
						touched,
					)
				}
			}
		}
		sum, left := 0, false
		for _, e := range inv.Exceptions("ns") {
			if sum += max(len(e.Pairs), 1); sum > ExceptionsLimit {
				left = true
			}
			if is := inv.Standing(e).Uncounted == ""; is == left || count()[e.Name] != is {
				t.Fatalf("%s counts %v with %d pairs of it and those before", e.Name, is, sum)
			}
		}
		if !slices.IsSortedFunc(inv.Exceptions("ns"), lasting) {
			t.Fatalf("out of order: %v", inv.Exceptions("ns"))
		}
	})
}

// A prefix over many Services claims a bounded number of them, and says so.
func TestThreat33ManyClaims(t *testing.T) {
	inv := New()
	for i := range 2 * claimsInReview {
		inv.SetFixed(
			Fixed{
				Holder:    Holder{HeldByService, fmt.Sprintf("o/s%d", i)},
				Addresses: []netip.Addr{netip.AddrFrom4([4]byte{10, 96, byte(i >> 8), byte(i)})},
			},
		)
	}
	e := exceptionFor("wide", "a", 0, time.Unix(1e6, 0))
	e.Pairs = slices.Repeat([]portsec.AddressPair{{Prefix: netip.MustParsePrefix("10.96.0.0/12")}}, 64)
	if got := len(inv.Claims(&e)); got != claimsInReview {
		t.Errorf("%d claims in a review", got)
	}
	if why := inv.Standing(e).Unshared; !strings.HasSuffix(why, "and at least 13 more") {
		t.Errorf("it is told %q", why)
	}
}

// Only a bounded number of the external addresses that the Services of one namespace claim count, and this reduces no
// other namespace's number.
func TestThreat33ManyExternalIPs(t *testing.T) {
	inv := New()
	claim := func(namespace string, service, n int) {
		f := Fixed{Holder: Holder{HeldByExternal, fmt.Sprintf("%s/s%d", namespace, service)}}
		for i := range n {
			f.Addresses = append(f.Addresses, netip.AddrFrom4([4]byte{203, byte(service), byte(i >> 8), byte(i)}))
		}
		inv.SetFixed(f)
	}
	held := func() (n int) {
		for range inv.heldIn(netip.MustParsePrefix("203.0.0.0/8"), inv.meeting(nil), nil) {
			n++
		}
		return n
	}
	claim("ns", 0, ExternalLimit-1)
	claim("ns", 1, 100_000)
	if got := held(); got != ExternalLimit {
		t.Errorf("%d count", got)
	}
	claim("other", 2, 1)
	if got := held(); got != ExternalLimit+1 {
		t.Errorf("%d count with that of another namespace", got)
	}
	inv.DeleteFixed(Holder{HeldByExternal, "ns/s0"})
	claim("ns", 1, 2)
	if got := held(); got != 3 {
		t.Errorf("%d count after some are gone", got)
	}
	inv.DeleteFixed(Holder{HeldByExternal, "ns/s1"})
	if !maps.Equal(inv.holders.externals, map[string]int{"other": 1}) {
		t.Errorf("left is %v", inv.holders.externals)
	}
}

// Another namespace of the same name affects the ports that had its consent, and not all ports with a grant.
func TestNamespaceTouchesWhatItConsentedTo(t *testing.T) {
	inv := New()
	inv.SetPod(podOf("a"))
	inv.SetPod(podOf("b"))
	end := time.Unix(1e6, 0)
	a, b := exceptionFor("a", "a", 1, end), exceptionFor("b", "b", 1, end)
	a.Shares = []policy.Share{{Resource: policy.Namespaces, Name: "bank", UID: "1"}}
	b.Shares = []policy.Share{{Resource: policy.Subnets, Name: "bank", UID: "1"}}
	inv.SetException(a)
	inv.SetException(b)
	inv.Granted("a.ns", policy.Decision{Pairs: a.Pairs})
	inv.Granted("b.ns", policy.Decision{Pairs: b.Pairs})
	for i, c := range []struct {
		change func() []string
		want   []string
	}{
		{func() []string { return inv.SetNamespace(policy.Namespace{Name: "bank", UID: "1"}) }, []string{"a.ns"}},
		{func() []string { return inv.SetNamespace(policy.Namespace{Name: "other", UID: "2"}) }, nil},
		{func() []string {
			return inv.SetNamespace(policy.Namespace{Name: "bank", UID: "1", Labels: map[string]string{"x": "y"}})
		}, nil},
		{func() []string { return inv.SetNamespace(policy.Namespace{Name: "bank", UID: "3"}) }, []string{"a.ns"}},
		{func() []string { return inv.DeleteNamespace("other") }, nil},
		{func() []string { return inv.DeleteNamespace("bank") }, []string{"a.ns"}},
		{func() []string {
			inv.DeleteException("ns", "a")
			return inv.SetNamespace(policy.Namespace{Name: "bank", UID: "1"})
		}, nil},
	} {
		if got := c.change(); !slices.Equal(got, c.want) {
			t.Errorf("step %d touched %q, want %q", i, got, c.want)
		}
	}
}

// A subnet that changes only in its status affects no port.
func TestSubnetWithoutAChange(t *testing.T) {
	inv := New()
	inv.Granted("a.ns", policy.Decision{Pairs: exceptionFor("a", "a", 1, time.Time{}).Pairs})
	s := func() Subnet {
		return Subnet{Name: "s", UID: "u", CIDRs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
	}
	for i, want := range []int{1, 0} {
		if got := inv.SetSubnet(s()); len(got) != want {
			t.Errorf("written for time %d: touched %q", i, got)
		}
	}
	changed := s()
	changed.Gateways = []netip.Addr{netip.MustParseAddr("10.0.0.1")}
	if got := inv.SetSubnet(changed); len(got) != 1 {
		t.Errorf("changed: touched %q", got)
	}
}

// The memo of a decision in a state holds only for NICs of the same networks, and no later state has it.
func TestMemoKnowsNetworksAndStates(t *testing.T) {
	now := time.Unix(1e6, 0)
	inv := New()
	inv.SetNamespace(policy.Namespace{Name: "ns"})
	inv.SetPolicy(
		policy.Policy{
			Name:         "p",
			ExceptionsIn: []string{"ns"},
			Limits:       policy.Limits{Pairs: 8, Prefix4: 8, Lifetime: 24 * time.Hour},
		},
	)
	cidr := []netip.Prefix{netip.MustParsePrefix("172.16.0.0/16")}
	inv.SetSubnet(Subnet{Name: "far", VPC: "far", CIDRs: cidr})
	inv.SetSubnet(Subnet{Name: "near", VPC: "near"})
	for _, on := range []string{"far", "near"} {
		p := podOf(on)
		p.Labels, p.Annotations = map[string]string{
			"app": "a",
		}, map[string]string{
			kubeovn.DefaultProvider.Key(kubeovn.LogicalSwitch): on,
		}
		inv.SetPod(p)
	}
	inv.SetException(exceptionFor("e", "a", 1, now.Add(time.Hour)))
	granted := func(s *State) (out []bool) {
		for _, on := range []string{"far", "near", "far", "near"} {
			out = append(out, len(s.Port(on+".ns", now).Decision.Pairs) > 0)
		}
		return out
	}
	first := inv.Snapshot()
	if got := granted(first); !slices.Equal(got, []bool{false, true, false, true}) {
		t.Errorf("granted %v", got)
	}
	inv.SetSubnet(Subnet{Name: "near", VPC: "near", CIDRs: cidr})
	if got := granted(inv.Snapshot()); !slices.Equal(got, []bool{false, false, false, false}) {
		t.Errorf("granted %v in the later state", got)
	}
	if got := granted(first); !slices.Equal(got, []bool{false, true, false, true}) {
		t.Errorf("granted %v in the first state afterwards", got)
	}
}
