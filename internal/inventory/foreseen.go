package inventory

import (
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/ovnguard/ovnguard/internal/policy"
)

// Foreseen is what admission would do about the pods of one workload if they were made again.
type Foreseen struct {
	// Workload is what the pods are made from; it is the pod itself where that is made from nothing.
	Workload  policy.Owner
	Namespace string
	// Running is how many of its pods run.
	Running int
	// Refused are the reasons to refuse the pods.
	Refused []Foresight
	// Overruled are the wishes that are not granted to the pods.
	Overruled []Foresight
}

// Foresight is one thing that admission would do about pods.
type Foresight struct {
	// Text says it with the field, in the words of admission.
	Text string
	// Mode is that of the policy the pods fall under.
	Mode policy.Mode
}

// IsPod reports whether it is about a pod that is made from nothing.
func (f *Foreseen) IsPod() bool { return f.Workload.APIVersion == "v1" && f.Workload.Kind == "Pod" }

// WorkloadSubject returns the subject for the pods that are made from an object.
func WorkloadSubject(namespace string, o policy.Owner) Subject {
	kind := o.Kind
	if group, _, ok := strings.Cut(o.APIVersion, "/"); ok {
		kind += "." + group
	}
	return Subject{SubjectWorkload, namespace, kind + "/" + o.Name}
}

// SetForeseen enters what admission would do about pods, for all workloads: those that are not among them have nothing
// of it. It touches no port.
func (inv *Inventory) SetForeseen(all map[Subject]Foreseen) []string {
	var gone []Subject
	for t := range inv.foreseen.Keys() {
		if _, still := all[t]; !still {
			gone = append(gone, t)
		}
	}
	for _, t := range gone {
		inv.foreseen.Delete(inv.edit, t)
		inv.affected[t] = true
	}
	for t, f := range all {
		if before, ok := inv.foreseen.Find(t); !ok || !before.Equal(f) {
			inv.foreseen.Set(inv.edit, t, f)
			inv.affected[t] = true
		}
	}
	return nil
}

// Foreseen returns what is known of what admission would do about pods, by workload.
func (inv *State) Foreseen() map[Subject]Foreseen { return maps.Collect(inv.foreseen.All()) }

// Equal reports whether both say the same.
func (f Foreseen) Equal(other Foreseen) bool {
	return f.Workload == other.Workload && f.Namespace == other.Namespace && f.Running == other.Running &&
		slices.Equal(f.Refused, other.Refused) && slices.Equal(f.Overruled, other.Overruled)
}

// EachPod walks over all pods, in no order.
func (inv *State) EachPod() iter.Seq[*Pod] {
	return func(yield func(*Pod) bool) {
		for _, pods := range inv.byNamespace.All() {
			for p := range pods.Values() {
				if !yield(p) {
					return
				}
			}
		}
	}
}
