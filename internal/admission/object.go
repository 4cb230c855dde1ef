package admission

import (
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"

	"github.com/ovnguard/ovnguard/internal/policy"
)

// Pod is what a review reads of a Pod. Decoding no more than this keeps reviews cheap and indifferent to fields that
// this program does not know.
type Pod struct {
	Metadata Metadata `json:"metadata"`
	Spec     struct {
		HostNetwork bool `json:"hostNetwork"`
	} `json:"spec"`
}

// Metadata is what a review reads of an object's metadata.
type Metadata struct {
	Name        string            `json:"name"`
	UID         string            `json:"uid"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	Owners      []OwnerReference  `json:"ownerReferences"`
}

// OwnerReference is what an object says of an object that owns it.
type OwnerReference struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Name       string `json:"name"`
	UID        string `json:"uid"`
	Controller bool   `json:"controller"`
}

// decodePod reads a pod from a review.
func decodePod(raw []byte) (*Pod, error) {
	var p *Pod
	if err := json.Unmarshal(raw, &p); err != nil {
		return nil, fmt.Errorf("ovnguard: the object of the review is not a Pod: %w", err)
	}
	if p == nil {
		return nil, errors.New("ovnguard: the review has no Pod")
	}
	return p, nil
}

// controller returns the owner that the pod says controls it; nil where it names none.
func (m *Metadata) controller() *policy.Owner {
	for _, o := range m.Owners {
		if o.Controller {
			return &policy.Owner{APIVersion: o.APIVersion, Kind: o.Kind, Name: o.Name, UID: o.UID}
		}
	}
	return nil
}
