package inventory

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/portsec"
)

// When a port begins to share an address, or stops, the other ports with it are judged again.
func TestDuplicates(t *testing.T) {
	inv := New()
	row := func(name, sw string, addresses ...string) *Row {
		return &Row{UUID: "u-" + name, Name: name, Switch: sw, Addresses: addresses}
	}
	const mac = "0a:00:00:00:00:01"
	inv.SetRow(row("a", "s", mac+" 10.0.0.1"))
	inv.SetRow(row("other-switch", "t", mac+" 10.0.0.1"))
	if got := inv.Port("a", time.Time{}).Duplicates; got != nil {
		t.Errorf("another switch: %+v", got)
	}
	if diff := cmp.Diff([]string{"a", "b"}, inv.SetRow(row("b", "s", "0A:00:00:00:00:01 10.0.0.2"))); diff != "" {
		t.Errorf("touched by b: -want +got\n%s", diff)
	}
	want := []Duplicate{{Text: mac, MAC: true, Others: []string{"b"}}}
	if diff := cmp.Diff(want, inv.Port("a", time.Time{}).Duplicates); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	inv.SetRow(&Row{UUID: "u-v", Name: "v", Switch: "s", Type: "virtual", Addresses: []string{mac + " 10.0.0.1"}})
	if diff := cmp.Diff(want, inv.Port("a", time.Time{}).Duplicates); diff != "" {
		t.Errorf("a virtual port counts: -want +got\n%s", diff)
	}
	if touched := inv.DeleteRow(
		"b",
		"u-b",
	); !slices.Contains(touched, "a") ||
		inv.Port("a", time.Time{}).Duplicates != nil {
		t.Errorf("b is gone: touched %q, left %+v", touched, inv.Port("a", time.Time{}).Duplicates)
	}
}

// When a port gets an address that is granted to another port, that other port is judged again.
func TestGranted(t *testing.T) {
	inv := New()
	inv.Granted("gw", policy.Decision{Pairs: []portsec.AddressPair{{Prefix: netip.MustParsePrefix("10.0.1.0/24")}}})
	if got := inv.SetRecord(&Record{Name: "p", IPs: []string{"10.0.1.7"}}); !slices.Equal(got, []string{"gw", "p"}) {
		t.Errorf("inside: touched %q", got)
	}
	if got := inv.SetRecord(&Record{Name: "p", IPs: []string{"10.0.2.7"}}); !slices.Equal(got, []string{"gw", "p"}) {
		t.Errorf("moved out: touched %q", got)
	}
	inv.Granted("gw", policy.Decision{})
	if got := inv.SetRecord(&Record{Name: "p", IPs: []string{"10.0.1.7"}}); !slices.Equal(got, []string{"p"}) {
		t.Errorf("no longer granted: touched %q", got)
	}
}

// The parsers that may apply are those of the chassis that a port is bound to; they follow an upgrade of either side.
func TestErasOfBinding(t *testing.T) {
	inv := New()
	inv.SetOVN(portsec.OVN{Version: "24.03.2"})
	inv.SetChassis(Chassis{UUID: "c", Name: "node1", Config: map[string]string{"fdb-timestamp": "true"}})
	inv.SetBinding(&Binding{UUID: "b", Port: "p", Chassis: []string{"c"}})
	if got := inv.Port(
		"p",
		time.Time{},
	); !slices.Equal(got.Eras, []portsec.Era{portsec.E2}) || len(got.Chassis) != 1 ||
		got.Chassis[0].Name != "node1" {
		t.Errorf("%+v", got)
	}
	if touched := inv.SetOVN(
		portsec.OVN{Version: "24.03.9"},
	); !slices.Equal(touched, []string{"p"}) ||
		!slices.Equal(inv.Port("p", time.Time{}).Eras, []portsec.Era{portsec.E3}) {
		t.Errorf("after the upgrade: touched %q, eras %v", touched, inv.Port("p", time.Time{}).Eras)
	}
	from, until, err := kubeovn.BuiltBetween("v1.14.30")
	if err != nil {
		t.Fatal(err)
	}
	inv.SetOVN(portsec.OVN{Version: "24.03.8"}) // builds of it differ
	if got := inv.Port("p", time.Time{}).Eras; !slices.Equal(got, portsec.Eras()[2:]) {
		t.Errorf("24.03.8: eras %v", got)
	}
	if touched := inv.SetOVN(
		portsec.OVN{Version: "24.03.8", From: from, Until: until},
	); !slices.Equal(
		touched,
		[]string{"p"},
	) ||
		!slices.Equal(inv.Port("p", time.Time{}).Eras, []portsec.Era{portsec.E2a, portsec.E2b}) {
		t.Errorf("as Kube-OVN 1.14.30 has it: touched %q, eras %v", touched, inv.Port("p", time.Time{}).Eras)
	}
	if touched := inv.DeleteChassis(
		"c",
	); !slices.Equal(touched, []string{"p"}) ||
		inv.Port("p", time.Time{}).Eras != nil {
		t.Errorf("without its chassis: touched %q", touched)
	}
}

// TestDuplicatesOnAVLAN covers what ports on two switches of one VLAN have in common.
func TestDuplicatesOnAVLAN(t *testing.T) {
	inv := New()
	for name, vlan := range map[string]string{"a": "v1", "b": "v2"} {
		inv.SetSubnet(Subnet{Name: name, VLAN: vlan})
		inv.SetRow(&Row{UUID: name, Name: "p." + name, Switch: name, Addresses: []string{"0a:00:00:00:00:01 10.0.0.5"}})
	}
	says := func(what, want string, touched []string) {
		t.Helper()
		var vlans []string
		for _, d := range inv.Port("p.a", time.Time{}).Duplicates {
			vlans = append(vlans, d.VLAN)
		}
		if got := strings.Join(vlans, ";"); got != want {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
		if !slices.Contains(touched, "p.a") || !slices.Contains(touched, "p.b") {
			t.Errorf("%s touches %q", what, touched)
		}
	}
	const both = "VLAN 0 of provider network net;VLAN 0 of provider network net"
	inv.SetVLAN(VLAN{Name: "v1", Network: "net"})
	says("two Vlans of one network and tag", both, inv.SetVLAN(VLAN{Name: "v2", Network: "net"}))
	says("another tag", "", inv.SetVLAN(VLAN{Name: "v2", Network: "net", ID: 20}))
	says("the same Vlan", both, inv.SetSubnet(Subnet{Name: "b", VLAN: "v1"}))
	says("the Vlan is gone", "VLAN v1;VLAN v1", inv.DeleteVLAN("v1"))
	says("no VLAN", "", inv.SetSubnet(Subnet{Name: "b"}))
	says("the Vlan again", "VLAN v1;VLAN v1", inv.SetSubnet(Subnet{Name: "b", VLAN: "v1"}))
	says("the subnet is gone", "", inv.DeleteSubnet("b"))
}
