package governance

import (
	"encoding/json"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	jsonpatch "github.com/evanphx/json-patch/v5"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/portsec"
)

const exceptions = "portsecurityexceptions.ovnguard.io"

// at returns a time in the form that objects have.
func at(d time.Duration) metav1.Time { return metav1.NewTime(noon.Add(d)) }

func atp(d time.Duration) *metav1.Time { t := at(d); return &t }

// asked returns an exception of the shop as the mutating judge leaves alice's request, changed by the functions.
func asked(change ...func(*v1alpha1.PortSecurityException)) *v1alpha1.PortSecurityException {
	e := &v1alpha1.PortSecurityException{
		ObjectMeta: metav1.ObjectMeta{Name: "x", Namespace: "shop"},
		Spec: v1alpha1.PortSecurityExceptionSpec{
			Target: v1alpha1.Target{PodSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}},
			Grant:  v1alpha1.Grant{Pairs: []v1alpha1.AddressPair{{Prefix: "10.30.0.0/28"}}},
			Reason: "routes for the till", Owner: "net@shop", Ticket: "NET-1",
			ExpiresAt: at(24 * time.Hour), RequestedBy: "alice", RequestedAt: atp(0),
		},
	}
	for _, f := range change {
		f(e)
	}
	e.Spec.RequestID = idOf(e)
	return e
}

// idOf returns the digest of the request in the exception.
func idOf(e *v1alpha1.PortSecurityException) string {
	id, err := requestID(&e.Spec)
	if err != nil {
		panic(err)
	}
	return id
}

// honouring returns a cluster with a policy that lets exceptions of the shop count.
func honouring(change ...func(*policy.Policy)) *tableCluster {
	p := policy.Policy{
		Name:         "all",
		Level:        policy.Strict,
		Repair:       policy.RepairOn,
		ExceptionsIn: []string{"shop"},
		Ticket:       pattern("^NET-[0-9]+$"),
		Limits:       policy.Limits{Pairs: 2, Prefix4: 24, Prefix6: 64, Lifetime: 48 * time.Hour, Level: policy.MAC},
	}
	for _, f := range change {
		f(&p)
	}
	return &tableCluster{
		policies:   []policy.Policy{p},
		namespaces: map[string]policy.Namespace{"shop": {Name: "shop", Labels: map[string]string{labelName: "shop"}}},
		owners: map[string]string{
			"StatefulSet shop/till": "uid-1", "VpcEgressGateway shop/veg": "uid-2", "VpcNatGateway shop/east": "uid-3",
		},
	}
}

func pairs(list ...v1alpha1.AddressPair) func(*v1alpha1.PortSecurityException) {
	return func(e *v1alpha1.PortSecurityException) { e.Spec.Grant.Pairs = list }
}

