package admission

import (
	"fmt"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// What a tenant writes costs others no more than it must: values and lists beyond all need are refused unread, and a refusal stays short
// however much is wrong.
func TestThreat33LargeAnnotations(t *testing.T) {
	keys := pod()
	for i := range maxKeys {
		keys.Metadata.Annotations[fmt.Sprintf("n%d.t.ovn.kubernetes.io/port_vips", i)] = "10.0.0.1"
	}
	keys.Metadata.Annotations[vips] = "10.0.0.1"
	for name, c := range map[string]struct {
		pod  Pod
		word string
	}{
		"one long value":             {pod(vips, strings.Repeat("10.0.0.1,", 400_000)), vips},
		"commas alone":               {pod(ip, strings.Repeat(",", maxValue+1)), ip},
		"one long word":              {pod(vips, strings.Repeat("x", maxValue)), vips},
		"a list of Vips":             {pod(kubeovn.AAPs, strings.Repeat("a,", 100_000)), kubeovn.AAPs},
		"networks":                   {pod(networks, strings.Repeat("n/nad,", 20_000)), networks},
		"many keys":                  {keys, "metadata.annotations"},
		"as long as may be, garbage": {pod(vips, strings.Repeat("x,", maxValue/2)), "; and 81"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, mode := range []policy.Mode{policy.Enforce, policy.Audit} {
				s := newScene().policy(func(p *policy.Policy) { p.Mode = mode })
				refused := guard(t, s, tenant, &c.pod)
				if mode == policy.Audit && len(c.pod.Metadata.Annotations[vips]) <= maxValue && name != "many keys" && c.pod.Metadata.Annotations[vips] != "" {
					continue // it can be judged, and nothing is enforced
				}
				if !strings.Contains(refused, c.word) || len(refused) > maxMessage+100 {
					t.Errorf("mode %s: refused with %d bytes: %.300q", mode, len(refused), refused)
				}
			}
		})
	}
	// What is there already does not keep the pod from being changed, and nobody else's annotations count.
	old, p := pod(vips, strings.Repeat("10.0.0.1,", maxValue)), pod(vips, strings.Repeat("10.0.0.1,", maxValue))
	p.Metadata.Annotations["example.org/notes"] = strings.Repeat("n", 2*maxValue)
	if refused := update(t, newScene(), tenant, "", &old, &p); refused != "" {
		t.Errorf("refused with %.300q", refused)
	}
	req := request(tenant, admissionv1.Create, "")
	req.Object = raw(t, new(pod(vips, strings.Repeat("10.0.0.1,", 400_000))))
	if r := ask(t, newScene(), MutatePods, req); r.Allowed || len(r.Result.Message) > maxMessage+100 || r.AuditAnnotations[NoteDecision] != notKnown {
		t.Errorf("the mutating webhook: allowed %v, %d bytes, noted %v", r.Allowed, len(r.Result.Message), r.AuditAnnotations[NoteDecision])
	}
}
