// Package openreports tells findings as Reports of OpenReports (openreports.io/v1alpha1), one for each namespace:
// failures only, the worst of them, written when they change and removed when there are none.
package openreports

import (
	"cmp"
	"maps"
	"reflect"
	"slices"
	"sync"

	"github.com/ovnguard/ovnguard/internal/audit"
	"github.com/ovnguard/ovnguard/internal/monitor"
)

// Cluster stands for the namespace of findings about ports that no pod claims. They are told in a ClusterReport.
const Cluster = ""

// Failure is a finding with what else a report says of it.
type Failure struct {
	audit.Finding
	// PodUID is empty where no pod claims the port.
	PodUID string
	// Policy is the PortSecurityPolicy that the port falls under; empty for the built-in default.
	Policy string
}

// Book keeps the findings to report, and the namespaces where they changed. It is a monitor.Observer and safe for use
// by several goroutines.
type Book struct {
	mu      sync.Mutex
	ports   map[string]map[string]monitor.Verdict // by namespace and port; those with findings only
	changed map[string]bool
}

// NewBook returns an empty Book.
func NewBook() *Book {
	return &Book{ports: make(map[string]map[string]monitor.Verdict), changed: make(map[string]bool)}
}

// Judged implements monitor.Observer.
func (b *Book) Judged(before, after monitor.Verdict) {
	before.Findings, after.Findings = breaking(before.Findings), breaking(after.Findings)
	if len(before.Findings) == 0 && len(after.Findings) == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	same := before.Pod == after.Pod && before.PodUID == after.PodUID && before.Policy == after.Policy
	if same && reflect.DeepEqual(before.Findings, after.Findings) {
		return
	}
	if namespace := before.Pod.Namespace; len(before.Findings) > 0 {
		b.changed[namespace] = true
		delete(b.ports[namespace], before.Port)
		if len(b.ports[namespace]) == 0 {
			delete(b.ports, namespace)
		}
	}
	if namespace := after.Pod.Namespace; len(after.Findings) > 0 {
		b.changed[namespace] = true
		if b.ports[namespace] == nil {
			b.ports[namespace] = make(map[string]monitor.Verdict)
		}
		b.ports[namespace][after.Port] = after
	}
}

// breaking returns the findings that break something; what is only worth knowing is no failure.
func breaking(findings []audit.Finding) []audit.Finding {
	worthKnowing := func(f audit.Finding) bool { return f.Rule.Severity == audit.Info }
	if !slices.ContainsFunc(findings, worthKnowing) {
		return findings
	}
	return slices.DeleteFunc(slices.Clone(findings), worthKnowing)
}

// Namespaces returns the namespaces that have findings, sorted.
func (b *Book) Namespaces() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Sorted(maps.Keys(b.ports))
}

// Changed returns the namespaces whose findings changed since they were last asked for, sorted.
func (b *Book) Changed() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	changed := slices.Sorted(maps.Keys(b.changed))
	clear(b.changed)
	return changed
}

// Failures returns the findings of a namespace, the worst first.
func (b *Book) Failures(namespace string) []Failure {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []Failure
	for _, v := range b.ports[namespace] {
		for _, f := range v.Findings {
			out = append(out, Failure{f, v.PodUID, v.Policy})
		}
	}
	slices.SortFunc(out, func(a, b Failure) int {
		return cmp.Or(
			cmp.Compare(a.Rule.Severity.Rank(), b.Rule.Severity.Rank()),
			cmp.Compare(a.Rule.ID, b.Rule.ID),
			cmp.Compare(a.Port, b.Port),
			cmp.Compare(a.Pod, b.Pod),
			cmp.Compare(a.Workload.Name, b.Workload.Name),
			cmp.Compare(a.Message, b.Message),
		)
	})
	return out
}
