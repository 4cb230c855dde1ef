package floor_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
	"github.com/ovnguard/ovnguard/internal/admissionpolicy"
	"github.com/ovnguard/ovnguard/internal/governance"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kube"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// powerless is a cluster with policies in which nobody has a right.
type powerless []v1alpha1.PortSecurityPolicy

func (p powerless) May(context.Context, authenticationv1.UserInfo, authorizationv1.ResourceAttributes) (bool, error) {
	return false, nil
}

func (p powerless) Policies(context.Context) ([]policy.Policy, error) {
	var out []policy.Policy
	for i := range p {
		out = append(out, kube.PolicyOf(&p[i]))
	}
	policy.SortPolicies(out)
	return out, nil
}

func (p powerless) Namespace(_ context.Context, name string) policy.Namespace {
	return policy.Namespace{Name: name}
}

func (p powerless) OwnerUID(context.Context, string, v1alpha1.Owner) (string, bool, error) {
	return "", false, nil
}

// namespaceJudges asks the webhook and the floor whether a user without rights may change a namespace.
func namespaceJudges(
	t *testing.T,
	e *expressions,
	policies []v1alpha1.PortSecurityPolicy,
	old, now *corev1.Namespace,
) (webhook, floor string) {
	t.Helper()
	set, err := admissionpolicy.Make(
		admissionpolicy.Input{Policies: policies, Accounts: accounts(), Namespace: "ovnguard-system"},
	)
	if err != nil {
		t.Fatal(err)
	}
	raw := func(ns *corev1.Namespace) runtime.RawExtension {
		if ns == nil {
			return runtime.RawExtension{}
		}
		text, err := json.Marshal(ns)
		if err != nil {
			t.Fatal(err)
		}
		return runtime.RawExtension{Raw: text}
	}
	req := &admissionv1.AdmissionRequest{
		Operation: admissionv1.Update,
		Name:      now.Name,
		Resource:  metav1.GroupVersionResource{Version: "v1", Resource: "namespaces"},
		UserInfo:  authenticationv1.UserInfo{Username: tenant},
		Object:    raw(now),
		OldObject: raw(old),
	}
	in := map[string]any{
		"object":    plain(t, now),
		"oldObject": nil,
		"request":   map[string]any{"userInfo": map[string]any{"username": tenant}},
	}
	if old == nil {
		req.Operation = admissionv1.Create
	} else {
		in["oldObject"] = plain(t, old)
	}
	g := governance.Guard{
		Cluster: powerless(
			policies,
		),
		Accounts: accounts(),
		Look:     func(look func(*inventory.State)) { look(inventory.New().Snapshot()) },
		Rewrites: func(inventory.Port) bool { return false },
		Now:      func() time.Time { return time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC) },
	}
	a, err := g.Namespace(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	if denials := a.Denials(); len(denials) > 0 {
		webhook = denials[0]
	}
	if _, known, ok := e.variables(t, &set.Validating[1], in); ok && known["loosens"] == true {
		floor = "loosens"
	}
	return webhook, floor
}

// nsWith returns a namespace with labels and annotations; a key of a label begins with "label:".
func nsWith(keyValues ...string) *corev1.Namespace {
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: "t", Labels: map[string]string{corev1.LabelMetadataName: "t"}, Annotations: map[string]string{},
	}}
	for i := 0; i < len(keyValues); i += 2 {
		if key := keyValues[i]; len(key) > 6 && key[:6] == "label:" {
			ns.Labels[key[6:]] = keyValues[i+1]
		} else {
			ns.Annotations[key] = keyValues[i+1]
		}
	}
	return ns
}

func loose(level v1alpha1.Level, change func(*v1alpha1.PortSecurityPolicySpec)) v1alpha1.PortSecurityPolicy {
	p := v1alpha1.PortSecurityPolicy{ObjectMeta: metav1.ObjectMeta{Name: "p"}, Spec: v1alpha1.PortSecurityPolicySpec{
		Level: level, NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"loose": "yes"}},
	}}
	if change != nil {
		change(&p.Spec)
	}
	return p
}

const (
	label   = "label:" + policy.LevelLabel
	forward = "ovn.kubernetes.io/layer2_forward"
	picked  = "label:loose"
)

