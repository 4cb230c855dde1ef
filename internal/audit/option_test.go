package audit

import (
	"strings"
	"testing"
	"time"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/portsec"
)

// While an option switches port security off, no port that relies on it is compliant, and all other findings of a port
// stay. A port that may send from anything, and one that passes no frame, do not rely on it.
func TestThreatT45NothingIsCompliantWhileNothingIsChecked(t *testing.T) {
	off := func(p *inventory.Port) { p.NotChecking = "22.03" }
	for name, c := range map[string]struct {
		port  inventory.Port
		state State
		rules int
	}{
		"as it must be": {port(off), Violation, 0},
		"open":          {port(off, portSecurity()), Violation, 1},
		"open by right": {
			port(off, portSecurity(), namespace(map[string]string{"ovn.kubernetes.io/port_security": "false"})),
			Compliant, 0,
		},
		"disabled":        {port(off, func(p *inventory.Port) { p.Row.Disabled = true }), Compliant, 0},
		"not made yet":    {port(off, func(p *inventory.Port) { p.Row, p.Pod.Annotations = nil, nil }), Unknown, 0},
		"on, as it was":   {port(), Compliant, 0},
		"without its pod": {port(off, noPod, noRecord), Violation, 1},
	} {
		for _, era := range portsec.Eras()[1:] {
			got := Evaluate(c.port, []portsec.Era{era})
			if got.State != c.state || len(got.Findings) != c.rules {
				t.Errorf("%s, %s: %+v", name, era, got)
			}
			if says := strings.Contains(
				got.Why,
				"version_compatibility",
			); says != (c.state == Violation && c.rules == 0) {
				t.Errorf("%s: why is %q", name, got.Why)
			}
		}
	}
}

func TestEvaluateOption(t *testing.T) {
	for value, fix := range map[string]string{
		"22.03": "kubectl -n cozy-kubeovn rollout status daemonset/ovs-ovn --timeout=30s && ovn-nbctl set " +
			"NB_Global . options:version_compatibility=_22.03",
		" 21.6;x": "kubectl -n cozy-kubeovn rollout status daemonset/ovs-ovn --timeout=30s && ovn-nbctl remove " +
			"NB_Global . options version_compatibility",
	} {
		got := EvaluateSubject(
			inventory.SubjectView{
				Subject:     inventory.Subject{Kind: inventory.SubjectOptions},
				NotChecking: value,
				Namespace:   "cozy-kubeovn",
			},
			time.Now(),
		)
		if len(got.Findings) != 1 || !got.Breaks() || got.State != OutOfScope {
			t.Fatalf("%+v", got)
		}
		f := got.Findings[0]
		if f.Rule.ID != "OVG030" || f.Rule.Severity != Critical || f.Fix != fix || f.Port != "" || f.Namespace != "" {
			t.Errorf("%q: %+v", value, f)
		}
		for _, word := range []string{"any port", "post-upgrade hook", "every node"} {
			if !strings.Contains(f.Message, word) {
				t.Errorf("%q is missing from %q", word, f.Message)
			}
		}
	}
	if got := EvaluateSubject(
		inventory.SubjectView{Subject: inventory.Subject{Kind: inventory.SubjectOptions}},
		time.Now(),
	); len(
		got.Findings,
	) > 0 {
		t.Errorf("nothing is off: %+v", got)
	}
}
