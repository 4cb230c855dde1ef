package monitor

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ovnguard/ovnguard/internal/audit"
)

// EventRecorder is the part of client-go's events.EventRecorder that is used.
type EventRecorder interface {
	Eventf(regarding, related runtime.Object, eventtype, reason, action, note string, args ...any)
}

// Events writes an Event on the pod when one of its ports gets a finding, and when it is rid of it.
type Events struct {
	Recorder EventRecorder
}

// noteLimit is the API's limit for an Event's note, in bytes.
const noteLimit = 1024

// Counted implements Observer.
func (e Events) Counted(audit.State, int) {}

// Found implements Observer.
func (e Events) Found(f audit.Finding, podUID string) {
	e.write(f, podUID, corev1.EventTypeWarning, "PortSecurityFinding", f.Message)
}

// Cleared implements Observer.
func (e Events) Cleared(f audit.Finding, podUID string) {
	e.write(f, podUID, corev1.EventTypeNormal, "PortSecurityCleared", "no longer: "+f.Rule.Summary)
}

func (e Events) write(f audit.Finding, podUID, kind, reason, text string) {
	if podUID == "" {
		return
	}
	pod := &corev1.ObjectReference{
		APIVersion: "v1", Kind: "Pod", Namespace: f.Namespace, Name: f.Pod, UID: types.UID(podUID),
	}
	note := f.Rule.ID + " " + f.Rule.Name + ", port " + f.Port + ": " + text
	if len(note) > noteLimit {
		note = note[:noteLimit]
	}
	e.Recorder.Eventf(pod, nil, kind, reason, "Audit", "%s", note)
}

// Observers tells several observers, in order.
type Observers []Observer

// Counted implements Observer.
func (o Observers) Counted(s audit.State, delta int) {
	for _, observer := range o {
		observer.Counted(s, delta)
	}
}

// Found implements Observer.
func (o Observers) Found(f audit.Finding, podUID string) {
	for _, observer := range o {
		observer.Found(f, podUID)
	}
}

// Cleared implements Observer.
func (o Observers) Cleared(f audit.Finding, podUID string) {
	for _, observer := range o {
		observer.Cleared(f, podUID)
	}
}