func TestThreat37ExceptionAbuse(t *testing.T) {
	type edit = func(*v1alpha1.PortSecurityException)
	cases := map[string]struct {
		edit  edit
		rule  func(*policy.Policy)
		words []string
	}{
		"fine": {},
		"namespace not named": {
			rule:  func(p *policy.Policy) { p.ExceptionsIn = []string{"edge"} },
			words: []string{"does not name namespace shop", "spec.exceptions.namespaces", "ask an administrator"},
		},
		"policy for other NICs": {
			rule:  func(p *policy.Policy) { p.Providers = policy.Providers{"blue.shop.ovn"} },
			edit:  func(e *v1alpha1.PortSecurityException) { e.Spec.Target.Providers = []string{"ovn"} },
			words: []string{"built-in default", "spec.exceptions.namespaces", "ask an administrator"},
		},
		"policy cannot be read": {
			rule:  func(p *policy.Policy) { *p = policy.Policy{Name: "all", Err: errors.New("bad")} },
			words: []string{"does not name"},
		},
		"past": {
			edit:  func(e *v1alpha1.PortSecurityException) { e.Spec.ExpiresAt = at(-time.Hour) },
			words: []string{"spec.expiresAt", "past"},
		},
		"too long": {
			edit:  func(e *v1alpha1.PortSecurityException) { e.Spec.ExpiresAt = at(49 * time.Hour) },
			words: []string{"longer than the 48h"},
		},
		"no ticket": {
			edit:  func(e *v1alpha1.PortSecurityException) { e.Spec.Ticket = "" },
			words: []string{"spec.ticket", "NET-"},
		},
		"another ticket": {
			edit:  func(e *v1alpha1.PortSecurityException) { e.Spec.Ticket = "XNET-1" },
			words: []string{"spec.ticket"},
		},
		"open": {
			edit:  func(e *v1alpha1.PortSecurityException) { e.Spec.Grant.Level = "open" },
			words: []string{"no level looser than mac"},
		},
		"too wide":           {edit: pairs(v1alpha1.AddressPair{Prefix: "10.30.0.0/23"}), words: []string{"/24"}},
		"everything":         {edit: pairs(v1alpha1.AddressPair{Prefix: "0.0.0.0/0"}), words: []string{"/24"}},
		"everything in IPv6": {edit: pairs(v1alpha1.AddressPair{Prefix: "::/0"}), words: []string{"/64"}},
		"too many": {
			edit: pairs(
				v1alpha1.AddressPair{Prefix: "10.1.0.1"},
				v1alpha1.AddressPair{Prefix: "10.1.0.2"},
				v1alpha1.AddressPair{Prefix: "10.1.0.3"},
			),
			words: []string{"3 address pairs"},
		},
		"class that contradicts": {edit: func(e *v1alpha1.PortSecurityException) {
			e.Spec.Class, e.Spec.Grant.Level = v1alpha1.ClassRouter, v1alpha1.LevelMAC
		}, words: []string{"spec.grant.level", "class router", "spec.class out"}},
		"class too loose": {
			rule: func(p *policy.Policy) { p.Limits.Level = policy.Strict },
			edit: func(e *v1alpha1.PortSecurityException) {
				e.Spec.Class, e.Spec.Grant = v1alpha1.ClassNATGateway, v1alpha1.Grant{}
			},
			words: []string{"no level looser than strict"},
		},
		"owner wanted": {rule: func(p *policy.Policy) { p.Limits.Owner = true }, words: []string{"spec.target.owner"}},
		"host bits": {
			edit:  pairs(v1alpha1.AddressPair{Prefix: "10.30.0.1/28"}),
			words: []string{"spec.grant.pairs[0].prefix", `"10.30.0.0/28"`},
		},
		"mapped": {edit: pairs(v1alpha1.AddressPair{Prefix: "::ffff:10.30.0.1"}), words: []string{`"10.30.0.1"`}},
		"bad selector": {edit: func(e *v1alpha1.PortSecurityException) {
			e.Spec.Target.PodSelector.MatchExpressions = []metav1.LabelSelectorRequirement{{Key: "a", Operator: "Has"}}
		}, words: []string{"spec.target.podSelector"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			object := asked()
			if c.edit != nil {
				c.edit(object)
			}
			cluster := honouring()
			if c.rule != nil {
				c.rule(&cluster.policies[0])
			}
			a, err := guardOf(cluster).Exception(t.Context(), request(t, exceptions, object, nil))
			expect(t, a, err, c.words...)
		})
	}
}

