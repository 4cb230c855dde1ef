package monitor

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ovnguard/ovnguard/internal/audit"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
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

// Judged implements Observer.
func (e Events) Judged(_, _ Verdict) {}

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
	// Events that differ in their note alone are counted as one, with the note of the first. So the NIC and the rule have
	// to stand in fields that tell Events apart.
	pod := &corev1.ObjectReference{
		APIVersion: "v1", Kind: "Pod", Namespace: f.Namespace, Name: f.Pod, UID: types.UID(podUID),
		FieldPath: "metadata.annotations[" + f.Provider.Key(kubeovn.PortSecurity) + "]",
	}
	note := f.Rule.ID + " " + f.Rule.Name + ", port " + f.Port + ": " + text
	if len(note) > noteLimit {
		note = strings.ToValidUTF8(note[:noteLimit], "") // a letter that was cut in half would be written as a longer one
	}
	e.Recorder.Eventf(pod, nil, kind, reason, f.Rule.ID, "%s", note)
}

// Observers tells several observers, in order.
type Observers []Observer

// Judged implements Observer.
func (o Observers) Judged(before, after Verdict) {
	for _, observer := range o {
		observer.Judged(before, after)
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
