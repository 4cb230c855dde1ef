package policy

import (
	"net/netip"
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/portsec"
)

var noon = time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)

func pair(prefix string) portsec.AddressPair {
	return portsec.AddressPair{Prefix: netip.MustParsePrefix(prefix)}
}

// gateways returns a policy that lets exceptions of namespace gw count.
func gateways(change ...func(*Policy)) Policy {
	p := Policy{
		Name: "gateways", ExceptionsIn: []string{"gw"}, Repair: RepairOn,
		Limits: Limits{Pairs: 2, Prefix4: 24, Prefix6: 64, Lifetime: 48 * time.Hour, Level: MAC},
	}
	for _, c := range change {
		c(&p)
	}
	return p
}

// routes returns an exception for pods with the label app=router.
func routes(change ...func(*Exception)) Exception {
	e := Exception{
		Namespace: "gw", Name: "routes", Pods: func(l map[string]string) bool { return l["app"] == "router" },
		Pairs: []portsec.AddressPair{pair("10.20.0.0/24")}, RequestedBy: "ann",
		Asked: noon.Add(-time.Hour), Expires: noon.Add(time.Hour),
	}
	for _, c := range change {
		c(&e)
	}
	return e
}

func TestExceptionStanding(t *testing.T) {
	cases := map[string]struct {
		policy    func(*Policy)
		exception func(*Exception)
		want      Reason
	}{
		"in effect": {want: InEffect},
		"contradictory": {
			exception: func(e *Exception) { e.Contradiction = "spec.grant.level: no" },
			want:      Contradictory,
		},
		"another namespace": {
			policy: func(p *Policy) { p.ExceptionsIn = []string{"other"} },
			want:   NamespaceNotNamed,
		},
		"begins now": {exception: func(e *Exception) { e.NotBefore = noon }, want: InEffect},
		"not begun":  {exception: func(e *Exception) { e.NotBefore = noon.Add(1) }, want: NotYet},
		"ends now":   {exception: func(e *Exception) { e.Expires = noon }, want: Expired},
		"lasts too long": {
			exception: func(e *Exception) { e.Expires = noon.Add(48 * time.Hour) },
			want:      LifetimeTooLong,
		},
		"too many pairs": {policy: func(p *Policy) { p.Limits.Pairs = 0 }, want: TooManyPairs},
		"too wide": {
			exception: func(e *Exception) { e.Pairs = []portsec.AddressPair{pair("10.0.0.0/23")} },
			want:      PrefixTooWide,
		},
		"IPv6 too wide": {
			exception: func(e *Exception) { e.Pairs = []portsec.AddressPair{pair("fd00::/63")} },
			want:      PrefixTooWide,
		},
		"everything": {
			policy:    func(p *Policy) { p.Limits.Prefix4 = 0 },
			exception: func(e *Exception) { e.Pairs = []portsec.AddressPair{pair("0.0.0.0/0")} },
			want:      PrefixTooWide,
		},
		"any address of a pair": {
			exception: func(e *Exception) { e.Pairs = []portsec.AddressPair{{}} },
			want:      PrefixTooWide,
		},
		"too loose":    {exception: func(e *Exception) { e.Level = Open }, want: LevelTooLoose},
		"owner wanted": {policy: func(p *Policy) { p.Limits.Owner = true }, want: OwnerNotNamed},
		"owner without UID": {
			policy:    func(p *Policy) { p.Limits.Owner = true },
			exception: func(e *Exception) { e.Owner = &Owner{Name: "x"} },
			want:      OwnerNotNamed,
		},
		"ticket wanted": {
			policy: func(p *Policy) { p.Ticket = regexp.MustCompile(`^(?:NET-[0-9]+)$`) },
			want:   TicketMissing,
		},
		"ticket given": {
			policy:    func(p *Policy) { p.Ticket = regexp.MustCompile(`^(?:NET-[0-9]+)$`) },
			exception: func(e *Exception) { e.Ticket = "NET-7" }, want: InEffect,
		},
		"approval wanted": {policy: func(p *Policy) { p.Approval = true }, want: NotApproved},
		"approved by the author": {
			policy:    func(p *Policy) { p.Approval = true },
			exception: func(e *Exception) { e.ApprovedBy = "ann" },
			want:      NotApproved,
		},
		"approved": {
			policy:    func(p *Policy) { p.Approval = true },
			exception: func(e *Exception) { e.ApprovedBy = "bob" },
			want:      InEffect,
		},
		"asked for by an account of the namespace": {
			policy: func(p *Policy) { p.Approval = true },
			exception: func(e *Exception) {
				e.RequestedBy, e.ApprovedBy = "system:serviceaccount:gw:builder", "bob"
			},
			want: NotApproved,
		},
		"approved by an account of the namespace": {
			policy: func(p *Policy) { p.Approval = true },
			exception: func(e *Exception) {
				e.ApprovedBy = "system:serviceaccount:gw:builder"
			},
			want: NotApproved,
		},
		"by accounts of another namespace": {
			policy: func(p *Policy) { p.Approval = true },
			exception: func(e *Exception) {
				e.RequestedBy, e.ApprovedBy = "system:serviceaccount:gw2:builder", "system:serviceaccount:g:w"
			},
			want: InEffect,
		},
		"by an account of the namespace, without approval": {
			exception: func(e *Exception) { e.RequestedBy = "system:serviceaccount:gw:builder" },
			want:      InEffect,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			p, e := gateways(), routes()
			if c.policy != nil {
				c.policy(&p)
			}
			if c.exception != nil {
				c.exception(&e)
			}
			got, why := e.Standing(&p, noon)
			if got != c.want || (why == "") != (got == InEffect) {
				t.Errorf("%s (%s), want %s", got, why, c.want)
			}
		})
	}
}

