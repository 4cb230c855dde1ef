package admission

import (
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"
	ctrladmission "sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

const (
	routes    = "ovn.kubernetes.io/routes"
	nadRoutes = "green.u.ovn.kubernetes.io/routes"
)

// inheriting is a scene in which namespace "t" hands routes down.
func inheriting(change func(*policy.Policy)) *scene {
	s := newScene().policy(func(p *policy.Policy) {
		p.InheritedKeys = []string{routes, nadRoutes, "ovn.kubernetes.io/mirror"}
		change(p)
	})
	maps.Copy(s.namespace.Annotations, map[string]string{
		routes: `[{"dst":"192.0.2.0/24","gw":"10.16.0.9"}]`, nadRoutes: "[]", "ovn.kubernetes.io/mirror": "",
	})
	return s
}

// New pods get the annotations of their namespace that the policy lists, unless they carry the keys themselves.
func TestInheritedKeys(t *testing.T) {
	handedDown := `[{"dst":"192.0.2.0/24","gw":"10.16.0.9"}]`
	strict := func(*policy.Policy) {}
	for name, c := range map[string]struct {
		scene       *scene
		annotations map[string]string
		want        map[string]string
	}{
		"nothing said":    {inheriting(strict), nil, map[string]string{ps: "true", routes: handedDown}},
		"its own value":   {inheriting(strict), map[string]string{routes: "[]"}, map[string]string{ps: "true", routes: "[]"}},
		"its own nothing": {inheriting(strict), map[string]string{routes: ""}, map[string]string{ps: "true", routes: ""}},
		"another NIC": {
			inheriting(strict),
			map[string]string{networks: "u/green"},
			map[string]string{
				ps: "true", routes: handedDown, networks: "u/green", nadRoutes: "[]",
				"green.u.ovn.kubernetes.io/port_security": "true",
			},
		},
		"a policy that warns": {
			inheriting(func(p *policy.Policy) { p.Mode = policy.Warn }), nil, map[string]string{routes: handedDown},
		},
		"a policy that audits": {
			inheriting(func(p *policy.Policy) { p.Mode = policy.Audit }), nil, map[string]string{routes: handedDown},
		},
		"another policy for the NIC": {
			inheriting(func(p *policy.Policy) { p.Providers = policy.Providers{"*.u.ovn"} }), nil,
			map[string]string{ps: "true"},
		},
		"nothing listed": {
			inheriting(func(p *policy.Policy) { p.InheritedKeys = nil }), nil, map[string]string{ps: "true"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			stored, refused := create(t, c.scene, tenant, Pod{Metadata: Metadata{Annotations: c.annotations}})
			if refused != "" {
				t.Fatal(refused)
			}
			got := maps.Clone(stored.Metadata.Annotations)
			delete(got, policy.RecordAnnotation)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("-want, +got:\n%s", diff)
			}
			// Asked again, as after another webhook, it changes nothing.
			req := request(tenant, admissionv1.Create, "")
			req.Object = raw(t, stored)
			if r := ask(t, c.scene, MutatePods, req); !r.Allowed || len(r.Patches) > 0 {
				t.Errorf("asked again: %+v", r)
			}
		})
	}
}

// An update of a running pod adds no annotation of the namespace, not even for a new NIC.
func TestInheritedKeysOfRunningPods(t *testing.T) {
	s := inheriting(func(*policy.Policy) {})
	before := &Pod{Metadata: Metadata{Name: "p", Annotations: map[string]string{ps: "true"}}}
	after := &Pod{Metadata: Metadata{Name: "p", Annotations: map[string]string{ps: "true", networks: "u/green"}}}
	req := request(virtualize, admissionv1.Update, "")
	req.Object, req.OldObject = raw(t, after), raw(t, before)
	r := ask(t, s, MutatePods, req)
	for _, op := range r.Patches {
		if strings.Contains(op.Path, "routes") {
			t.Errorf("%+v", op)
		}
	}
	if !r.Allowed || len(r.Patches) == 0 { // the new NIC is decided all the same
		t.Errorf("%+v", r)
	}
}

// A namespace that could not be read hands nothing down, and the author is told that its annotations were ignored.
func TestInheritedKeysOfUnreadNamespace(t *testing.T) {
	s := inheriting(func(*policy.Policy) {})
	s.namespace.Err = errors.New("no answer")
	req := request(tenant, admissionv1.Create, "")
	req.Object = raw(t, &Pod{Metadata: Metadata{Name: "p"}})
	r := ask(t, s, MutatePods, req)
	if _, there := patched(t, nil, r)[routes]; there || !r.Allowed ||
		!strings.Contains(strings.Join(r.Warnings, "\n"), "annotations were ignored") {
		t.Errorf("%+v", r)
	}
}

