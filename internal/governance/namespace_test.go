package governance

import (
	"errors"
	"maps"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ovnguard/ovnguard/internal/policy"
)

// namespace returns a namespace; keys beginning with "label:" are labels, the others annotations.
func namespace(name string, keys map[string]string) *corev1.Namespace {
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: name, Labels: map[string]string{labelName: name}, Annotations: map[string]string{},
	}}
	for k, v := range keys {
		if label, ok := strings.CutPrefix(k, "label:"); ok {
			ns.Labels[label] = v
		} else {
			ns.Annotations[k] = v
		}
	}
	return ns
}

// policiesOfTests returns a catch-all that is strict and repairs, a loose policy and an auditing one that labels
// select, and one that tightens by the labels of pods.
func policiesOfTests() []policy.Policy {
	return []policy.Policy{
		{Name: "all", Repair: policy.RepairOn},
		{Name: "loose", Priority: 10, Namespaces: labelled("tier", "edge"), Level: policy.MAC, Repair: policy.RepairOn},
		{
			Name:       "watch",
			Priority:   10,
			Namespaces: labelled("tier", "watch"),
			Mode:       policy.Audit,
			Repair:     policy.RepairOn,
		},
		{
			Name:       "blue",
			Priority:   20,
			Namespaces: labelled("tier", "blue"),
			Providers:  policy.Providers{"blue.*"},
			Level:      policy.Open,
			Repair:     policy.RepairOn,
		},
		{
			Name:         "honour",
			Priority:     10,
			Namespaces:   labelled("tier", "honour"),
			ExceptionsIn: []string{"shop"},
			Repair:       policy.RepairOn,
		},
		{
			Name:       "vault",
			Priority:   30,
			Namespaces: labelled("vault", "yes"),
			Pods:       labelled("app", "vault"),
			Repair:     policy.RepairOn,
		},
	}
}

