package policy

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// A Vip grants its address if the NIC is certainly in its VPC.
func TestVIPOfTheNICsVPC(t *testing.T) {
	const here, there = "ovn-cluster", "island"
	for name, c := range map[string]struct {
		vip     string
		nic     []string
		granted bool
	}{
		"the same":                     {here, []string{here}, true},
		"another":                      {there, []string{here}, false},
		"one of two":                   {here, []string{here, there}, false},
		"the NIC's cannot be told":     {here, []string{""}, false},
		"nobody asked for the NIC's":   {here, nil, false},
		"the Vip's cannot be told":     {"", []string{here}, false},
		"neither can be told":          {"", []string{""}, false},
		"one of two that can be told":  {here, []string{"", here}, false},
		"the same, which is no matter": {there, []string{there}, true},
	} {
		t.Run(name, func(t *testing.T) {
			d := Decide(Query{
				Provider:  kubeovn.DefaultProvider,
				Namespace: Namespace{Name: "ns"},
				VPCs:      c.nic,
				Pod:       Pod{Annotations: map[string]string{"ovn.kubernetes.io/port_vips": "10.0.0.9"}},
				VIPs: []VIP{
					{Name: "v", Subnet: "s", VPC: c.vip, Addresses: []netip.Addr{netip.MustParseAddr("10.0.0.9")}},
				},
			})
			if got := len(d.Pairs) == 1 &&
				d.Level == Extended; got != c.granted ||
				(len(d.Refusals()) == 0) != c.granted {
				t.Errorf("granted %v, want %v: %+v", got, c.granted, d)
			}
		})
	}
	// Another Vip with the same address may be the one in the VPC.
	d := Decide(Query{
		Provider: kubeovn.DefaultProvider, Namespace: Namespace{Name: "ns"}, VPCs: []string{here},
		Pod: Pod{Annotations: map[string]string{"ovn.kubernetes.io/port_vips": "10.0.0.9"}},
		VIPs: []VIP{
			{Name: "far", VPC: there, Addresses: []netip.Addr{netip.MustParseAddr("10.0.0.9")}},
			{Name: "near", VPC: here, Addresses: []netip.Addr{netip.MustParseAddr("10.0.0.9")}},
		},
	})
	if len(d.Pairs) != 1 || len(d.Refusals()) > 0 {
		t.Errorf("%+v", d)
	}
}

// A Vip that selects pods is for those pods, whether a pod names the Vip or its address.
func TestVIPOfSelectedPods(t *testing.T) {
	vip := VIP{
		Name: "v", Subnet: "s", VPC: "vpc", Addresses: []netip.Addr{netip.MustParseAddr("10.0.0.9")},
		Pods: func(labels map[string]string) bool { return labels["app"] == "ka" },
	}
	for key, text := range map[string]string{"ovn.kubernetes.io/port_vips": "10.0.0.9", kubeovn.AAPs: "v"} {
		for app, granted := range map[string]bool{"ka": true, "other": false, "": false} {
			d := Decide(Query{
				Provider: kubeovn.DefaultProvider, Namespace: Namespace{Name: "ns"}, VPCs: []string{"vpc"},
				Pod:  Pod{Annotations: map[string]string{key: text}, Labels: map[string]string{"app": app}},
				VIPs: []VIP{vip},
			})
			refusals := d.Refusals()
			if (len(d.Pairs) == 1) != granted || (len(refusals) == 0) != granted {
				t.Errorf("%s, app %q: granted %v, %+v", key, app, d.Pairs, refusals)
			}
			if !granted && !strings.Contains(refusals[0].Detail, "spec.selector") {
				t.Errorf("%s, app %q: %q does not name spec.selector", key, app, refusals[0].Detail)
			}
		}
	}
}

// The addresses that the NIC's subnet shares are granted as port_vips, and nothing else.
func TestSharedVIPOfTheNICsSubnet(t *testing.T) {
	for text, granted := range map[string]bool{"10.0.0.9": true, "10.0.0.8": false} {
		d := Decide(Query{
			Provider: kubeovn.DefaultProvider, Namespace: Namespace{Name: "ns"},
			Pod:    Pod{Annotations: map[string]string{"ovn.kubernetes.io/port_vips": text}},
			Shared: []VIP{{Subnet: "s", Addresses: []netip.Addr{netip.MustParseAddr("10.0.0.9")}}},
		})
		if got := len(d.Pairs) == 1 && d.Level == Extended; got != granted || (len(d.Refusals()) == 0) != granted {
			t.Errorf("%s: granted %v, want %v: %+v", text, got, granted, d)
		}
	}
}
