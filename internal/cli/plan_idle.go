package cli

import (
	"fmt"
	"slices"
	"time"

	"github.com/spf13/pflag"

	"github.com/ovnguard/ovnguard/internal/controller"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kube"
	"github.com/ovnguard/ovnguard/internal/plan"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/internal/repair"
)

// idleManifests says which policies among the manifests pick no namespace, and which exceptions count for no port:
// often their selector has a typo. after is the cluster with the manifests.
func idleManifests(after *inventory.State, manifests []manifest, r *plan.Result) (notes []string) {
	policies, namespaces := after.Policies(), after.Namespaces()
	for i := range manifests {
		m := &manifests[i]
		switch m.GroupVersionKind() {
		case kube.PolicyKind:
			at := slices.IndexFunc(policies, func(p policy.Policy) bool { return p.Name == m.GetName() })
			if at < 0 || policies[at].Namespaces == nil ||
				slices.ContainsFunc(namespaces, func(n policy.Namespace) bool {
					return policies[at].Namespaces(n.Labels)
				}) {
				continue
			}
			notes = append(notes, fmt.Sprintf("policy %s picks no namespace of this cluster: see its "+
				"spec.namespaceSelector", m.GetName()))
		case kube.ExceptionKind:
			for _, e := range r.Exceptions {
				if e.Namespace == m.GetNamespace() && e.Name == m.GetName() && e.After == 0 {
					notes = append(
						notes,
						fmt.Sprintf("exception %s/%s would count for no port: %s", e.Namespace, e.Name,
							e.Why),
					)
				}
			}
		}
	}
	return notes
}

// decidedAlready says that the level changes nothing because it is decided, although ports are not so.
func (o *planOptions) decidedAlready(g *bothSides, flags *pflag.FlagSet, now time.Time) []string {
	state, total, logged := g.inv.Snapshot(), 0, 0
	state.EachRow(func(*inventory.Row) { total++ })
	ports := func(yield func(inventory.Port) bool) {
		for _, name := range g.inv.Names() {
			p := state.Port(name, now)
			if p.Pod != nil && p.Pod.Namespace == o.namespace && p.Decision.Level.String() == o.level && !yield(p) {
				return
			}
		}
	}
	brake := &repair.Brake{Percent: repairPercent, Floor: repairPorts, Window: controller.BrakeWindow}
	for _, f := range repair.Foresee(ports, total, g.build.Eras(), brake, now) {
		if f.Action.Log && (f.Action.Kind == repair.Annotate || f.Action.Kind == repair.Write) {
			logged++
		}
	}
	if logged == 0 {
		return nil
	}
	return []string{
		fmt.Sprintf("%s is decided here already; %s not so and stay so, because repair only logs: a policy "+
			"with repair: repair writes them (ovnguard repair --dry-run -n %s%s)", o.level, verb(logged, "port"),
			o.namespace, readingWords(flags)),
	}
}