func TestThreat25NamespaceWeakening(t *testing.T) {
	type keys = map[string]string
	const exempt = `"exempt"`
	cases := map[string]struct {
		old, now keys // old is nil for a creation
		words    []string
	}{
		"open becomes mac": {
			old:   keys{"label:tier": "edge", ps: "false"},
			now:   keys{"label:tier": "edge"},
			words: []string{"ask for port security themselves", "mac instead of strict", exempt},
		},
		"over a policy for pods": {
			old:   keys{"label:tier": "edge", "label:vault": "yes"},
			now:   keys{"label:tier": "edge", "label:vault": "yes", "label:ovnguard.io/level": "mac"},
			words: []string{`policy "vault"`, "mac instead of strict", exempt},
		},
		"unrelated":      {old: keys{"a": "1"}, now: keys{"a": "2", "label:x": "y"}},
		"plain creation": {now: keys{"label:team": "a"}},
		"off": {
			old:   keys{},
			now:   keys{ps: "false"},
			words: []string{"open instead of strict", exempt, "resourceNames: [shop]"},
		},
		"off, in a word":  {old: keys{}, now: keys{ps: " Disabled"}, words: []string{exempt}},
		"off at creation": {now: keys{ps: "false"}, words: []string{exempt}},
		"off for a NIC": {
			old:   keys{},
			now:   keys{"blue.shop.ovn.kubernetes.io/port_security": "false"},
			words: []string{"blue.shop.ovn", exempt},
		},
		"off, what was off": {old: keys{ps: "false"}, now: keys{ps: "0"}},
		"on":                {old: keys{}, now: keys{ps: "true"}},
		"back on":           {old: keys{ps: "false"}, now: keys{}},
		"a tightening key is gone": {
			old:   keys{"label:tier": "edge", ps: "true"},
			now:   keys{"label:tier": "edge"},
			words: []string{"mac instead of strict", exempt},
		},
		"forwarding": {
			old:   keys{},
			now:   keys{l2: "true"},
			words: []string{"layer-2 forwarding", exempt},
		},
		"level label": {
			old:   keys{},
			now:   keys{"label:ovnguard.io/level": "mac"},
			words: []string{"mac instead of strict", exempt},
		},
		"level label at creation": {now: keys{"label:ovnguard.io/level": "open"}, words: []string{exempt}},
		"tightening level label is gone": {
			old:   keys{"label:tier": "edge", "label:ovnguard.io/level": "strict"},
			now:   keys{"label:tier": "edge"},
			words: []string{exempt},
		},
		"garbage": {
			old:   keys{},
			now:   keys{ps: "flase"},
			words: []string{ps, `"true"`, "remove the annotation"},
		},
		"garbage for a NIC": {
			now:   keys{"blue.shop.ovn.kubernetes.io/layer2_forward": "x"},
			words: []string{"blue.shop.ovn"},
		},
		"garbage that was there": {old: keys{ps: "flase"}, now: keys{ps: "flase", "a": "1"}},
		"garbage level": {
			old:   keys{},
			now:   keys{"label:ovnguard.io/level": "opne"},
			words: []string{"strict, mac and open"},
		},
		"garbage level that was there": {
			old: keys{"label:ovnguard.io/level": "opne"},
			now: keys{"label:ovnguard.io/level": "opne", "label:x": "y"},
		},
		"on becomes garbage, off nothing": {old: keys{ps: "true"}, now: keys{ps: ""}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			for _, sub := range []string{"", "status", "finalize"} {
				var old any
				if c.old != nil {
					old = namespace("shop", c.old)
				} else if sub != "" {
					continue
				}
				req := request(t, "namespaces", namespace("shop", c.now), old)
				req.SubResource = sub
				g := guardOf(&tableCluster{policies: policiesOfTests()})
				a, err := g.Namespace(t.Context(), req)
				expect(t, a, err, c.words...)

				if len(c.words) > 0 && strings.Contains(strings.Join(c.words, " "), exempt) {
					g = guardOf(
						&tableCluster{
							policies: policiesOfTests(),
							rights:   []string{"alice exempt namespaces.ovnguard.io /shop"},
						},
					)
					a, err := g.Namespace(t.Context(), req)
					expect(t, a, err)
					if a.Notes["exempt"] == "" {
						t.Error("what the right was used for is not in the audit annotations")
					}
				}
			}
		})
	}
}

// A label that selects another policy needs the same right as the key itself.
func TestThreat26SelfExemptLabel(t *testing.T) {
	cases := map[string]struct{ label, word string }{
		"loose level":        {"label:tier=edge", "mac instead of strict"},
		"loose for some NIC": {"label:tier=blue", "open instead of strict"},
		"audit only":         {"label:tier=watch", "mode audit instead of enforce"},
		"exceptions":         {"label:tier=honour", "exceptions are honoured"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			key, value, _ := strings.Cut(c.label, "=")
			g := guardOf(&tableCluster{policies: policiesOfTests()})
			for _, old := range []any{nil, namespace("shop", nil)} {
				a, err := g.Namespace(
					t.Context(),
					request(t, "namespaces", namespace("shop", map[string]string{key: value}), old),
				)
				expect(t, a, err, c.word, `"exempt"`)
			}
			a, err := g.Namespace(
				t.Context(),
				request(t, "namespaces", namespace("shop", nil), namespace("shop", map[string]string{key: value})),
			)
			expect(t, a, err) // back to the strict one
		})
	}
	g := guardOf(&tableCluster{policies: policiesOfTests()})
	a, err := g.Namespace(
		t.Context(),
		request(t, "namespaces", namespace("shop", nil), namespace("shop", map[string]string{"label:vault": "yes"})),
	)
	expect(t, a, err, `"vault" would no longer tighten`, `"exempt"`)
}

