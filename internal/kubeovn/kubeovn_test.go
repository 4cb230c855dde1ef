package kubeovn

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestKey(t *testing.T) {
	if got := AttachmentProvider(
		"t-nad",
		"nad1",
	).Key(PortSecurity); got != "nad1.t-nad.ovn.kubernetes.io/port_security" {
		t.Errorf("attachment key %q", got)
	}
	p, s, ok := SplitKey("nad1.t-nad.ovn.kubernetes.io/port_security")
	if !ok || p != "nad1.t-nad.ovn" || s != PortSecurity {
		t.Errorf("SplitKey gave %q %q %v", p, s, ok)
	}
	for _, key := range []string{
		"", "app", "kubernetes.io/x", ".kubernetes.io/x", "ovn.kubernetes.io/", "k8s.v1.cni.cncf.io/networks",
	} {
		if p, s, ok := SplitKey(key); ok {
			t.Errorf("SplitKey(%q) gave %q %q, want no provider", key, p, s)
		}
	}
}

// The names are from the real controller.
func TestPortName(t *testing.T) {
	cases := []struct {
		owner, namespace string
		provider         Provider
		want             string
	}{
		{"a02-ps-true", "t-plain", DefaultProvider, "a02-ps-true.t-plain"},
		{"g04-nad-both", "t-nad", AttachmentProvider("t-nad", "nad1"), "g04-nad-both.t-nad.nad1.t-nad.ovn"},
		{
			"g10-nad-twice",
			"t-nad",
			AttachmentProvider("t-nad", "nad1") + ".net1",
			"g10-nad-twice.t-nad.nad1.t-nad.ovn.net1",
		},
		{"i04vm", "t-plain", DefaultProvider, "i04vm.t-plain"},
	}
	for _, c := range cases {
		if got := PortName(c.owner, c.namespace, c.provider); got != c.want {
			t.Errorf("PortName(%q, %q, %q) = %q, want %q", c.owner, c.namespace, c.provider, got, c.want)
		}
	}
}

func TestParseToggle(t *testing.T) {
	want := map[string]Toggle{
		"": Unset, "  ": Unset, "true": On, "True": On, " TRUE\n": On, "1": On, "yes": On, "enabled": On,
		"false": Off, "False": Off, "0": Off, "off": Off, "no": Off,
	}
	for value, toggle := range want {
		if got, err := ParseToggle(value); err != nil || got != toggle {
			t.Errorf("ParseToggle(%q) = %v, %v; want %v", value, got, err, toggle)
		}
	}
	for _, value := range []string{"tru", "2", "unknown", "true false", "trüe", "nil"} {
		if got, err := ParseToggle(value); err == nil {
			t.Errorf("ParseToggle(%q) = %v, want an error", value, got)
		}
	}
}