func TestDecideException(t *testing.T) {
	router := Pod{Labels: map[string]string{"app": "router"}}
	cases := map[string]struct {
		policies   []Policy
		exceptions []Exception
		pod        Pod
		want       Decision // steps left out
	}{
		"none": {
			policies: []Policy{gateways()}, pod: router,
			want: Decision{LevelFrom: FromPolicy, ForwardingFrom: FromPolicy, Policy: "gateways", Repair: RepairOn},
		},
		"in effect": {
			policies: []Policy{gateways()}, exceptions: []Exception{routes()}, pod: router,
			want: Decision{
				Level:          Extended,
				LevelFrom:      FromException,
				ForwardingFrom: FromPolicy,
				Policy:         "gateways",
				Repair:         RepairOn,
				Pairs: []portsec.AddressPair{
					pair("10.20.0.0/24"),
				},
				Exceptions: []string{"routes"},
				NextChange: noon.Add(time.Hour),
			},
		},
		"of another pod": {
			policies: []Policy{gateways()}, exceptions: []Exception{routes()}, pod: Pod{},
			want: Decision{LevelFrom: FromPolicy, ForwardingFrom: FromPolicy, Policy: "gateways", Repair: RepairOn},
		},
		"no policy": {
			exceptions: []Exception{routes()}, pod: router,
			want: Decision{LevelFrom: FromDefault, ForwardingFrom: FromDefault},
		},
		"not begun": {
			policies: []Policy{
				gateways(),
			},
			exceptions: []Exception{routes(func(e *Exception) { e.NotBefore = noon.Add(time.Minute) })},
			pod:        router,
			want: Decision{
				LevelFrom:      FromPolicy,
				ForwardingFrom: FromPolicy,
				Policy:         "gateways",
				Repair:         RepairOn,
				NextChange:     noon.Add(time.Minute),
			},
		},
		"two that overlap": {
			policies: []Policy{gateways()}, pod: router,
			exceptions: []Exception{
				routes(func(e *Exception) {
					e.Name, e.Pairs, e.Expires = "one", []portsec.AddressPair{
						pair("10.20.0.7/32"),
					}, noon.Add(
						time.Minute,
					)
				}),
				routes(),
			},
			want: Decision{
				Level:          Extended,
				LevelFrom:      FromException,
				ForwardingFrom: FromPolicy,
				Policy:         "gateways",
				Repair:         RepairOn,
				Pairs: []portsec.AddressPair{
					pair("10.20.0.0/24"),
				},
				Exceptions: []string{"one", "routes"},
				NextChange: noon.Add(time.Minute),
			},
		},
		"a level holds the pairs of the port's own MAC": {
			policies: []Policy{gateways()},
			pod:      router,
			exceptions: []Exception{
				routes(),
				routes(func(e *Exception) { e.Name, e.Pairs, e.Level, e.Forwarding = "nat", nil, MAC, Require }),
			},
			want: Decision{
				Level:          MAC,
				LevelFrom:      FromException,
				Forwarding:     Require,
				ForwardingFrom: FromException,
				Policy:         "gateways",
				Repair:         RepairOn,
				Exceptions:     []string{"nat", "routes"},
				NextChange:     noon.Add(time.Hour),
			},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			d := Decide(Query{
				Provider: kubeovn.DefaultProvider, Namespace: Namespace{Name: "gw"}, Pod: c.pod,
				Policies: c.policies, Exceptions: c.exceptions, Now: noon,
			})
			d.Steps = nil
			if diff := cmp.Diff(
				c.want,
				d,
				cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
				cmpopts.IgnoreFields(Decision{}, "Terms"),
			); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

// A decision lists the exceptions for the port, whether they count, and the decision without them.
func TestTerms(t *testing.T) {
	q := Query{
		Provider:  kubeovn.DefaultProvider,
		Namespace: Namespace{Name: "gw"},
		Pod:       Pod{Labels: map[string]string{"app": "router"}},
		Now:       noon,
		Policies: []Policy{
			gateways(),
		},
		Exceptions: []Exception{routes(func(e *Exception) { e.Name, e.Level, e.Pairs = "nat", MAC, nil }), routes()},
	}
	d := Decide(q)
	if d.Level != MAC || d.BaseLevel != Strict || d.BaseForwarding != Forbid {
		t.Errorf("level %s, without exceptions %s and %s", d.Level, d.BaseLevel, d.BaseForwarding)
	}
	if len(d.Terms) != 2 || d.Terms[0].Name != "nat" || !d.Terms[0].Counts || !d.Terms[1].Counts ||
		!d.Terms[1].Expires.Equal(routes().Expires) {
		t.Errorf("terms %+v", d.Terms)
	}
	q.Policies[0].ExceptionsIn = nil
	if d = Decide(q); len(d.Terms) != 2 || d.Terms[0].Counts || d.Terms[1].Counts {
		t.Errorf("under a policy that honours none: %+v", d.Terms)
	}
	q.Now = routes().Expires
	if d = Decide(q); len(d.Terms) != 0 {
		t.Errorf("after their end: %+v", d.Terms)
	}
}
