// Package report writes the findings of an audit, one format a file.
package report

import (
	"cmp"
	"slices"

	"github.com/ovnguard/ovnguard/internal/audit"
)

// Summary is the result of one audit.
type Summary struct {
	// Ports counts the pods' ports by state. Ports that are out of scope are not counted.
	Ports map[audit.State]int
	// Findings are ordered by severity, rule, port, and pod: the same findings always have the same order.
	Findings []audit.Finding
	// Unknown says, for each port that could not be judged, why.
	Unknown map[string]string
	// Permitted are the permissions of ports, ordered by namespace, pod, port and level.
	Permitted []audit.Permission
	// Notes say what the audit could not take into account.
	Notes []string
}

// Summarise combines the results of all ports. notes say what could not be taken into account.
func Summarise(results map[string]audit.Result, notes []string) Summary {
	s := Summary{
		Ports:   map[audit.State]int{audit.Compliant: 0, audit.Violation: 0, audit.Unknown: 0},
		Unknown: make(map[string]string),
		Notes:   notes,
	}
	for name, r := range results {
		s.Findings = append(s.Findings, r.Findings...)
		if r.State == audit.OutOfScope {
			continue
		}
		s.Ports[r.State]++
		s.Permitted = append(s.Permitted, r.Permitted...)
		if r.State == audit.Unknown {
			s.Unknown[name] = r.Why
		}
	}
	slices.SortFunc(s.Findings, func(a, b audit.Finding) int {
		return cmp.Or(
			cmp.Compare(
				a.Rule.Severity.Rank(),
				b.Rule.Severity.Rank(),
			),
			cmp.Compare(a.Rule.ID, b.Rule.ID),
			cmp.Compare(a.Port, b.Port),
			cmp.Compare(a.Namespace, b.Namespace),
			cmp.Compare(a.Pod, b.Pod),
			cmp.Compare(a.Provider, b.Provider),
			cmp.Compare(a.Workload.Name, b.Workload.Name),
			cmp.Compare(a.Message, b.Message),
		)
	})
	slices.SortFunc(s.Permitted, func(a, b audit.Permission) int {
		return cmp.Or(
			cmp.Compare(a.Namespace, b.Namespace),
			cmp.Compare(a.Pod, b.Pod),
			cmp.Compare(a.Port, b.Port),
			cmp.Compare(a.Level.Rank(), b.Level.Rank()),
		)
	})
	return s
}

// PermittedPorts returns how many ports have permissions.
func (s Summary) PermittedPorts() int {
	ports := make(map[string]bool)
	for i := range s.Permitted {
		ports[s.Permitted[i].Port] = true
	}
	return len(ports)
}

// Breaks reports whether there is a finding that is more than worth knowing.
func (s Summary) Breaks() bool {
	return slices.ContainsFunc(s.Findings, func(f audit.Finding) bool { return f.Rule.Severity != audit.Info })
}

// Total returns the number of ports that were judged.
func (s Summary) Total() int {
	n := 0
	for _, count := range s.Ports {
		n += count
	}
	return n
}
