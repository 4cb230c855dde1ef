package standin

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/record"
)

// Reasons of the events that the stand-in writes.
const (
	reasonAllocated     = "PodNetworkAllocated"
	reasonAcquireFailed = "AcquireAddressFailed"
	reasonInvalid       = "ValidatePodNetworkFailed"
	reasonSecurity      = "PodSecurityUpdated"
)

// events writes Kubernetes events.
type events struct {
	record.EventRecorder
	broadcaster record.EventBroadcaster
}

func newEvents(kube kubernetes.Interface) *events {
	b := record.NewBroadcaster()
	b.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: kube.CoreV1().Events("")})
	return &events{b.NewRecorder(scheme.Scheme, corev1.EventSource{Component: "kube-ovn-controller"}), b}
}

func (e *events) stop() { e.broadcaster.Shutdown() }