// A grant must not contain addresses of others, only of the subnet, and only free ones. A user with the verb share on
// the Subnet, or on the holder's namespace, may grant an address by naming it; the addresses of gateways and nodes are
// never granted.
func TestThreat41OverlappingPairs(t *testing.T) {
	const subnet, bank, never = "alice share subnets.ovnguard.io /ovn-default", "alice share namespaces.ovnguard.io " +
		"/bank", "never be granted"
	type pair = v1alpha1.AddressPair
	cases := map[string]struct {
		pair   pair
		right  string
		words  []string
		warned bool
	}{
		"free":                       {pair: pair{Prefix: "10.30.0.0/24"}},
		"the port's own":             {pair: pair{Prefix: "10.16.0.10"}},
		"own Vip":                    {pair: pair{Prefix: "10.16.0.100"}},
		"a shared VIP of the subnet": {pair: pair{Prefix: "10.16.0.70"}},
		"one of a subnet of others": {
			pair:  pair{Prefix: "10.17.0.70"},
			words: []string{"10.17.0.70 is taken", "sharedWith: bank-net"},
		},
		"free in the subnet": {
			pair: pair{Prefix: "10.16.0.99"},
			words: []string{
				"subnet ovn-default",
				"a later pod",
				"create a Vip with this address and spec.namespace shop",
				"sharedWith: ovn-default",
			},
		},
		"a range of the subnet": {
			pair:  pair{Prefix: "10.16.5.0/24"},
			words: []string{"subnet ovn-default", "sharedWith: ovn-default", "subnets.ovnguard.io ovn-default"},
		},
		"one with one's own Vip": {pair: pair{Prefix: "10.16.0.100/31"}, words: []string{"subnet ovn-default"}},
		"around the subnet":      {pair: pair{Prefix: "fd00:16::/64"}, words: []string{"subnet ovn-default"}},
		"another's port": {
			pair:  pair{Prefix: "10.16.0.20"},
			words: []string{"10.16.0.20 is taken", "sharedWith: ovn-default"},
		},
		"with the gateway": {
			pair:  pair{Prefix: "10.16.0.0/24", SharedWith: "ovn-default"},
			right: subnet,
			words: []string{
				"10.16.0.1 is taken", never, "narrow it",
			},
		},
		"another's Vip": {pair: pair{Prefix: "10.16.0.200"}, words: []string{"is taken"}},
		"gateway":       {pair: pair{Prefix: "10.17.0.1"}, words: []string{"10.17.0.1 is taken", never}},
		"node":          {pair: pair{Prefix: "192.168.7.1"}, words: []string{"192.168.7.1 is taken", never}},
		"Service": {
			pair:  pair{Prefix: "10.96.0.7"},
			words: []string{"10.96.0.7 is taken", "sharedWith"},
		},
		"join": {
			pair:  pair{Prefix: "100.64.9.0/28", SharedWith: "join"},
			right: "alice share subnets.ovnguard.io /join",
			words: []string{"is taken", never},
		},
		"join in IPv6":        {pair: pair{Prefix: "fd00:100:64::/96"}, words: []string{never}},
		"the Services' range": {pair: pair{Prefix: "10.96.1.0/24"}, words: []string{"10.96.1.0/24", never}},
		"another's MAC": {
			pair:  pair{MAC: "00:00:00:00:00:02", Prefix: "10.30.0.1"},
			words: []string{"pairs[0].mac", "is taken", "sharedWith"},
		},
		"a Service outside":   {pair: pair{Prefix: "203.0.113.7"}, words: []string{"203.0.113.7 is taken"}},
		"own Service outside": {pair: pair{Prefix: "203.0.113.8"}},
		"a gateway's MAC": {
			pair:  pair{MAC: "00:00:00:00:00:FE", Prefix: "10.30.0.1"},
			words: []string{"pairs[0].mac", "is taken", never},
		},
		"another Vip's MAC": {
			pair:  pair{MAC: "00:00:00:00:00:bb", Prefix: "10.30.0.1"},
			words: []string{"pairs[0].mac", "is taken"},
		},
		"own Vip's MAC":        {pair: pair{MAC: "00:00:00:00:00:aa", Prefix: "10.30.0.1"}},
		"every link-local":     {pair: pair{Prefix: "fe80::/64"}, words: []string{"link-local", never}},
		"a chosen link-local":  {pair: pair{Prefix: "fe80::cdef"}},
		"one's own link-local": {pair: pair{Prefix: "fe80::200:ff:fe00:1"}},
		"a gateway's link-local": {
			pair:  pair{Prefix: "fe80::200:ff:fe00:fe"},
			words: []string{"fe80::200:ff:fe00:fe is taken", never},
		},
		"another's link-local": {
			pair:  pair{Prefix: "fe80::200:ff:fe00:2"},
			words: []string{"is taken", "sharedWith"},
		},

		"a gateway, named": {
			pair:  pair{MAC: "00:00:00:00:00:fe", Prefix: "10.16.0.1", SharedWith: "ovn-default"},
			right: subnet,
			words: []string{"pairs[0].prefix", "pairs[0].mac", never},
		},
		"a port, named": {
			pair: pair{Prefix: "10.16.0.20", SharedWith: "web-0.bank"},
			words: []string{
				"10.16.0.20 is not shared",
				`"share"`,
				"resourceNames: [bank]",
				"resourceNames: [ovn-default]",
			},
		},
		"a port, its namespace shares": {
			pair:   pair{Prefix: "10.16.0.20", SharedWith: "web-0.bank"},
			right:  bank,
			warned: true,
		},
		"a port, its subnet shares": {
			pair:   pair{Prefix: "10.16.0.20", SharedWith: "web-0.bank"},
			right:  subnet,
			warned: true,
		},
		"a subnet, a namespace shares": {
			pair:  pair{Prefix: "10.16.0.20", SharedWith: "ovn-default"},
			right: bank,
			words: []string{"subnets.ovnguard.io ovn-default"},
		},
		"a range, shared": {
			pair:   pair{Prefix: "10.16.5.0/24", SharedWith: "ovn-default"},
			right:  subnet,
			warned: true,
		},
		"a range with a port, a namespace shares": {
			pair:  pair{Prefix: "10.16.0.16/28", SharedWith: "web-0.bank"},
			right: bank,
			words: []string{"sharedWith: ovn-default"},
		},
		"a Vip, its namespace shares": {
			pair:   pair{Prefix: "10.16.0.200", SharedWith: "bank-vip"},
			right:  bank,
			warned: true,
		},
		"a MAC, its namespace shares": {
			pair:   pair{MAC: "00:00:00:00:00:02", Prefix: "10.30.0.1", SharedWith: "web-0.bank"},
			right:  bank,
			warned: true,
		},
		"a Service, its namespace shares": {
			pair:   pair{Prefix: "10.96.0.7", SharedWith: "bank/ledger"},
			right:  bank,
			warned: true,
		},
		"a Service, another right": {
			pair:  pair{Prefix: "10.96.0.7", SharedWith: "bank/ledger"},
			right: subnet,
			words: []string{"namespaces.ovnguard.io bank"},
		},
		"another is named": {
			pair:  pair{Prefix: "10.16.0.20", SharedWith: "web-0.shop"},
			right: bank,
			words: []string{"10.16.0.20 is taken"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			cluster := honouring()
			cluster.rights = append(cluster.rights, c.right)
			g := guardOf(cluster)
			g.feed(func(inv *inventory.Inventory) {
				inv.SetReserved(
					inventory.Holder{Kind: inventory.HeldByServices, Name: "kubernetes"},
					[]inventory.Range{inventory.RangeOf(netip.MustParsePrefix("10.96.0.0/16"))},
				)
			})
			got, a, err := through(t, g, "alice", asked(pairs(c.pair)), nil)
			expect(t, a, err, c.words...)
			if warned := strings.Contains(
				strings.Join(a.Warnings, " "),
				"send as",
			); c.words == nil &&
				warned != c.warned {
				t.Errorf("warnings %q", a.Warnings)
			}
			if c.words == nil && c.warned != (len(got.Spec.SharedBy) == 1 && got.Spec.SharedBy[0].User == "alice") {
				t.Errorf("shared by %+v", got.Spec.SharedBy)
			}
		})
	}
}

