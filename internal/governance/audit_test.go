package governance

import (
	"strings"
	"testing"

	"github.com/ovnguard/ovnguard/internal/policy"
)

// The API server's audit log names the policy, the decision and the objections, in every mode: under a policy that only
// audits, no other place has them.
func TestTemplatesAreNotedInTheAuditLog(t *testing.T) {
	bad := map[string]string{"ovn.kubernetes.io/port_vips": "10.16.0.20"}
	for _, mode := range []policy.Mode{policy.Enforce, policy.Warn, policy.Audit} {
		g := guardOf(honouring(func(p *policy.Policy) { p.Mode = mode }))
		for kind, judge := range map[string]func() (Answer, error){
			"Deployment": func() (Answer, error) {
				return g.Workload(t.Context(), workloadRequest(t, "Deployment",
					bad, nil))
			},
			"CronJob": func() (Answer, error) { return g.Workload(t.Context(), workloadRequest(t, "CronJob", bad, nil)) },
			"VirtualMachine": func() (Answer, error) {
				return g.Machine(t.Context(), machineRequest(t,
					"virtualmachines", bad, nil))
			},
		} {
			a, err := judge()
			expect(t, a, err)
			notes := respond(t, a).AuditAnnotations
			if !strings.HasPrefix(notes["policy"], "PortSecurityPolicy ") ||
				notes["decision"] != policy.Strict.String() ||
				!strings.Contains(notes["violation"], "port_vips") {
				t.Errorf("%s under %s: audit annotations %q", kind, mode, notes)
			}
		}
		a, err := g.Workload(t.Context(), workloadRequest(t, "Deployment", map[string]string{ps: "true"}, nil))
		expect(t, a, err)
		if said, is := respond(t, a).AuditAnnotations["violation"]; is || a.Notes["decision"] == "" {
			t.Errorf(
				"%s: a template with nothing against it: decision %q, violation %q",
				mode,
				a.Notes["decision"],
				said,
			)
		}
	}
}
