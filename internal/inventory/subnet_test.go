package inventory

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

func TestMayBeOn(t *testing.T) {
	const blue, net1 = kubeovn.Provider("blue.u.ovn"), kubeovn.Provider("blue.u.ovn.net1")
	inv := New()
	for _, s := range []Subnet{
		{Name: "default"}, {Name: "b2", Provider: blue}, {Name: "b1", Provider: blue}, {Name: "deep", Provider: net1},
	} {
		inv.SetSubnet(s)
	}
	inv.SetPool(Pool{Name: "pool", Subnet: "pooled"})
	noted := map[string]string{"ovn.kubernetes.io/logical_switch": "n1,n2"}
	for name, c := range map[string]struct {
		provider  kubeovn.Provider
		pod       map[string]string
		namespace map[string]string
		want      []string
	}{
		"nothing said": {provider: "ovn"},
		"namespace":    {provider: "ovn", namespace: noted, want: []string{"n1", "n2"}},
		"pod": {
			provider: "ovn", namespace: noted, pod: map[string]string{"ovn.kubernetes.io/logical_switch": "own"},
			want: []string{"own"},
		},
		"pool": {
			provider: "ovn", namespace: noted, pod: map[string]string{"ovn.kubernetes.io/ip_pool": "pool"},
			want: []string{"n1", "n2", "pooled"},
		},
		"addresses to choose from": {
			provider: "ovn", namespace: noted, pod: map[string]string{"ovn.kubernetes.io/ip_pool": "10.0.0.1"},
			want: []string{"n1", "n2"},
		},
		"attachment": {provider: blue, namespace: noted, want: []string{"b1", "b2"}},
		"attachment, chosen": {
			provider: blue, pod: map[string]string{"blue.u.ovn.kubernetes.io/logical_switch": "own"},
			want: []string{"own"},
		},
		"interface": {provider: net1, want: []string{"b1", "b2", "deep"}},
		"interface, by the other key": {
			provider: net1, pod: map[string]string{"blue.u.ovn.kubernetes.io/logical_switch": "own"},
			want: []string{"b1", "b2", "deep"},
		},
		"attachment without a subnet": {provider: "red.u.ovn", namespace: noted, want: []string{"n1", "n2"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := inv.MayBeOn(c.pod, policy.Namespace{Name: "ns", Annotations: c.namespace}, c.provider)
			if diff := cmp.Diff(c.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestVPCOf(t *testing.T) {
	inv := New()
	check := func(what, subnet, want string) {
		t.Helper()
		if got := inv.VPCOf(subnet); got != want {
			t.Errorf("%s: VPC of %q is %q, want %q", what, subnet, got, want)
		}
	}
	check("nothing known", "x", kubeovn.DefaultVPC)
	inv.SetSubnet(Subnet{Name: "a", VPC: "own"})
	inv.SetSubnet(Subnet{Name: "b", VPC: "own"})
	check("one VPC", "x", "own")
	inv.SetSubnet(Subnet{Name: "c"})
	check("two VPCs", "x", "")
	check("two VPCs", "", "")
	check("two VPCs", "a", "own")
	check("not written", "c", kubeovn.DefaultVPC)
	inv.SetSubnet(Subnet{Name: "d", VPC: kubeovn.DefaultVPC})
	inv.DeleteSubnet("a")
	inv.DeleteSubnet("b")
	check("written and not written", "x", kubeovn.DefaultVPC)
}

// A pod that asks for a Vip's address is judged again when subnets come and go.
func TestSubnetsTouchPodsThatAsk(t *testing.T) {
	inv := New()
	inv.SetPod(
		pod("a", "asks", func(p *Pod) { p.Annotations = map[string]string{"ovn.kubernetes.io/port_vips": "10.0.0.9"} }),
	)
	inv.SetPod(pod("a", "other"))
	for what, touched := range map[string][]string{
		"set": inv.SetSubnet(Subnet{Name: "s"}), "deleted": inv.DeleteSubnet("s"),
	} {
		if !slices.Equal(touched, []string{"asks.a"}) {
			t.Errorf("%s: touched %q", what, touched)
		}
	}
	inv.DeletePod(PodKey{"a", "asks"})
	if touched := inv.SetSubnet(Subnet{Name: "s"}); len(touched) > 0 {
		t.Errorf("the pod is gone: touched %q", touched)
	}
}

func TestOpened(t *testing.T) {
	picks := func(key string) policy.Selector {
		return func(l map[string]string) bool { return l[key] != "" }
	}
	inv := New()
	for _, s := range []Subnet{
		{Name: "all"},
		{Name: "bank", Selectors: []policy.Selector{picks("bank")}},
		{Name: "bank2", Selectors: []policy.Selector{picks("no"), picks("bank")}},
		{Name: "named", Namespaces: []string{"ns"}, Selectors: []policy.Selector{picks("bank")}},
		{Name: "others", Namespaces: []string{"x"}},
	} {
		inv.SetSubnet(s)
	}
	plain := policy.Namespace{Name: "ns", Labels: map[string]string{"x": "y"}}
	labelled := policy.Namespace{Name: "ns", Labels: map[string]string{"bank": "yes"}}
	noted := labelled
	noted.Annotations = map[string]string{"ovn.kubernetes.io/logical_switch": "others"}
	for name, c := range map[string]struct {
		was, is policy.Namespace
		want    []string
	}{
		"labelled": {plain, labelled, []string{"bank", "bank2"}}, "no longer": {labelled, plain, nil},
		"the same":                       {labelled, labelled, nil},
		"what is noted is not by labels": {plain, noted, []string{"bank", "bank2"}},
	} {
		if got := inv.Opened(c.was, c.is); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