// An exception is for an existing object, with its UID: an object that takes the name later is a different one.
func TestThreat47OwnerUID(t *testing.T) {
	owned := func(kind, name, uid string) func(*v1alpha1.PortSecurityException) {
		return func(e *v1alpha1.PortSecurityException) {
			e.Spec.Target = v1alpha1.Target{
				Owner: &v1alpha1.Owner{APIVersion: "apps/v1", Kind: kind, Name: name, UID: uidOf(uid)},
			}
		}
	}
	ofKubeOVN := func(kind, name, uid string) func(*v1alpha1.PortSecurityException) {
		return func(e *v1alpha1.PortSecurityException) {
			owned(kind, name, uid)(e)
			e.Spec.Target.Owner.APIVersion = "kubeovn.io/v1"
		}
	}
	cases := map[string]struct {
		edit  func(*v1alpha1.PortSecurityException)
		words []string
	}{
		"exists":         {edit: owned("StatefulSet", "till", "uid-1")},
		"was another":    {edit: owned("StatefulSet", "till", "uid-0"), words: []string{"another uid", "uid-0"}},
		"not entered":    {edit: owned("StatefulSet", "till", ""), words: []string{"spec.target.owner.uid"}},
		"does not exist": {edit: owned("StatefulSet", "safe", "uid-1"), words: []string{`no StatefulSet "safe"`}},
		"egress gateway": {edit: ofKubeOVN("VpcEgressGateway", "veg", "uid-2")},
		"another gateway": {
			edit:  ofKubeOVN("VpcEgressGateway", "veg", "uid-0"),
			words: []string{"another uid", "uid-0"},
		},
		"NAT gateway": {edit: ofKubeOVN("VpcNatGateway", "east", "uid-3")},
		"no such gateway": {
			edit:  ofKubeOVN("VpcNatGateway", "west", "uid-3"),
			words: []string{`no VpcNatGateway "west"`},
		},
		"another's kind": {edit: owned("VpcEgressGateway", "veg", "uid-2"), words: []string{"not one of Deployment"}},
		"not a gateway": {
			edit:  ofKubeOVN("Vpc", "v", "uid-2"),
			words: []string{"VpcNatGateway and VpcEgressGateway (kubeovn.io/v1)"},
		},
		"kind is not known": {edit: owned("Secret", "till", "uid-1"), words: []string{"not one of Deployment"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			a, err := guardOf(honouring()).Exception(t.Context(), request(t, exceptions, asked(c.edit), nil))
			expect(t, a, err, c.words...)
		})
	}
	a, err := guardOf(
		honouring(),
	).StampException(t.Context(), request(t, exceptions, asked(owned("StatefulSet", "till", "")), nil))
	if err != nil {
		t.Fatal(err)
	}
	if got := patched(t, asked(owned("StatefulSet", "till", "")), a); got.Spec.Target.Owner.UID != "uid-1" {
		t.Errorf("uid %q was entered", got.Spec.Target.Owner.UID)
	}
	gateway := asked(ofKubeOVN("VpcEgressGateway", "veg", ""))
	if a, err = guardOf(honouring()).StampException(t.Context(), request(t, exceptions, gateway, nil)); err != nil {
		t.Fatal(err)
	}
	if got := patched(t, gateway, a); got.Spec.Target.Owner.UID != "uid-2" {
		t.Errorf("uid %q was entered for a gateway", got.Spec.Target.Owner.UID)
	}
}

