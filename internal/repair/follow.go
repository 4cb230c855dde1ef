package repair

import (
	"maps"
	"time"

	"github.com/ovnguard/ovnguard/internal/audit"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/portsec"
)

// Follow says what is to be written to the row once Kube-OVN has followed the annotations that a writes, and what it
// will have written to port_security then. ok is false where nothing is: the identity is all that the port may send
// from, or it is not known how Kube-OVN writes it.
//
// A port that is granted more, and uses it, is without that from Kube-OVN's write to the one that comes of this: what
// can be done before is done before.
func Follow(
	p inventory.Port,
	eras []portsec.Era,
	past History,
	a Action,
	now time.Time,
) (next Action, narrow []string, ok bool) {
	if a.Kind != Annotate || a.Annotations[p.Provider.Key(kubeovn.PortSecurity)] != kubeovn.True {
		return Action{}, nil, false
	}
	own := p
	own.Decision.Level, own.Decision.Pairs = policy.Strict, nil
	expected, err := audit.ExpectedOf(own)
	if err != nil {
		return Action{}, nil, false
	}
	pod, row := *p.Pod, *p.Row
	pod.Annotations = maps.Clone(pod.Annotations)
	maps.Copy(pod.Annotations, a.Annotations)
	row.PortSecurity = expected.PortSecurity
	p.Pod, p.Row = &pod, &row
	next = Plan(p, eras, past.Did(a, now), now)
	return next, expected.PortSecurity, next.Kind == Write && !next.Log && next.PortSecurity != nil
}
