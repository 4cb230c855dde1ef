package repair

import (
	"maps"
	"net/netip"
	"strings"
	"testing"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/portsec"
)

// egressGateway makes the port one of a gateway without an exception.
func egressGateway(p *inventory.Port) {
	p.Passing = &inventory.Passing{
		Forwarder: inventory.Forwarder{Kind: kubeovn.KindEgressGateway, Title: "VpcEgressGateway ns/veg"},
		Sources:   []netip.Prefix{netip.MustParsePrefix("10.30.0.0/24")}, Cut: true,
		Exception: policy.Exception{Namespace: "ns", Name: "veg.ovn"},
	}
}

// unannotated removes the annotation: the pod was made before anybody asked for port security.
func unannotated(p *inventory.Port) { annotated("")(p) }

// decidedOpen sets the annotations that admission and repair write with a decision, here one that opened the port.
func decidedOpen(p *inventory.Port) {
	p.Pod.Annotations = maps.Clone(p.Pod.Annotations)
	p.Pod.Annotations[policy.RecordAnnotation] = policy.Record(map[kubeovn.Provider]policy.Recorded{
		p.Provider: {Level: policy.Open.String(), From: string(policy.FromException)},
	})
}

// undone sets the annotations as after a change of repair was taken back.
func undone(p *inventory.Port) {
	p.Pod.Annotations = maps.Clone(p.Pod.Annotations)
	p.Pod.Annotations[policy.UndoAnnotation] = "20260101T000000.000000000"
}

// excepted changes the decision as an exception in effect does.
func excepted(p *inventory.Port) {
	granted(p)
	p.Decision.Exceptions, p.Passing.Cut, p.Passing.Excepted = []string{"veg"}, false, true
}

// byLabels changes the decision as an exception that selects the pod by its labels does.
func byLabels(p *inventory.Port) {
	granted(p)
	p.Decision.Exceptions = []string{"monitoring"}
}

// natGateway makes the port one of a gateway that administrators made.
func natGateway(p *inventory.Port) {
	p.Passing = &inventory.Passing{
		Forwarder: inventory.Forwarder{Kind: kubeovn.KindNATGateway, Trusted: true},
		Any:       true,
	}
	p.Decision.Level, p.Decision.LevelFrom = policy.MAC, policy.FromGateway
}

// A gateway that ran before anybody put it under port security is not cut off. Every other opening of a port is
// repaired: a tenant who may make gateways gains nothing.
func TestThreatT46RepairSparesGateways(t *testing.T) {
	for name, c := range map[string]struct {
		port inventory.Port
		want Kind
	}{
		"open before":                   {port(open, egressGateway, unannotated), Gateway},
		"open before, as it asked":      {port(open, egressGateway, off), Gateway},
		"opened by an earlier decision": {port(open, egressGateway, off, decidedOpen), Annotate},
		"taken back":                    {port(open, egressGateway, unannotated, undone), Annotate},
		"wider before": {
			port(egressGateway, unannotated, func(p *inventory.Port) { p.Row.PortSecurity = []string{mac} }), Gateway,
		},
		"only logged": {
			port(open, egressGateway, unannotated, mode(policy.Enforce, policy.RepairLog)), Gateway,
		},
		"excepted for something else": {port(open, egressGateway, unannotated, byLabels), Gateway},
		"excepted for too little": {
			port(open, egressGateway, unannotated, excepted, func(p *inventory.Port) { p.Passing.Cut = true }), Annotate,
		},
		"no gateway":                    {port(open, unannotated), Annotate},
		"admitted strict, and opened":   {port(open, egressGateway), Write},
		"excepted, and to be narrowed":  {port(open, egressGateway, unannotated, excepted), Annotate},
		"excepted, and not wide enough": {port(egressGateway, excepted), Write},
		"nothing to forward on that NIC": {
			port(open, egressGateway, unannotated, func(p *inventory.Port) { p.Passing.Cut = false }), Annotate,
		},
		"an administrator's, open":   {port(open, off, natGateway), Write},
		"an administrator's, before": {port(open, unannotated, natGateway), Write},
		"an administrator's, as it is due": {
			port(off, natGateway, func(p *inventory.Port) { p.Row.PortSecurity = []string{mac} }), Nothing,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := Plan(c.port, portsec.Eras(), History{}, testTime)
			if got.Kind != c.want {
				t.Fatalf("%+v, want %s", got, c.want)
			}
			if got.Kind == Gateway &&
				(!strings.Contains(got.Why, "ns/veg.ovn") || !strings.Contains(got.Why, "10.30.0.0/24")) {
				t.Errorf("it does not say which exception is missing: %s", got.Why)
			}
			if got.Kind == Write && c.port.Decision.Level == policy.MAC && got.PortSecurity[0] != mac {
				t.Errorf("port_security becomes %q", got.PortSecurity)
			}
			if tight := Tighten(
				c.port,
				portsec.Eras(),
				History{},
				testTime,
			); got.Kind == Gateway &&
				tight.Kind != Gateway {
				t.Errorf("where nothing may be given, it is tightened: %+v", tight)
			}
		})
	}
}
