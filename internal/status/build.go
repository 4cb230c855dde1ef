package status

import (
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/internal/publish"
)

// refresh is how old lastMatched of an exception in use may become before it is written again.
const refresh = time.Hour

// maxMessage is how long the message of a condition may be, in bytes.
const maxMessage = 1024

// OfException returns the status of an exception: o as it is, with what became of it.
func OfException(
	o *v1alpha1.PortSecurityException,
	s Standing,
	m Matched,
	now time.Time,
) v1alpha1.PortSecurityExceptionStatus {
	before, at := o.Status, metav1.NewTime(now.Truncate(time.Second))
	out := *before.DeepCopy()
	out.ObservedGeneration, out.Policy, out.MatchedPorts, out.Ports = o.Generation, s.Policy, int32(m.Count), m.First
	switch {
	case m.Count > 0 && (before.MatchedPorts == 0 || before.LastMatched == nil ||
		now.Sub(before.LastMatched.Time) >= refresh),
		m.Count == 0 && before.MatchedPorts > 0:
		out.LastMatched = &at
	}
	effect := metav1.Condition{
		Type:    v1alpha1.ConditionInEffect,
		Status:  metav1.ConditionFalse,
		Reason:  string(s.Reason),
		Message: s.Why,
	}
	if s.Reason == policy.InEffect {
		effect.Status, effect.Message = metav1.ConditionTrue, "until "+o.Spec.ExpiresAt.UTC().Format(time.RFC3339)
	}
	used := metav1.Condition{
		Type:    v1alpha1.ConditionUsed,
		Status:  metav1.ConditionTrue,
		Reason:  "PortsMatched",
		Message: "it changes what ports may do",
	}
	if m.Count == 0 {
		used.Status, used.Reason, used.Message = metav1.ConditionFalse, "NoPortMatches", "it changes no port; "+
			"delete it if this does not change"
	}
	set(&out.Conditions, effect, o.Generation, at)
	set(&out.Conditions, used, o.Generation, at)
	return out
}

// OfPolicy returns the status of a policy: o as it is, with what became of it. p is o, compiled, and shadow says which
// others come before it; nil where it selects pods by labels or that is not known yet.
func OfPolicy(
	o *v1alpha1.PortSecurityPolicy,
	p *policy.Policy,
	d Decided,
	shadow *policy.Shadow,
	now time.Time,
) v1alpha1.PortSecurityPolicyStatus {
	out := *o.Status.DeepCopy()
	out.ObservedGeneration, out.MatchedPorts, out.Violations, out.MatchedNamespaces = o.Generation, int32(
		d.Ports,
	), int32(
		d.Violations,
	), int32(
		d.Namespaces,
	)
	accepted := metav1.Condition{
		Type:    v1alpha1.ConditionAccepted,
		Status:  metav1.ConditionTrue,
		Reason:  "Accepted",
		Message: "all of it can be read",
	}
	if p.Err != nil {
		accepted.Status, accepted.Reason = metav1.ConditionFalse, "Unreadable"
		accepted.Message = p.Err.Error() + "; until it is corrected, ports are strict and no exception has an " +
			"effect"
	}
	at := metav1.NewTime(now.Truncate(time.Second))
	set(&out.Conditions, accepted, o.Generation, at)
	switch {
	case p.Pods != nil:
		meta.RemoveStatusCondition(&out.Conditions, v1alpha1.ConditionDecides)
	case shadow != nil:
		set(&out.Conditions, decides(shadow, p.Priority), o.Generation, at)
	}
	return out
}

// decides returns the condition that says whether a policy decides anything.
func decides(s *policy.Shadow, priority int32) metav1.Condition {
	c := metav1.Condition{
		Type:    v1alpha1.ConditionDecides,
		Status:  metav1.ConditionTrue,
		Reason:  "Decides",
		Message: "it decides for every port that it selects",
	}
	first := s.By[:min(len(s.By), maxNamed)]
	switch {
	case s.Always():
		c.Status, c.Reason = metav1.ConditionFalse, "Shadowed"
		c.Message = fmt.Sprintf(
			"%s come before it for every port that it selects; give it a higher spec.priority than %d",
			strings.Join(first, ", "),
			priority,
		)
	case !s.Decides:
		c.Status, c.Reason, c.Message = metav1.ConditionFalse, "NoNamespace", "no namespace has the labels that "+
			"spec.namespaceSelector asks for"
	case len(s.By) > 0:
		c.Reason, c.Message = "DecidesPartly", strings.Join(first, ", ")+" come before it for some of the "+
			"ports that it selects"
	}
	return c
}

// maxNamed is how many other policies a condition names.
const maxNamed = 5

// set enters a condition; its time changes with its status alone.
func set(conditions *[]metav1.Condition, c metav1.Condition, generation int64, at metav1.Time) {
	c.Message = publish.Shorten(c.Message, maxMessage)
	c.ObservedGeneration, c.LastTransitionTime = generation, at
	meta.SetStatusCondition(conditions, c)
}
