package inventory

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

var (
	gatewayMade = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	gatewayNow  = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	replicaSet  = policy.Owner{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "veg-1", UID: "rs"}
	deployment  = policy.Owner{APIVersion: "apps/v1", Kind: "Deployment", Name: "veg", UID: "deploy"}
	egress      = policy.Owner{APIVersion: "kubeovn.io/v1", Kind: kubeovn.KindEgressGateway, Name: "veg", UID: "veg"}
	nat         = policy.Owner{APIVersion: "kubeovn.io/v1", Kind: kubeovn.KindNATGateway, Name: "east", UID: "nat"}
	stateful    = policy.Owner{APIVersion: "apps/v1", Kind: "StatefulSet", Name: "vpc-nat-gw-east", UID: "sts"}
	outer       = kubeovn.Attachment{Namespace: "edge", Name: "ext"}
)

// outerProvider is the provider of the NIC on the external network.
const outerProvider = "ext.edge.ovn"

// egressScene is a VpcEgressGateway with its pod as Kube-OVN makes them; a case changes some fields.
type egressScene struct {
	gateway    Gateway
	replicaSet Workload
	deployment Workload
	pod        *Pod
	policies   []policy.Policy
	subnets    []Subnet
}

func newEgressScene() *egressScene {
	return &egressScene{
		gateway: Gateway{
			Object: egress, Namespace: "edge", Workload: "veg", Made: gatewayMade,
			Prefixes: []netip.Prefix{netip.MustParsePrefix("10.30.0.0/24")}, Subnets: []string{"apps"},
		},
		replicaSet: Workload{
			Object:    replicaSet,
			Namespace: "edge",
			Made:      gatewayMade.Add(time.Second),
			Parent:    &deployment,
		},
		deployment: Workload{Object: deployment, Namespace: "edge", Made: gatewayMade, Parent: &egress},
		pod: pod("edge", "veg-1-a", func(p *Pod) {
			p.Controller, p.Attachments = &replicaSet, []kubeovn.Attachment{outer}
		}),
		policies: []policy.Policy{
			{
				Name:         "edge",
				ExceptionsIn: []string{"edge"},
				Repair:       policy.RepairOn,
				Limits: policy.Limits{
					Pairs:    16,
					Prefix4:  24,
					Prefix6:  64,
					Lifetime: policy.DefaultLifetime,
					Level:    policy.MAC,
				},
			},
		},
		subnets: []Subnet{
			{Name: "ovn-default", CIDRs: []netip.Prefix{netip.MustParsePrefix("10.16.0.0/16")}},
			{Name: "outer", Provider: outerProvider, CIDRs: []netip.Prefix{netip.MustParsePrefix("172.20.0.0/24")}},
			{
				Name:  "apps",
				VPC:   "island",
				UID:   "apps-uid",
				CIDRs: []netip.Prefix{netip.MustParsePrefix("10.40.0.0/24")},
			},
		},
	}
}

func (s *egressScene) inventory() *Inventory {
	inv := New()
	inv.SetNamespace(policy.Namespace{Name: "edge", UID: "edge-uid"})
	inv.SetNamespace(policy.Namespace{Name: "kube-system"})
	for _, p := range s.policies {
		inv.SetPolicy(p)
	}
	for _, n := range s.subnets {
		inv.SetSubnet(n)
	}
	inv.SetAttachment(outer, kubeovn.KindOVN)
	inv.SetPod(s.pod)
	inv.SetWorkload(s.replicaSet)
	inv.SetWorkload(s.deployment)
	inv.SetGateway(s.gateway)
	return inv
}

func (s *egressScene) portOf(provider kubeovn.Provider) Port {
	inv := s.inventory()
	return inv.Port(kubeovn.PortName(s.pod.Name, s.pod.Namespace, provider), gatewayNow)
}

