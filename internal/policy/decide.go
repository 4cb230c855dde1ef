package policy

import (
	"fmt"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// Namespace is what a decision reads of a namespace.
type Namespace struct {
	Name        string
	Annotations map[string]string
	// Err says why the namespace could not be read; nil where it was. The strict default stands then.
	Err error
}

// Decide gives the decision for one NIC of a pod from the annotations of its namespace and its own.
//
// The built-in default is Strict without forwarding. The namespace's keys of that very provider may loosen or tighten
// it; the pod's keys may only tighten what the namespace left. A namespace that could not be read, or that carries a
// value which cannot be read, leaves the default in force.
func Decide(provider kubeovn.Provider, ns Namespace, pod map[string]string) Decision {
	level := knob{key: provider.Key(kubeovn.PortSecurity), loosens: kubeovn.Off, from: FromDefault, keeps: "asks for strict"}
	forwarding := knob{key: provider.Key(kubeovn.Layer2Forward), loosens: kubeovn.On, from: FromDefault, keeps: "forbids layer-2 forwarding"}
	var steps []Step
	if ns.Err != nil {
		steps = append(steps, Step{
			Source: FromNamespace, Outcome: NotKnown,
			Detail: fmt.Sprintf("namespace %s could not be read, the strict default stands: %v", ns.Name, ns.Err),
		})
	} else {
		steps = level.turn(steps, FromNamespace, ns.Annotations)
		steps = forwarding.turn(steps, FromNamespace, ns.Annotations)
	}
	steps = level.turn(steps, FromPod, pod)
	steps = forwarding.turn(steps, FromPod, pod)

	d := Decision{LevelFrom: level.from, ForwardingFrom: forwarding.from, Steps: steps}
	if level.loose {
		d.Level = Open
	}
	if forwarding.loose {
		d.Forwarding = Allow
	}
	return d
}

// knob is one thing that annotations decide, from its tight end.
type knob struct {
	key string
	// loosens is the value that loosens it; the other one tightens.
	loosens kubeovn.Toggle
	// keeps says in a refusal what the parent does.
	keeps string

	loose bool
	from  Source
}

// turn takes a source's wish into account and adds what became of it to steps.
func (k *knob) turn(steps []Step, source Source, annotations map[string]string) []Step {
	step := Step{Source: source, Key: k.key, Value: annotations[k.key], Outcome: Agreed}
	t, err := kubeovn.ParseToggle(step.Value)
	switch wish := t == k.loosens; {
	case err != nil:
		step.Outcome, step.Detail = Invalid, err.Error()
	case t == kubeovn.Unset:
		return steps
	case source == FromPod && wish && !k.loose:
		step.Outcome = Refused
		step.Detail = fmt.Sprintf("the %s %s and a pod may only tighten", k.from.Phrase(), k.keeps)
	case wish != k.loose:
		step.Outcome = Applied
		k.loose, k.from = wish, source
	case source == FromNamespace:
		k.from = source // also where it only confirms the default: its author is the one to ask
	}
	return append(steps, step)
}

// Phrase names the source in a sentence, after "the".
func (s Source) Phrase() string {
	if s == FromDefault {
		return "built-in default"
	}
	return string(s)
}
