package kube

import (
	"context"
	"errors"
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

func fullPod(change ...func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "ns", Name: "p", UID: "u", Labels: map[string]string{"app": "x"}, Finalizers: []string{"f"},
			Annotations:   map[string]string{kubeovn.Networks: "blue,other/red@net7"},
			ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "m"}},
		},
		Spec: corev1.PodSpec{
			NodeName:      "n",
			RestartPolicy: corev1.RestartPolicyAlways,
			Containers:    []corev1.Container{{Name: "c", Image: "i"}},
		},
		Status: corev1.PodStatus{Phase: corev1.PodRunning, PodIP: "10.0.0.1"},
	}
	for _, c := range change {
		c(p)
	}
	return p
}

func TestPodOf(t *testing.T) {
	now := metav1.NewTime(time.Unix(1, 0))
	cases := map[string]struct {
		change func(*corev1.Pod)
		check  func(*inventory.Pod) bool
	}{
		"plain": {func(*corev1.Pod) {}, func(p *inventory.Pod) bool {
			return p.Owner == "p" && p.UID == "u" && !p.HostNetwork && !p.Finished && !p.Terminating &&
				cmp.Equal(
					p.Attachments,
					[]kubeovn.Attachment{
						{Namespace: "ns", Name: "blue"},
						{Namespace: "other", Name: "red", Interface: "net7"},
					},
				)
		}},
		"host network": {
			func(p *corev1.Pod) { p.Spec.HostNetwork = true },
			func(p *inventory.Pod) bool { return p.HostNetwork },
		},
		"going": {
			func(p *corev1.Pod) { p.DeletionTimestamp = &now },
			func(p *inventory.Pod) bool { return p.Terminating },
		},
		"ended for good": {func(p *corev1.Pod) {
			p.Status.Phase, p.Spec.RestartPolicy = corev1.PodSucceeded, corev1.RestartPolicyNever
		}, func(p *inventory.Pod) bool { return p.Finished }},
		"ended, to be started again": {
			func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded },
			func(p *inventory.Pod) bool { return !p.Finished },
		},
		"evicted": {
			func(p *corev1.Pod) { p.Status.Phase, p.Status.Reason = corev1.PodFailed, "Evicted" },
			func(p *inventory.Pod) bool { return p.Finished },
		},
		"launcher of a VM": {func(p *corev1.Pod) {
			p.OwnerReferences = []metav1.OwnerReference{
				{APIVersion: "kubevirt.io/v1", Kind: "VirtualMachineInstance", Name: "vm"},
			}
		}, func(p *inventory.Pod) bool { return p.Owner == "vm" }},
		"owned by something of that kind elsewhere": {func(p *corev1.Pod) {
			p.OwnerReferences = []metav1.OwnerReference{
				{APIVersion: "example.org/v1", Kind: "VirtualMachineInstance", Name: "vm"},
			}
		}, func(p *inventory.Pod) bool { return p.Owner == "p" }},
		"networks not readable": {
			func(p *corev1.Pod) { p.Annotations[kubeovn.Networks] = "[null]" },
			func(p *inventory.Pod) bool { return len(p.Attachments) == 0 },
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := PodOf(fullPod(c.change)); !c.check(got) {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// A cache may drop everything that the inventory does not depend on, and nothing else.
func TestStripKeepsWhatIsRead(t *testing.T) {
	for _, change := range []func(*corev1.Pod){
		func(*corev1.Pod) {},
		func(p *corev1.Pod) { p.Spec.HostNetwork = true },
		func(p *corev1.Pod) {
			p.Status.Phase, p.Spec.RestartPolicy = corev1.PodFailed, corev1.RestartPolicyNever
		},
		func(p *corev1.Pod) { p.Status.Phase, p.Status.Reason = corev1.PodFailed, "Evicted" },
		func(p *corev1.Pod) {
			p.OwnerReferences = []metav1.OwnerReference{{
				APIVersion: "kubevirt.io/v1", Kind: "VirtualMachineInstance",
				Name: "vm",
			}}
		},
	} {
		pod := fullPod(change)
		whole := PodOf(pod)
		stripped, err := Strip(pod.DeepCopy())
		if err != nil {
			t.Fatal(err)
		}
		entry, ok := stripped.(*Entry)
		if !ok {
			t.Fatalf("%T is kept", stripped)
		}
		if diff := cmp.Diff(whole, entry.fact); diff != "" {
			t.Errorf("-whole +kept\n%s", diff)
		}
		key, err := cache.MetaNamespaceKeyFunc(entry)
		if m := entry.GetObjectMeta(); err != nil || key != pod.Namespace+"/"+pod.Name ||
			m.GetResourceVersion() != pod.ResourceVersion {
			t.Errorf("the cache sees %q, %+v: %v", key, m, err)
		}
	}
}

func object(kind schema.GroupVersionKind, name string, spec map[string]any) *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	u.SetGroupVersionKind(kind)
	u.SetName(name)
	return u
}

func TestRecordAndVip(t *testing.T) {
	got := RecordOf(object(IPKind, "p.ns", map[string]any{
		"macAddress":  "m",
		"v6IpAddress": "fd00::1",
		"v4IpAddress": "10.0.0.1",
		"podType":     "StatefulSet",
		"namespace":   "ns",
		"podName":     "p",
	}))
	want := &inventory.Record{
		Name:   "p.ns",
		MAC:    "m",
		IPs:    []string{"10.0.0.1", "fd00::1"},
		Keeper: "StatefulSet",
		Of:     inventory.PodKey{Namespace: "ns", Name: "p"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if got := RecordOf(object(IPKind, "x", map[string]any{"macAddress": int64(7)})); got.MAC != "" {
		t.Errorf("a number was taken for a MAC: %+v", got)
	}
	if got := VipOf(
		object(VipKind, "v", map[string]any{"namespace": "ns"}),
	); !reflect.DeepEqual(
		got,
		inventory.Vip{Name: "v", Namespace: "ns"},
	) {
		t.Errorf("got %+v", got)
	}
}

// A Vip's selector is a list of "key:value"; a pod must have all of them. An unreadable selector selects no pod.
func TestVipSelector(t *testing.T) {
	labels := map[string]string{"app": "ka", "tier": "edge"}
	for name, c := range map[string]struct {
		selector any
		picks    bool
	}{
		"one":             {[]any{"app: ka"}, true},
		"no blank":        {[]any{"app:ka"}, true},
		"all of them":     {[]any{"app: ka", "tier: edge"}, true},
		"one of two":      {[]any{"app: ka", "tier: core"}, false},
		"another value":   {[]any{"app: web"}, false},
		"another label":   {[]any{"name: ka"}, false},
		"no pair":         {[]any{"app"}, false},
		"not even a list": {"app: ka", false},
	} {
		v := VipOf(object(VipKind, "v", map[string]any{"namespace": "ns", "selector": c.selector}))
		if v.Pods == nil || v.Pods(labels) != c.picks {
			t.Errorf("%s: picks the pod: %t, want %t", name, v.Pods != nil && v.Pods(labels), c.picks)
		}
	}
	if v := VipOf(object(VipKind, "v", map[string]any{"namespace": "ns", "selector": []any{}})); v.Pods != nil {
		t.Error("an empty one is not for all pods")
	}
}

func TestHoldersOf(t *testing.T) {
	addresses := func(texts ...string) (list []netip.Addr) {
		for _, text := range texts {
			list = append(list, netip.MustParseAddr(text))
		}
		return list
	}
	vip := object(
		VipKind,
		"v",
		map[string]any{
			"namespace":  "ns",
			"type":       "switch_lb_vip",
			"v4ip":       "10.0.0.8",
			"macAddress": "0a:00:00:00:00:08",
		},
	)
	vip.Object["status"] = map[string]any{"v4ip": "10.0.0.9", "v6ip": "fd00::9", "mac": "0a:00:00:00:00:09"}
	wantVip := inventory.Vip{
		Name:      "v",
		Namespace: "ns",
		Type:      "switch_lb_vip",
		MAC:       "0a:00:00:00:00:09",
		Addresses: addresses("10.0.0.9", "fd00::9"),
	}
	if diff := cmp.Diff(wantVip, VipOf(vip), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("a Vip: -want +got\n%s", diff)
	}
	subnet := object(SubnetKind, "s", map[string]any{"gateway": "10.0.0.1", "excludeIps": []any{"10.0.0.5"}})
	subnet.Object["status"] = map[string]any{
		"u2oInterconnectionIP":  "10.0.0.2,fd00::2",
		"u2oInterconnectionMAC": "0a:00:00:00:00:02",
		"mcastQuerierIP":        "10.0.0.3",
		"mcastQuerierMAC":       "0a:00:00:00:00:03",
	}
	s := SubnetOf(subnet)
	if !slices.Equal(s.Own, addresses("10.0.0.2", "fd00::2", "10.0.0.3")) ||
		!slices.Equal(s.MACs, []string{"0a:00:00:00:00:02", "0a:00:00:00:00:03"}) ||
		!slices.Equal(s.Gateways, addresses("10.0.0.1")) {
		t.Errorf("a subnet: %+v", s)
	}

	// A Service is entered as the cache keeps it.
	inv := inventory.New()
	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "db"}}
	service.Spec.ClusterIPs, service.Spec.ExternalIPs = []string{"10.96.0.7", "fd96::7"}, []string{"203.0.113.7"}
	service.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{
		{Hostname: "db.example.org"},
		{IP: "203.0.113.8"},
	}
	stripped, err := Strip(service)
	if err != nil {
		t.Fatal(err)
	}
	source := sourceOf(t, corev1.SchemeGroupVersion.WithKind("Service"))
	source.Set(inv, stripped)
	all := addresses("10.96.0.7", "fd96::7", "203.0.113.7", "203.0.113.8")
	for _, a := range all {
		if got := inv.Holders(a, anywhere); len(got) != 1 || got[0].String() != "service ns/db" {
			t.Errorf("%s is that of %v", a, got)
		}
	}
	service.Spec.ExternalIPs, service.Status.LoadBalancer.Ingress = nil, nil
	source.Set(inv, service)
	if got := append(inv.Holders(all[2], anywhere), inv.Holders(all[3], anywhere)...); len(got) > 0 {
		t.Errorf("without addresses outside: %v", got)
	}
	source.Delete(inv, service)
	if got := inv.Holders(all[0], anywhere); len(got) > 0 {
		t.Errorf("after its end: %v", got)
	}
}

func sourceOf(t *testing.T, kind schema.GroupVersionKind) Source {
	t.Helper()
	for _, s := range Sources() {
		if s.Kind == kind {
			return s
		}
	}
	t.Fatalf("there is no source of %s", kind)
	return Source{}
}

func TestAttachmentOf(t *testing.T) {
	nad := &nadv1.NetworkAttachmentDefinition{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "blue"}}
	for config, want := range map[string]kubeovn.AttachmentKind{
		`{"type":"kube-ovn"}`: kubeovn.KindOVN, `{"type":"macvlan"}`: kubeovn.KindForeign, "{": kubeovn.KindUnknown,
		"": kubeovn.KindUnknown,
	} {
		nad.Spec.Config = config
		if a, kind := AttachmentOf(nad); kind != want || a != (kubeovn.Attachment{Namespace: "ns", Name: "blue"}) {
			t.Errorf("%q: %+v is %v, want %v", config, a, kind, want)
		}
	}
}

// Annotations that say nothing about ports are not kept, whatever their size.
func TestAnnotationsThatAreKept(t *testing.T) {
	pod := fullPod(func(p *corev1.Pod) {
		p.Annotations = map[string]string{
			"kubectl.kubernetes.io/last-applied-configuration": "{}",
			"ovn.kubernetes.io/cidr":                           "10.16.0.0/16",
			"ovn.kubernetes.io/allocated":                      "true",
			"ovn.kubernetes.io/port_security":                  "true",
			"net.ns.ovn.kubernetes.io/mac_address.eth1":        "0a:00:00:00:00:01",
			"ovn.kubernetes.io/aaps":                           "a",
			"ovn.kubernetes.io/vpc_nat_gw":                     "true",
			"example.org/x":                                    "y",
			policy.RecordAnnotation:                            "{}",
		}
	})
	want := map[string]string{
		"ovn.kubernetes.io/allocated":               "true",
		"ovn.kubernetes.io/port_security":           "true",
		"net.ns.ovn.kubernetes.io/mac_address.eth1": "0a:00:00:00:00:01",
		"ovn.kubernetes.io/aaps":                    "a",
		"ovn.kubernetes.io/vpc_nat_gw":              "true",
		policy.RecordAnnotation:                     "{}",
	}
	if diff := cmp.Diff(want, PodOf(pod).Annotations); diff != "" {
		t.Errorf("-want +kept\n%s", diff)
	}
}

// The inventory is the same whether it is fed with objects or with the reduced form in a cache.
func TestEntriesFeedTheInventory(t *testing.T) {
	ip := &unstructured.Unstructured{
		Object: map[string]any{
			"spec": map[string]any{
				"macAddress":  "0a:00:00:00:00:01",
				"v4IpAddress": "10.16.0.7",
				"subnet":      "ovn-default",
			},
		},
	}
	ip.SetGroupVersionKind(IPKind)
	pod := fullPod(func(*corev1.Pod) {})
	ip.SetName(pod.Name + "." + pod.Namespace)
	whole, kept := inventory.New(), inventory.New()
	feed := func(inv *inventory.Inventory, strip bool, remove bool) {
		for _, s := range Sources() {
			var object any
			switch s.Kind {
			case IPKind:
				object = ip.DeepCopy()
			case corev1.SchemeGroupVersion.WithKind("Pod"):
				object = pod.DeepCopy()
			default:
				continue
			}
			if strip {
				var err error
				if object, err = Strip(object); err != nil {
					t.Fatal(err)
				}
			}
			if remove {
				s.Delete(inv, object)
				continue
			}
			s.Set(inv, object)
		}
	}
	feed(whole, false, false)
	feed(kept, true, false)
	now := time.Unix(1, 0)
	if diff := cmp.Diff(
		whole.Port(ip.GetName(), now),
		kept.Port(ip.GetName(), now),
		cmpopts.EquateErrors(),
	); diff != "" || kept.Port(ip.GetName(), now).Record == nil ||
		kept.Port(ip.GetName(), now).Pod == nil {
		t.Errorf("-whole +kept\n%s", diff)
	}
	feed(kept, true, true)
	if names := kept.Names(); len(names) > 0 || kept.Port(ip.GetName(), now).Record != nil {
		t.Errorf("left over: %q", names)
	}
}

// server returns a client that has these objects and fails as intercept says.
func server(
	t *testing.T,
	get func(kind string) error,
	list func(kind string) error,
	objects ...client.Object,
) client.Client {
	t.Helper()
	scheme, err := Scheme()
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []schema.GroupVersionKind{IPKind, VipKind} {
		scheme.AddKnownTypeWithName(kind, &unstructured.Unstructured{})
		scheme.AddKnownTypeWithName(kind.GroupVersion().WithKind(kind.Kind+"List"), &unstructured.UnstructuredList{})
	}
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).WithInterceptorFuncs(interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object,
			opts ...client.GetOption,
		) error {
			if get != nil {
				if err := get(key.String()); err != nil {
					return err
				}
			}
			return c.Get(ctx, key, o, opts...)
		},
		List: func(ctx context.Context, c client.WithWatch, l client.ObjectList, opts ...client.ListOption) error {
			if list != nil {
				kind := l.GetObjectKind().GroupVersionKind().Kind
				if err := list(kind); err != nil {
					return err
				}
			}
			return c.List(ctx, l, opts...)
		},
	}).Build()
}