// A pod belongs to a gateway only if each object between them is the one with the right UID, in the form that Kube-OVN
// makes.
func TestThreatT46ForgedGateway(t *testing.T) {
	for name, c := range map[string]struct {
		change func(s *egressScene)
		proved bool
	}{
		"as Kube-OVN makes it":           {change: func(*egressScene) {}, proved: true},
		"another gateway of the name":    {change: func(s *egressScene) { s.gateway.Object.UID = "later" }},
		"no such gateway":                {change: func(s *egressScene) { s.gateway.Object.Name = "other" }},
		"a gateway of another namespace": {change: func(s *egressScene) { s.gateway.Namespace = "other" }},
		"another group": {change: func(s *egressScene) {
			s.deployment.Parent = &policy.Owner{
				APIVersion: "evil.example/v1", Kind: egress.Kind, Name: egress.Name,
				UID: egress.UID,
			}
		}},
		"another Deployment with the reference": {change: func(s *egressScene) {
			mine := policy.Owner{APIVersion: "apps/v1", Kind: "Deployment", Name: "mine", UID: "mine"}
			s.deployment.Object, s.replicaSet.Parent = mine, &mine
		}},
		"another Deployment of the name": {change: func(s *egressScene) { s.deployment.Object.UID = "later" }},
		"the Deployment is not there": {change: func(s *egressScene) {
			s.replicaSet.Parent = &policy.Owner{APIVersion: "apps/v1", Kind: "Deployment", Name: "veg", UID: "gone"}
		}},
		"a Deployment of another namespace": {change: func(s *egressScene) { s.deployment.Namespace = "other" }},
		"a ReplicaSet of another namespace": {change: func(s *egressScene) { s.replicaSet.Namespace = "other" }},
		"another ReplicaSet of the name":    {change: func(s *egressScene) { s.replicaSet.Object.UID = "later" }},
		"a Deployment from before": {
			change: func(s *egressScene) { s.deployment.Made = gatewayMade.Add(-time.Second) },
		},
		"a ReplicaSet from before": {
			change: func(s *egressScene) { s.replicaSet.Made = gatewayMade.Add(-time.Second) },
		},
		"the Deployment names the gateway and is no child": {change: func(s *egressScene) {
			s.deployment.Parent = nil
		}},
		"labels and annotations alone": {change: func(s *egressScene) {
			s.deployment.Parent = nil
			s.pod.Labels = map[string]string{
				"app": "vpc-nat-gw-east", kubeovn.NATGatewayLabel: "true",
				kubeovn.LoadBalancerLabel: "true",
			}
			s.pod.Annotations = map[string]string{kubeovn.NATGateway: "east"}
		}},
		"the pod names the gateway itself": {change: func(s *egressScene) { s.pod.Controller = &egress }},
	} {
		t.Run(name, func(t *testing.T) {
			s := newEgressScene()
			c.change(s)
			p := s.portOf(kubeovn.DefaultProvider)
			if (p.Passing != nil) != c.proved || slices.Contains(p.Owners, egress) != c.proved {
				t.Errorf("passing %+v, owners %v; want it proved: %v", p.Passing, p.Owners, c.proved)
			}
			if p.Decision.Level != policy.Strict {
				t.Errorf("whoever makes such a gateway in a namespace gets level %s", p.Decision.Level)
			}
		})
	}
}

// Only administrators make pods in Kube-OVN's own namespace, so that names prove a gateway there.
func TestNATGateway(t *testing.T) {
	natPod := func(namespace string) *Pod {
		return pod(namespace, "vpc-nat-gw-east-0", func(p *Pod) {
			p.Controller = &stateful
			p.Labels = map[string]string{"app": "vpc-nat-gw-east", kubeovn.NATGatewayLabel: "true"}
			p.Annotations = map[string]string{kubeovn.NATGateway: "east"}
		})
	}
	for name, c := range map[string]struct {
		namespace, own string // of the pod, and of Kube-OVN
		gateway        *Gateway
		parent         *policy.Owner
		change         func(p *Pod)
		proved, named  bool
		level          policy.Level
	}{
		"up to 1.16": {
			namespace: "kube-system", own: "kube-system", gateway: &Gateway{Object: nat}, proved: true, named: true,
			level: policy.MAC,
		},
		"with a reference": {
			namespace: "kube-system", own: "kube-system", gateway: &Gateway{Object: nat, Made: gatewayMade},
			parent: &nat, proved: true, named: true, level: policy.MAC,
		},
		"not known yet": {
			namespace: "kube-system", own: "kube-system", proved: true, level: policy.MAC,
		},
		"Kube-OVN is elsewhere": {
			namespace: "kubeovn", own: "kubeovn", gateway: &Gateway{Object: nat}, proved: true, named: true,
			level: policy.MAC,
		},
		"kube-system is not Kube-OVN's": {
			namespace: "kube-system", own: "kubeovn", gateway: &Gateway{Object: nat},
		},
		"its own namespace, and a reference": {
			namespace: "edge", own: "kube-system", gateway: &Gateway{Object: nat, Namespace: "edge", Made: gatewayMade},
			parent: &nat, proved: true, named: true,
		},
		"its own namespace, by name alone": {
			namespace: "edge", own: "kube-system", gateway: &Gateway{Object: nat, Namespace: "edge", Made: gatewayMade},
		},
		"a reference to another of the name": {namespace: "edge", own: "kube-system", gateway: &Gateway{
			Object:    nat,
			Namespace: "edge", Made: gatewayMade,
		}, parent: &policy.Owner{
			APIVersion: nat.APIVersion, Kind: nat.Kind, Name: nat.Name, UID: "before",
		}},
		"a namespace that it does not name": {
			namespace: "edge", own: "kube-system",
			gateway: &Gateway{Object: nat, Namespace: "other", Made: gatewayMade}, parent: &nat,
		},
		"no controller": {
			namespace: "kube-system", own: "kube-system", change: func(p *Pod) { p.Controller = nil },
		},
		"another workload's": {namespace: "kube-system", own: "kube-system", change: func(p *Pod) {
			p.Controller = &policy.Owner{APIVersion: "apps/v1", Kind: "StatefulSet", Name: "other", UID: "sts"}
		}},
		"labels of another": {
			namespace: "kube-system", own: "kube-system", change: func(p *Pod) { p.Labels["app"] = "vpc-nat-gw-west" },
		},
		"no label": {namespace: "kube-system", own: "kube-system", change: func(p *Pod) { p.Labels = nil }},
		"load balancer": {
			namespace: "kube-system", own: "kube-system", proved: true, level: policy.MAC,
			change: func(p *Pod) {
				p.Annotations, p.Labels = nil, map[string]string{"app": "vpc-v-lb", kubeovn.LoadBalancerLabel: "true"}
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			inv := New()
			setup := kubeovn.DefaultSetup()
			setup.Namespace = c.own
			inv.SetSetup(setup)
			inv.SetNamespace(policy.Namespace{Name: c.namespace})
			p := natPod(c.namespace)
			if c.change != nil {
				c.change(p)
			}
			inv.SetPod(p)
			inv.SetWorkload(Workload{Object: stateful, Namespace: c.namespace, Made: gatewayMade, Parent: c.parent})
			if c.gateway != nil {
				inv.SetGateway(*c.gateway)
			}
			got := inv.Port(kubeovn.PortName(p.Name, p.Namespace, kubeovn.DefaultProvider), gatewayNow)
			if (got.Passing != nil) != c.proved || slices.Contains(got.Owners, nat) != c.named ||
				got.Decision.Level != c.level {
				t.Errorf("passing %+v, owners %v, level %s", got.Passing, got.Owners, got.Decision.Level)
			}
			if c.level == policy.MAC && (got.Decision.Value() != "false" || got.Passing.Cut) {
				t.Errorf("its annotation would be %s, and it is cut off: %v", got.Decision.Value(), got.Passing.Cut)
			}
		})
	}
}

