package admission

import (
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/ovnguard/ovnguard/internal/policy"
)

// Refused is a request that was refused, as others than its author may read of it. It says no more than the author was
// told: the API server's audit log alone names objects of other namespaces.
type Refused struct {
	Operation admissionv1.Operation
	// Group, Resource and SubResource name the resource of the request, and Kind the kind of its object.
	Group, Resource, SubResource, Kind string
	Namespace                          string
	// Name and UID are those of the object. GenerateName is set where the API server makes up the end of the name, or
	// has just made it up: the next try has another one.
	Name, GenerateName, UID string
	User                    string
	DryRun                  bool
	// Maker is the workload that the object is made for, where the request comes from the account that makes the pods
	// of such workloads; nil otherwise.
	Maker *policy.Owner
	// Checks are the IDs of the checks that refused it, each once, in their order; none where no check did.
	Checks []string
	// Why is the text that the author was told.
	Why string
}

// IsPod reports whether the request is about a pod, or binds one to a node.
func (r *Refused) IsPod() bool {
	return r.Group == corev1.GroupName && (r.Resource == "pods" || r.Resource == "bindings")
}

// Known returns the name by which the object can be found among several tries: with an asterisk where the rest of it is
// made up for each.
func (r *Refused) Known() string {
	if r.GenerateName != "" {
		return r.GenerateName + "*"
	}
	return r.Name
}

// refusedOf describes a request that was refused with this text. accounts returns the accounts that count now.
func refusedOf(req *admissionv1.AdmissionRequest, refusals []Refusal, why string, accounts func() Accounts) Refused {
	r := Refused{
		Operation: req.Operation, Group: req.Resource.Group, Resource: req.Resource.Resource,
		SubResource: req.SubResource, Kind: req.Kind.Kind, Namespace: req.Namespace, Name: req.Name,
		User: req.UserInfo.Username, DryRun: req.DryRun != nil && *req.DryRun,
		Why: strings.TrimPrefix(why, "ovnguard: "),
	}
	for i := range refusals {
		if c := refusals[i].Check; c != nil && refusals[i].Mode == policy.Enforce && !slices.Contains(r.Checks, c.ID) {
			r.Checks = append(r.Checks, c.ID)
		}
	}
	slices.Sort(r.Checks)
	raw := req.Object.Raw
	if len(raw) == 0 {
		raw = req.OldObject.Raw
	}
	var object struct {
		Metadata struct {
			Name         string           `json:"name"`
			GenerateName string           `json:"generateName"`
			UID          string           `json:"uid"`
			Owners       []OwnerReference `json:"ownerReferences"`
		} `json:"metadata"`
	}
	if json.Unmarshal(raw, &object) != nil { // that may be the reason for the refusal
		return r
	}
	m := &object.Metadata
	if r.Name == "" {
		r.Name = m.Name
	}
	if req.Operation != admissionv1.Create {
		r.UID = m.UID
		return r
	}
	if madeUp(r.Name, m.GenerateName) {
		r.GenerateName = m.GenerateName
	}
	made := Metadata{Owners: m.Owners}
	if o := made.controller(); o != nil && r.IsPod() && accounts().made(*o, r.User) {
		r.Maker = o
	}
	return r
}

// madeUp reports whether the API server makes the end of a name up, or has done so. Validating webhooks get the
// complete name. An author may also give both a name and a generateName: pods of StatefulSets have both.
func madeUp(name, generateName string) bool {
	// Of k8s.io/apiserver/pkg/storage/names.
	const random = 5
	const longest = 63 - random
	begin := generateName[:min(len(generateName), longest)]
	return generateName != "" && (name == "" || strings.HasPrefix(name, begin) && len(name) == len(begin)+random)
}