func TestLookup(t *testing.T) {
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "ns", Annotations: map[string]string{"k": "v"}}}
	blue := &nadv1.NetworkAttachmentDefinition{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "ns",
			Name:      "blue",
		},
		Spec: nadv1.NetworkAttachmentDefinitionSpec{Config: `{"type":"kube-ovn"}`},
	}
	down := func(string) error { return errors.New("down") }
	empty, full, broken := server(t, nil, nil), server(t, nil, nil, ns, blue), server(t, down, nil, ns, blue)
	for name, c := range map[string]struct {
		lookup Lookup
		err    bool
	}{
		"cached":                       {Lookup{Cache: full, Live: broken}, false},
		"not cached yet":               {Lookup{Cache: empty, Live: full}, false},
		"cache broken, server answers": {Lookup{Cache: broken, Live: full}, false},
		"not cached, server is down":   {Lookup{Cache: empty, Live: broken}, true},
		"neither has it":               {Lookup{Cache: empty, Live: empty}, true},
		"both broken":                  {Lookup{Cache: broken, Live: broken}, true},
	} {
		t.Run(name, func(t *testing.T) {
			got := c.lookup.Namespace(t.Context(), "ns")
			if got.Name != "ns" || (got.Err != nil) != c.err || (!c.err && got.Annotations["k"] != "v") {
				t.Errorf("namespace %+v", got)
			}
		})
	}
}