// The exception of a gateway contains everything that it passes on, NIC by NIC.
func TestPassing(t *testing.T) {
	pairs := func(e policy.Exception) (texts []string) {
		for i, p := range e.Pairs {
			texts = append(texts, strings.TrimSpace(p.Prefix.String()+" "+e.SharedWith[i]))
		}
		return texts
	}
	for name, c := range map[string]struct {
		provider kubeovn.Provider
		change   func(s *egressScene)
		uncut    bool
		class    policy.Class
		pairs    []string
		hindered string
	}{
		"inside": {provider: kubeovn.DefaultProvider, class: policy.NATGateway},
		"outside": {
			provider: outerProvider, class: policy.Router, pairs: []string{"10.30.0.0/24", "10.40.0.0/24"},
		},
		"all is translated": {
			provider: outerProvider, uncut: true,
			change: func(s *egressScene) { s.gateway.Prefixes, s.gateway.Subnets = nil, nil },
		},
		"from anywhere": {
			provider: outerProvider, class: policy.NATGateway, change: func(s *egressScene) { s.gateway.Any = true },
		},
		"a subnet of the same VPC": {
			provider: outerProvider, class: policy.Router, change: func(s *egressScene) {
				s.gateway.Prefixes = nil
				s.subnets[2].VPC, s.subnets[2].CIDRs = "", []netip.Prefix{netip.MustParsePrefix("10.40.0.0/29")}
				s.subnets[2].Gateways = []netip.Addr{netip.MustParseAddr("10.40.0.1")}
			},
			pairs: []string{"10.40.0.0/32 apps", "10.40.0.2/31 apps", "10.40.0.4/30 apps"},
		},
		"too wide for the policy": {
			provider: outerProvider, class: policy.Router, hindered: "wider than the /24",
			change: func(s *egressScene) {
				s.gateway.Prefixes, s.gateway.Subnets = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, nil
			},
			pairs: []string{"10.0.0.0/8 ovn-default"},
		},
		"no policy names the namespace": {
			provider: kubeovn.DefaultProvider, class: policy.NATGateway, hindered: "does not name namespace edge",
			change: func(s *egressScene) { s.policies = nil },
		},
		"an approval is wanted": {
			provider: kubeovn.DefaultProvider, class: policy.NATGateway, hindered: "another user approves it",
			change: func(s *egressScene) { s.policies[0].Approval = true },
		},
		"open by policy": {
			provider: kubeovn.DefaultProvider, uncut: true,
			change: func(s *egressScene) { s.policies[0].Level = policy.Open },
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newEgressScene()
			if c.change != nil {
				c.change(s)
			}
			p := s.portOf(c.provider).Passing
			switch {
			case p == nil || p.Cut == c.uncut:
				t.Fatalf("passing %+v", p)
			case c.uncut:
				return
			}
			if got := pairs(
				p.Exception,
			); !slices.Equal(got, c.pairs) || p.Exception.Class != c.class ||
				*p.Exception.Owner != egress {
				t.Errorf("class %s with %q, for %v", p.Exception.Class, got, p.Exception.Owner)
			}
			if (p.Hindrance == "") != (c.hindered == "") || !strings.Contains(p.Hindrance, c.hindered) {
				t.Errorf("hindered by %q", p.Hindrance)
			}
			if want := time.Date(
				2026,
				6,
				3,
				0,
				0,
				0,
				0,
				time.UTC,
			); !p.Exception.Expires.Equal(want) &&
				c.hindered == "" {
				t.Errorf("it ends at %s", p.Exception.Expires)
			}
		})
	}
}

