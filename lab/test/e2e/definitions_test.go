//go:build integration

package e2e

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
)

// The API server fills in defaults, refuses invalid fields with the field and the reason, and prints the columns that
// users need.
func TestDefinitions(t *testing.T) {
	p := admin(t)
	ns := namespace(t, nil)
	policyFor(t, ns)
	policyOf := func(name string, spec map[string]any) map[string]any {
		return map[string]any{
			"apiVersion": v1alpha1.GroupVersion.String(),
			"kind":       "PortSecurityPolicy",
			"metadata":   map[string]any{"name": name},
			"spec":       spec,
		}
	}
	body, err := p.do(t.Context(), http.MethodPost, policiesPath+dryRun, policyOf(unique("policy"), map[string]any{}))
	if err != nil {
		t.Fatal(err)
	}
	var made v1alpha1.PortSecurityPolicy
	if err := json.Unmarshal(body, &made); err != nil {
		t.Fatal(err)
	}
	if s := made.Spec; s.Level != v1alpha1.LevelStrict || s.Layer2Forward != v1alpha1.Forbid ||
		s.Mode != v1alpha1.ModeEnforce ||
		s.OtherNetworks != v1alpha1.Allow ||
		s.Limits.MaxPairs == nil {
		t.Errorf("an empty policy is made %+v", s)
	}
	for name, c := range map[string]struct {
		spec map[string]any
		says string
	}{
		"level":     {map[string]any{"level": "loose"}, "spec.level"},
		"mode":      {map[string]any{"mode": "dry"}, "spec.mode"},
		"providers": {map[string]any{"providers": []string{"a*b"}}, "spec.providers"},
		"networks":  {map[string]any{"otherNetworks": "Never"}, "spec.otherNetworks"},
		"prefix": {
			map[string]any{"limits": map[string]any{"minPrefixLengthIPv4": 0}}, "spec.limits.minPrefixLengthIPv4",
		},
	} {
		if _, err := p.do(
			t.Context(),
			http.MethodPost,
			policiesPath+dryRun,
			policyOf(unique("policy"), c.spec),
		); err == nil ||
			!strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want it refused with %q", name, err, c.says)
		}
	}
	path := "/apis/ovnguard.io/v1alpha1/namespaces/" + ns + "/portsecurityexceptions"
	for name, c := range map[string]struct {
		change func(*v1alpha1.PortSecurityException)
		says   string
	}{
		"fine":         {func(*v1alpha1.PortSecurityException) {}, ""},
		"no reason":    {func(e *v1alpha1.PortSecurityException) { e.Spec.Reason = "" }, "spec.reason"},
		"short reason": {func(e *v1alpha1.PortSecurityException) { e.Spec.Reason = "because" }, "spec.reason"},
		"no owner":     {func(e *v1alpha1.PortSecurityException) { e.Spec.Owner = "" }, "spec.owner"},
		"nothing": {func(e *v1alpha1.PortSecurityException) { e.Spec.Grant = v1alpha1.Grant{} }, "grant " +
			"something"},
		"no target": {func(e *v1alpha1.PortSecurityException) { e.Spec.Target = v1alpha1.Target{} }, "name an " +
			"owner"},
		"class": {func(e *v1alpha1.PortSecurityException) { e.Spec.Class = "firewall" }, "spec.class"},
		"MAC": {
			func(e *v1alpha1.PortSecurityException) { e.Spec.Grant.Pairs[0].MAC = "0a-00-00-00-00-01" },
			"spec.grant.pairs[0].mac",
		},
		"no range": {
			func(e *v1alpha1.PortSecurityException) { e.Spec.Grant.Pairs[0].Prefix = "10.20.0/24" },
			"must be an address or a range, such as",
		},
		"every IPv4": {
			func(e *v1alpha1.PortSecurityException) { e.Spec.Grant.Pairs[0].Prefix = "0.0.0.0/0" },
			"write grant.level: mac",
		},
		"every IPv6": {func(e *v1alpha1.PortSecurityException) { e.Spec.Grant.Pairs[0].Prefix = "::/0" }, "write " +
			"grant.level: mac"},
		"an address": {func(e *v1alpha1.PortSecurityException) { e.Spec.Grant.Pairs[0].Prefix = "10.120.0.1" }, ""},
		"no prefix": {func(e *v1alpha1.PortSecurityException) {
			e.Spec.Grant.Pairs[0].MAC, e.Spec.Grant.Pairs[0].Prefix = "0a:00:00:00:00:01", ""
		}, "spec.grant.pairs[0].prefix"},
		"long owner": {func(e *v1alpha1.PortSecurityException) {
			e.Spec.Target = v1alpha1.Target{Owner: &v1alpha1.Owner{APIVersion: "apps/v1", Kind: strings.Repeat("K",
				64), Name: "n"}}
		}, "spec.target.owner.kind"},
		"backwards": {func(e *v1alpha1.PortSecurityException) { e.Spec.NotBefore = &e.Spec.ExpiresAt }, "notBefore " +
			"must be earlier"},
	} {
		e := exceptionIn(ns)
		c.change(e)
		_, err := p.do(t.Context(), http.MethodPost, path+dryRun, e)
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want it refused with %q", name, err, c.says)
		}
	}
	resources, err := world.Kube.Discovery().ServerResourcesForGroupVersion(v1alpha1.GroupVersion.String())
	if err != nil {
		t.Fatal(err)
	}
	for kind, short := range map[string]string{"PortSecurityPolicy": "ogp", "PortSecurityException": "oge"} {
		if !slices.ContainsFunc(
			resources.APIResources,
			func(r metav1.APIResource) bool { return r.Kind == kind && slices.Contains(r.ShortNames, short) },
		) {
			t.Errorf("%s has no short name %s", kind, short)
		}
	}
	for crd, columns := range map[string][]string{
		"portsecuritypolicies.ovnguard.io":   {"Level", "Mode"},
		"portsecurityexceptions.ovnguard.io": {"Class", "Owner", "In effect", "Why", "Ports", "Expires"},
	} {
		text, err := p.do(
			t.Context(),
			http.MethodGet,
			"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/"+crd,
			nil,
		)
		if err != nil {
			t.Fatal(err)
		}
		for _, column := range columns {
			if !strings.Contains(string(text), `"name":"`+column+`"`) {
				t.Errorf("%s has no column %q", crd, column)
			}
		}
		if n := strings.Count(string(text), `"description":"`); n < 15 {
			t.Errorf("%s explains %d fields", crd, n)
		}
	}
}