// patched returns the object after the answer's patch, applied by an independent implementation.
func patched(t *testing.T, o *v1alpha1.PortSecurityException, a Answer) *v1alpha1.PortSecurityException {
	t.Helper()
	before, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	if len(a.Patch) > 0 {
		ops, err := json.Marshal(a.Patch)
		if err != nil {
			t.Fatal(err)
		}
		patch, err := jsonpatch.DecodePatch(ops)
		if err != nil {
			t.Fatal(err)
		}
		if before, err = patch.Apply(before); err != nil {
			t.Fatalf("%s: %v", ops, err)
		}
	}
	out := &v1alpha1.PortSecurityException{}
	if err := json.Unmarshal(before, out); err != nil {
		t.Fatal(err)
	}
	return out
}

// through sends a request through both judges, as the API server does.
func through(
	t *testing.T,
	g *fedGuard,
	user string,
	object, old *v1alpha1.PortSecurityException,
) (*v1alpha1.PortSecurityException, Answer, error) {
	t.Helper()
	var before any
	if old != nil {
		before = old
	}
	req := request(t, exceptions, object, before)
	req.UserInfo.Username = user
	a, err := g.StampException(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	after := patched(t, object, a)
	req = request(t, exceptions, after, before)
	req.UserInfo.Username = user
	if again, err := g.StampException(t.Context(), req); err != nil || len(again.Patch) > 0 {
		t.Errorf("a second pass patches %v, error %v", again.Patch, err)
	}
	last, err := g.Exception(t.Context(), req)
	last.Warnings = append(last.Warnings, a.Warnings...)
	return after, last, err
}

func TestExceptionIsStamped(t *testing.T) {
	g := guardOf(honouring())
	forged := asked(func(e *v1alpha1.PortSecurityException) {
		e.Spec.RequestedBy, e.Spec.RequestedAt, e.Spec.ApprovedBy = "bob", atp(-100*time.Hour), "carol"
	})
	got, a, err := through(t, g, "alice", forged, nil)
	expect(t, a, err)
	if got.Spec.RequestedBy != "alice" || !got.Spec.RequestedAt.Time.Equal(noon) || got.Spec.ApprovedBy != "" {
		t.Errorf("stamped by %q at %v, approved by %q", got.Spec.RequestedBy, got.Spec.RequestedAt, got.Spec.ApprovedBy)
	}
	// A webhook that runs after the mutating judge cannot put its own words in.
	for name, edit := range map[string]func(*v1alpha1.PortSecurityException){
		"requestedBy": func(e *v1alpha1.PortSecurityException) { e.Spec.RequestedBy = "bob" },
		"requestedAt": func(e *v1alpha1.PortSecurityException) { e.Spec.RequestedAt = atp(time.Hour) },
		"missing":     func(e *v1alpha1.PortSecurityException) { e.Spec.RequestedAt = nil },
		"approvedBy":  func(e *v1alpha1.PortSecurityException) { e.Spec.ApprovedBy = "bob" },
	} {
		a, err := g.Exception(t.Context(), request(t, exceptions, asked(edit), nil))
		t.Run(name, func(t *testing.T) { expect(t, a, err, "spec.") })
	}
	// A change that asks for nothing new keeps the stamp, even where the author leaves it out.
	old := asked(func(e *v1alpha1.PortSecurityException) {
		e.Spec.RequestedBy, e.Spec.RequestedAt = "bob", atp(-time.Hour)
	})
	plain := asked(func(e *v1alpha1.PortSecurityException) {
		e.Spec.RequestedBy, e.Spec.RequestedAt = "", nil
		e.Spec.NotBefore = atp(time.Hour)
	})
	got, a, err = through(t, g, "alice", plain, old)
	expect(t, a, err)
	if got.Spec.RequestedBy != "bob" || !got.Spec.RequestedAt.Equal(atp(-time.Hour)) {
		t.Errorf("the stamp became %q at %v", got.Spec.RequestedBy, got.Spec.RequestedAt)
	}
}

// Four eyes: nobody approves their own request, nobody approves in another's name, and an approved exception cannot be
// changed.
func TestThreat37Approval(t *testing.T) {
	cluster := honouring(func(p *policy.Policy) { p.Approval = true })
	cluster.rights = []string{
		"bob approve portsecurityexceptions.ovnguard.io shop/x",
		"alice approve portsecurityexceptions.ovnguard.io shop/x",
	}
	g := guardOf(cluster)
	approvedBy := func(name string) func(*v1alpha1.PortSecurityException) {
		return func(e *v1alpha1.PortSecurityException) { e.Spec.ApprovedBy, e.Spec.ApprovedRequest = name, idOf(e) }
	}
	_, a, err := through(t, g, "alice", asked(), nil)
	expect(t, a, err)
	if !strings.Contains(strings.Join(a.Warnings, " "), "approvedBy") {
		t.Errorf("the author is not told of the approval: %q", a.Warnings)
	}

	for name, c := range map[string]struct {
		user, by string
		words    []string
	}{
		"own":            {"alice", "alice", []string{"cannot approve it too"}},
		"another's name": {"bob", "carol", []string{`"carol" is not your name`}},
		"in bob's name":  {"alice", "bob", []string{`"bob" is not your name`}},
		"no right":       {"carol", "carol", []string{`needs the verb "approve"`, "verbs: [approve]"}},
		"bob":            {"bob", "bob", nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, a, err := through(t, g, c.user, asked(approvedBy(c.by)), asked())
			expect(t, a, err, c.words...)
			if c.words == nil && (got.Spec.ApprovedBy != "bob" || got.Spec.RequestedBy != "alice") {
				t.Errorf("approved by %q, requested by %q", got.Spec.ApprovedBy, got.Spec.RequestedBy)
			}
		})
	}

	approved := asked(approvedBy("bob"))
	for name, edit := range map[string]func(*v1alpha1.PortSecurityException){
		"wider":   pairs(v1alpha1.AddressPair{Prefix: "10.30.0.0/24"}),
		"longer":  func(e *v1alpha1.PortSecurityException) { e.Spec.ExpiresAt = at(25 * time.Hour) },
		"target":  func(e *v1alpha1.PortSecurityException) { e.Spec.Target.PodSelector = &metav1.LabelSelector{} },
		"NICs":    func(e *v1alpha1.PortSecurityException) { e.Spec.Target.Providers = []string{"*"} },
		"class":   func(e *v1alpha1.PortSecurityException) { e.Spec.Class = v1alpha1.ClassRouter },
		"level":   func(e *v1alpha1.PortSecurityException) { e.Spec.Grant.Level = v1alpha1.LevelMAC },
		"layer 2": func(e *v1alpha1.PortSecurityException) { e.Spec.Grant.Layer2Forward = v1alpha1.Allow },
		"reason":  func(e *v1alpha1.PortSecurityException) { e.Spec.Reason = "for something else" },
		"owner":   func(e *v1alpha1.PortSecurityException) { e.Spec.Owner = "somebody else" },
		"ticket":  func(e *v1alpha1.PortSecurityException) { e.Spec.Ticket = "NET-2" },
		"shared":  pairs(v1alpha1.AddressPair{Prefix: "10.30.0.0/28", SharedWith: "web-0.bank"}),
	} {
		t.Run(name, func(t *testing.T) {
			got, a, err := through(t, g, "carol", asked(approvedBy("bob"), edit), approved)
			expect(t, a, err)
			if got.Spec.ApprovedBy != "" || got.Spec.ApprovedRequest != "" || got.Spec.RequestedBy != "carol" {
				t.Errorf("still approved by %q, requested by %q", got.Spec.ApprovedBy, got.Spec.RequestedBy)
			}
		})
	}
	// The author asks for more just before the approver's patch, which is merged into the object at that moment.
	wider := pairs(v1alpha1.AddressPair{Prefix: "10.30.0.0/24"})
	for name, lookedAt := range map[string]struct{ id, says string }{
		"what was there before": {idOf(asked()), "read it again"}, "nothing": {"", "is missing"},
		"what is there": {idOf(asked(wider)), ""},
	} {
		t.Run("approving "+name, func(t *testing.T) {
			merged := asked(wider, func(e *v1alpha1.PortSecurityException) {
				e.Spec.ApprovedBy, e.Spec.ApprovedRequest = "bob", lookedAt.id
			})
			got, a, err := through(t, g, "bob", merged, asked(wider))
			if lookedAt.says != "" {
				expect(t, a, err, "spec.approvedRequest", "requestID", lookedAt.says)
				return
			}
			expect(t, a, err)
			if got.Spec.ApprovedBy != "bob" || got.Spec.ApprovedRequest != got.Spec.RequestID {
				t.Errorf("approved %q of %q", got.Spec.ApprovedRequest, got.Spec.RequestID)
			}
		})
	}
	// A value that somebody else writes into one of the two fields does not stay.
	forged := asked(approvedBy("bob"))
	forged.Spec.RequestID, forged.Spec.ApprovedRequest = "1", "2"
	got, a, err := through(t, g, "alice", forged, approved)
	expect(t, a, err)
	if got.Spec.RequestID != idOf(approved) || got.Spec.ApprovedRequest != approved.Spec.ApprovedRequest {
		t.Errorf("what is asked for is %q, approved is %q", got.Spec.RequestID, got.Spec.ApprovedRequest)
	}
	// Where the API server cannot be asked for the right, nobody has it.
	cluster.rightsErr = errors.New("timeout")
	if _, _, err := through(
		t,
		g,
		"bob",
		asked(approvedBy("bob")),
		asked(),
	); err == nil ||
		!strings.Contains(err.Error(), "timeout") {
		t.Errorf("error %v, want one that names the timeout", err)
	}
}

