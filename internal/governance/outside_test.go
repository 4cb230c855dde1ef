package governance

import (
	"errors"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
	"github.com/ovnguard/ovnguard/internal/admission"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// Configs of network shop/blue of each kind, and the network that a pod with it was admitted to.
const (
	onOVN    = `{"type":"kube-ovn","provider":"blue.shop.ovn"}`
	alsoOVN  = `{"plugins":[{"type":"kube-ovn","provider":"blue.shop.ovn"},{"type":"portmap"}]}`
	macvlan  = `{"type":"macvlan","master":"eth0"}`
	ipvlan   = `{"type":"ipvlan","master":"eth0"}`
	bothKind = `{"plugins":[{"type":"kube-ovn","provider":"blue.shop.ovn"},{"type":"macvlan"}]}`
)

// turned returns the request that makes network shop/blue, or changes it from what it was before.
func turned(t *testing.T, now string, before ...string) *admissionv1.AdmissionRequest {
	t.Helper()
	req := attachmentRequest(t, now)
	if len(before) > 0 {
		req.Operation, req.OldObject = admissionv1.Update, attachmentRequest(t, before[0]).Object
	}
	return req
}

// A definition for OVN does not change into another kind while a policy forbids other networks, whoever changes it: the
// pods that were admitted to it would get another network when they start.
func TestThreat12DefinitionTurned(t *testing.T) {
	forbids := func(p *policy.Policy) { p.ForbidsOthers = true }
	cases := map[string]struct {
		before, now string
		policy      func(*policy.Policy)
		refused     bool
	}{
		"to macvlan":            {onOVN, macvlan, forbids, true},
		"to both":               {onOVN, bothKind, forbids, true},
		"to a file on the node": {onOVN, "", forbids, true},
		"from a list":           {alsoOVN, macvlan, forbids, true},
		"for pods with a label": {
			onOVN,
			macvlan,
			func(p *policy.Policy) { p.ForbidsOthers, p.Pods = true, labelled("app", "web") },
			true,
		},
		"for another namespace": {
			onOVN,
			macvlan,
			func(p *policy.Policy) { p.ForbidsOthers, p.Namespaces = true, labelled(labelName, "bank") },
			true,
		},
		"for this network": {
			onOVN,
			macvlan,
			func(p *policy.Policy) { p.ForbidsOthers, p.Providers = true, policy.Providers{"*.shop.ovn"} },
			true,
		},
		"for other networks": {
			onOVN,
			macvlan,
			func(p *policy.Policy) { p.ForbidsOthers, p.Providers = true, policy.Providers{"*.bank.ovn"} },
			false,
		},
		"allowed":                 {onOVN, macvlan, func(*policy.Policy) {}, false},
		"to another list of OVN":  {onOVN, alsoOVN, forbids, false},
		"from macvlan to OVN":     {macvlan, onOVN, forbids, false},
		"from macvlan to another": {macvlan, ipvlan, forbids, false},
		"from both to macvlan":    {bothKind, macvlan, forbids, false},
		"nothing changes":         {onOVN, onOVN, forbids, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			a, err := guardOf(honouring(c.policy)).Attachment(t.Context(), turned(t, c.now, c.before))
			if c.refused {
				expect(
					t,
					a,
					err,
					"spec.config",
					"PortSecurityPolicy all forbids those",
					"with a new name",
					"an administrator",
					"spec.otherNetworks",
				)
			} else {
				expect(t, a, err)
			}
		})
	}
	broken := honouring(forbids)
	broken.policyErr = errors.New("timeout")
	a, err := guardOf(broken).Attachment(t.Context(), turned(t, macvlan, onOVN))
	expect(t, a, err, "the policies could not be read", "try again", "timeout")
	a, err = guardOf(broken).Attachment(t.Context(), turned(t, alsoOVN, onOVN))
	expect(t, a, err)
}