// The definition of a network comes from the API server, whatever a cache has.
func TestLookupOfADefinition(t *testing.T) {
	blue := kubeovn.Attachment{Namespace: "ns", Name: "blue"}
	with := func(config string) client.Reader {
		return server(t, nil, nil, &nadv1.NetworkAttachmentDefinition{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: "ns",
				Name:      "blue",
			},
			Spec: nadv1.NetworkAttachmentDefinitionSpec{Config: config},
		})
	}
	for name, c := range map[string]struct {
		live  client.Reader
		kind  kubeovn.AttachmentKind
		found bool
	}{
		"of OVN":     {with(`{"type":"kube-ovn"}`), kubeovn.KindOVN, true},
		"outside":    {with(`{"type":"macvlan"}`), kubeovn.KindForeign, true},
		"unreadable": {with(`{`), kubeovn.KindUnknown, true},
		"gone":       {server(t, nil, nil), kubeovn.KindUnknown, false},
	} {
		kind, found, err := Lookup{Cache: with(`{"type":"kube-ovn"}`), Live: c.live}.Definition(t.Context(), blue)
		if kind != c.kind || found != c.found || err != nil {
			t.Errorf("%s: %v, %v, %v", name, kind, found, err)
		}
	}
	down := func(string) error { return errors.New("down") }
	if _, _, err := (Lookup{Cache: with(`{"type":"kube-ovn"}`), Live: server(t, down, nil)}).Definition(
		t.Context(),
		blue,
	); err == nil {
		t.Error("the server is down, and the cache counts")
	}
}

