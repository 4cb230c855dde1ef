package preview

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json"

	"github.com/ovnguard/ovnguard/internal/admission"
	"github.com/ovnguard/ovnguard/internal/inventory"
)

// Judgement is what admission would do about the pods of one manifest.
type Judgement struct {
	admission.Foreseen

	// Path is where in the manifest what is judged stands; empty where that is the manifest itself.
	Path string
	// Unasked says why admission is not asked about such pods; empty where it is.
	Unasked string
}

// JudgePod returns what admission would do about the pod of a manifest, as JSON, if it were applied.
func (c *Cluster) JudgePod(namespace string, manifest []byte) (Judgement, error) {
	var p struct {
		admission.Pod

		Metadata struct {
			admission.Metadata

			GenerateName string `json:"generateName"`
		} `json:"metadata"`
	}
	if err := json.Unmarshal(manifest, &p); err != nil {
		return Judgement{}, fmt.Errorf("the Pod cannot be read: %w", err)
	}
	p.Pod.Metadata = p.Metadata.Metadata
	p.Pod.Metadata.Name = cmp.Or(p.Metadata.Name, p.Metadata.GenerateName+"xxxxx")
	if why := c.unasked(namespace, p.Spec.HostNetwork); why != "" {
		return Judgement{Unasked: why}, nil
	}
	v := c.view(namespace, "")
	v.Replaces = c.portsOf(c.running(func(r *inventory.Pod) bool {
		return r.Namespace == namespace && r.Name == p.Pod.Metadata.Name
	}))
	return Judgement{Foreseen: v.Foresee(admission.ParsePod(namespace, &p.Pod, nil))}, nil
}

// JudgeTemplate returns what admission would do about pods from a template that is to be applied.
func (c *Cluster) JudgeTemplate(t Template) Judgement {
	if why := c.unasked(t.Namespace, t.template.Spec.HostNetwork && !t.isMachine()); why != "" {
		return Judgement{Path: t.Path, Unasked: why}
	}
	key := inventory.WorkloadSubject(t.Namespace, t.Workload)
	running := c.running(func(p *inventory.Pod) bool {
		return p.Namespace == t.Namespace && p.Controller != nil &&
			inventory.WorkloadSubject(p.Namespace, c.WorkloadOf(p)) == key
	})
	return Judgement{Path: t.Path, Foreseen: c.foreseeTemplate(&t, running)}
}

// unasked returns why admission is not asked about pods of the namespace; "" where it is.
func (c *Cluster) unasked(namespace string, hostNetwork bool) string {
	switch {
	case hostNetwork:
		return "its pods are on the host's network, and have no port of OVN"
	case namespace == c.LeftOut:
		return "admission leaves out the pods of this namespace"
	}
	return ""
}

// running returns the pods that run and are like that, by name.
func (c *Cluster) running(like func(*inventory.Pod) bool) (out []*inventory.Pod) {
	for p := range c.Inventory.EachPod() {
		if runs(p) && like(p) {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(a, b *inventory.Pod) int { return cmp.Compare(a.Name, b.Name) })
	return out
}