// A ServiceAccount of the namespace can neither ask nor approve: anyone who may make pods there can act as each of
// them.
func TestThreat37ApprovalByAccountsOfTheNamespace(t *testing.T) {
	const own, other = "system:serviceaccount:shop:builder", "system:serviceaccount:flux:applier"
	cluster := honouring(func(p *policy.Policy) { p.Approval = true })
	for _, user := range []string{own, other, "bob"} {
		cluster.rights = append(cluster.rights, user+" approve portsecurityexceptions.ovnguard.io shop/x")
	}
	g := guardOf(cluster)
	for _, author := range []string{own, other} {
		_, a, err := through(t, g, author, asked(), nil)
		if author == own {
			expect(t, a, err, "ServiceAccount of namespace shop", "a person, or an account of another namespace")
		} else {
			expect(t, a, err)
		}
	}
	approve := func(by string) (Answer, error) {
		object := asked(
			func(e *v1alpha1.PortSecurityException) { e.Spec.ApprovedBy, e.Spec.ApprovedRequest = by, idOf(e) },
		)
		_, a, err := through(t, g, by, object, asked())
		return a, err
	}
	a, err := approve(own)
	expect(t, a, err, "spec.approvedBy", "ServiceAccount of namespace shop", "its approval does not count")
	a, err = approve(other)
	expect(t, a, err)
	// Where no policy asks for approval, a ServiceAccount of the namespace may ask like any user.
	_, a, err = through(t, guardOf(honouring()), own, asked(), nil)
	expect(t, a, err)
}

