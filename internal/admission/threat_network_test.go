package admission

import (
	"cmp"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// For the subnet of an attachment that is listed twice, Kube-OVN uses the provider with the interface since 1.16, and
// the plain one before: the namespace must be allowed the subnet that any release takes.
func TestThreatT09NetworkListedTwice(t *testing.T) {
	const (
		twice      = `[{"name":"blue","namespace":"u","interface":"net1"},{"name":"blue","namespace":"u","interface":"net2"}]`
		plain      = "blue.u.ovn.kubernetes.io/logical_switch"
		net1, net2 = "blue.u.ovn.net1.kubernetes.io/logical_switch", "blue.u.ovn.net2.kubernetes.io/logical_switch"
	)
	for what, own := range map[string][]string{
		"none": nil, "the plain one": {plain, "ours"}, "one interface": {net1, "ours"}, "the plain one and one " +
			"interface": {plain, "ours", net1, "ours"}, "both interfaces": {net1, "ours", net2, "ours"},
	} {
		t.Run(what, func(t *testing.T) {
			_, refused := create(t, newScene(), tenant, pod(append([]string{networks, twice}, own...)...))
			mustRefuse(t, refused, networks, "their-blue", "other namespaces")
		})
	}
	_, refused := create(t, newScene(), tenant, pod(networks, twice, plain, "ours", net1, "ours", net2, "ours"))
	mustAllow(t, refused)

	// A subnet may be reserved for the NIC of one interface.
	s := newScene()
	s.inventory.SetSubnet(inventory.Subnet{Name: "deep", Provider: "red.u.ovn.net1", Namespaces: []string{"u"}})
	_, refused = create(t, s, tenant, pod(networks, "u/red@net1,u/red@net2"))
	mustRefuse(t, refused, networks, "subnet deep", "red.u.ovn.net1.kubernetes.io/logical_switch")
	_, refused = create(t, s, tenant, pod(networks, "u/red@net1"))
	mustAllow(t, refused) // listed once, it has the plain provider

	// Of several subnets Kube-OVN takes the first that it finds.
	s = newScene()
	for _, name := range []string{"a-free", "zz-free"} {
		s.inventory.SetSubnet(inventory.Subnet{Name: name, Provider: "blue.u.ovn"})
	}
	_, refused = create(t, s, tenant, pod(networks, "u/blue"))
	mustRefuse(t, refused, networks, "their-blue")
	_, refused = create(t, s, tenant, pod(networks, "u/blue", plain, "a-free"))
	mustAllow(t, refused)
}

// The same address belongs to another pod in another VPC. Keys of providers that only some releases use for the NICs do
// not get around that.
func TestThreat09ChosenAddressElsewhere(t *testing.T) {
	const (
		once, twice = `[{"name":"green","namespace":"u","interface":"net1","ips":["10.16.0.5"]}]`,
			`[{"name":"green","namespace":"u","interface":"net1","ips":["10.16.0.5"]},{"name":"green","namespace":"u","interface":"net2"}]`
		bare, pair  = "u/green@net1", "u/green@net1,u/green@net2"
		plain, net1 = "green.u.ovn.kubernetes.io/logical_switch", "green.u.ovn.net1.kubernetes.io/logical_switch"
		net2        = "green.u.ovn.net2.kubernetes.io/logical_switch"
		ofNet1      = "green.u.kubernetes.io/ip_address.net1"
		ofNIC       = "green.u.ovn.net1.kubernetes.io/ip_address"
	)
	for what, keys := range map[string][]string{
		"the entry's, and a switch for the interface":         {networks, once, net1, "island"},
		"the entry's, listed twice, and a plain switch":       {networks, twice, plain, "island"},
		"the entry's, listed twice, with a switch of its own": {networks, twice, net1, "island", net2, "island"},
		"the interface's, and a switch for it":                {networks, bare, ofNet1, "10.16.0.5", net1, "island"},
		"the interface's, listed twice, and a plain switch":   {networks, pair, ofNet1, "10.16.0.5", plain, "island"},
		"the NIC's, listed twice, and a plain switch":         {networks, pair, ofNIC, "10.16.0.5", plain, "island"},
		"a pool's subnet, and a switch": {
			ip, "10.16.0.5", lsp, "island", "ovn.kubernetes.io/ip_pool", "our-pool",
		},
	} {
		t.Run(what, func(t *testing.T) {
			_, refused := create(t, newScene(), tenant, pod(keys...))
			mustRefuse(t, refused, "victim.u")
		})
	}
	for what, keys := range map[string][]string{
		"a switch for the NIC":              {networks, once, plain, "island"},
		"switches for whatever it is named": {networks, twice, plain, "island", net1, "island"},
		"on the default network":            {ip, "10.16.0.5", lsp, "island"},
	} {
		t.Run(what, func(t *testing.T) {
			_, refused := create(t, newScene(), tenant, pod(keys...))
			mustAllow(t, refused)
		})
	}
	// The MAC of the gateway, or of a victim, is looked up in the same way.
	_, refused := create(
		t,
		newScene(),
		tenant,
		pod(
			networks,
			`[{"name":"green","namespace":"u","interface":"net1","mac":"0a:00:00:00:00:05"}]`,
			net1,
			"island",
		),
	)
	mustRefuse(t, refused, "victim.u")
	// A subnet belongs to the default VPC even before Kube-OVN has written that into it.
	s := newScene()
	s.inventory.SetSubnet(inventory.Subnet{Name: "written", VPC: kubeovn.DefaultVPC})
	_, refused = create(t, s, tenant, pod(ip, "10.16.0.5", lsp, "written"))
	mustRefuse(t, refused, "victim.u")
}

// A subnet may be for the namespaces that its selectors select by labels, or for the namespaces that its VPC lists.
func TestThreatT09SubnetBySelector(t *testing.T) {
	bank := func(l map[string]string) bool { return l["team"] == "bank" }
	unlabelled := func(l map[string]string) bool { return l["team"] == "" }
	scene := func(subnet inventory.Subnet, change func(*policy.Namespace)) *scene {
		s := newScene()
		subnet.Name = "vault"
		s.inventory.SetSubnet(subnet)
		s.inventory.SetPool(inventory.Pool{Name: "vault-pool", Subnet: "vault"})
		s.inventory.SetVPC(inventory.VPC{Name: "safe", Namespaces: []string{"bank"}})
		s.inventory.SetVPC(inventory.VPC{Name: "park"})
		change(&s.namespace)
		return s
	}
	as := func(labels map[string]string) func(*policy.Namespace) {
		return func(ns *policy.Namespace) { ns.Labels = labels }
	}
	ours := map[string]string{"team": "bank"}
	cases := map[string]struct {
		subnet inventory.Subnet
		ns     func(*policy.Namespace)
		fix    string // empty where the pod is allowed
	}{
		"not picked": {
			inventory.Subnet{Selectors: []policy.Selector{bank}},
			as(nil),
			`"path":"/spec/namespaces","value":["t"]`,
		},
		"picked":             {inventory.Subnet{Selectors: []policy.Selector{unlabelled, bank}}, as(ours), ""},
		"picked for nothing": {inventory.Subnet{Selectors: []policy.Selector{unlabelled}}, as(nil), ""},
		"named": {
			inventory.Subnet{Selectors: []policy.Selector{bank}, Namespaces: []string{"t"}},
			as(nil),
			"",
		},
		"another is named": {
			inventory.Subnet{Selectors: []policy.Selector{bank}, Namespaces: []string{"u"}},
			as(nil),
			`"path":"/spec/namespaces/-","value":"t"`,
		},
		"noted": {
			inventory.Subnet{Selectors: []policy.Selector{bank}},
			func(ns *policy.Namespace) { ns.Annotations = map[string]string{lsp: "ovn-default,vault"} },
			"",
		},
		"cannot be read": {
			inventory.Subnet{Selectors: []policy.Selector{unlabelled}},
			func(ns *policy.Namespace) { ns.Err = errors.New("timeout") },
			"vault",
		},
		"VPC of others": {inventory.Subnet{VPC: "safe"}, as(ours), "kubectl patch vpc safe"},
		"VPC of all":    {inventory.Subnet{VPC: "park"}, as(nil), ""},
		"VPC of others, but picked": {
			inventory.Subnet{VPC: "safe", Selectors: []policy.Selector{bank}}, as(ours), "",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			for _, p := range []Pod{
				pod(lsp, "vault"), pod("ovn.kubernetes.io/ip_pool", "vault-pool"),
				pod(networks, "n/nad", "nad.n.ovn.kubernetes.io/logical_switch", "vault"),
			} {
				_, refused := create(t, scene(c.subnet, c.ns), tenant, p)
				if c.fix == "" {
					mustAllow(t, refused)
				} else {
					mustRefuse(t, refused, "subnet vault is for other namespaces", c.fix)
				}
			}
			c.subnet.Provider = "nad.n.ovn"
			_, refused := create(t, scene(c.subnet, c.ns), tenant, pod(networks, "n/nad"))
			if c.fix == "" {
				mustAllow(t, refused)
			} else {
				mustRefuse(t, refused, networks, "subnet vault, which is for other namespaces", c.fix)
			}
		})
	}
}

