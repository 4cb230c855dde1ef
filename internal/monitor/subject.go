package monitor

import (
	"time"

	"github.com/ovnguard/ovnguard/internal/audit"
	"github.com/ovnguard/ovnguard/internal/inventory"
)

// VerdictOfSubject returns the verdict on a subject that is no port: the result, with the namespace or the pod.
func VerdictOfSubject(picture *inventory.SubjectView, result audit.Result) Verdict {
	v := Verdict{
		Port: picture.String(), Pod: inventory.PodKey{Namespace: picture.Subject.Namespace}, Result: result,
	}
	if picture.Pod != nil {
		v.Pod, v.PodUID = picture.Pod.PodKey, picture.Pod.UID
	}
	if f := picture.Foreseen; f != nil && f.IsPod() {
		v.Pod.Name, v.PodUID = f.Workload.Name, f.Workload.UID
	}
	return v
}

// judgeSubject judges a subject that is no port, tells the observer what is different from before, and returns whether
// anything is that no event had led to.
func (m *Monitor) judgeSubject(t inventory.Subject, now time.Time) (changed bool) {
	a := about{thing: t}
	picture := m.inv.SubjectView(t)
	before, due := m.beside[t], m.coming[a]
	m.expect(a, audit.SubjectChanges(picture, now))
	after := judged{Verdict: VerdictOfSubject(&picture, audit.EvaluateSubject(picture, now))}
	m.settle(a, before, &after)
	switch {
	case len(after.Findings) > 0 || len(after.since) > 0:
		m.beside[t] = after
	case before.State == "":
		return false // there was nothing to say, nor is there
	default:
		delete(m.beside, t)
		after = judged{Verdict: Verdict{Port: t.String()}}
	}
	m.observer.Judged(before.Verdict, after.Verdict)
	timed := !due.IsZero() && !now.Before(due)
	return !timed && (before.State != after.State || !same(before, after, now))
}

// judgeSubjects judges all that is no port, and gives of how many the events had not told.
func (m *Monitor) judgeSubjects() (changed int) {
	now := m.clock.Now()
	for _, t := range m.inv.Subjects() {
		if m.judgeSubject(t, now) {
			changed++
		}
	}
	for t := range m.beside {
		if m.inv.SubjectView(t).Gone() && m.judgeSubject(t, now) {
			changed++
		}
	}
	return changed
}
