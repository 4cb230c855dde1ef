package admission

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/multus"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/portsec"
)

// largeCluster returns a cluster of 10,000 pods on 200 subnets in 20 VPCs, with 200 policies, and in namespace "t" 500
// Vips and 200 exceptions. Reviews of pods of "t" have to look at each of these parts.
func largeCluster(mode policy.Mode) *scene {
	inv := inventory.New()
	for i := range 200 {
		s := inventory.Subnet{
			Name: fmt.Sprintf("subnet-%d", i), VPC: fmt.Sprintf("vpc-%d", i%20), Namespaces: []string{"t"},
			Gateways: []netip.Addr{netip.AddrFrom4([4]byte{10, byte(i / 20), 0, 1})},
			CIDRs:    []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i / 20), 0, 0}), 16)},
		}
		if i < multus.MaxNetworks {
			s.Provider = kubeovn.AttachmentProvider("t", fmt.Sprintf("net%d", i))
		}
		inv.SetSubnet(s)
	}
	for i := range 10_000 { // pods of ten VPCs have the same address
		name := fmt.Sprintf("pod-%d", i)
		a := netip.AddrFrom4([4]byte{10, byte(i % 10), byte(i / 10 / 250), byte(2 + i/10%250)})
		inv.SetRecord(
			&inventory.Record{
				Name:   name + ".u",
				MAC:    fmt.Sprintf("0a:00:00:00:%02x:%02x", i>>8, i&255),
				IPs:    []string{a.String()},
				Subnet: fmt.Sprintf("subnet-%d", i%200),
			},
		)
		inv.SetPod(&inventory.Pod{PodKey: inventory.PodKey{Namespace: "u", Name: name}, Owner: name})
	}
	for i := range 500 {
		inv.SetVip(inventory.Vip{
			Name: fmt.Sprintf("vip-%d", i), Namespace: "t", Subnet: "subnet-0",
			Addresses: []netip.Addr{netip.AddrFrom4([4]byte{10, 200, byte(i / 250), byte(1 + i%250)})},
		})
	}
	labelled := func(key string) policy.Selector { return func(l map[string]string) bool { return l[key] != "" } }
	for i := range 199 {
		inv.SetPolicy(
			policy.Policy{
				Name:      fmt.Sprintf("p%d", i),
				Priority:  2,
				Mode:      mode,
				Pods:      labelled(fmt.Sprintf("label-%d", i)),
				Providers: policy.Providers{"*.t.ovn"},
			},
		)
	}
	inv.SetPolicy(policy.Policy{
		Name:          "last",
		Mode:          mode,
		ExceptionsIn:  []string{"t"},
		ForbidsOthers: true,
		Limits: policy.Limits{
			Pairs:    64,
			Prefix4:  16,
			Prefix6:  48,
			Lifetime: policy.DefaultLifetime,
			Level:    policy.Open,
		},
	})
	for i := range 200 {
		e := policy.Exception{
			Namespace: "t",
			Name:      fmt.Sprintf("e%d", i),
			Pods:      labelled("label-0"),
			Asked:     now.Add(-time.Hour),
			Expires:   now.Add(time.Hour),
		}
		if i%2 == 1 {
			e.Expires = now.Add(-time.Minute)
		}
		for k := range 8 {
			e.Pairs = append(
				e.Pairs,
				portsec.AddressPair{Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{192, byte(i), byte(k), 0}), 24)},
			)
		}
		inv.SetException(e)
	}
	for i := range multus.MaxNetworks {
		inv.SetAttachment(kubeovn.Attachment{Namespace: "t", Name: fmt.Sprintf("net%d", i)}, kubeovn.KindOVN)
	}
	return &scene{
		inventory: inv,
		namespace: policy.Namespace{Name: "t", Annotations: map[string]string{lsp: "subnet-0"}},
		pods:      map[string]*Pod{},
	}
}

// shape is a pod that somebody writes to make its review slow; old is its former state, for an update.
type shape struct{ pod, old *Pod }

// someNetworks returns a list of that many networks of namespace "t".
func someNetworks(count int) string {
	list := make([]string, count)
	for i := range list {
		list[i] = fmt.Sprintf("net%d", i)
	}
	return strings.Join(list, ",")
}

// list returns a JSON list of that many items; item returns the item with a number.
func list(count int, item func(int) string) string {
	items := make([]string, count)
	for i := range items {
		items[i] = item(i)
	}
	return strings.Join(items, ",")
}

// taken returns an address that pods of ten VPCs have.
func taken(i int) string { return fmt.Sprintf("10.0.%d.%d", i/250, 2+i%250) }

