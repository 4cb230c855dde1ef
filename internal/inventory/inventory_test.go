package inventory

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
	_ "github.com/ovnguard/ovnguard/test/sameseed"
)

var nad = kubeovn.Attachment{Namespace: "a", Name: "nad1"}

func pod(namespace, name string, change ...func(*Pod)) *Pod {
	p := &Pod{PodKey: PodKey{Namespace: namespace, Name: name}, UID: namespace + name, Owner: name}
	for _, c := range change {
		c(p)
	}
	return p
}

func withNAD(p *Pod) {
	p.Attachments = []kubeovn.Attachment{{Namespace: "a", Name: "nad1", Interface: "net1"}}
}

func TestTouched(t *testing.T) {
	inv := New()
	check := func(what string, got, want []string) {
		t.Helper()
		slices.Sort(got)
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s touched: -want +got\n%s", what, diff)
		}
	}
	check("new pod", inv.SetPod(pod("a", "p", withNAD)), []string{"p.a", "p.a.nad1.a.ovn"})
	check("its namespace", inv.SetNamespace(policy.Namespace{Name: "a"}), []string{"p.a", "p.a.nad1.a.ovn"})
	check("another namespace", inv.SetNamespace(policy.Namespace{Name: "b"}), nil)
	check(
		"its attachment turns out foreign",
		inv.SetAttachment(nad, kubeovn.KindForeign),
		[]string{"p.a", "p.a.nad1.a.ovn"},
	)
	check("namespace as it was", inv.SetNamespace(policy.Namespace{Name: "a"}), nil)
	labelled := policy.Namespace{Name: "a", Labels: map[string]string{"team": "x"}}
	check("namespace with a label", inv.SetNamespace(labelled), []string{"p.a"})
	check("namespace as it was, with a label", inv.SetNamespace(labelled), nil)
	check("namespace gone", inv.DeleteNamespace("a"), []string{"p.a"})
	check("namespace again", inv.SetNamespace(labelled), []string{"p.a"})
	check("attachment gone", inv.DeleteAttachment(nad), []string{"p.a", "p.a.nad1.a.ovn"})
	check("pod without it", inv.SetPod(pod("a", "p")), []string{"p.a", "p.a.nad1.a.ovn"})
	check("attachment nobody uses", inv.SetAttachment(nad, kubeovn.KindOVN), nil)
	check("row", inv.SetRow(&Row{Name: "p.a"}), []string{"p.a"})
	check("record", inv.SetRecord(&Record{Name: "p.a"}), []string{"p.a"})
	check("vip", inv.SetVip(Vip{Name: "v", Namespace: "a", Type: kubeovn.VipSwitchLB}), []string{"v.a"})
	check("vip moves", inv.SetVip(Vip{Name: "v", Namespace: "b", Type: kubeovn.VipSwitchLB}), []string{"v.a", "v.b"})
	check("vip that pods share", inv.SetVip(Vip{Name: "v", Namespace: "b"}), []string{"v.b"})
	check("pod gone", inv.DeletePod(PodKey{"a", "p"}), []string{"p.a"})
	check("pod gone twice", inv.DeletePod(PodKey{"a", "p"}), nil)
	check("hostNetwork", inv.SetPod(pod("a", "h", func(p *Pod) { p.HostNetwork = true })), nil)
	set, parent := policy.Owner{
		Kind: "ReplicaSet",
		Name: "r",
		UID:  "u1",
	}, policy.Owner{
		Kind: "Deployment",
		Name: "d",
		UID:  "u2",
	}
	inv.SetPod(pod("a", "p", func(p *Pod) { p.Controller = &set }))
	check("owner", inv.SetOwner(set, &parent), []string{"p.a"})
	check("owner as it was", inv.SetOwner(set, &policy.Owner{Kind: "Deployment", Name: "d", UID: "u2"}), nil)
	check("owner without its own", inv.SetOwner(set, nil), []string{"p.a"})
	check("owner gone", inv.DeleteOwner("u1"), []string{"p.a"})
	inv.DeletePod(PodKey{"a", "p"})
	if diff := cmp.Diff([]string{"p.a"}, inv.Names()); diff != "" {
		t.Errorf("names: -want +got\n%s", diff)
	}
}

