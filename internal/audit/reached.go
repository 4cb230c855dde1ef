package audit

import (
	"fmt"
	"strings"
	"time"

	"github.com/ovnguard/ovnguard/internal/inventory"
)

// These are about policies of the network as they are seen together with what ports may forge. They are of no port.
var (
	policyVoid = Rule{
		ID:       "OVG039",
		Name:     "policy-void",
		Severity: High,
		Summary:  "a port that the policy does not trust may send as somebody whom it trusts, so it keeps nobody away",
		Settle:   networkSettle,
	}
	policyNotRealised = Rule{
		ID:       "OVG040",
		Name:     "policy-not-realised",
		Severity: High,
		Summary:  "the ACLs that OVN has let pass what the policy keeps away, or stop what it admits",
		Settle:   networkSettle,
	}
	ungovernedGateway = Rule{
		ID:       "OVG041",
		Name:     "ungoverned-gateway",
		Severity: Info,
		Summary:  "the pod was granted the addresses of others, and no policy bounds what it sends",
		Settle:   networkSettle,
	}
)

// networkSettle is how long Kube-OVN may take to write the ACLs of a policy, and the members of its sets.
const networkSettle = 10 * time.Second

// wide reports whether a rule is about a port that may send from what is not its own.
func wide(r Rule) bool {
	switch r.ID {
	case openPort.rule.ID, unusableEntry.rule.ID, widerThanIdentity.rule.ID:
		return true
	}
	return false
}

// EvaluateReached judges a policy of the network, or a gateway, by what is known to be wrong of it.
func EvaluateReached(r *inventory.Reached) Result {
	result := Result{State: OutOfScope, Why: "it is no port"}
	name := r.Kind + " " + r.Name
	if r.Namespace != "" {
		name = r.Kind + " " + r.Namespace + "/" + r.Name
	}
	if r.Void != nil {
		result.Findings = append(result.Findings, void(name, r))
	}
	if r.Unrealised != nil {
		result.Findings = append(result.Findings, unrealised(name, r))
	}
	if len(r.Ungoverned) > 0 {
		result.Findings = append(result.Findings, Finding{
			Rule: ungovernedGateway, Namespace: r.Namespace, Pod: r.Name,
			Message: fmt.Sprintf(
				"port %s was granted the addresses of others, and no egress policy bounds what the pod sends: whoever "+
					"takes it over comes to everything that trusts these addresses",
				strings.Join(r.Ungoverned, ", "),
			),
			Evidence: Evidence{Others: r.Ungoverned},
			Fix:      command("ovnguard", "reach", "suggest", "pod/"+r.Name, "-n", r.Namespace),
		})
	}
	return result
}

func void(name string, r *inventory.Reached) Finding {
	v := r.Void
	found := Finding{
		Rule: policyVoid, Namespace: r.Namespace, Elsewhere: true,
		Message: fmt.Sprintf(
			"%s keeps nobody away who forges: %s may send as somebody whom it trusts, and so %s. %s",
			name,
			ports(v.ForgersTotal, v.Forgers),
			comes(v.ForgersTotal)+" to "+some(v.TargetsTotal, v.Targets),
			v.Example,
		),
		Evidence: Evidence{Others: append([]string{name}, v.Forgers...)},
	}
	if !v.Elsewhere {
		found.Rule.Severity = Medium
	}
	return found
}

func unrealised(name string, r *inventory.Reached) Finding {
	u := r.Unrealised
	var parts []string
	if u.PassesTotal > 0 {
		parts = append(parts, "let pass what it keeps away: "+some(u.PassesTotal, u.Passes))
	}
	if u.StopsTotal > 0 {
		parts = append(parts, "stop what it admits: "+some(u.StopsTotal, u.Stops))
	}
	found := Finding{
		Rule: policyNotRealised, Namespace: r.Namespace, Elsewhere: true,
		Message: fmt.Sprintf(
			"the ACLs that OVN has for %s %s. Kube-OVN writes them again when the spec of the policy changes",
			name, strings.Join(parts, "; and "),
		),
		Evidence: Evidence{Others: []string{name}},
	}
	if u.PassesTotal == 0 {
		found.Rule.Severity = Medium
	}
	return found
}

// ports words which ports, with how many there are.
func ports(total int, named []string) string {
	if total == 1 {
		return "the port of " + some(total, named)
	}
	return fmt.Sprintf("%d ports (%s)", total, some(total, named))
}

func comes(n int) string {
	if n == 1 {
		return "comes"
	}
	return "come"
}

// some names what there is, and counts the rest.
func some(total int, named []string) string {
	text := strings.Join(named, ", ")
	if left := total - len(named); left > 0 {
		text += fmt.Sprintf(" and %d more", left)
	}
	return text
}