// Where the API server cannot be asked whether a user may, the user may not.
func TestThreat30NamespaceWithoutAnAnswer(t *testing.T) {
	req := request(t, "namespaces", namespace("shop", map[string]string{ps: "false"}), namespace("shop", nil))
	a, err := guardOf(
		&tableCluster{rights: []string{"alice exempt namespaces.ovnguard.io /shop"}, rightsErr: errors.New("timeout")},
	).Namespace(t.Context(), req)
	expect(t, a, err, "did not answer", "timeout")
	a, err = guardOf(&tableCluster{policyErr: errors.New("timeout")}).Namespace(t.Context(), req)
	expect(t, a, err, "policies could not be read")
	if _, err := guardOf(
		&tableCluster{},
	).Namespace(t.Context(), request(t, "pods", namespace("shop", nil), nil)); err == nil {
		t.Error("a pod was judged as a namespace")
	}
}

func TestThreatT17NamespacePlacement(t *testing.T) {
	for _, key := range placement {
		for _, pair := range [][2]map[string]string{
			{nil, {key: "bank-net"}}, {{key: "ovn-default"}, {key: "bank-net"}}, {{key: "ovn-default"}, nil},
		} {
			req := request(t, "namespaces", namespace("shop", pair[1]), namespace("shop", pair[0]))
			a, err := guardOf(&tableCluster{}).Namespace(t.Context(), req)
			expect(t, a, err, key, `"exempt"`)
			a, err = guardOf(
				&tableCluster{rights: []string{"alice exempt namespaces.ovnguard.io /shop"}},
			).Namespace(t.Context(), req)
			expect(t, a, err)
			req.UserInfo.Username = "system:serviceaccount:kube-system:ovn"
			a, err = guardOf(&tableCluster{}).Namespace(t.Context(), req)
			expect(t, a, err)
		}
	}
	// Kube-OVN's account is trusted only with its own keys.
	req := request(t, "namespaces", namespace("shop", map[string]string{ps: "false"}), namespace("shop", nil))
	req.UserInfo.Username = "system:serviceaccount:kube-system:ovn"
	a, err := guardOf(&tableCluster{}).Namespace(t.Context(), req)
	expect(t, a, err, `"exempt"`)
}

func TestThreat21NamespaceNames(t *testing.T) {
	for _, name := range []string{"ovn", "net1", "net12", "eth0"} {
		a, err := guardOf(&tableCluster{}).Namespace(t.Context(), request(t, "namespaces", namespace(name, nil), nil))
		expect(t, a, err, "metadata.name", "reserved")
		a, err = guardOf(
			&tableCluster{},
		).Namespace(t.Context(), request(t, "namespaces", namespace(name, map[string]string{"a": "b"}), namespace(name, nil)))
		expect(t, a, err) // an existing namespace can still be changed
	}
	for _, name := range []string{"ovn-apps", "network1", "net"} {
		a, err := guardOf(&tableCluster{}).Namespace(t.Context(), request(t, "namespaces", namespace(name, nil), nil))
		expect(t, a, err)
	}
}

// Anyone who makes the namespace of an exempt account owns the account.
func TestThreatT39NamespaceOfAnExemptAccount(t *testing.T) {
	may := []string{
		"alice exempt namespaces.ovnguard.io /kubevirt",
		"alice exempt namespaces.ovnguard.io /vms",
		"alice exempt namespaces.ovnguard.io /ovnguard-system",
	}
	for name, account := range map[string]string{
		"kubevirt":        "system:serviceaccount:kubevirt:kubevirt-controller",
		"vms":             "system:serviceaccount:vms:virt",
		"ovnguard-system": "system:serviceaccount:ovnguard-system:ovnguard",
		"kubevir":         "", "kubevirt-2": "", "shop": "",
	} {
		for _, without := range []bool{false, true} { // KubeVirt may be installed later
			guard := func(rights ...string) *fedGuard {
				g := guardOf(&tableCluster{rights: rights})
				g.Accounts.KubeVirt = append(g.Accounts.KubeVirt, "system:serviceaccount:vms:virt")
				g.Accounts.Self = []string{"system:serviceaccount:ovnguard-system:ovnguard"}
				g.Accounts.WithoutKubeVirt = without
				return g
			}
			made := request(t, "namespaces", namespace(name, nil), nil)
			a, err := guard().Namespace(t.Context(), made)
			if account == "" {
				expect(t, a, err)
				continue
			}
			expect(t, a, err, "metadata.name", account, `"exempt"`, "resourceNames: ["+name+"]")
			a, err = guard(may...).Namespace(t.Context(), made)
			expect(t, a, err)
			if !strings.Contains(a.Notes["exempt"], account) {
				t.Errorf("namespace %s: the audit annotations %q do not say what the right was used for", name, a.Notes)
			}
			// An existing namespace has its owners already.
			a, err = guard().Namespace(t.Context(), request(t, "namespaces", namespace(name,
				map[string]string{"a": "b"}), namespace(name, nil)))
			expect(t, a, err)
		}
	}
}