// Tightening a namespace needs no right, and loosening it does, in the floor and in the webhook.
func TestNamespaceFloorComparesRanks(t *testing.T) {
	e := newExpressions(t)
	mac := []v1alpha1.PortSecurityPolicy{loose(v1alpha1.LevelMAC, nil)}
	open := []v1alpha1.PortSecurityPolicy{
		loose(v1alpha1.LevelOpen, func(s *v1alpha1.PortSecurityPolicySpec) { s.Layer2Forward = v1alpha1.Allow }),
	}
	for name, c := range map[string]struct {
		policies []v1alpha1.PortSecurityPolicy
		old, now *corev1.Namespace
		loosens  bool
	}{
		"a look-alike of true": {nil, nsWith(), nsWith(portSecurity, "True"), false},
		"false is gone":        {nil, nsWith(portSecurity, "false"), nsWith(), false},
		"false is gone, policy open": {
			open, nsWith(picked, "yes", portSecurity, "false"), nsWith(picked, "yes"), false,
		},
		"forwarding is gone, policy allows": {open, nsWith(picked, "yes", forward, "true"), nsWith(picked, "yes"), false},
		"false where policy is open": {
			open, nsWith(picked, "yes"), nsWith(picked, "yes", portSecurity, "false"), false,
		},
		"forwarding where policy allows it": {open, nsWith(picked, "yes"), nsWith(picked, "yes", forward, "true"), false},
		"mac where policy says mac":         {mac, nsWith(picked, "yes"), nsWith(picked, "yes", label, "mac"), false},
		"open is gone":                      {nil, nsWith(label, "open"), nsWith(), false},
		"mac becomes strict": {
			mac, nsWith(picked, "yes", label, "mac"), nsWith(picked, "yes", label, "strict"), false,
		},
		"true beside a label": {
			nil, nsWith(label, "open"), nsWith(label, "open", portSecurity, "true"), false,
		},
		"one interface says the same": {
			nil, nsWith("b.t.ovn.kubernetes.io/port_security", "false"),
			nsWith("b.t.ovn.kubernetes.io/port_security", "false", "b.t.ovn.net1.kubernetes.io/port_security", "0"),
			false,
		},
		"made with true": {nil, nil, nsWith(portSecurity, "true", label, "strict"), false},
		// Pods that ask for port security themselves are strict where the namespace is open, and have no say where it is mac.
		"open becomes mac":            {nil, nsWith(label, "open"), nsWith(label, "mac"), true},
		"false":                       {nil, nsWith(), nsWith(portSecurity, "false"), true},
		"a look-alike of false":       {nil, nsWith(), nsWith(portSecurity, "0"), true},
		"forwarding":                  {nil, nsWith(), nsWith(forward, "yes"), true},
		"true is gone, policy open":   {open, nsWith(picked, "yes", portSecurity, "true"), nsWith(picked, "yes"), true},
		"no forwarding is gone":       {open, nsWith(picked, "yes", forward, "false"), nsWith(picked, "yes"), true},
		"true is gone beside a label": {nil, nsWith(label, "open", portSecurity, "true"), nsWith(label, "open"), true},
		"comes under an open policy":  {open, nsWith(), nsWith(picked, "yes"), true},
		"made under an open policy":   {open, nil, nsWith(picked, "yes"), true},
		"made open":                   {nil, nil, nsWith(label, "open"), true},
		"one interface": {
			nil, nsWith(), nsWith("b.t.ovn.net1.kubernetes.io/port_security", "false"), true,
		},
		"strict becomes mac":         {nil, nsWith(label, "strict"), nsWith(label, "mac"), true},
		"open where policy says mac": {mac, nsWith(picked, "yes"), nsWith(picked, "yes", portSecurity, "false"), true},
		"a second NIC, where one is off": {
			nil, nsWith(portSecurity, "false"),
			nsWith(portSecurity, "false", "b.t.ovn.kubernetes.io/port_security", "false"), true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			webhook, floor := namespaceJudges(t, e, c.policies, c.old, c.now)
			if (webhook != "") != c.loosens || (floor != "") != c.loosens {
				t.Errorf("the webhook says %q, the floor %q; want loosening %v", webhook, floor, c.loosens)
			}
		})
	}
}

// The floor asks for the verb only if the webhook does, with any policies.
func TestNamespaceFloorRefusesNothingThatTheWebhookAllows(t *testing.T) {
	e := newExpressions(t)
	r := rand.New(rand.NewPCG(5, 6))
	one := func(of ...string) string { return of[r.IntN(len(of))] }
	drawn := func() *corev1.Namespace {
		var keys []string
		set := func(key string, values ...string) {
			if r.IntN(2) == 0 {
				keys = append(keys, key, one(values...))
			}
		}
		set(label, "strict", "mac", "open", "")
		set(picked, "yes", "no")
		for _, nic := range []string{"ovn", "blue.t.ovn", "blue.t.ovn.net1"} {
			set(nic+".kubernetes.io/port_security", "true", "false", " True", "0", "")
			set(nic+".kubernetes.io/layer2_forward", "true", "false", "ON", "")
		}
		return nsWith(keys...)
	}
	both, webhooks := 0, 0
	for i := range 2000 {
		var policies []v1alpha1.PortSecurityPolicy
		for n := range r.IntN(3) {
			p := loose(v1alpha1.Level(one("strict", "mac", "open", "")), func(s *v1alpha1.PortSecurityPolicySpec) {
				s.Priority = int32(r.IntN(3))
				s.Layer2Forward = v1alpha1.Permission(one("Allow", "Forbid", ""))
				s.Mode = v1alpha1.Mode(one("enforce", "warn", ""))
				if r.IntN(3) == 0 {
					s.Providers = []string{one("ovn", "blue.*", "*.t.ovn")}
				}
				if r.IntN(4) == 0 {
					s.PodSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}
				}
				if r.IntN(3) == 0 {
					s.NamespaceSelector = nil
				}
			})
			p.Name = fmt.Sprintf("p%d", n)
			policies = append(policies, p)
		}
		old, now := drawn(), drawn()
		if i%8 == 0 {
			old = nil
		}
		webhook, floor := namespaceJudges(t, e, policies, old, now)
		if floor != "" && webhook == "" {
			t.Errorf("%+v\n%+v\n%+v: the webhook allows it, the floor does not", policies, old, now)
		}
		if webhook != "" {
			webhooks++
			if floor != "" {
				both++
			}
		}
	}
	if both < 300 || webhooks == 2000 {
		t.Errorf("the webhook refuses %d, the floor %d of them: the draw shows nothing", webhooks, both)
	}
}
