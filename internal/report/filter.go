package report

import (
	"slices"
	"strings"

	"github.com/ovnguard/ovnguard/internal/audit"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// Filter selects the ports and the findings of a report. The zero value selects everything.
type Filter struct {
	// Namespace, Provider and Class select ports, and the findings about them.
	Namespace string           `json:"namespace,omitempty"`
	Provider  kubeovn.Provider `json:"provider,omitempty"`
	Class     audit.Class      `json:"class,omitempty"`
	// Selector is the label selector of pods, and Pods are those that it picks; nil picks all.
	Selector string                    `json:"selector,omitempty"`
	Pods     map[inventory.PodKey]bool `json:"-"`
	// Rules are IDs. With Severity, the least severe one to show, they select findings alone.
	Rules    []string       `json:"rules,omitempty"`
	Severity audit.Severity `json:"severity,omitempty"`
}

// String returns the filter as the flags of the command line that set it; "" for the one that selects everything.
func (f *Filter) String() string {
	var words []string
	for _, flag := range []struct{ name, value string }{
		{"namespace", f.Namespace},
		{"provider", string(f.Provider)},
		{"class", string(f.Class)},
		{"selector", f.Selector},
		{"rule", strings.Join(f.Rules, ",")},
		{"severity", string(f.Severity)},
	} {
		if flag.value != "" {
			words = append(words, "--"+flag.name, flag.value)
		}
	}
	return strings.Join(words, " ")
}

// port reports whether the filter selects a port.
func (f *Filter) port(j *Judged) bool {
	return (f.Namespace == "" || f.Namespace == j.Pod.Namespace) &&
		(f.Provider == "" || f.Provider == j.Provider) &&
		(f.Class == "" || f.Class == j.Class) && f.pod(j.Pod)
}

// pod reports whether the filter selects ports and findings about the pod.
func (f *Filter) pod(key inventory.PodKey) bool { return f.Pods == nil || f.Pods[key] }

// finding reports whether the filter selects a finding. CheckedNowhere is selected in each namespace, because it makes
// every port a violation.
func (f *Filter) finding(x *audit.Finding) bool {
	if f.Severity != "" && x.Rule.Severity.Rank() > f.Severity.Rank() {
		return false
	}
	if len(f.Rules) > 0 && !slices.Contains(f.Rules, x.Rule.ID) {
		return false
	}
	return x.Rule.ID == audit.CheckedNowhere.ID ||
		(f.Namespace == "" || f.Namespace == x.Namespace) &&
			(f.Provider == "" || f.Provider == x.Provider) &&
			(f.Class == "" || f.Class == x.Evidence.Class) &&
			f.pod(inventory.PodKey{Namespace: x.Namespace, Name: x.Pod})
}
