package governance

import (
	"strings"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
	"github.com/ovnguard/ovnguard/internal/admission"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kube"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// refusedDecision is what the audit log has as the decision on a policy or an exception that was refused. What is
// decided for ports stays as it was.
const refusedDecision = "refused"

// decided notes the policy by name, "" for the built-in default, and what was decided.
func (a *Answer) decided(policyName, decision string) {
	a.Note(admission.NotePolicy, admission.PolicyTitle(policyName))
	a.Note(admission.NoteDecision, decision)
}

// decidedFor notes what pods of the namespace have on the default network that ask for nothing.
func (g *Guard) decidedFor(a *Answer, ns policy.Namespace) {
	g.Look(func(inv *inventory.State) {
		d := policy.Decide(
			policy.Query{Provider: kubeovn.DefaultProvider, Namespace: ns, Policies: inv.Policies(), Now: g.Now()},
		)
		a.decided(d.Policy, d.Level.String())
	})
}

// decidedOn notes the policies that an exception is for, and how it stands with the one that does most for it: the word
// that its condition will have as its reason.
func (g *Guard) decidedOn(a *Answer, o *v1alpha1.PortSecurityException) {
	var titles []string
	decision := ""
	g.Look(func(inv *inventory.State) {
		e := inv.Standing(kube.ExceptionOf(o))
		for _, p := range policy.Governing(inv.Policies(), inv.Namespace(e.Namespace), e.Providers) {
			titles = append(titles, admission.PolicyTitle(p.Name))
			if reason, _ := e.Standing(&p, g.Now()); decision == "" || reason == policy.InEffect {
				decision = string(reason)
			}
		}
	})
	if len(a.Denials()) > 0 {
		decision = refusedDecision
	}
	a.Note(admission.NotePolicy, admission.ShortNote(strings.Join(titles, ", ")))
	a.Note(admission.NoteDecision, decision)
}