// The launchers of a machine have ports with the machine's name, and the machine's author chose that name.
func TestThreat22MachineNames(t *testing.T) {
	launcher := func(name, machine string, more ...string) Pod {
		p := pod(more...)
		p.Metadata.Name = name
		p.Metadata.Owners = []OwnerReference{
			{APIVersion: "kubevirt.io/v1", Kind: "VirtualMachineInstance", Name: machine, UID: "9", Controller: true},
		}
		return p
	}
	s := newScene()
	s.inventory.SetPod(
		&inventory.Pod{PodKey: inventory.PodKey{Namespace: "t", Name: "virt-launcher-vm1-aaaaa"}, Owner: "vm1"},
	)
	s.inventory.SetPod(&inventory.Pod{PodKey: inventory.PodKey{Namespace: "t", Name: "plain"}, Owner: "plain"})
	s.inventory.SetPod(&inventory.Pod{
		PodKey: inventory.PodKey{
			Namespace: "y",
			Name:      "x",
		},
		Owner:       "x",
		Attachments: []kubeovn.Attachment{{Namespace: "q", Name: "t.p"}},
	})
	s.inventory.SetRecord(
		&inventory.Record{
			Name:   "vm1.t",
			Subnet: "ovn-default",
			Keeper: "VirtualMachine",
			Of:     inventory.PodKey{Namespace: "t", Name: "vm1"},
		},
	)
	for what, c := range map[string]struct {
		pod   Pod
		about []string // none where the pod is allowed
	}{
		"the first":                 {launcher("virt-launcher-vm2-aaaaa", "vm2"), nil},
		"the target of a migration": {launcher("virt-launcher-vm1-bbbbb", "vm1"), nil},
		"named like an attachment": {
			launcher("virt-launcher-x-aaaaa", "x.u.blue.u.ovn"),
			[]string{"x.u.blue.u.ovn.t", "give the machine a name without dots"},
		},
		"named like a pod": {launcher("virt-launcher-plain-aaaaa", "plain"), []string{"plain.t", "pod " +
			"t/plain"}},
		"whose NIC is a pod's": {
			launcher("virt-launcher-x-aaaaa", "x.y", networks, "q/p"), []string{"x.y.t.p.q.ovn", "pod y/x"},
		},
		"without a machine, by name": {
			func() Pod { p := pod(); p.Metadata.Name = "vm1"; return p }(), []string{"vm1.t"},
		},
	} {
		t.Run(what, func(t *testing.T) {
			_, refused := create(t, s, virtualize, c.pod)
			if c.about == nil {
				mustAllow(t, refused)
			} else {
				mustRefuse(t, refused, c.about...)
			}
		})
	}
}

