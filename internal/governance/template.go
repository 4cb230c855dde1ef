package governance

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/util/json"

	"github.com/ovnguard/ovnguard/internal/admission"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// workload is an object that pods are made from.
type workload struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   struct {
		Name string `json:"name"`
		UID  string `json:"uid"`
	} `json:"metadata"`
	Spec struct {
		Template    admission.Template `json:"template"`
		JobTemplate struct {
			Spec struct {
				Template admission.Template `json:"template"`
			} `json:"spec"`
		} `json:"jobTemplate"`
	} `json:"spec"`
}

// Workload tells the author of a workload what would be refused or changed in its pods. It never refuses the workload:
// pods are judged when they are made.
func (g *Guard) Workload(ctx context.Context, req *admissionv1.AdmissionRequest) (Answer, error) {
	maker := g.Accounts.MakerOf(req.Kind.Group, req.Kind.Kind)
	if maker == "" || req.SubResource != "" ||
		req.Operation != admissionv1.Create && req.Operation != admissionv1.Update {
		return Answer{}, fmt.Errorf(
			"this webhook does not answer %s of %s %s",
			req.Operation,
			req.Kind.Kind,
			req.SubResource,
		)
	}
	object, old, err := decode[workload](req)
	if err != nil {
		return Answer{}, err
	}
	path, of := "spec.template", func(w *workload) *admission.Template { return &w.Spec.Template }
	if req.Kind.Kind == "CronJob" {
		path = "spec.jobTemplate.spec.template"
		of = func(w *workload) *admission.Template { return &w.Spec.JobTemplate.Spec.Template }
	}
	var a Answer
	t := of(object)
	if t.Spec.HostNetwork || old != nil && equality.Semantic.DeepEqual(of(old), t) {
		return a, nil
	}
	p := t.Pod(object.Metadata.Name + made)
	if uid := object.Metadata.UID; uid != "" && old != nil {
		p.Metadata.Owners = []admission.OwnerReference{{
			APIVersion: object.APIVersion, Kind: object.Kind, Name: object.Metadata.Name, UID: uid, Controller: true,
		}}
	}
	g.foresee(ctx, &a, req.Namespace, maker, path, p)
	return a, nil
}

// Machine judges KubeVirt's VirtualMachines and VirtualMachineInstances, whose annotations go to the pods that run
// them. Most of what is wrong is told early and refused in those pods. But pods of machines are made by KubeVirt's own
// account, which is believed about what binds a pod to a machine: that must be nothing that an author wrote. Migrations
// carry no annotations to pods.
func (g *Guard) Machine(ctx context.Context, req *admissionv1.AdmissionRequest) (Answer, error) {
	if req.Resource.Group != "kubevirt.io" ||
		req.Operation != admissionv1.Create && req.Operation != admissionv1.Update ||
		req.SubResource != "" {
		return Answer{}, fmt.Errorf(
			"this webhook does not answer %s of %s %s",
			req.Operation,
			req.Resource.Resource,
			req.SubResource,
		)
	}
	var read func(raw []byte) (*admission.Template, error)
	path := ""
	switch req.Resource.Resource {
	case "virtualmachines":
		path = "spec.template"
		read = func(raw []byte) (*admission.Template, error) {
			var w workload
			err := json.Unmarshal(raw, &w)
			return &w.Spec.Template, err
		}
	case "virtualmachineinstances":
		read = func(raw []byte) (*admission.Template, error) {
			var t admission.Template
			err := json.Unmarshal(raw, &t)
			return &t, err
		}
	default:
		return Answer{}, fmt.Errorf("this webhook does not answer %s of %s", req.Operation, req.Resource.Resource)
	}
	t, err := read(req.Object.Raw)
	if err != nil {
		return Answer{}, fmt.Errorf("the review's object is no %s: %w", req.Kind.Kind, err)
	}
	var old *admission.Template
	if req.Operation == admissionv1.Update {
		if old, err = read(req.OldObject.Raw); err != nil {
			return Answer{}, fmt.Errorf("the review's oldObject is no %s: %w", req.Kind.Kind, err)
		}
	}
	var named struct {
		Metadata metadata `json:"metadata"`
	}
	if err := json.Unmarshal(req.Object.Raw, &named); err != nil {
		return Answer{}, fmt.Errorf("the review's object is no %s: %w", req.Kind.Kind, err)
	}
	var a Answer
	name := cmp.Or(named.Metadata.Name, req.Name)
	if old == nil {
		old = &admission.Template{}
		g.machineName(&a, name, req.Namespace)
	}
	for _, key := range slices.Sorted(maps.Keys(t.Metadata.Annotations)) {
		value := t.Metadata.Annotations[key]
		if was, had := old.Metadata.Annotations[key]; kubeovn.ClassOf(key) == kubeovn.MachineKey &&
			(!had || was != value) &&
			kubeovn.BaseSuffix(
				key,
			) != kubeovn.AllowLiveMigration { // which Kube-OVN's documents tell people to write here
			a.Deny(
				"%s: it gives the pods of this machine the port of another machine, and is only for the target "+
					"of a migration; leave it out",
				field(path, key),
			)
		}
	}
	switch {
	case len(a.Denials()) > 0:
		g.decidedFor(&a, g.Cluster.Namespace(ctx, req.Namespace))
		return a, nil
	case equality.Semantic.DeepEqual(old.Metadata.Annotations, t.Metadata.Annotations) &&
		equality.Semantic.DeepEqual(old.Spec, t.Spec):
		return a, nil
	}
	maker := g.Accounts.MakerOf(kubeovn.MachineGroup, req.Kind.Kind)
	p := t.Pod("virt-launcher-" + name + made)
	p.Spec.HostNetwork = false // machines have no such field
	p.Metadata.Owners = []admission.OwnerReference{
		{APIVersion: kubeovn.MachineGroup + "/v1", Kind: "VirtualMachineInstance", Name: name, Controller: true},
	}
	g.foresee(ctx, &a, req.Namespace, maker, path, p)
	return a, nil
}