// Deleting the definition and making it again with another kind is the same trick, where pods with a policy that
// forbids other networks ask for it; for other pods it is allowed.
func TestThreat12DefinitionMadeAgain(t *testing.T) {
	forbids := func(p *policy.Policy) { p.ForbidsOthers = true }
	cases := map[string]struct {
		now    string
		policy func(*policy.Policy)
		pod    func(*inventory.Pod)
		words  []string // none where it is allowed
	}{
		"macvlan": {
			macvlan,
			forbids,
			nil,
			[]string{
				"pod bank/user would get NICs outside OVN",
				"network shop/blue",
				"PortSecurityPolicy all",
				"another name",
				"otherNetworks",
			},
		},
		"both":               {bothKind, forbids, nil, []string{"pod bank/user"}},
		"a file on the node": {"", forbids, nil, []string{"pod bank/user"}},
		"as the default": {
			macvlan,
			forbids,
			func(p *inventory.Pod) { p.DefaultNetwork, p.Attachments = &p.Attachments[0], nil },
			[]string{"pod bank/user"},
		},
		"by an interface": {
			macvlan,
			forbids,
			func(p *inventory.Pod) { p.Attachments[0].Interface = "net7" },
			[]string{"pod bank/user"},
		},
		"of OVN":  {onOVN, forbids, nil, nil},
		"allowed": {macvlan, func(*policy.Policy) {}, nil, nil},
		"for another namespace": {
			macvlan,
			func(p *policy.Policy) { p.ForbidsOthers, p.Namespaces = true, labelled(labelName, "shop") },
			nil,
			nil,
		},
		"for pods with a label": {
			macvlan,
			func(p *policy.Policy) { p.ForbidsOthers, p.Pods = true, labelled("app", "web") },
			nil,
			[]string{"pod bank/user"},
		},
		"the pod has ended":     {macvlan, forbids, func(p *inventory.Pod) { p.Finished = true }, nil},
		"the pod is going":      {macvlan, forbids, func(p *inventory.Pod) { p.Terminating = true }, nil},
		"on its node's network": {macvlan, forbids, func(p *inventory.Pod) { p.HostNetwork = true }, nil},
		"a network of that name": {
			macvlan,
			forbids,
			func(p *inventory.Pod) { p.Attachments[0].Namespace = "bank" },
			nil,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			g := guardOf(honouring(c.policy))
			p := &inventory.Pod{
				PodKey: inventory.PodKey{
					Namespace: "bank",
					Name:      "user",
				},
				Owner:       "user",
				Labels:      map[string]string{"app": "web"},
				Attachments: []kubeovn.Attachment{{Namespace: "shop", Name: "blue"}},
			}
			if c.pod != nil {
				c.pod(p)
			}
			g.feed(func(inv *inventory.Inventory) { inv.SetPod(p) })
			a, err := g.Attachment(t.Context(), turned(t, c.now))
			expect(t, a, err, c.words...)
		})
	}
	g := guardOf(honouring(forbids))
	g.feed(func(inv *inventory.Inventory) {
		for _, name := range []string{"e", "d", "c", "b", "a"} {
			inv.SetPod(&inventory.Pod{
				PodKey: inventory.PodKey{
					Namespace: "bank",
					Name:      name,
				},
				Owner:       name,
				Attachments: []kubeovn.Attachment{{Namespace: "shop", Name: "blue"}},
			})
		}
	})
	a, err := g.Attachment(t.Context(), turned(t, macvlan))
	expect(t, a, err, "pods bank/a, bank/b, bank/c and 2 more")
	for _, kind := range []inventory.Kind{inventory.Pods, inventory.Policies} {
		g = guardOf(honouring())
		g.feed(func(inv *inventory.Inventory) { inv.Expect(kind) })
		a, err = g.Attachment(t.Context(), turned(t, macvlan))
		expect(t, a, err, string(kind), "have not been read yet", "try again")
		a, err = g.Attachment(t.Context(), turned(t, onOVN))
		expect(t, a, err)
	}
}

func TestThreat12DefinitionByMode(t *testing.T) {
	for mode, warned := range map[policy.Mode]bool{policy.Warn: true, policy.Audit: false} {
		g := guardOf(honouring(func(p *policy.Policy) { p.ForbidsOthers, p.Mode = true, mode }))
		g.feed(func(inv *inventory.Inventory) {
			inv.SetPod(&inventory.Pod{
				PodKey: inventory.PodKey{
					Namespace: "bank",
					Name:      "user",
				},
				Owner:       "user",
				Attachments: []kubeovn.Attachment{{Namespace: "shop", Name: "blue"}},
			})
		})
		for what, req := range map[string]*admissionv1.AdmissionRequest{"turned": turned(t, macvlan, onOVN), "made " +
			"again": turned(t, macvlan)} {
			a, err := g.Attachment(t.Context(), req)
			expect(t, a, err)
			r := respond(t, a)
			if strings.Contains(strings.Join(r.Warnings, "\n"), "would be refused") != warned ||
				!strings.Contains(r.AuditAnnotations[admission.NoteViolation], "outside OVN") {
				t.Errorf("%s under %s: %+v", what, mode, r)
			}
		}
	}
}

// The author of a policy that forbids other networks learns how many pods have one; they keep it for as long as they
// run.
func TestForbiddingTellsWhoHasOthers(t *testing.T) {
	g := guardOf(honouring())
	g.feed(func(inv *inventory.Inventory) {
		inv.SetAttachment(kubeovn.Attachment{Namespace: "shop", Name: "blue"}, kubeovn.KindForeign)
		for _, name := range []string{"a", "b"} {
			inv.SetPod(&inventory.Pod{
				PodKey: inventory.PodKey{
					Namespace: "shop",
					Name:      name,
				},
				Owner:       name,
				Attachments: []kubeovn.Attachment{{Namespace: "shop", Name: "blue"}},
			})
		}
	})
	says := func(others v1alpha1.Permission) *v1alpha1.PortSecurityPolicy {
		return &v1alpha1.PortSecurityPolicy{
			ObjectMeta: metav1.ObjectMeta{Name: "all"},
			Spec:       v1alpha1.PortSecurityPolicySpec{OtherNetworks: others},
		}
	}
	a, err := g.Policy(
		t.Context(),
		request(t, "portsecuritypolicies.ovnguard.io", says(v1alpha1.Forbid), says(v1alpha1.Allow)),
	)
	expect(t, a, err)
	if said := strings.Join(
		a.Warnings,
		"\n",
	); !strings.Contains(said, "outside OVN, which this forbids: 2;") ||
		a.Notes["outside"] != "2" {
		t.Errorf("warnings %q, notes %q", a.Warnings, a.Notes)
	}
	a, err = g.Policy(
		t.Context(),
		request(t, "portsecuritypolicies.ovnguard.io", says(v1alpha1.Allow), says(v1alpha1.Allow)),
	)
	expect(t, a, err)
	if said := strings.Join(a.Warnings, "\n"); strings.Contains(said, "outside OVN") {
		t.Errorf("allowed: warnings %q", a.Warnings)
	}
}
