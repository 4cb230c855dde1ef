package kube

import (
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	utiljson "k8s.io/apimachinery/pkg/util/json"
)

// decode returns an object as Source.Set takes it: for kinds with many objects the fact alone. Of these, only the
// fields that make it are read.
func decode(raw []byte, s Source, bare bool) (any, error) {
	switch s.Kind {
	case IPKind:
		return decodeRecord(raw)
	case podKind:
		return decodePod(raw)
	}
	switch object := s.Object().(type) {
	case *metav1.PartialObjectMetadata:
		return decodeMetadata(raw, object)
	case *unstructured.Unstructured:
		// It reads whole numbers as such.
		if err := utiljson.Unmarshal(raw, &object.Object); err != nil {
			return nil, err
		}
		if bare {
			object.SetGroupVersionKind(s.Kind)
		}
		return Strip(object)
	default:
		if err := json.Unmarshal(raw, object); err != nil {
			return nil, err
		}
		return Strip(object)
	}
}

// ownedFields are what is read of the metadata of objects that own others, or are owned.
type ownedFields struct {
	Name            string                  `json:"name"`
	Namespace       string                  `json:"namespace"`
	UID             types.UID               `json:"uid"`
	ResourceVersion string                  `json:"resourceVersion"`
	OwnerReferences []metav1.OwnerReference `json:"ownerReferences"`
}

// containerFields are what is read of a container.
type containerFields struct {
	Ports         []corev1.ContainerPort         `json:"ports"`
	RestartPolicy *corev1.ContainerRestartPolicy `json:"restartPolicy"`
}

func containersOf(fields []containerFields) []corev1.Container {
	var out []corev1.Container
	for _, f := range fields {
		if len(f.Ports) > 0 {
			out = append(out, corev1.Container{Ports: f.Ports, RestartPolicy: f.RestartPolicy})
		}
	}
	return out
}

// decodePod returns the entry of a pod.
func decodePod(raw []byte) (*Entry, error) {
	var o struct {
		Metadata struct {
			ownedFields

			Labels            map[string]string `json:"labels"`
			Annotations       map[string]string `json:"annotations"`
			DeletionTimestamp *metav1.Time      `json:"deletionTimestamp"`
		} `json:"metadata"`
		Spec struct {
			HostNetwork   bool                 `json:"hostNetwork"`
			RestartPolicy corev1.RestartPolicy `json:"restartPolicy"`

			InitContainers []containerFields `json:"initContainers"`
			Containers     []containerFields `json:"containers"`
		} `json:"spec"`
		Status struct {
			Phase  corev1.PodPhase `json:"phase"`
			Reason string          `json:"reason"`
		} `json:"status"`
	}
	if err := json.Unmarshal(raw, &o); err != nil {
		return nil, err
	}
	m := &o.Metadata
	fact := PodOf(&corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: m.Name, Namespace: m.Namespace, UID: m.UID, OwnerReferences: m.OwnerReferences,
			Labels: m.Labels, Annotations: m.Annotations, DeletionTimestamp: m.DeletionTimestamp,
		},
		Spec: corev1.PodSpec{
			HostNetwork: o.Spec.HostNetwork, RestartPolicy: o.Spec.RestartPolicy,
			InitContainers: containersOf(o.Spec.InitContainers), Containers: containersOf(o.Spec.Containers),
		},
		Status: corev1.PodStatus{Phase: o.Status.Phase, Reason: o.Status.Reason},
	})
	return &Entry{types.NamespacedName{Namespace: fact.Namespace, Name: m.Name}, m.ResourceVersion, fact}, nil
}

// decodeMetadata returns an object with the metadata that Strip leaves.
func decodeMetadata(raw []byte, object *metav1.PartialObjectMetadata) (*metav1.PartialObjectMetadata, error) {
	var o struct {
		Metadata struct {
			ownedFields

			CreationTimestamp metav1.Time `json:"creationTimestamp"`
		} `json:"metadata"`
	}
	if err := json.Unmarshal(raw, &o); err != nil {
		return nil, err
	}
	m := &o.Metadata
	object.ObjectMeta = metav1.ObjectMeta{
		Name: m.Name, Namespace: shared(m.Namespace), UID: m.UID, ResourceVersion: m.ResourceVersion,
		OwnerReferences: m.OwnerReferences, CreationTimestamp: m.CreationTimestamp,
	}
	return object, nil
}

// decodeRecord returns the entry of an IP resource.
func decodeRecord(raw []byte) (*Entry, error) {
	var o struct {
		Metadata struct {
			Name            string            `json:"name"`
			Labels          map[string]string `json:"labels"`
			ResourceVersion string            `json:"resourceVersion"`
		} `json:"metadata"`
		Spec recordSpec `json:"spec"`
	}
	if err := json.Unmarshal(raw, &o); err != nil {
		return nil, err
	}
	r := recordOf(o.Metadata.Name, o.Metadata.Labels, &o.Spec)
	return &Entry{types.NamespacedName{Name: r.Name}, o.Metadata.ResourceVersion, r}, nil
}

// text is a text of an object. A value of another type than the schema allows is as good as absent.
type text string

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (t *text) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	if d.PeekKind() != '"' {
		return d.SkipValue()
	}
	token, err := d.ReadToken()
	if err != nil {
		return err
	}
	*t = text(token.String())
	return nil
}