// slowCache is a cache that is still being filled: it answers only when the caller's time is over.
type slowCache struct{ client.Reader }

func (slowCache) Get(ctx context.Context, _ client.ObjectKey, _ client.Object, _ ...client.GetOption) error {
	<-ctx.Done()
	return ctx.Err()
}

// A cache that is still being filled does not use up the time of a review: the API server is asked, and answers.
func TestLookupDoesNotWaitForTheCache(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "ns", Annotations: map[string]string{"k": "v"}}}
	got := Lookup{Cache: slowCache{}, Live: server(t, nil, nil, ns)}.Namespace(ctx, "ns")
	if got.Err != nil || got.Annotations["k"] != "v" || ctx.Err() != nil {
		t.Errorf("got %+v, %v", got, ctx.Err())
	}
}

func TestFill(t *testing.T) {
	objects := []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "ns"}},
		fullPod(func(p *corev1.Pod) { p.Annotations, p.ManagedFields = nil, nil }),
		object(IPKind, "p.ns", map[string]any{"macAddress": "m"}),
		object(VipKind, "v", map[string]any{"namespace": "ns", "type": "switch_lb_vip"}),
	}
	inv := inventory.New()
	missing, _, err := Fill(t.Context(), server(t, nil, nil, objects...), inv, "")
	if err != nil || len(missing) > 0 {
		t.Fatalf("missing %v, %v", missing, err)
	}
	if p := inv.Port("p.ns", time.Time{}); p.Pod == nil || p.Record == nil || p.Record.MAC != "m" {
		t.Errorf("port %+v", p)
	}
	if !inv.Port("v.ns", time.Time{}).Vip {
		t.Error("the Vip is not known")
	}

	noMatch := func(kind string) error {
		if kind == "IPList" {
			return &meta.NoKindMatchError{GroupKind: IPKind.GroupKind()}
		}
		return nil
	}
	missing, _, err = Fill(t.Context(), server(t, nil, noMatch, objects...), inventory.New(), "")
	if err != nil || len(missing) != 1 || missing[0].Kind != IPKind || missing[0].Lacks == "" {
		t.Errorf("missing %v, %v; want IP alone", missing, err)
	}
	down := func(string) error { return errors.New("down") }
	if _, _, err := Fill(t.Context(), server(t, nil, down), inventory.New(), ""); err == nil {
		t.Error("a server that is down is no error")
	}
}