// With its exception in effect, nothing that a gateway passes on is cut off any more.
func TestPassingExcepted(t *testing.T) {
	s := newEgressScene()
	inv := s.inventory()
	for _, provider := range []kubeovn.Provider{kubeovn.DefaultProvider, outerProvider} {
		port := kubeovn.PortName(s.pod.Name, "edge", provider)
		e := inv.Port(port, gatewayNow).Passing.Exception
		if touched := inv.SetException(e); !slices.Contains(touched, port) {
			t.Errorf("the exception touches %q", touched)
		}
		p := inv.Port(port, gatewayNow)
		if p.Passing.Cut || len(p.Decision.Exceptions) != 1 {
			t.Errorf("%s is still cut off: %+v", port, p.Decision.Steps)
		}
		if inv.Port(port, e.Expires).Passing.Cut == false {
			t.Errorf("%s passes on after the end of its exception", port)
		}
	}
	if got := len(inv.Port("veg-1-a.edge."+outerProvider, gatewayNow).Decision.Pairs); got != 2 {
		t.Errorf("%d pairs are granted outside", got)
	}
}

// A change of any object between affects the ports of the gateway's pods.
func TestGatewayTouches(t *testing.T) {
	s := newEgressScene()
	inv := s.inventory()
	want := []string{"veg-1-a.edge", "veg-1-a.edge." + outerProvider}
	for what, touched := range map[string]func() []string{
		"gateway":            func() []string { s.gateway.Any = true; return inv.SetGateway(s.gateway) },
		"Deployment gone":    func() []string { return inv.DeleteOwner("deploy") },
		"subnet":             func() []string { s.subnets[2].CIDRs = nil; return inv.SetSubnet(s.subnets[2]) },
		"another one's gone": func() []string { return append(inv.DeleteGateway(Gateway{Object: nat}), want...) },
	} {
		if got := touched(); !slices.Equal(got, want) {
			t.Errorf("%s touches %q", what, got)
		}
		inv = s.inventory()
	}
	if got := inv.SetGateway(s.gateway); got != nil {
		t.Errorf("what is the same touches %q", got)
	}
	inv.DeleteGateway(s.gateway)
	if got := inv.SetGateway(s.gateway); !slices.Equal(got, want) {
		t.Errorf("the gateway touches %q", got)
	}
	inv.DeleteOwner("deploy")
	if got := inv.SetWorkload(s.deployment); !slices.Equal(got, want) {
		t.Errorf("the Deployment touches %q", got)
	}
	if got := inv.DeleteGateway(s.gateway); !slices.Equal(got, want) || inv.GatewayIn("edge") {
		t.Errorf("the end of the gateway touches %q", got)
	}
}

func TestAllBut(t *testing.T) {
	for _, c := range []struct{ prefix, address, want string }{
		{"10.0.0.0/30", "10.0.0.1", "10.0.0.0/32 10.0.0.2/31"},
		{"10.0.0.0/30", "10.0.0.3", "10.0.0.0/31 10.0.0.2/32"},
		{"10.0.0.0/30", "10.0.1.1", "10.0.0.0/30"},
		{"10.0.0.1/32", "10.0.0.1", ""},
		{"fd00::/126", "fd00::2", "fd00::/127 fd00::3/128"},
	} {
		var texts []string
		for _, p := range allBut(netip.MustParsePrefix(c.prefix), netip.MustParseAddr(c.address)) {
			texts = append(texts, p.String())
		}
		if got := strings.Join(texts, " "); got != c.want {
			t.Errorf("%s but %s: %q, want %q", c.prefix, c.address, got, c.want)
		}
	}
}