// A StatefulSet, or a machine, keeps its port while no pod runs. A name with dots does not get a pod the port of
// another namespace.
func TestThreat21KeptPorts(t *testing.T) {
	s := newScene()
	s.inventory.SetRecord(
		&inventory.Record{
			Name:   "a-0.b.t.n.m.ovn",
			Subnet: "ovn-default",
			Keeper: "StatefulSet",
			Of:     inventory.PodKey{Namespace: "b", Name: "a-0"},
		},
	)
	s.inventory.SetRecord(
		&inventory.Record{
			Name:   "web-0.t",
			Subnet: "ovn-default",
			Keeper: "StatefulSet",
			Of:     inventory.PodKey{Namespace: "t", Name: "web-0"},
		},
	)
	p := pod(networks, "m/n")
	p.Metadata.Name = "a-0.b"
	_, refused := create(t, s, tenant, p)
	mustRefuse(t, refused, "metadata.name", "a-0.b.t.n.m.ovn", "taken by a StatefulSet for its pod b/a-0")
	p.Metadata.Name = "web-0"
	_, refused = create(t, s, tenant, p)
	mustAllow(t, refused)
}

// Kube-OVN keeps addresses of NICs outside OVN in IP resources with names like ports.
func TestThreat21NamesOfIPResources(t *testing.T) {
	const here = "its port would be named a.b.mac.vlan.t, and this is the name of an IP resource of a NIC outside OVN"
	for name, c := range map[string]struct {
		pod   *Pod
		user  string
		words []string
	}{
		"of an attachment": {
			pod: called("a.b.mac.vlan"), words: []string{"metadata.name", here, "without dots"},
		},
		"of one that cannot be read":     {pod: called("a.b.odd"), words: []string{"a.b.odd.t"}},
		"of no namespace before it":      {pod: called("b.mac.vlan")},
		"of no such attachment":          {pod: called("a.b.mac.vla")},
		"of one on OVN":                  {pod: called("a.b.blue")},
		"of an attachment elsewhere":     {pod: called("a.b.far")},
		"of an IP resource, without one": {pod: called("x.y.gone"), words: []string{"x.y.gone.t", "a NIC outside OVN"}},
		"of a machine": {
			pod: launcher("a.b.mac.vlan"), user: virtualize, words: []string{"metadata.ownerReferences", here},
		},
		"by its own NIC outside OVN": {
			pod:   called("v.u", networks, `[{"name":"mac.vlan","namespace":"t"}]`),
			words: []string{"v.u.t.mac.vlan.t", "port of pod t/v.u.t.mac.vlan"},
		},
		"not by one on OVN": {pod: called("w.u", networks, "t/blue")},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene()
			for a, kind := range map[string]kubeovn.AttachmentKind{
				"t/mac.vlan": kubeovn.KindForeign, "t/odd": kubeovn.KindUnknown, "t/blue": kubeovn.KindOVN,
				"u/far": kubeovn.KindForeign,
			} {
				namespace, name, _ := strings.Cut(a, "/")
				s.inventory.SetAttachment(kubeovn.Attachment{Namespace: namespace, Name: name}, kind)
			}
			s.inventory.SetSubnet(inventory.Subnet{Name: "lan", Provider: "gone.t"})
			s.inventory.SetRecord(&inventory.Record{Name: "x.y.gone.t", Subnet: "lan"})
			// These pods were there before.
			for _, old := range []string{"v.u.t.mac.vlan", "w.u.t.blue"} {
				s.inventory.SetPod(&inventory.Pod{PodKey: inventory.PodKey{Namespace: "t", Name: old}, Owner: old})
			}
			user := cmp.Or(c.user, tenant)
			_, refused := create(t, s, user, *c.pod)
			if c.words == nil {
				mustAllow(t, refused)
			} else {
				mustRefuse(t, refused, c.words...)
			}
		})
	}
}