func TestPortPicture(t *testing.T) {
	inv := New()
	inv.SetNamespace(
		policy.Namespace{Name: "a", Annotations: map[string]string{"ovn.kubernetes.io/port_security": "false"}},
	)
	inv.SetPod(pod("a", "p", withNAD))
	inv.SetAttachment(nad, kubeovn.KindOVN)
	inv.SetRow(&Row{Name: "p.a", UUID: "u"})
	inv.SetRecord(&Record{Name: "p.a", MAC: "m"})

	p := inv.Port("p.a", time.Time{})
	if p.Pod == nil || p.Row == nil || p.Record == nil || p.Decision.Level != policy.Open ||
		p.Provider != kubeovn.DefaultProvider ||
		!p.NICKnown {
		t.Errorf("default NIC: %+v", p)
	}
	p = inv.Port("p.a.nad1.a.ovn", time.Time{})
	if p.Pod == nil || p.Row != nil || p.Decision.Level != policy.Strict || p.Provider != "nad1.a.ovn" || !p.NICKnown {
		t.Errorf("attachment: %+v", p)
	}
	inv.DeleteAttachment(nad)
	if p = inv.Port("p.a.nad1.a.ovn", time.Time{}); p.Pod == nil || p.NICKnown {
		t.Errorf("attachment not readable: %+v", p)
	}
	inv.DeleteNamespace("a")
	if p = inv.Port(
		"p.a",
		time.Time{},
	); p.Decision.Level != policy.Strict ||
		p.Decision.Steps[0].Outcome != policy.NotKnown {
		t.Errorf("namespace not seen: %+v", p.Decision)
	}
	if p = inv.Port("nobody", time.Time{}); p.Pod != nil || p.Row != nil {
		t.Errorf("unknown name: %+v", p)
	}
}

// The launcher pods of one VM share a port. The tightest decision counts, and a pod that has ended does not count.
func TestSharedPort(t *testing.T) {
	vm := func(p *Pod) { p.Owner = "vm" }
	loose := func(p *Pod) { p.Annotations = map[string]string{"ovn.kubernetes.io/port_security": "false"} }
	tight := func(p *Pod) { p.Annotations = map[string]string{"ovn.kubernetes.io/port_security": "true"} }
	ended := func(p *Pod) { p.Finished = true }
	inv := New()
	inv.SetNamespace(
		policy.Namespace{Name: "a", Annotations: map[string]string{"ovn.kubernetes.io/port_security": "false"}},
	)
	inv.SetPod(pod("a", "launcher-1", vm, loose))
	inv.SetPod(pod("a", "launcher-2", vm, tight))
	if p := inv.Port("vm.a", time.Time{}); p.Pod.Name != "launcher-2" || p.Decision.Level != policy.Strict {
		t.Errorf("both run: %s, %v", p.Pod.Name, p.Decision.Level)
	}
	inv.SetPod(pod("a", "launcher-2", vm, tight, ended))
	if p := inv.Port("vm.a", time.Time{}); p.Pod.Name != "launcher-1" || p.Decision.Level != policy.Open {
		t.Errorf("the tight one has ended: %s, %v", p.Pod.Name, p.Decision.Level)
	}
	inv.DeletePod(PodKey{"a", "launcher-1"})
	if p := inv.Port("vm.a", time.Time{}); p.Pod == nil || p.Pod.Name != "launcher-2" {
		t.Errorf("only the ended one is left: %+v", p.Pod)
	}
}