// A policy from before, or one that got past the webhook for policies, may list guarded keys, and an editor of the
// namespace writes them there. The pods get none of them, and are protected as without the list.
func TestThreatT51GuardedKeysAreNotHandedDown(t *testing.T) {
	var keys []string
	says := make(map[string]string)
	for _, r := range kubeovn.KeyRules {
		for _, provider := range []kubeovn.Provider{"ovn", "green.u.ovn"} {
			key := provider.Key(r.Suffix)
			if kubeovn.Inheritable(key) {
				continue
			}
			keys, says[key] = append(keys, key), "true"
		}
	}
	for _, key := range []string{
		kubeovn.Networks, kubeovn.DefaultNetwork, kubeovn.MigrationJob, policy.RecordAnnotation, policy.UndoAnnotation,
	} {
		keys, says[key] = append(keys, key), "ovn"
	}
	for _, mode := range []policy.Mode{policy.Enforce, policy.Warn, policy.Audit} {
		s := newScene().policy(func(p *policy.Policy) { p.InheritedKeys, p.Mode = keys, mode })
		maps.Copy(s.namespace.Annotations, says)
		listed := s.namespace
		bare := newScene().policy(func(p *policy.Policy) { p.Mode = mode })
		bare.namespace = listed
		pod := Pod{Metadata: Metadata{Annotations: map[string]string{networks: "u/green"}}}
		want, refused := create(t, bare, tenant, pod)
		if refused != "" {
			t.Fatal(refused)
		}
		got, refused := create(t, s, tenant, pod)
		if refused != "" {
			t.Fatal(refused)
		}
		if diff := cmp.Diff(want.Metadata.Annotations, got.Metadata.Annotations); diff != "" {
			t.Errorf("mode %s: -without the list, +with it:\n%s", mode, diff)
		}
	}
}

// A namespace hands down only keys that the author of a pod may write on the pod as well, and the pod comes out the
// same.
func TestThreatT51NamespaceGainsNothing(t *testing.T) {
	for _, suffix := range kubeovn.InheritableSuffixes {
		key := kubeovn.DefaultProvider.Key(suffix)
		s := newScene().policy(func(p *policy.Policy) { p.InheritedKeys = []string{key} })
		own, refused := create(t, s, tenant, Pod{Metadata: Metadata{Annotations: map[string]string{key: "value"}}})
		if refused != "" {
			t.Errorf("%s: a pod may not say it itself: %s", key, refused)
			continue
		}
		s.namespace.Annotations[key] = "value"
		got, refused := create(t, s, tenant, Pod{})
		if refused != "" {
			t.Errorf("%s: %s", key, refused)
			continue
		}
		if diff := cmp.Diff(own.Metadata.Annotations, got.Metadata.Annotations); diff != "" {
			t.Errorf("%s: -the pod's own, +handed down:\n%s", key, diff)
		}
	}
}

// A key that a new pod carries is compared with the value that ovnguard would write without it, in every mode. A value
// that ovnguard wrote itself is not counted.
func TestBrought(t *testing.T) {
	handedDown := `[{"dst":"192.0.2.0/24","gw":"10.16.0.9"}]`
	enforce := func(*policy.Policy) {}
	warn := func(p *policy.Policy) { p.Mode = policy.Warn }
	open := func(p *policy.Policy) { p.Level = policy.Open }
	for name, c := range map[string]struct {
		change      func(*policy.Policy)
		annotations map[string]string
		want        []Brought
	}{
		"nothing":              {enforce, nil, nil},
		"strict":               {enforce, map[string]string{ps: "true"}, []Brought{{ps, true}}},
		"strict, while warned": {warn, map[string]string{ps: "true"}, []Brought{{ps, true}}},
		"off":                  {enforce, map[string]string{ps: "false"}, []Brought{{ps, false}}},
		"off, where it is so":  {open, map[string]string{ps: "no"}, []Brought{{ps, true}}},
		"strict, where it is open": {
			open, map[string]string{ps: "true"}, []Brought{{ps, false}},
		},
		"routes as handed down": {enforce, map[string]string{routes: handedDown}, []Brought{{routes, true}}},
		"other routes":          {enforce, map[string]string{routes: "[]"}, []Brought{{routes, false}}},
		"no routes":             {enforce, map[string]string{routes: ""}, []Brought{{routes, false}}},
		"a key that no policy lists": {
			enforce,
			map[string]string{"ovn.kubernetes.io/bgp": "true", "ovn.kubernetes.io/loss": ""},
			[]Brought{{"ovn.kubernetes.io/bgp", false}},
		},
		"forwarding":    {enforce, map[string]string{l2: "true"}, []Brought{{l2, false}}},
		"no forwarding": {enforce, map[string]string{l2: "false"}, []Brought{{l2, true}}},
		"of no NIC":     {enforce, map[string]string{"blue.t.ovn.kubernetes.io/port_security": "true"}, nil},
		"as ovnguard wrote it": {
			enforce, map[string]string{ps: "true", routes: handedDown, policy.RecordAnnotation: policy.OrdinaryRecord}, nil,
		},
		"changed after ovnguard wrote it": {
			enforce,
			map[string]string{ps: "false", routes: "[]", policy.RecordAnnotation: policy.OrdinaryRecord},
			[]Brought{{ps, false}, {routes, false}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := inheriting(c.change)
			var got []Brought
			h := &Handler{
				Judge:   MutatePods(s),
				Observe: func(r Reviewed) { got = r.Brought },
				Now:     func() time.Time { return now },
			}
			req := request(tenant, admissionv1.Create, "")
			req.Object = raw(t, &Pod{Metadata: Metadata{Name: "p", Annotations: c.annotations}})
			r := h.Handle(t.Context(), ctrladmission.Request{AdmissionRequest: req})
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("-want, +got:\n%s", diff)
			}
			if note := strings.Join(differing(c.want), ", "); r.AuditAnnotations[NoteBrought] != note {
				t.Errorf("noted %q, want %q", r.AuditAnnotations[NoteBrought], note)
			}
			dry := true
			req.DryRun = &dry
			if h.Handle(t.Context(), ctrladmission.Request{AdmissionRequest: req}); len(got) > 0 {
				t.Errorf("a dry run is counted: %v", got)
			}
		})
	}
}
