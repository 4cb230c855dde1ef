package policy

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// said is the word of one source in the table: on the level, and on forwarding, each only if it mentions it.
type said struct {
	level             Level
	forwarding        Forwarding
	onLevel, onLayer2 bool
}

// outcomeOf applies the rule of governance.md: the policy begins, the namespace overrides, the pod may only tighten,
// and an exception in its time only loosens. granted is nil where no exception counts.
func outcomeOf(policy, namespace, pod said, granted *Exception) Decision {
	d := Decision{
		Level:          policy.level,
		LevelFrom:      FromDefault,
		Forwarding:     policy.forwarding,
		ForwardingFrom: FromDefault,
	}
	if policy.onLevel {
		d.LevelFrom, d.ForwardingFrom = FromPolicy, FromPolicy
	}
	if namespace.onLevel {
		d.Level, d.LevelFrom = namespace.level, FromNamespace
	}
	if namespace.onLayer2 {
		d.Forwarding, d.ForwardingFrom = namespace.forwarding, FromNamespace
	}
	if pod.onLevel && pod.level == Strict && d.Level == Open {
		d.Level, d.LevelFrom = Strict, FromPod
	}
	if pod.onLayer2 && pod.forwarding == Forbid && d.Forwarding == Allow {
		d.Forwarding, d.ForwardingFrom = Forbid, FromPod
	}
	if granted == nil {
		return d
	}
	if granted.Level > d.Level {
		d.Level, d.LevelFrom = granted.Level, FromException
	}
	if granted.Forwarding > d.Forwarding {
		d.Forwarding, d.ForwardingFrom = granted.Forwarding, FromException
	}
	if len(granted.Pairs) > 0 && d.Level == Strict {
		d.Level, d.LevelFrom = Extended, FromException
	}
	if d.Level == Extended { // at mac its own MAC may send from anything, and open has no pairs
		d.Pairs = granted.Pairs
	}
	return d
}

// The result of each combination of policy, namespace, pod, exception and time, and which of them it comes from.
func TestDecisionTable(t *testing.T) {
	policies := map[string]said{
		"none":                   {},
		"strict":                 {Strict, Forbid, true, true},
		"mac":                    {MAC, Forbid, true, true},
		"open":                   {Open, Forbid, true, true},
		"strict with forwarding": {Strict, Allow, true, true},
		"open with forwarding":   {Open, Allow, true, true},
	}
	namespaces := map[string]struct {
		level, layer2, label string
		said
	}{
		"silent":                      {},
		"true":                        {level: "true", said: said{Strict, Forbid, true, false}},
		"false":                       {level: "false", said: said{Open, Forbid, true, false}},
		"label mac":                   {label: "mac", said: said{MAC, Forbid, true, false}},
		"label open, annotation true": {level: "true", label: "open", said: said{Strict, Forbid, true, false}},
		"forwarding":                  {layer2: "true", said: said{Strict, Allow, false, true}},
		"false, no forwarding":        {level: "false", layer2: "false", said: said{Open, Forbid, true, true}},
		"rubbish":                     {level: "yes please", layer2: "rather not", label: "loose"},
	}
	pods := map[string]struct {
		level, layer2 string
		said
	}{
		"silent":   {},
		"tightens": {"true", "false", said{Strict, Forbid, true, true}},
		"loosens":  {"false", "true", said{Open, Allow, true, true}},
		"tightens the level": {
			"true",
			"",
			said{Strict, Forbid, true, false},
		},
		"rubbish": {"rubbish", "rubbish", said{}},
	}
	grants := map[string]func(*Exception){
		"none": nil, "pairs": func(*Exception) {}, "level mac": func(e *Exception) { e.Pairs, e.Level = nil, MAC },
		"level open":            func(e *Exception) { e.Pairs, e.Level = nil, Open },
		"forwarding":            func(e *Exception) { e.Pairs, e.Forwarding = nil, Require },
		"pairs with forwarding": func(e *Exception) { e.Forwarding = Require },
		"elsewhere":             func(e *Exception) { e.Namespace = "other" },
		"for others":            func(e *Exception) { e.Pods = func(map[string]string) bool { return false } },
	}
	times := map[string]struct {
		at time.Duration
		in bool
	}{
		"before": {-time.Minute, false}, "at the beginning": {0, true}, "during": {time.Minute, true},
		"at the end": {time.Hour, false}, "after": {2 * time.Hour, false},
	}
	n := 0
	levels, forwardings := make(map[Source]int), make(map[Source]int)
	for policyName, p := range policies {
		for nsName, ns := range namespaces {
			for podName, pod := range pods {
				for grantName, grant := range grants {
					for timeName, at := range times {
						n++
						q := Query{
							Provider: kubeovn.DefaultProvider,
							Now:      noon.Add(at.at),
							Namespace: Namespace{
								Name:        "gw",
								Annotations: map[string]string{ps: ns.level, l2: ns.layer2},
								Labels:      map[string]string{LevelLabel: ns.label},
							},
							Pod: Pod{
								Labels:      map[string]string{"app": "router"},
								Annotations: map[string]string{ps: pod.level, l2: pod.layer2},
							},
						}
						if p.onLevel {
							q.Policies = []Policy{
								gateways(
									func(o *Policy) { o.Level, o.Forwarding, o.Limits.Level = p.level, p.forwarding, Open },
								),
							}
						}
						var granted *Exception
						if grant != nil {
							q.Exceptions = []Exception{
								routes(
									func(e *Exception) { e.NotBefore, e.Expires = noon, noon.Add(time.Hour) },
									grant,
								),
							}
							if p.onLevel && at.in && grantName != "elsewhere" && grantName != "for others" {
								granted = &q.Exceptions[0]
							}
						}
						d, want := Decide(q), outcomeOf(p, ns.said, pod.said, granted)
						levels[d.LevelFrom]++
						forwardings[d.ForwardingFrom]++
						got := Decision{
							Level:          d.Level,
							LevelFrom:      d.LevelFrom,
							Pairs:          d.Pairs,
							Forwarding:     d.Forwarding,
							ForwardingFrom: d.ForwardingFrom,
						}
						if diff := cmp.Diff(
							want,
							got,
							cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
						); diff != "" {
							t.Errorf(
								"policy %s, namespace %s, pod %s, exception %s, %s: -want +got\n%s",
								policyName,
								nsName,
								podName,
								grantName,
								timeName,
								diff,
							)
						}
					}
				}
			}
		}
	}
	if want := len(policies) * len(namespaces) * len(pods) * len(grants) * len(times); n != want || n < 9000 {
		t.Errorf("%d combinations, want %d", n, want)
	}
	for _, from := range []Source{FromDefault, FromPolicy, FromNamespace, FromPod, FromException} {
		if levels[from] == 0 || forwardings[from] == 0 {
			t.Errorf(
				"%d combinations have their level from %s, and %d their forwarding",
				levels[from],
				from,
				forwardings[from],
			)
		}
	}
}