// An unknown word, which a later version may define, is not applied to running ports; an absent field is the default.
func TestPolicyOfUnknownRepair(t *testing.T) {
	for word, want := range map[v1alpha1.Repair]policy.Repair{
		"": policy.RepairLog, v1alpha1.RepairOn: policy.RepairOn, v1alpha1.RepairLog: policy.RepairLog,
		v1alpha1.RepairOff: policy.RepairOff,
		"gently":           policy.RepairLog, "Repair": policy.RepairLog,
	} {
		if got := PolicyOf(
			&v1alpha1.PortSecurityPolicy{Spec: v1alpha1.PortSecurityPolicySpec{Repair: word}},
		).Repair; got != want {
			t.Errorf("%q: %v, want %v", word, got, want)
		}
	}
}

// anywhere accepts holders on every network.
func anywhere(inventory.Holder) bool { return true }

// Inherited keys count also in a policy that cannot be read as a whole, unless its namespaces are not known.
func TestPolicyOfInheritedKeys(t *testing.T) {
	keys := []string{"ovn.kubernetes.io/routes"}
	var o v1alpha1.PortSecurityPolicy
	o.Spec.InheritedKeys = keys
	if p := PolicyOf(&o); p.Err != nil || !slices.Equal(p.InheritedKeys, keys) {
		t.Errorf("%+v", p)
	}
	o.Spec.Exceptions = &v1alpha1.ExceptionRules{TicketPattern: "("}
	if p := PolicyOf(&o); p.Err == nil || !slices.Equal(p.InheritedKeys, keys) {
		t.Errorf("with another mistake: %+v", p)
	}
	o.Spec.NamespaceSelector = &metav1.LabelSelector{
		MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "a", Operator: "Near"}},
	}
	if p := PolicyOf(&o); p.Err == nil || p.InheritedKeys != nil {
		t.Errorf("with a selector that cannot be read: %+v", p)
	}
}
