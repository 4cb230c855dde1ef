package kube

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// LeanPod is a pod of which only what PodOf reads is decoded where an API server sends it as protobuf: its containers and volumes, their
// state and who manages which field are nine tenths of it. As JSON it is read whole.
type LeanPod struct {
	corev1.Pod
}

// LeanPodList is a list of them.
type LeanPodList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata"`

	Items []LeanPod `json:"items"`
}

// DeepCopyObject implements runtime.Object.
func (p *LeanPod) DeepCopyObject() runtime.Object {
	out := &LeanPod{}
	p.DeepCopyInto(&out.Pod)
	return out
}

// DeepCopyObject implements runtime.Object.
func (l *LeanPodList) DeepCopyObject() runtime.Object {
	out := &LeanPodList{TypeMeta: l.TypeMeta}
	l.DeepCopyInto(&out.ListMeta)
	for i := range l.Items {
		out.Items = append(out.Items, LeanPod{})
		l.Items[i].DeepCopyInto(&out.Items[i].Pod)
	}
	return out
}

// Numbers of fields of k8s.io/api/core/v1/generated.proto and k8s.io/apimachinery/pkg/apis/meta/v1/generated.proto.
const (
	fieldMetadata      = 1 // of Pod and PodList
	fieldSpec          = 2 // of Pod
	fieldStatus        = 3 // of Pod
	fieldItems         = 2 // of PodList
	fieldManaged       = 17
	fieldRestartPolicy = 3
	fieldHostNetwork   = 11
	fieldPhase         = 1
	fieldReason        = 4
)

// partsRead tells which fields of a pod's parts are read.
var partsRead = map[protowire.Number]func(protowire.Number) bool{
	fieldMetadata: func(n protowire.Number) bool { return n != fieldManaged },
	fieldSpec:     func(n protowire.Number) bool { return n == fieldRestartPolicy || n == fieldHostNetwork },
	fieldStatus:   func(n protowire.Number) bool { return n == fieldPhase || n == fieldReason },
}

// Unmarshal implements what the decoder of protobuf asks of objects.
func (p *LeanPod) Unmarshal(data []byte) error {
	err := eachField(data, func(number protowire.Number, field, value []byte) error {
		wanted := partsRead[number]
		if wanted == nil || value == nil {
			return p.Pod.Unmarshal(field) // to be judged by the decoder of whole pods
		}
		part, err := only(value, wanted)
		if err != nil {
			return err
		}
		if number == fieldMetadata {
			return p.ObjectMeta.Unmarshal(part)
		}
		if number == fieldSpec {
			return p.Spec.Unmarshal(part)
		}
		return p.Status.Unmarshal(part)
	})
	if err != nil {
		return fmt.Errorf("read a pod: %w", err)
	}
	return nil
}

// only gives a message with the wanted fields alone. Where these come one after the other, as those that nobody reads come last in metadata,
// it is a part of the message itself.
func only(message []byte, wanted func(protowire.Number) bool) ([]byte, error) {
	var out []byte
	begin, end, at := 0, 0, 0
	copied := false
	err := eachField(message, func(number protowire.Number, field, _ []byte) error {
		here := at
		at += len(field)
		if !wanted(number) {
			return nil
		}
		switch {
		case out == nil:
			begin, end = here, at
			out = message[begin:end:end]
		case here == end && !copied:
			end = at
			out = message[begin:end:end]
		default:
			copied = true
			out = append(out, field...)
		}
		return nil
	})
	return out, err
}

// Reset implements what the decoder of protobuf asks of objects.
func (l *LeanPodList) Reset() { *l = LeanPodList{} }

// Unmarshal implements what the decoder of protobuf asks of objects.
func (l *LeanPodList) Unmarshal(data []byte) error {
	err := eachField(data, func(number protowire.Number, _, value []byte) error {
		switch {
		case number == fieldMetadata && value != nil:
			return l.ListMeta.Unmarshal(value)
		case number == fieldItems && value != nil:
			l.Items = append(l.Items, LeanPod{})
			return l.Items[len(l.Items)-1].Unmarshal(value)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read a list of pods: %w", err)
	}
	return nil
}

// eachField calls do for each field of a message: with all its bytes, and with its value where that has a length, as messages have.
func eachField(message []byte, do func(number protowire.Number, field, value []byte) error) error {
	for len(message) > 0 {
		number, kind, tag := protowire.ConsumeTag(message)
		if tag < 0 {
			return protowire.ParseError(tag)
		}
		length := protowire.ConsumeFieldValue(number, kind, message[tag:])
		if length < 0 {
			return protowire.ParseError(length)
		}
		field := message[:tag+length]
		var value []byte
		if kind == protowire.BytesType {
			value, _ = protowire.ConsumeBytes(field[tag:])
		}
		if err := do(number, field, value); err != nil {
			return err
		}
		message = message[len(field):]
	}
	return nil
}