// Narrowing is always possible, whatever policy says now, and keeps the approval.
func TestNarrowingIsAlwaysPossible(t *testing.T) {
	cluster := honouring(func(p *policy.Policy) { p.ExceptionsIn = nil })
	two := pairs(v1alpha1.AddressPair{Prefix: "10.30.0.0/28"}, v1alpha1.AddressPair{Prefix: "10.31.0.0/28"})
	approve := func(e *v1alpha1.PortSecurityException) { e.Spec.ApprovedBy, e.Spec.ApprovedRequest = "bob", idOf(e) }
	for name, edit := range map[string]func(*v1alpha1.PortSecurityException){
		"shorter":     func(e *v1alpha1.PortSecurityException) { e.Spec.ExpiresAt = at(time.Hour) },
		"ended":       func(e *v1alpha1.PortSecurityException) { e.Spec.ExpiresAt = at(-time.Hour) },
		"later":       func(e *v1alpha1.PortSecurityException) { e.Spec.NotBefore = atp(time.Hour) },
		"fewer pairs": pairs(v1alpha1.AddressPair{Prefix: "10.31.0.0/28"}),
	} {
		t.Run(name, func(t *testing.T) {
			got, a, err := through(t, guardOf(cluster), "carol", asked(two, approve, edit), asked(two, approve))
			expect(t, a, err)
			if got.Spec.ApprovedBy != "bob" || got.Spec.RequestedBy != "alice" {
				t.Errorf("approved by %q, requested by %q", got.Spec.ApprovedBy, got.Spec.RequestedBy)
			}
		})
	}
	_, a, err := through(t, guardOf(cluster), "bob", asked(two), asked(two, approve))
	expect(t, a, err) // an approval can be taken back
}

func TestThreat30ExceptionWithoutAnAnswer(t *testing.T) {
	cluster := honouring()
	cluster.policyErr = errors.New("timeout")
	_, err := guardOf(cluster).Exception(t.Context(), request(t, exceptions, asked(), nil))
	expect(t, Answer{}, err, "policies could not be read")
	cluster = honouring()
	cluster.namespaces = nil
	_, err = guardOf(cluster).Exception(t.Context(), request(t, exceptions, asked(), nil))
	expect(t, Answer{}, err, "namespace shop could not be read")
}

// The owner of an address is not known before everything that may hold some has been read.
func TestThreat28NotReadYet(t *testing.T) {
	for _, k := range append(inventory.Holding, inventory.Pods) {
		g := guardOf(honouring())
		g.feed(func(inv *inventory.Inventory) { inv.Expect(k) })
		_, err := g.Exception(t.Context(), request(t, exceptions, asked(), nil))
		expect(t, Answer{}, err, string(k), "try again")
	}
	g := guardOf(
		&tableCluster{rights: []string{"alice create pods. shop/", "alice exempt namespaces.ovnguard.io /shop"}},
	)
	g.feed(func(inv *inventory.Inventory) { inv.Expect(inventory.Records); inv.Expect(inventory.Pods) })
	_, err := g.Vip(
		t.Context(),
		request(
			t,
			"vips.kubeovn.io",
			object{"metadata": object{"name": "v"}, "spec": object{"namespace": "shop", "v4ip": "10.16.0.20"}},
			nil,
		),
	)
	expect(t, Answer{}, err, string(inventory.Records), "try again")
	a, err := g.Namespace(
		t.Context(),
		request(t, "namespaces", namespace("shop", map[string]string{ps: "false"}), namespace("shop", nil)),
	)
	expect(t, a, err)
	if len(a.Warnings) != 1 || !strings.Contains(a.Warnings[0], "cannot count the running ports") {
		t.Errorf("warnings %q", a.Warnings)
	}
}

