package audit

import "testing"

func TestProtection(t *testing.T) {
	open := []Permission{{Level: PermittedForwarding}, {Level: PermittedOpen}}
	found := func(r Rule) []Finding { return []Finding{{Rule: r}} }
	for want, results := range map[Protection][]Result{
		Protected:        {{State: Compliant}, {State: Violation, Narrow: true}},
		Extended:         {{State: Compliant, Permitted: open[:1]}, {State: Violation, Permitted: open[:1], Narrow: true}},
		OpenByPermission: {{State: Compliant, Permitted: open}, {State: Unknown, Permitted: open}},
		Widened: {
			{State: Violation, Wide: true, Permitted: open[:1]},
			{State: Violation, Findings: found(southboundDiffers.rule)},
		},
		Opened:    {{State: Violation, Wide: true, Open: true}, {State: Violation, Open: true, Permitted: open[:1]}},
		NotKnown:  {{State: Unknown}, {State: Violation, Findings: found(podWithoutPort.rule)}},
		NotJudged: {{State: OutOfScope, Findings: found(portWithoutPod.rule)}},
	} {
		for _, r := range results {
			if got := r.Protection(); got != want {
				t.Errorf("%+v is %s, want %s", r, got, want)
			}
		}
	}
}
