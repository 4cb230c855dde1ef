// Package audit judges ports: what OVN has for a port against what policy says it must be. It is pure: pictures in,
// findings out.
package audit

import (
	"slices"
	"time"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// Severity says how bad a finding is.
type Severity string

// Severities, the worst first.
const (
	Critical Severity = "critical"
	High     Severity = "high"
	Medium   Severity = "medium"
	Low      Severity = "low"
	// Info is for what is worth knowing and breaks nothing: a port with no other finding is compliant.
	Info Severity = "info"
)

// Severities returns all severities, the worst first.
func Severities() []Severity { return []Severity{Critical, High, Medium, Low, Info} }

// Rank orders severities: 0 is the worst.
func (s Severity) Rank() int {
	switch s {
	case Critical:
		return 0
	case High:
		return 1
	case Medium:
		return 2
	case Low:
		return 3
	case Info:
	}
	return 4
}

// Rule identifies what a finding is about. Its ID never changes its meaning.
type Rule struct {
	// ID is the stable identifier, such as "OVG001".
	ID string
	// Name is the short name for tables, such as "open".
	Name string
	// Severity is the usual one. A finding may be more severe than its rule.
	Severity Severity
	// Summary says in one sentence what the rule finds.
	Summary string
	// Settle is how long it must hold before it means anything: creating and deleting a pod pass through such states.
	Settle time.Duration
	// Repaired means that repair writes addresses for it.
	Repaired bool
}

// Finding is one thing that is wrong with one port.
type Finding struct {
	Rule Rule
	// Port is the name of the Logical_Switch_Port.
	Port string
	// Namespace, Pod and Provider tell whose NIC it is; empty where no pod claims the port.
	Namespace string
	Pod       string
	Provider  kubeovn.Provider
	// Workload is what pods are made from, where the finding is about that; its zero value elsewhere.
	Workload policy.Owner
	// Message says what is wrong, in one sentence with the evidence.
	Message string
	// Evidence is what the message rests on.
	Evidence Evidence
	// Fix is the command that puts it right; empty where none is safe to give.
	Fix string
	// Elsewhere means that the message also says something of what is not in the namespace, whatever its rule.
	Elsewhere bool
}

// Evidence is what a finding rests on.
type Evidence struct {
	// Switch is the logical switch that holds the port.
	Switch string
	// PortSecurity and Addresses are the columns as OVN has them.
	PortSecurity []string
	Addresses    []string
	// Identity is the MAC and addresses that the port is assigned, and IdentityFrom where they were read.
	Identity     string
	IdentityFrom string
	// Excess is what the port may send beyond its identity, Loss what its own traffic would lose.
	Excess []string
	Loss   []string
	// Decision is the level that policy asks for, and DecisionFrom its source.
	Decision     string
	DecisionFrom string
	// Class says what kind of port it is.
	Class Class
	// Expected is the column that means what was decided in every era; nil where nothing is asked of it or it is not
	// known.
	Expected []string
	// Effective is what port_security lets the port send as the OVN that may enforce reads it, once for each different
	// reading.
	Effective []string
	// Southbound is port_security as the Southbound database has it; nil where that is not followed.
	Southbound []string
	// Chassis are those that the port is bound to, by name, and Eras the parsers that may enforce.
	Chassis []string
	Eras    []string
	// Radius says what the port could do with sources that are not its own; "" where that is not known, or the finding
	// is not about that.
	Radius string
	// Others are the other ports, pods and subjects that the finding is about.
	Others []string
}

// State is the result of judging one port.
type State string

// States of a port. OutOfScope ports are not counted: they are not a pod's, or not yet or no longer in use.
const (
	Compliant  State = "compliant"
	Violation  State = "violation"
	Unknown    State = "unknown"
	OutOfScope State = "out-of-scope"
)

// notYet says why a port is Unknown while its findings still have to settle.
const notYet = "waiting to see whether the finding lasts"

// Result is what judging one port gave.
type Result struct {
	State State
	// Why says why the state is Unknown or OutOfScope, or Violation without a finding of the port's own.
	Why string
	// Class says what kind of port it is.
	Class Class
	// Findings are ordered by rule.
	Findings []Finding
	// Permitted says in which ways the port may do more than its own identity allows; none where the state is
	// OutOfScope. It does not depend on the findings.
	Permitted []Permission
	// Wide and Narrow tell that port_security lets the port send more, or less, than was decided, whatever finding says
	// so.
	Wide, Narrow bool
	// Open means that the port may send from any MAC and address, which is not what was decided.
	Open bool
}

// Breaks reports whether there is a finding that is more than worth knowing.
func (r Result) Breaks() bool {
	return slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Rule.Severity != Info })
}

// Keep returns the result with those findings only that lasted, as told of each in turn. Where none is left of several,
// the state is Unknown: what was found may be a moment in the making or the end of a port.
func (r Result) Keep(lasted func(Finding) bool) Result {
	var kept []Finding
	for _, f := range r.Findings {
		if lasted(f) {
			kept = append(kept, f)
		}
	}
	broke := r.Breaks()
	if r.Findings = kept; broke && !r.Breaks() && r.State == Violation {
		r.State, r.Why = Unknown, notYet
	}
	return r
}

// Has reports whether there is a finding of the rule.
func (r Result) Has(rule Rule) bool {
	return slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Rule.ID == rule.ID })
}

// Settling returns the longest time that any finding of these results has to last before it means anything; zero where
// each counts at once.
func Settling(results map[string]Result) time.Duration {
	var longest time.Duration
	for _, r := range results {
		for _, f := range r.Findings {
			longest = max(longest, f.Rule.Settle)
		}
	}
	return longest
}

// Lasting returns the later of two looks, taken at least Settling apart, without the findings that have to last and
// were not there before.
func Lasting(earlier, later map[string]Result) map[string]Result {
	out := make(map[string]Result, len(later))
	for name, r := range later {
		out[name] = r.Keep(func(f Finding) bool { return f.Rule.Settle == 0 || earlier[name].Has(f.Rule) })
	}
	return out
}