func TestExceptionWarnsWhereItCountsInPart(t *testing.T) {
	cluster := honouring(func(p *policy.Policy) { p.Providers = policy.Providers{"ovn"} })
	a, err := guardOf(cluster).Exception(t.Context(), request(t, exceptions, asked(), nil))
	expect(t, a, err)
	if !strings.Contains(strings.Join(a.Warnings, " "), "no effect on some of its NICs") {
		t.Errorf("warnings %q", a.Warnings)
	}
}

// Where nothing is repaired, a grant neither reaches running ports nor ends on them.
func TestThreat37EndThatNobodyCarriesOut(t *testing.T) {
	for repair, want := range map[policy.Repair]bool{
		policy.RepairOn: false, policy.RepairLog: true, policy.RepairOff: true,
	} {
		a, err := guardOf(
			honouring(func(p *policy.Policy) { p.Repair = repair }),
		).Exception(t.Context(), request(t, exceptions, asked(), nil))
		expect(t, a, err)
		if got := strings.Contains(
			strings.Join(a.Warnings, " "),
			"running ports do not change when this exception begins or ends",
		); got != want {
			t.Errorf("repair %s: warnings %q", repair, a.Warnings)
		}
	}
}

func FuzzException(f *testing.F) {
	seed, err := json.Marshal(asked())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed, []byte(nil))
	f.Add(seed, seed)
	f.Fuzz(func(t *testing.T, object, old []byte) {
		req := request(t, exceptions, asked(), nil)
		req.Object = runtime.RawExtension{Raw: object}
		if len(old) > 0 {
			req.Operation, req.OldObject = admissionv1.Update, runtime.RawExtension{Raw: old}
		}
		g := guardOf(honouring())
		if _, err := g.StampException(t.Context(), req); err != nil {
			return
		}
		a, err := g.Exception(t.Context(), req)
		if err != nil || len(a.Denials()) > 0 || len(old) > 0 {
			return
		}
		var e v1alpha1.PortSecurityException
		if err := json.Unmarshal(
			object,
			&e,
		); err != nil || e.Spec.RequestedBy != "alice" || e.Spec.ApprovedBy != "" ||
			!e.Spec.ExpiresAt.After(noon) {
			t.Errorf("%s was accepted: %v", object, err)
		}
	})
}

// A grant without a class and with only one half is accepted with a warning.
func TestHalfGrantsAreDoubted(t *testing.T) {
	object := asked(func(e *v1alpha1.PortSecurityException) { e.Spec.Grant.Layer2Forward = v1alpha1.Allow })
	a, err := guardOf(honouring()).Exception(t.Context(), request(t, exceptions, object, nil))
	expect(t, a, err)
	if !strings.Contains(strings.Join(a.Warnings, " "), "spec.grant.layer2Forward") {
		t.Errorf("warnings: %q", a.Warnings)
	}
}

// A user who may write exceptions cannot write so many that each review of a pod takes long.
func TestThreat33ExceptionsWithoutEnd(t *testing.T) {
	g := guardOf(honouring())
	enter := func(name string, pairs int, ends time.Duration) {
		g.feed(func(inv *inventory.Inventory) {
			inv.SetException(
				policy.Exception{
					Namespace: "shop",
					Name:      name,
					Pairs:     make([]portsec.AddressPair, pairs),
					Expires:   noon.Add(ends),
				},
			)
		})
	}
	enter("ended", inventory.ExceptionsLimit, -time.Second)
	enter("full", inventory.ExceptionsLimit-1, time.Hour)
	one := pairs(v1alpha1.AddressPair{Prefix: "10.20.0.0/24"})
	_, a, err := through(t, g, "alice", asked(one), nil)
	expect(t, a, err)
	two := pairs(v1alpha1.AddressPair{Prefix: "10.20.0.0/24"}, v1alpha1.AddressPair{Prefix: "10.20.1.0/24"})
	_, a, err = through(t, g, "alice", asked(two), nil)
	expect(t, a, err, "spec.grant.pairs", "1025 address pairs", "the limit is 1024")
	enter("x", inventory.ExceptionsLimit, time.Hour) // the exception of the request, as it was
	_, a, err = through(t, g, "alice", asked(one), nil)
	expect(t, a, err)
}