func TestNICs(t *testing.T) {
	kinds := map[Attachment]AttachmentKind{
		{Namespace: "a", Name: "ovn1"}:                    KindOVN,
		{Namespace: "a", Name: "ovn1", Interface: "net1"}: KindOVN,
		{Namespace: "a", Name: "ovn1", Interface: "net2"}: KindOVN,
		{Namespace: "a", Name: "macvlan"}:                 KindForeign,
	}
	kind := func(a Attachment) AttachmentKind { return kinds[a] }
	cases := map[string]struct {
		def  *Attachment
		list []Attachment
		want []NIC
	}{
		"default only": {want: []NIC{{DefaultProvider, KindOVN, false}}},
		"one attachment": {
			list: []Attachment{{Namespace: "a", Name: "ovn1"}},
			want: []NIC{{DefaultProvider, KindOVN, false}, {"ovn1.a.ovn", KindOVN, false}},
		},
		"outside OVN": {
			list: []Attachment{{Namespace: "a", Name: "macvlan"}},
			want: []NIC{{DefaultProvider, KindOVN, false}},
		},
		"not readable": {
			list: []Attachment{{Namespace: "a", Name: "gone"}},
			want: []NIC{{DefaultProvider, KindOVN, false}, {"gone.a.ovn", KindUnknown, false}},
		},
		"default replaced": {
			def:  &Attachment{Namespace: "a", Name: "ovn1"},
			want: []NIC{{"ovn1.a.ovn", KindOVN, false}},
		},
		"default replaced and listed again": {
			def:  &Attachment{Namespace: "a", Name: "ovn1", Interface: "net1"},
			list: []Attachment{{Namespace: "a", Name: "ovn1", Interface: "net2"}},
			want: []NIC{
				{"ovn1.a.ovn", KindOVN, true},
				{"ovn1.a.ovn.net1", KindOVN, true},
				{"ovn1.a.ovn.net2", KindOVN, true},
			},
		},
		"twice with interfaces": {
			list: []Attachment{
				{Namespace: "a", Name: "ovn1", Interface: "net1"},
				{Namespace: "a", Name: "ovn1", Interface: "net2"},
			},
			want: []NIC{
				{DefaultProvider, KindOVN, false},
				{"ovn1.a.ovn", KindOVN, true},
				{"ovn1.a.ovn.net1", KindOVN, true},
				{"ovn1.a.ovn.net2", KindOVN, true},
			},
		},
		"twice, once with an interface": {
			list: []Attachment{{Namespace: "a", Name: "ovn1"}, {Namespace: "a", Name: "ovn1", Interface: "net2"}},
			want: []NIC{
				{DefaultProvider, KindOVN, false},
				{"ovn1.a.ovn", KindOVN, false},
				{"ovn1.a.ovn.net2", KindOVN, true},
			},
		},
		"once with an interface": {
			list: []Attachment{{Namespace: "a", Name: "ovn1", Interface: "net1"}},
			want: []NIC{{DefaultProvider, KindOVN, false}, {"ovn1.a.ovn", KindOVN, false}},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, NICs(c.def, c.list, kind)); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestKindOfConfig(t *testing.T) {
	cases := map[string]AttachmentKind{
		"": KindUnknown,
		`{"type":"kube-ovn","provider":"nad1.t-nad.ovn"}`:                      KindOVN,
		`{"plugins":[{"type":"kube-ovn"},{"type":"portmap"}]}`:                 KindOVN,
		`{"type":"macvlan","master":"eth0","ipam":{"type":"kube-ovn"}}`:        KindForeign,
		`{"cniVersion":"0.3.0","plugins":[{"type":"macvlan"},{"type":"sbr"}]}`: KindForeign,
		// These configurations make another NIC as well, or may make one.
		`{"plugins":[{"type":"kube-ovn"},{"type":"macvlan"}]}`:                                    KindMixed,
		`{"plugins":[{"type":"macvlan"},{"type":"kube-ovn"}]}`:                                    KindMixed,
		`{"plugins":[{"type":"kube-ovn"},{"type":"our-own"}]}`:                                    KindMixed,
		`{"plugins":[{"type":"kube-ovn"},{}]}`:                                                    KindMixed,
		`{"type":"macvlan","plugins":[{"type":"kube-ovn"}]}`:                                      KindMixed,
		`{"type":"kube-ovn","plugins":[{"type":"portmap"}]}`:                                      KindMixed,
		`{"type":"kube-ovn","plugins":[]}`:                                                        KindOVN,
		`{"plugins":[{"type":"kube-ovn"},{"type":"tuning","promisc":true},{"type":"bandwidth"}]}`: KindOVN,
		// Readers may parse these in different ways.
		`{"type":"macvlan","type":"kube-ovn"}`:                                            KindMixed,
		`{"type":"macvlan","Type":"kube-ovn"}`:                                            KindMixed,
		`{"TYPE":"kube-ovn"}`:                                                             KindMixed,
		`{"plugins":[{"type":"macvlan","tYpe":"kube-ovn"}]}`:                              KindMixed,
		`{"plugins":[{"type":"macvlan"}],"plugin` + "\u017f" + `":[{"type":"kube-ovn"}]}`: KindMixed,
		`{"Plugins":[{"type":"kube-ovn"}]}`:                                               KindMixed,
		`{"type":"kube-ovn","name":"a","NAME":"b"}`:                                       KindMixed,
	}
	for config, want := range cases {
		if got, err := KindOfConfig(config); err != nil || got != want {
			t.Errorf("KindOfConfig(%s) = %v, %v; want %v", config, got, err, want)
		}
	}
	for _, config := range []string{"{", `"kube-ovn"`, "type: kube-ovn"} {
		if got, err := KindOfConfig(config); err == nil {
			t.Errorf("KindOfConfig(%s) = %v, want an error", config, got)
		}
	}
}

// The keys of the default network are written out for speed; they equal the rule's result.
func TestKeyOfTheDefaultNetwork(t *testing.T) {
	for _, s := range []Suffix{PortSecurity, Layer2Forward, PortVIPs, MACAddress, IPAddress, Allocated, Routed, VIP} {
		if got, want := DefaultProvider.Key(s), "ovn.kubernetes.io/"+string(s); got != want {
			t.Errorf("%s: %s, want %s", s, got, want)
		}
	}
}

func TestProviderAttachment(t *testing.T) {
	for p, want := range map[Provider]Provider{
		"ovn": "ovn", "blue.lab.ovn": "blue.lab.ovn", "blue.lab.ovn.net1": "blue.lab.ovn",
		"blue.lab.ovn.eth0.100": "blue.lab.ovn",
		"a.ovn.b.lab.ovn":       "a.ovn.b.lab.ovn", "a.ovn.b.lab.ovn.net1": "a.ovn.b.lab.ovn", "blue.lab": "blue.lab",
		"": "",
	} {
		if got := p.Attachment(); got != want {
			t.Errorf("%q: %q, want %q", p, got, want)
		}
	}
}
