package preview

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json"

	"github.com/ovnguard/ovnguard/internal/admission"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// Template is what an object says about the pods that are made from it.
type Template struct {
	// Workload is what people write, and Namespace where it is.
	Workload  policy.Owner
	Namespace string
	// Path is where in the object the template is; empty where the object is the template.
	Path string

	// object is the object that has the template.
	object   policy.Owner
	template admission.Template
}

// object is what is read of an object that pods are made from.
type object struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   struct {
		admission.Metadata

		Namespace string `json:"namespace"`
	} `json:"metadata"`
	Spec struct {
		Replicas    *int               `json:"replicas"`
		Template    admission.Template `json:"template"`
		JobTemplate struct {
			Spec struct {
				Template admission.Template `json:"template"`
			} `json:"spec"`
		} `json:"jobTemplate"`
	} `json:"spec"`
	Status struct {
		Conditions []condition `json:"conditions"`
	} `json:"status"`
}

// condition is what is read of a condition.
type condition struct {
	Type   string `json:"type"`
	Status string `json:"status"`
}

// TemplateOf returns the template of an object, as JSON. ok is false where no pods are made from it any more, or it is
// itself made from an object with a template.
func TemplateOf(raw []byte) (t Template, ok bool, err error) {
	var o object
	if err := json.Unmarshal(raw, &o); err != nil {
		return Template{}, false, fmt.Errorf(
			"the template in %s %s/%s cannot be read: %w",
			cmp.Or(o.Kind, "an object"),
			o.Metadata.Namespace,
			o.Metadata.Name,
			err,
		)
	}
	self := policy.Owner{APIVersion: o.APIVersion, Kind: o.Kind, Name: o.Metadata.Name, UID: o.Metadata.UID}
	t = Template{
		Workload: self, Namespace: o.Metadata.Namespace, Path: "spec.template", object: self, template: o.Spec.Template,
	}
	switch groupOf(o.APIVersion) + "/" + o.Kind {
	case "apps/Deployment", "apps/ReplicaSet", "apps/StatefulSet", "apps/DaemonSet", "batch/Job",
		kubeovn.MachineGroup + "/VirtualMachine":
	case "batch/CronJob":
		t.Path, t.template = "spec.jobTemplate.spec.template", o.Spec.JobTemplate.Spec.Template
	case kubeovn.MachineGroup + "/VirtualMachineInstance":
		t.Path = ""
		err = json.Unmarshal(raw, &t.template)
	default:
		return Template{}, false, nil
	}
	if isMade(self) {
		if by := o.controller(); by != nil {
			if hasTemplate(*by) || o.Spec.Replicas != nil && *o.Spec.Replicas == 0 {
				return Template{}, false, nil
			}
			t.Workload = *by
		}
	}
	ended := o.Kind == "Job" && slices.ContainsFunc(o.Status.Conditions, func(c condition) bool {
		return c.Status == "True" && (c.Type == "Complete" || c.Type == "Failed")
	})
	return t, !ended, err
}

// controller returns what the object is made from; nil for nothing.
func (o *object) controller() *policy.Owner {
	for _, by := range o.Metadata.Owners {
		if by.Controller {
			return &policy.Owner{APIVersion: by.APIVersion, Kind: by.Kind, Name: by.Name, UID: by.UID}
		}
	}
	return nil
}

// hasTemplate reports whether objects of that kind have templates that are judged.
func hasTemplate(o policy.Owner) bool {
	switch groupOf(o.APIVersion) + "/" + o.Kind {
	case "apps/Deployment", "batch/CronJob", kubeovn.MachineGroup + "/VirtualMachine":
		return true
	}
	return false
}

// Maker returns the account that makes the pods.
func (t *Template) Maker(a admission.Accounts) string {
	return a.MakerOf(groupOf(t.object.APIVersion), t.object.Kind)
}

// isMachine reports whether KubeVirt makes the pods.
func (t *Template) isMachine() bool { return groupOf(t.object.APIVersion) == kubeovn.MachineGroup }

// pod returns a pod as it would be made from the template, with its controller.
func (t *Template) pod(by policy.Owner) *admission.Pod {
	name := t.object.Name + "-xxxxx"
	switch {
	case t.isMachine():
		name = "virt-launcher-" + name
	case t.object.Kind == "StatefulSet":
		name = t.object.Name + "-0"
	}
	p := t.template.Pod(name)
	if t.isMachine() {
		p.Spec.HostNetwork = false // machines have no such field
	}
	p.Metadata.Owners = []admission.OwnerReference{
		{APIVersion: by.APIVersion, Kind: by.Kind, Name: by.Name, UID: by.UID, Controller: true},
	}
	return p
}

// between returns an object as it will stand between the template's object and its pods, as a Deployment's ReplicaSet
// does, for where there is none yet; ok is false where pods are made from the template's object itself.
func (t *Template) between() (o policy.Owner, ok bool) {
	switch t.object.Kind {
	case "Deployment":
		o = policy.Owner{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: t.object.Name + "-xxxxx"}
	case "CronJob":
		o = policy.Owner{APIVersion: "batch/v1", Kind: "Job", Name: t.object.Name + "-xxxxx"}
	case "VirtualMachine":
		o = policy.Owner{
			APIVersion: kubeovn.MachineGroup + "/v1", Kind: "VirtualMachineInstance", Name: t.object.Name,
		}
	default:
		return t.object, false
	}
	o.UID = "made-from-" + t.object.UID
	return o, true
}