// called returns a pod of that name with some annotations.
func called(name string, keyValues ...string) *Pod {
	p := pod(keyValues...)
	p.Metadata.Name = name
	return &p
}

// launcher returns a pod that runs the machine of that name.
func launcher(machine string) *Pod {
	p := called("virt-launcher-x")
	p.Metadata.Owners = []OwnerReference{
		{APIVersion: "kubevirt.io/v1", Kind: "VirtualMachineInstance", Name: machine, UID: "9", Controller: true},
	}
	return p
}

// In another VPC the address of a Vip belongs to somebody else.
func TestThreat07VipOfAnotherVPC(t *testing.T) {
	s := newScene()
	far := inventory.Vip{
		Name:      "far",
		Namespace: "t",
		Subnet:    "island",
		Addresses: []netip.Addr{netip.MustParseAddr("10.16.0.5")},
	}
	s.inventory.SetVip(far)
	const green = "green.u.ovn.kubernetes.io/"
	for what, keys := range map[string][]string{
		"of the namespace's subnet":   {vips, "10.16.0.5"},
		"of a subnet that it names":   {vips, "10.16.0.5", lsp, "ours"},
		"of an attachment":            {networks, "u/green", green + "port_vips", "10.16.0.5", lsp, "island"},
		"of a pool's subnet":          {vips, "10.16.0.5", lsp, "island", "ovn.kubernetes.io/ip_pool", "our-pool"},
		"of an attachment by default": {networks, "n/nad", "nad.n.ovn.kubernetes.io/port_vips", "10.16.0.5"},
	} {
		t.Run(what, func(t *testing.T) {
			_, refused := create(t, s, tenant, pod(keys...))
			mustRefuse(t, refused, "port_vips", "Vip far", `subnet "island"`)
		})
	}
	old, p := running(), running(vips, "10.16.0.5")
	mustRefuse(t, update(t, s, tenant, "", &old, &p), vips, "Vip far")
	_, refused := create(t, s, tenant, pod(vips, "10.16.0.5", lsp, "island"))
	mustAllow(t, refused)
	_, refused = create(
		t,
		s,
		tenant,
		pod(networks, "u/green", green+"port_vips", "10.16.0.5", green+"logical_switch", "island"),
	)
	mustAllow(t, refused)
	_, refused = create(t, s, tenant, pod(vips, "10.16.0.100", lsp, "ours"))
	mustAllow(t, refused) // a Vip of another subnet, in the same VPC

	// Where the subnet is not known, the Vip counts as one of another subnet, unless there is only one.
	s.namespace.Annotations = nil
	_, refused = create(t, s, tenant, pod(vips, "10.16.0.100"))
	mustRefuse(t, refused, vips, "Vip mine")
	s.inventory.DeleteSubnet("island")
	_, refused = create(t, s, tenant, pod(vips, "10.16.0.100"))
	mustAllow(t, refused)
}

// An interface name that makes a NIC pass for one of another network is refused, whatever policy the name selects.
func TestThreatT47InterfaceThatPicksItsPolicy(t *testing.T) {
	for _, list := range []string{
		`[{"name":"nad","namespace":"t","interface":"x.infra.ovn"}]`,
		`[{"name":"nad","namespace":"t","interface":"x.infra.ovn"},{"name":"nad","namespace":"t","interface":"net2"}]`,
		`[{"name":"blue","namespace":"u","interface":"x.infra.ovn","mac":"0a:00:00:00:00:05"}]`,
	} {
		for _, mode := range []policy.Mode{policy.Enforce, policy.Warn, policy.Audit} {
			s := newScene()
			s.inventory.SetPolicy(policy.Policy{
				Name: "infra", Priority: 10, Providers: policy.Providers{"*.infra.ovn"}, Mode: mode, Level: policy.Open,
			})
			_, refused := create(t, s, tenant, pod(networks, list))
			mustRefuse(t, refused, networks, "x.infra.ovn")
		}
	}
}
