package inventory

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// Names that Kube-OVN was given replace its usual ones.
func TestSetupNames(t *testing.T) {
	for name, setup := range map[string]kubeovn.Setup{
		"usual": kubeovn.DefaultSetup(), "renamed": {Router: "core", NodeSwitch: "nodes", KeepVMIP: true},
	} {
		t.Run(name, func(t *testing.T) {
			inv := New()
			inv.SetSetup(setup)
			if got := inv.VPCOf("unknown"); got != setup.Router {
				t.Errorf("where nothing is known, the VPC is %q", got)
			}
			inv.SetSubnet(Subnet{Name: "s", CIDRs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")}})
			inv.SetSubnet(Subnet{Name: "other", VPC: "island"})
			if got := inv.VPCOf("s"); got != setup.Router {
				t.Errorf("a subnet that names no VPC is of %q", got)
			}
			for _, vpc := range []string{setup.Router, "island"} {
				inv.SetVPC(VPC{Name: vpc, Namespaces: []string{"bank"}})
			}
			shop := policy.Namespace{Name: "shop"}
			if !inv.Usable(Subnet{Name: "t", VPC: setup.Router}, shop) ||
				inv.Usable(Subnet{Name: "other", VPC: "island"}, shop) {
				t.Error("the default VPC is for every namespace, whatever it lists, and no other one is")
			}
			if !inv.OfNodes(setup.NodeSwitch) || inv.OfNodes("s") {
				t.Error("the nodes' subnet is not told by its name")
			}
			if subnet, ok := inv.NamesALink("later-" + setup.Router); subnet != "" || !ok {
				t.Errorf("a link of the default router: %q, %v", subnet, ok)
			}
			inside := Fixed{
				Holder:    Holder{HeldByFIPInside, "f"},
				Addresses: []netip.Addr{netip.MustParseAddr("10.0.0.9")},
				At:        At{Port: "p.n"},
			}
			inv.SetFixed(inside)
			for _, h := range []Holder{{HeldByServices, "services"}, inside.Holder} {
				if vpc, confined := inv.NetworkOf(h); vpc != setup.Router || !confined {
					t.Errorf("%v is of VPC %q, %v", h, vpc, confined)
				}
			}
		})
	}
	inv := New()
	inv.SetSetup(kubeovn.Setup{Router: "core", NodeSwitch: "nodes"})
	if _, ok := inv.NamesALink("later-" + kubeovn.DefaultVPC); ok || inv.OfNodes(kubeovn.JoinSubnet) {
		t.Error("usual names count where others were given")
	}
}

// With another primary CNI, Kube-OVN makes NICs only for attachments.
func TestSetupNonPrimary(t *testing.T) {
	net := kubeovn.Attachment{Namespace: "n", Name: "blue"}
	pods := []*Pod{
		{PodKey: PodKey{"n", "plain"}, Owner: "plain"},
		{PodKey: PodKey{"n", "two"}, Owner: "two", Attachments: []kubeovn.Attachment{net}},
		{PodKey: PodKey{"n", "other"}, Owner: "other", DefaultNetwork: &net},
	}
	for nonPrimary, want := range map[bool][]string{
		false: {"other.n.blue.n.ovn", "plain.n", "two.n", "two.n.blue.n.ovn"},
		true:  {"other.n.blue.n.ovn", "two.n.blue.n.ovn"},
	} {
		inv := New()
		setup := kubeovn.DefaultSetup()
		setup.NonPrimary = nonPrimary
		inv.SetSetup(setup)
		inv.SetAttachment(net, kubeovn.KindOVN)
		for _, p := range pods {
			inv.SetPod(p)
		}
		if got := inv.Names(); !slices.Equal(got, want) {
			t.Errorf("non-primary %v: ports %q, want %q", nonPrimary, got, want)
		}
	}
}

// A machine's port has the pod's name where Kube-OVN does not keep it.
func TestSetupKeepVMIP(t *testing.T) {
	launcher := &Pod{PodKey: PodKey{"n", "virt-launcher-vm-abcde"}, Owner: "vm"}
	for keep, want := range map[bool]string{true: "vm.n", false: "virt-launcher-vm-abcde.n"} {
		inv := New()
		setup := kubeovn.DefaultSetup()
		setup.KeepVMIP = keep
		inv.SetSetup(setup)
		inv.SetPod(launcher)
		if got := inv.Names(); !slices.Equal(got, []string{want}) {
			t.Errorf("keep %v: ports %q, want %s", keep, got, want)
		}
		if launcher.Owner != "vm" {
			t.Error("what was given was changed")
		}
		inv.DeletePod(launcher.PodKey)
		if got := inv.Names(); len(got) > 0 {
			t.Errorf("keep %v: left over are %q", keep, got)
		}
	}
}
