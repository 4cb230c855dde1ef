package governance

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kube"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// A user who switches repair on learns how many ports it writes at once, and which; there is no number where repair was
// on before.
func TestPolicyTellsWhatRepairWrites(t *testing.T) {
	g := guardOf(honouring(func(p *policy.Policy) { p.Repair = policy.RepairLog }))
	g.feed(func(inv *inventory.Inventory) {
		inv.SetPod(&inventory.Pod{PodKey: inventory.PodKey{Namespace: "bank", Name: "open-0"}, Owner: "open-0"})
	})
	says := func(repair v1alpha1.Repair) *v1alpha1.PortSecurityPolicy {
		return &v1alpha1.PortSecurityPolicy{
			ObjectMeta: metav1.ObjectMeta{
				Name: "first",
			},
			Spec: v1alpha1.PortSecurityPolicySpec{Priority: 100, Repair: repair},
		}
	}
	a, err := g.Policy(
		t.Context(),
		request(t, "portsecuritypolicies.ovnguard.io", says(v1alpha1.RepairOn), says(v1alpha1.RepairLog)),
	)
	expect(t, a, err)
	want := "this turns repair on for 3 of the 3 running ports it applies to, and repair writes 1 of them at " +
		"once, such as open-0.bank;"
	if said := strings.Join(
		a.Warnings,
		"\n",
	); !strings.Contains(said, want) ||
		a.Notes["repaired"] != "begins 3, writes 1" {
		t.Errorf("warnings %q, notes %q", a.Warnings, a.Notes)
	}
	a, err = g.Policy(
		t.Context(),
		request(t, "portsecuritypolicies.ovnguard.io", says(v1alpha1.RepairLog), says(v1alpha1.RepairOn)),
	)
	expect(t, a, err)
	if said := strings.Join(a.Warnings, "\n"); strings.Contains(said, "this turns repair on") {
		t.Errorf("to log: warnings %q", a.Warnings)
	}
}

// The author of a policy that decides nothing learns which policies come before it.
func TestPolicyTellsWhatShadowsIt(t *testing.T) {
	g := guardOf(honouring())
	g.feed(func(inv *inventory.Inventory) {
		inv.SetPolicy(policy.Policy{Name: "general", Priority: 7})
	})
	says := func(priority int32) *v1alpha1.PortSecurityPolicy {
		return &v1alpha1.PortSecurityPolicy{
			ObjectMeta: metav1.ObjectMeta{Name: "special"},
			Spec: v1alpha1.PortSecurityPolicySpec{
				Priority:          priority,
				NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{labelName: "shop"}},
			},
		}
	}
	for priority, want := range map[int32]string{
		5: "policy special decides nothing: general come before it",
		7: "policy special decides nothing: general come before it",
		9: "",
	} {
		a, err := g.Policy(t.Context(), request(t, "portsecuritypolicies.ovnguard.io", says(priority), nil))
		expect(t, a, err)
		said := strings.Join(a.Warnings, "\n")
		if want == "" && strings.Contains(said, "decides nothing") || !strings.Contains(said, want) {
			t.Errorf("priority %d: warnings %q", priority, a.Warnings)
		}
	}
}

// A user who ends the enforcement of a policy learns what that means for new pods, and how many running pods it
// affects.
func TestPolicyTellsWhatItProtectsNoMore(t *testing.T) {
	says := func(mode v1alpha1.Mode) *v1alpha1.PortSecurityPolicy {
		return &v1alpha1.PortSecurityPolicy{
			ObjectMeta: metav1.ObjectMeta{Name: "first"},
			Spec:       v1alpha1.PortSecurityPolicySpec{Priority: 100, Mode: mode},
		}
	}
	for name, c := range map[string]struct {
		now, old  v1alpha1.Mode // old is empty for a new policy
		new, ends bool          // which warnings are due: on new pods, and on running ports
	}{
		"new, and warns":         {v1alpha1.ModeWarn, "", true, true},
		"from enforce to audit":  {v1alpha1.ModeAudit, v1alpha1.ModeEnforce, true, true},
		"from audit to warn":     {v1alpha1.ModeWarn, v1alpha1.ModeAudit, true, false},
		"warns as before":        {v1alpha1.ModeWarn, v1alpha1.ModeWarn, false, false},
		"new, and enforces":      {v1alpha1.ModeEnforce, "", false, false},
		"from warn to enforcing": {v1alpha1.ModeEnforce, v1alpha1.ModeWarn, false, false},
	} {
		g := guardOf(honouring())
		var old any
		if c.old != "" {
			was := says(c.old)
			old = was
			g.feed(func(inv *inventory.Inventory) { inv.SetPolicy(kube.PolicyOf(was)) })
		}
		a, err := g.Policy(t.Context(), request(t, "portsecuritypolicies.ovnguard.io", says(c.now), old))
		expect(t, a, err)
		said := strings.Join(a.Warnings, "\n")
		if strings.Contains(said, "protects nothing: new pods") != c.new ||
			strings.Contains(said, "policy is no longer enforced for") != c.ends {
			t.Errorf("%s: warnings %q", name, a.Warnings)
		}
	}
}

// A policy cannot come to list a guarded key: the refusal names the field, the key and the reason. A key that is listed
// already is ignored, and the rest of the policy can be changed.
func TestPolicyListsNoGuardedKeys(t *testing.T) {
	lists := func(keys ...string) *v1alpha1.PortSecurityPolicy {
		return &v1alpha1.PortSecurityPolicy{
			ObjectMeta: metav1.ObjectMeta{Name: "first"},
			Spec:       v1alpha1.PortSecurityPolicySpec{Priority: 100, InheritedKeys: keys},
		}
	}
	const routes, guarded = "ovn.kubernetes.io/routes", "ovn.kubernetes.io/port_vips"
	for name, c := range map[string]struct {
		now            *v1alpha1.PortSecurityPolicy
		old            any
		denied, warned string
	}{
		"routes": {lists(routes), nil, "", ""},
		"guarded": {
			lists(routes, guarded), lists(routes), `spec.inheritedKeys[1]: "` + guarded + `" cannot be handed down`, "",
		},
		"not one of a NIC": {
			lists("blue.lab.kubernetes.io/routes"), nil, "write ovn.kubernetes.io/routes for the default network", "",
		},
		"from before": {
			lists(guarded, routes), lists(guarded), "", `spec.inheritedKeys[0]: "` + guarded + `" is ignored`,
		},
		"of pods with a label": {
			func() *v1alpha1.PortSecurityPolicy {
				p := lists(routes)
				p.Spec.PodSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}
				return p
			}(), nil, "", "spec.inheritedKeys has no effect in a policy with a podSelector",
		},
	} {
		a, err := guardOf(honouring()).Policy(t.Context(), request(t, "portsecuritypolicies.ovnguard.io", c.now, c.old))
		if err != nil {
			t.Fatal(err)
		}
		for what, texts := range map[string][2]string{
			"denied": {strings.Join(a.Denials(), "\n"), c.denied}, "warned": {strings.Join(a.Warnings, "\n"), c.warned},
		} {
			if said, want := texts[0], texts[1]; !strings.Contains(said, want) ||
				want == "" && strings.Contains(said, "inheritedKeys") {
				t.Errorf("%s: %s: %q, want it with %q", name, what, said, want)
			}
		}
	}
}
