package inventory

import (
	"slices"
	"testing"
	"time"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

func kept(name, pod, keeper string) *Record {
	return &Record{
		Name: name, MAC: "0a:00:00:00:00:01", IPs: []string{"10.0.0.5"}, Keeper: keeper, Of: PodKey{"a", pod},
	}
}

func set(name, uid string, count int) Workload {
	return Workload{
		Object:    policy.Owner{APIVersion: "apps/v1", Kind: KeeperStatefulSet, Name: name, UID: uid},
		Namespace: "a", Ordinals: &Ordinals{Count: count},
	}
}

// TestAbandoned covers ports that are kept for pods which will not come back.
func TestAbandoned(t *testing.T) {
	inv := New()
	inv.Expect(StatefulSets)
	inv.SetRecord(kept("db-2.a", "db-2", KeeperStatefulSet))
	inv.SetRow(&Row{UUID: "r", Name: "db-2.a", Switch: "s"})
	inv.SetRecord(kept("vm.a", "vm", KeeperVirtualMachine))
	inv.SetRow(&Row{UUID: "v", Name: "vm.a", Switch: "s"})
	says := func(name, want string, touched []string) {
		t.Helper()
		if got := inv.Port(name, time.Time{}).Abandoned; got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
		if touched != nil && !slices.Contains(touched, name) {
			t.Errorf("%s: the change touched %q", name, touched)
		}
	}
	says("db-2.a", "", nil) // StatefulSets are not read
	says("db-2.a", "StatefulSet a/db does not exist", inv.Heard(StatefulSets))
	says("db-2.a", "", inv.SetWorkload(set("db", "u1", 3)))
	says("db-2.a", "StatefulSet a/db has 2 replicas, and db-2 is not one of them", inv.SetWorkload(set("db", "u1", 2)))
	first := set("db", "u1", 2)
	first.Ordinals.First = 2
	says("db-2.a", "", inv.SetWorkload(first))
	unknown := first
	unknown.Ordinals = nil
	says("db-2.a", "", inv.SetWorkload(unknown))
	inv.SetWorkload(set("db", "u2", 3)) // made again before the last one is seen to go
	inv.DeleteOwner("u1")
	says("db-2.a", "", nil)
	says("db-2.a", "StatefulSet a/db does not exist", inv.DeleteOwner("u2"))

	says("vm.a", "VirtualMachine a/vm does not exist", nil)
	machine := Workload{
		Object:    policy.Owner{APIVersion: "kubevirt.io/v1", Kind: KeeperVirtualMachine, Name: "vm", UID: "m"},
		Namespace: "a",
	}
	says("vm.a", "", inv.SetWorkload(machine))
	says("vm.a", "VirtualMachine a/vm does not exist", inv.DeleteOwner("m"))
}

// TestUnused covers IP resources that nothing uses.
func TestUnused(t *testing.T) {
	inv := New()
	says := func(name, want string) {
		t.Helper()
		if got := inv.Port(name, time.Time{}).Unused; got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	inv.SetRecord(kept("p.a", "p", ""))
	says("p.a", "pod a/p does not exist")
	if touched := inv.SetPod(pod("a", "p", func(p *Pod) { p.HostNetwork = true })); !slices.Contains(touched, "p.a") {
		t.Errorf("the pod touches %q", touched)
	}
	says("p.a", "") // one of its NICs outside OVN may have it
	if touched := inv.DeletePod(PodKey{"a", "p"}); !slices.Contains(touched, "p.a") {
		t.Errorf("the pod that goes touches %q", touched)
	}
	reserved := kept("p.a", "p", "")
	reserved.Reserved = true
	inv.SetRecord(reserved)
	says("p.a", "")
	inv.SetRecord(kept("u2o-interconnection.vpc.s", "u2o-interconnection.vpc.s", ""))
	says("u2o-interconnection.vpc.s", "")
	inv.SetRecord(&Record{Name: "node-n", Of: PodKey{Name: "n"}})
	says("node-n", "node n does not exist")
	if touched := inv.SetFixed(Fixed{Holder: Holder{HeldByNode, "n"}}); !slices.Contains(touched, "node-n") {
		t.Errorf("the node touches %q", touched)
	}
	says("node-n", "")
}

// TestUnusedWithoutKeeper covers IP resources of NICs outside OVN, whose pods run although no StatefulSet or
// VirtualMachine owns them: it went without its pods, or the machine never had one.
func TestUnusedWithoutKeeper(t *testing.T) {
	inv := New()
	for name, of := range map[string]struct {
		keeper string
		pod    *Pod
		kept   string
	}{
		"db-0.a.macvlan.a": {KeeperStatefulSet, pod("a", "db-0"), "db-0"},
		"vm.a.macvlan.a": {
			KeeperVirtualMachine, pod("a", "virt-launcher-vm-x", func(p *Pod) { p.Owner = "vm" }), "vm",
		},
	} {
		inv.SetRecord(kept(name, of.kept, of.keeper))
		if touched := inv.SetPod(of.pod); !slices.Contains(touched, name) {
			t.Errorf("%s: the pod touches %q", name, touched)
		}
		if got := inv.Port(name, time.Time{}).Unused; got != "" {
			t.Errorf("%s: %q while its pod runs", name, got)
		}
		if touched := inv.DeletePod(of.pod.PodKey); !slices.Contains(touched, name) {
			t.Errorf("%s: the pod that goes touches %q", name, touched)
		}
		if got := inv.Port(name, time.Time{}).Unused; got == "" {
			t.Errorf("%s: nothing where no pod runs", name)
		}
	}
}

// TestUnowned covers rows on tenants' subnets that are nobody's.
func TestUnowned(t *testing.T) {
	own := map[string]string{kubeovn.ExternalIDVendor: kubeovn.Vendor}
	for name, c := range map[string]struct {
		row   Row
		more  func(*Inventory) []string
		first bool // before more
		then  bool // afterwards
	}{
		"x":                 {Row{}, nil, true, true},
		"router":            {Row{Type: "router"}, nil, false, false},
		"of Kube-OVN":       {Row{ExternalIDs: own}, nil, false, false},
		"of another vendor": {Row{ExternalIDs: map[string]string{kubeovn.ExternalIDVendor: "x"}}, nil, false, false},
		"node-n":            {Row{Switch: "join", ExternalIDs: own}, fixed(HeldByNode, "n"), true, false},
		"node-1":            {Row{ExternalIDs: own}, fixed(HeldByEIP, "node-1"), false, false},
		"node-m":            {Row{}, fixed(HeldByNode, "m"), true, true}, // a node has its port on the nodes' own subnet
		"eip":               {Row{}, fixed(HeldByEIP, "eip"), true, false},
		"vip:v:ipv6":        {Row{}, vipOf("v"), true, false},
		"v":                 {Row{}, vipOf("v"), true, false},
		"w": {
			Row{}, func(inv *Inventory) []string { return inv.SetVip(Vip{Name: "w", Namespace: "a", Subnet: "t"}) }, true, true,
		},
		"with an IP resource": {
			Row{}, func(inv *Inventory) []string { return inv.SetRecord(kept("with an IP resource", "p", "")) }, true, false,
		},
		"on a switch of others": {Row{Switch: "neutron-1"}, nil, false, false},
		"p.a":                   {Row{}, func(inv *Inventory) []string { return inv.SetPod(pod("a", "p")) }, true, false},
		"on a subnet that is new": {
			Row{Switch: "t"}, func(inv *Inventory) []string { return inv.SetSubnet(Subnet{Name: "t"}) }, false, true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			inv := New()
			inv.SetSubnet(Subnet{Name: "s"})
			inv.SetSubnet(Subnet{Name: "join"})
			row := c.row
			row.UUID, row.Name = "r", name
			if row.Switch == "" {
				row.Switch = "s"
			}
			inv.SetRow(&row)
			if got := inv.Port(name, time.Time{}).Unowned; got != c.first {
				t.Errorf("at first: %v", got)
			}
			if c.more == nil {
				return
			}
			if touched := c.more(inv); !slices.Contains(touched, name) {
				t.Errorf("the change touches %q", touched)
			}
			if got := inv.Port(name, time.Time{}).Unowned; got != c.then {
				t.Errorf("afterwards: %v", got)
			}
		})
	}
}

func fixed(kind HolderKind, name string) func(*Inventory) []string {
	return func(inv *Inventory) []string { return inv.SetFixed(Fixed{Holder: Holder{kind, name}}) }
}

func vipOf(name string) func(*Inventory) []string {
	return func(inv *Inventory) []string { return inv.SetVip(Vip{Name: name, Namespace: "a"}) }
}