// shapes returns pods that take as long to judge as a pod can, each in a different way.
func shapes() map[string]shape {
	keyed := func(suffix kubeovn.Suffix, value func(nic int) string) map[string]string {
		out := map[string]string{networks: someNetworks(multus.MaxNetworks)}
		for i := range multus.MaxNetworks {
			out[kubeovn.AttachmentProvider("t", fmt.Sprintf("net%d", i)).Key(suffix)] = value(i)
		}
		return out
	}
	labels := map[string]string{}
	for i := range 199 {
		labels[fmt.Sprintf("label-%d", i)] = "x"
	}
	of := func(annotations map[string]string) *Pod {
		return &Pod{Metadata: Metadata{Name: "p", Annotations: annotations, Labels: labels}}
	}
	free := func(i int) string { return fmt.Sprintf("2001:db8:aaaa:bbbb:cccc:dddd:1000:%x", i+1) }
	twice := make([]string, 0, multus.MaxNetworks)
	for i := range multus.MaxNetworks {
		twice = append(twice, fmt.Sprintf("net%d@if%d", i/2, i))
	}
	harmless := map[string]string{}
	for i := range 20_000 {
		harmless[fmt.Sprintf("a%d", i)] = ""
	}
	misspelt := map[string]string{}
	for i := range 4_500 {
		misspelt[fmt.Sprintf("n%d.t.ovn.kubernetes.io/port_vips", i)] = "10.0.0.1"
	}
	pooled := keyed(kubeovn.IPPool, func(nic int) string {
		if nic > 1 {
			return ""
		}
		return list(maxPoolItems, func(i int) string { return taken(i % 1000) })
	})
	everything := keyed(kubeovn.PortVIPs, func(int) string {
		return list(policy.ListLimit-4, func(i int) string { return fmt.Sprintf("10.200.0.%d", i+1) })
	})
	everything[kubeovn.AAPs] = list(policy.ListLimit, func(i int) string { return fmt.Sprintf("vip-%d", i) })
	maps.Copy(
		everything,
		map[string]string{
			policy.RecordAnnotation: "{" + list(
				1000,
				func(i int) string { return fmt.Sprintf(`"n%d":{"level":"strict"}`, i) },
			) + "}",
		},
	)
	out := map[string]shape{
		"addresses of each NIC that others have": {
			pod: of(keyed(kubeovn.IPAddress, func(int) string { return list(62, taken) })),
		},
		"free addresses of each NIC": {
			pod: of(keyed(kubeovn.IPAddress, func(int) string { return list(62, free) })),
		},
		"pools": {pod: of(pooled)},
		"subnets of each NIC": {
			pod: of(
				keyed(
					kubeovn.LogicalSwitch,
					func(int) string { return list(62, func(i int) string { return fmt.Sprintf("subnet-%d", i) }) },
				),
			),
		},
		"addresses of Vips on each NIC": {pod: of(everything)},
		"addresses of nobody on each NIC": {
			pod: of(keyed(kubeovn.PortVIPs, func(int) string { return list(62, free) })),
		},
		"MACs": {
			pod: of(keyed(kubeovn.MACAddress, func(i int) string { return fmt.Sprintf("0a:00:00:00:00:%02x", i) })),
		},
		"networks twice": {pod: of(map[string]string{networks: strings.Join(twice, ",")})},
		"networks as unreadable JSON": {
			pod: of(map[string]string{networks: "[" + strings.Repeat(`{"name":"n","a":{}},`, 3_200)}),
		},
		"annotations of no interest": {pod: of(harmless)},
		"keys of other NICs":         {pod: of(misspelt)},
		"duplicates": {
			pod: of(
				keyed(kubeovn.IPAddress, func(int) string { return strings.Repeat("10.0.0.2,", 750) + "10.0.0.3" }),
			),
		},
	}
	out["nothing but labels changed"] = shape{pod: out["addresses of Vips on each NIC"].pod, old: func() *Pod {
		p := *out["addresses of Vips on each NIC"].pod
		p.Metadata.Labels = maps.Clone(labels)
		p.Metadata.Labels["other"] = "x"
		return &p
	}()}
	out["all lists changed"] = shape{
		pod: out["addresses of Vips on each NIC"].pod,
		old: out["addresses of nobody on each NIC"].pod,
	}
	owners := &Pod{Metadata: Metadata{Name: "p"}}
	for i := range 10_000 {
		owners.Metadata.Owners = append(
			owners.Metadata.Owners,
			OwnerReference{APIVersion: "v1", Kind: "ConfigMap", Name: fmt.Sprintf("c%d", i), UID: strconv.Itoa(i)},
		)
	}
	reversed := *owners
	reversed.Metadata.Owners = slices.Clone(owners.Metadata.Owners)
	slices.Reverse(reversed.Metadata.Owners)
	out["owners changed"] = shape{pod: owners, old: &reversed}
	return out
}

// BenchmarkWorstPods measures the time of both webhooks for the pods that take longest to judge, next to the time to
// decode them whole as a bare webhook does. docs/admission.md has the bar, and `make bench-admission` holds the program
// to it.
func BenchmarkWorstPods(b *testing.B) {
	for _, mode := range []policy.Mode{policy.Enforce, policy.Audit} {
		s := largeCluster(mode)
		for name, c := range shapes() {
			b.Run(fmt.Sprintf("%s/%s", mode, name), func(b *testing.B) {
				req := request(tenant, admissionv1.Create, "")
				req.Object = raw(b, c.pod)
				if c.old != nil {
					req.Operation, req.OldObject = admissionv1.Update, raw(b, c.old)
				}
				measure(b, "bare", func() {
					for _, object := range [][]byte{req.Object.Raw, req.OldObject.Raw} {
						var pod corev1.Pod
						if len(object) == 0 {
							continue
						}
						if err := json.Unmarshal(object, &pod); err != nil {
							b.Fatal(err)
						}
					}
				})
				measure(b, "mutate", func() { ask(b, s, MutatePods, req) })
				measure(b, "guard", func() { ask(b, s, GuardPods, req) })
			})
		}
	}
}

// measure reports the processor time of the work, garbage collection included. The other load of the machine does not
// count.
func measure(b *testing.B, what string, work func()) {
	b.Helper()
	b.Run(what, func(b *testing.B) {
		begin := processorTime(b)
		for b.Loop() {
			work()
		}
		b.ReportMetric(float64((processorTime(b)-begin).Microseconds())/1e3/float64(b.N), "cpu-ms/op")
	})
}

func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
