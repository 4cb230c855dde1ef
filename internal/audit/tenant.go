package audit

import (
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/portsec"
)

// aboutItself has the IDs of the rules with messages and fixes that speak of the port, of its pod and of its namespace
// alone, or of the cluster as a whole. Those of other rules may name pods, Vips, gateways and addresses of others.
var aboutItself = map[string]bool{
	openPort.rule.ID: true, unusableEntry.rule.ID: true, widerThanIdentity.rule.ID: true,
	narrowerThanIdentity.rule.ID: true, unexpectedUnknown.rule.ID: true, podWithoutPort.rule.ID: true,
	missingUnknown.rule.ID: true, upgradeOpens.rule.ID: true, identityMismatch.rule.ID: true,
	exceptionExpired.ID: true, exceptionUnused.ID: true, secureByAnnotation.rule.ID: true,
	southboundDiffers.rule.ID: true, outsideOVN.ID: true, CheckedNowhere.ID: true,
}

// ForTenant returns the result as somebody may read it who has rights in the namespace of the pod alone. Messages that
// may name others become the summaries of their rules. port is nil where the result is about a subject.
func (r Result) ForTenant(port *inventory.Port) Result {
	disputed := port != nil && Disputed(port)
	found := r.Findings
	r.Findings = make([]Finding, len(found))
	for i := range found {
		f := found[i]
		if !aboutItself[f.Rule.ID] || f.Elsewhere || disputed {
			f.Message, f.Fix, f.Evidence.Others = f.Rule.Summary, "", nil
		}
		if disputed {
			f.Evidence = Evidence{Class: f.Evidence.Class}
		}
		r.Findings[i] = f
	}
	if disputed && r.Why != "" {
		r.Why = "it is not proved that the port is the pod's"
	}
	return r
}

// Disputed reports whether the row or the IP resource of a pod's port may be those of another pod.
func Disputed(p *inventory.Port) bool {
	switch {
	case p.Pod == nil:
		return false
	case p.Claims > 1 && p.Claims != p.Launchers:
		return true
	case p.Row != nil:
		return Unproved(p) != ""
	case p.Record != nil:
		of := p.Record.Of
		return of.Namespace != p.Pod.Namespace || of.Name != p.Pod.Owner && of.Name != p.Pod.Name
	}
	return false
}

// EvidenceOf returns the facts about a port that findings about it rest on. eras are as for Evaluate.
func EvidenceOf(p inventory.Port, eras []portsec.Era) Evidence {
	if len(p.Eras) > 0 {
		eras = p.Eras
	}
	if len(eras) == 0 {
		eras = everyEra
	}
	s := &subject{Port: p, eras: eras}
	s.derive()
	return s.finding(Rule{}, found{}).Evidence
}
