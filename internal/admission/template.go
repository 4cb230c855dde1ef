package admission

import (
	"maps"
	"strings"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// Template is what a workload says about its pods, and a KubeVirt machine about the pods that run it.
type Template struct {
	Metadata Metadata `json:"metadata"`
	Spec     struct {
		HostNetwork bool             `json:"hostNetwork"`
		Networks    []MachineNetwork `json:"networks"`
	} `json:"spec"`
}

// MachineNetwork is an entry in the networks of a KubeVirt machine.
type MachineNetwork struct {
	Multus *struct {
		Name    string `json:"networkName"`
		Default bool   `json:"default"`
	} `json:"multus"`
}

// Pod returns a pod of that name as it would be made from the template, without owners.
func (t *Template) Pod(name string) *Pod {
	p := &Pod{Metadata: Metadata{Name: name, Labels: t.Metadata.Labels, Annotations: t.Metadata.Annotations}}
	p.Spec.HostNetwork = t.Spec.HostNetwork
	var names []string
	for _, n := range t.Spec.Networks {
		if n.Multus != nil && !n.Multus.Default && n.Multus.Name != "" {
			names = append(names, n.Multus.Name)
		}
	}
	if len(names) > 0 { // as KubeVirt writes it
		p.Metadata.Annotations = maps.Clone(t.Metadata.Annotations)
		if p.Metadata.Annotations == nil {
			p.Metadata.Annotations = make(map[string]string)
		}
		p.Metadata.Annotations[kubeovn.Networks] = strings.Join(names, ",")
	}
	return p
}
