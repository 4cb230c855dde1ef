package admission

import (
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// A policy that warns says what it would do if it enforced: for a pod that it would mend and admit, it says that it
// would mend it, and not that it would refuse it.
func TestWarnSaysWhatEnforceWouldDo(t *testing.T) {
	forward := kubeovn.DefaultProvider.Key(kubeovn.Layer2Forward)
	for name, c := range map[string]struct {
		pod            []string
		mended, refuse string // words of the warning; "" where it does not say that
	}{
		"open":         {[]string{ps, "false"}, "would set annotation " + ps + "=true", ""},
		"a look-alike": {[]string{ps, "True"}, "would set annotation " + ps + "=true", ""},
		"forwarding":   {[]string{ps, "true", forward, "true"}, "would remove annotation " + forward, ""},
		"garbage":      {[]string{ps, "maybe"}, "", "would be refused: metadata.annotations[\"" + ps + "\"]"},
		"external address": {
			[]string{ps, "false", "ovn.kubernetes.io/eip", "203.0.113.9"},
			"would set annotation",
			"would be refused: metadata.annotations[\"ovn.kubernetes.io/eip\"]",
		},
		"strict, as it is":  {[]string{ps, "true"}, "", ""},
		"nothing is asked":  {nil, "would set annotation " + ps + "=true", ""},
		"another's address": {[]string{"ovn.kubernetes.io/port_vips", "10.16.0.99"}, "would set", "would be refused"},
	} {
		t.Run(name, func(t *testing.T) {
			warn := func(p *policy.Policy) { p.Mode = policy.Warn }
			s, p := newScene().policy(warn), pod(c.pod...)
			p.Metadata.Name = "p"
			req := request(tenant, admissionv1.Create, "")
			req.Object = raw(t, &p)
			mutated := ask(t, s, MutatePods, req)
			p.Metadata.Annotations = patched(t, p.Metadata.Annotations, mutated)
			req.Object = raw(t, &p)
			told := strings.Join(append(mutated.Warnings, ask(t, s, GuardPods, req).Warnings...), "\n")
			if !strings.Contains(told, c.mended) ||
				strings.Contains(told, "in mode enforce, ovnguard would") != (c.mended != "") {
				t.Errorf("want %q of what would be mended:\n%s", c.mended, told)
			}
			if !strings.Contains(told, c.refuse) || strings.Contains(told, "would be refused") != (c.refuse != "") {
				t.Errorf("want %q of what would be refused:\n%s", c.refuse, told)
			}
			if strings.Count(told, "would be refused") > 1 {
				t.Errorf("more is said to be refused than would be:\n%s", told)
			}
		})
	}
}