// machineName refuses a name by which the port of the machine would be another's: the pods that run it have ports of
// its name, and KubeVirt makes them without asking.
func (g *Guard) machineName(a *Answer, name, namespace string) {
	port := kubeovn.PortName(name, namespace, kubeovn.DefaultProvider)
	outside := false
	g.Look(func(inv *inventory.State) { outside = inv.NamesOutside(port) })
	switch {
	case outside:
		a.Deny("metadata.name: the port of the machine would be named %s, and this is the name of an IP "+
			"resource of a NIC outside OVN; choose a name without dots", port)
	case kubeovn.MayNameAnotherPort(name, namespace):
		a.Deny(
			"metadata.name: the port of the machine would be named %s, the form of a port name for an "+
				"attachment of another pod, and Kube-OVN could not tell the two apart; choose a name without dots",
			port,
		)
	}
}

// field names an annotation of a template as people find it in their manifest.
func field(path, key string) string {
	if path != "" {
		path += "."
	}
	return fmt.Sprintf("%smetadata.annotations[%q]", path, key)
}

// made is what stands for the end of a name that is made up for each pod.
const made = "-xxxxx"

// foresee tells what would be refused or changed in a pod that maker makes.
func (g *Guard) foresee(ctx context.Context, a *Answer, namespace, maker, path string, p *admission.Pod) {
	parsed := admission.ParsePod(namespace, p, nil)
	ns := g.Cluster.Namespace(ctx, namespace)
	var seen admission.Foreseen
	g.Look(func(inv *inventory.State) {
		v := &admission.View{
			Accounts:  g.Accounts,
			User:      maker,
			Namespace: ns,
			Inventory: inv,
			Now:       g.Now(),
			Done:      ctx.Done(),
		}
		seen = v.Foresee(parsed)
	})
	for _, w := range seen.Change.Warnings {
		a.Warn("in its pods: %s", strings.TrimPrefix(w, "ovnguard: "))
	}
	for _, r := range seen.Refusals {
		foretell(a, path, r)
	}
	if seen.Unjudged {
		g.decidedFor(a, ns)
	} else {
		a.Decided(&seen.Change.Verdict)
	}
}

// foretell says what pods would be refused for. The workload itself is not.
func foretell(a *Answer, path string, r admission.Refusal) {
	if path != "" {
		path += "."
	}
	switch r.Mode {
	case policy.Enforce:
		a.Warn("pods would be refused: %s%s", path, r)
	case policy.Warn:
		a.Warn("pods would be refused in mode enforce: %s%s", path, r)
	case policy.Audit:
	}
	r.Mode = policy.Audit
	a.Refusals = append(a.Refusals, r)
}