func TestNamespaceTellsTheEffect(t *testing.T) {
	g := guardOf(&tableCluster{rights: []string{"alice exempt namespaces.ovnguard.io /shop"}})
	a, err := g.Namespace(
		t.Context(),
		request(t, "namespaces", namespace("shop", map[string]string{ps: "false"}), namespace("shop", nil)),
	)
	expect(t, a, err)
	if len(a.Warnings) != 1 || !strings.Contains(a.Warnings[0], "loosens 1 and tightens 0 of the 1 running ports") {
		t.Errorf("warnings %q", a.Warnings)
	}
}

// The right is checked for the user of the request, with their groups, and only where it is needed.
func TestNamespaceAsksForNoMoreThanNeeded(t *testing.T) {
	c := &tableCluster{}
	if _, err := guardOf(
		c,
	).Namespace(t.Context(), request(t, "namespaces", namespace("shop", map[string]string{ps: "true"}),
		namespace("shop", nil))); err != nil {
		t.Fatal(err)
	}
	if len(c.asked) > 0 {
		t.Errorf("asked %q for a tightening", c.asked)
	}
}

func FuzzNamespace(f *testing.F) {
	f.Add(ps, "false", "ovnguard.io/level", "open")
	f.Add("blue.shop.ovn.kubernetes.io/layer2_forward", " 1", "tier", "edge")
	f.Fuzz(func(t *testing.T, key, value, label, labelValue string) {
		// Whatever is written, no port gets looser without the right.
		old, now := namespace("shop", nil), namespace("shop", nil)
		now.Annotations[key], now.Labels[label] = value, labelValue
		now.Labels[labelName] = "shop"
		policies := policiesOfTests()
		policy.SortPolicies(policies)
		a, err := guardOf(&tableCluster{policies: policies}).Namespace(t.Context(), request(t, "namespaces", now, old))
		if err != nil || len(a.Denials()) > 0 {
			return
		}
		decide := func(ns *corev1.Namespace, p policy.Policy) policy.Decision {
			return policy.Decide(
				policy.Query{
					Provider: "ovn",
					Namespace: policy.Namespace{
						Name:        "shop",
						Labels:      ns.Labels,
						Annotations: maps.Clone(ns.Annotations),
					},
					Policies: policies,
				},
			)
		}
		if decide(now, policy.Policy{}).Looser(decide(old, policy.Policy{})) {
			t.Errorf("%q=%q, %q=%q was let through and loosens", key, value, label, labelValue)
		}
	})
}

func TestNamespaceRubbish(t *testing.T) {
	req := request(t, "namespaces", namespace("shop", nil), nil)
	req.Object.Raw = []byte(`{"metadata":[]}`)
	if _, err := guardOf(&tableCluster{}).Namespace(t.Context(), req); err == nil {
		t.Error("an invalid request was judged")
	}
	req.Operation = admissionv1.Delete
	if _, err := guardOf(&tableCluster{}).Namespace(t.Context(), req); err == nil {
		t.Error("a deletion was judged")
	}
}
