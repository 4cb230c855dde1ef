package api

import (
	"slices"

	"github.com/ovnguard/ovnguard/internal/audit"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/monitor"
	"github.com/ovnguard/ovnguard/internal/overview"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// forTenant returns a verdict as somebody may read it who may know of one namespace; ok is false where it is of another
// one. That port security is checked nowhere, everybody may know.
func (v *view) forTenant(j *monitor.Verdict, namespace string) (out monitor.Verdict, ok bool) {
	out = *j
	if j.Pod.Namespace != namespace {
		if !slices.ContainsFunc(
			j.Findings,
			func(f audit.Finding) bool { return f.Rule.ID == audit.CheckedNowhere.ID },
		) {
			return out, false
		}
		out.Findings = slices.DeleteFunc(slices.Clone(j.Findings), func(f audit.Finding) bool {
			return f.Rule.ID != audit.CheckedNowhere.ID
		})
	}
	if !isPort(j) {
		out.Result = out.ForTenant(nil)
		return out, true
	}
	p := v.state.Port(j.Port, v.at)
	if p.Pod == nil || p.Pod.PodKey != j.Pod {
		return out, false // it changed before it was judged again
	}
	out.Result = out.ForTenant(&p)
	out.Permitted = slices.Clone(out.Permitted)
	for i := range out.Permitted {
		out.Permitted[i].By = permittersForTenant(out.Permitted[i].By)
	}
	return out, true
}

// permittersForTenant returns who permits something, without the names of gateways, which may be of other namespaces.
func permittersForTenant(by []audit.Permitter) []audit.Permitter {
	by = slices.Clone(by)
	for i := range by {
		if by[i].Source == policy.FromGateway {
			by[i].Name = "a gateway"
		}
	}
	return by
}

// explainedForTenant returns a port as somebody may read it who may know of its namespace alone. Why an exception has
// no effect, or what a gateway forwards, may name others; the exception's own status says what its owner may know.
func explainedForTenant(p inventory.Port) inventory.Port {
	p.Decision.Steps = slices.Clone(p.Decision.Steps)
	for i := range p.Decision.Steps {
		switch step := &p.Decision.Steps[i]; {
		case step.Source == policy.FromGateway:
			step.Name, step.Detail = "", ""
		case step.Source == policy.FromException && step.Outcome == policy.Refused:
			step.Detail = "the status of the exception says why"
		}
	}
	return p
}

// forTenant returns what somebody may know who may know of one namespace: whether the databases are followed.
func (h Health) forTenant() Health {
	only := func(d *Database) *Database {
		if d == nil {
			return nil
		}
		out := &Database{Reached: d.Reached, Read: d.Read, OVN: d.OVN}
		if d.Error != "" {
			out.Error = "it is not followed"
		}
		return out
	}
	return Health{
		Northbound: *only(&h.Northbound),
		Southbound: only(h.Southbound),
		Policies:   h.Policies,
		Nodes:      []overview.Node{},
	}
}