// However facts arrive, the state equals that of an inventory that was filled with the last of each; and every port
// with a changed state was named as affected.
func TestOrderDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		inv := New()
		pods := map[PodKey]*Pod{}
		namespaces := map[string]policy.Namespace{}
		kinds := map[kubeovn.Attachment]kubeovn.AttachmentKind{}
		name := rapid.SampledFrom([]string{"p", "q"})
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			before := pictures(inv)
			var touched []string
			ns, n := name.Draw(t, "namespace"), name.Draw(t, "pod")
			switch rapid.IntRange(0, 4).Draw(t, "action") {
			case 0:
				p := pod(ns, n, func(p *Pod) {
					p.HostNetwork = rapid.Bool().Draw(t, "host")
					p.Finished = rapid.Bool().Draw(t, "finished")
					p.Owner = name.Draw(t, "owner")
					if rapid.Bool().Draw(t, "attached") {
						withNAD(p)
					}
					p.Annotations = map[string]string{
						"ovn.kubernetes.io/port_security": rapid.SampledFrom([]string{"true", "false"}).Draw(t, "wish"),
					}
				})
				pods[p.PodKey] = p
				touched = inv.SetPod(p)
			case 1:
				delete(pods, PodKey{ns, n})
				touched = inv.DeletePod(PodKey{ns, n})
			case 2:
				facts := policy.Namespace{
					Name: ns,
					Annotations: map[string]string{
						"ovn.kubernetes.io/port_security": rapid.SampledFrom([]string{"true", "false", ""}).
							Draw(t, "floor"),
					},
				}
				namespaces[ns] = facts
				touched = inv.SetNamespace(facts)
			case 3:
				kinds[nad] = rapid.SampledFrom([]kubeovn.AttachmentKind{kubeovn.KindOVN, kubeovn.KindForeign, kubeovn.KindUnknown}).
					Draw(t, "kind")
				touched = inv.SetAttachment(nad, kinds[nad])
			case 4:
				delete(kinds, nad)
				touched = inv.DeleteAttachment(nad)
			}
			after := pictures(inv)
			for port := range after {
				if after[port] != before[port] && !slices.Contains(touched, port) {
					t.Fatalf(
						"%s changed from %s to %s but was not named in %q",
						port,
						before[port],
						after[port],
						touched,
					)
				}
			}
			for port := range before {
				if _, ok := after[port]; !ok && !slices.Contains(touched, port) {
					t.Fatalf("%s went away but was not named in %q", port, touched)
				}
			}
		}
		fresh := New()
		for _, p := range pods {
			fresh.SetPod(p)
		}
		for _, ns := range namespaces {
			fresh.SetNamespace(ns)
		}
		for a, k := range kinds {
			fresh.SetAttachment(a, k)
		}
		if diff := cmp.Diff(pictures(fresh), pictures(inv)); diff != "" {
			t.Fatalf("-filled afresh +grown by events\n%s", diff)
		}
	})
}

func pictures(inv *Inventory) map[string]string {
	out := make(map[string]string)
	for _, name := range inv.Names() {
		p := inv.Port(name, time.Time{})
		who := ""
		if p.Pod != nil {
			who = fmt.Sprintf("%v %v", p.Pod.PodKey, p.Pod.Annotations)
		}
		out[name] = fmt.Sprintf("%s %s %v %v", who, p.Provider, p.NICKnown, p.Decision)
	}
	return out
}

// Shares covers every port once, in any number of parts, with the same ports as one-by-one reads.
func TestShares(t *testing.T) {
	inv := New()
	now := time.Unix(1, 0)
	for i := range 10 {
		name := fmt.Sprintf("p%d", i)
		inv.SetPod(&Pod{PodKey: PodKey{"ns", name}, UID: name, Owner: name})
	}
	inv.SetRow(&Row{UUID: "r", Name: "orphan"})
	inv.SetRecord(&Record{Name: "nobody's"})
	for _, parts := range []int{1, 2, 3, 20} {
		var seen []string
		for _, share := range inv.Shares(parts, now) {
			for port := range share {
				seen = append(seen, port.Name)
				if diff := cmp.Diff(inv.Port(port.Name, now), port, cmpopts.EquateErrors()); diff != "" {
					t.Errorf("-one by one +all\n%s", diff)
				}
			}
		}
		if slices.Sort(seen); !slices.Equal(seen, inv.Names()) {
			t.Errorf("in %d parts: %q, want %q", parts, seen, inv.Names())
		}
	}
}
