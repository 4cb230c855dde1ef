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
	d := Decision{Level: Strict, LevelFrom: FromDefault, Forwarding: Forbid, ForwardingFrom: FromDefault}
	if ns.Err != nil {
		d.Steps = append(d.Steps, Step{
			Source: FromNamespace, Outcome: NotKnown,
			Detail: fmt.Sprintf("namespace %s could not be read, the strict default stands: %v", ns.Name, ns.Err),
		})
	} else {
		d.namespaceLevel(provider.Key(kubeovn.PortSecurity), ns.Annotations)
		d.namespaceForwarding(provider.Key(kubeovn.Layer2Forward), ns.Annotations)
	}
	d.podLevel(provider.Key(kubeovn.PortSecurity), pod)
	d.podForwarding(provider.Key(kubeovn.Layer2Forward), pod)
	return d
}

// wish reads one annotation. said is false where it is absent or empty, or where it could not be read, in which case
// the step is already recorded.
func (d *Decision) wish(source Source, key string, annotations map[string]string) (t kubeovn.Toggle, value string, said bool) {
	value = annotations[key]
	t, err := kubeovn.ParseToggle(value)
	if err != nil {
		d.Steps = append(d.Steps, Step{Source: source, Key: key, Value: value, Outcome: Invalid, Detail: err.Error()})
		return kubeovn.Unset, value, false
	}
	return t, value, t != kubeovn.Unset
}

func (d *Decision) namespaceLevel(key string, annotations map[string]string) {
	t, value, said := d.wish(FromNamespace, key, annotations)
	if !said {
		return
	}
	level := Strict
	if t == kubeovn.Off {
		level = Open
	}
	d.setLevel(level, Step{Source: FromNamespace, Key: key, Value: value})
	d.LevelFrom = FromNamespace // also where it only confirms the default: its author is the one to ask
}

func (d *Decision) podLevel(key string, annotations map[string]string) {
	t, value, said := d.wish(FromPod, key, annotations)
	if !said {
		return
	}
	step := Step{Source: FromPod, Key: key, Value: value}
	switch {
	case t == kubeovn.On:
		d.setLevel(Strict, step)
	case d.Level == Open:
		step.Outcome = Agreed
		d.Steps = append(d.Steps, step)
	default:
		step.Outcome = Refused
		step.Detail = fmt.Sprintf("the %s asks for %s and a pod may only tighten", d.LevelFrom.Phrase(), d.Level)
		d.Steps = append(d.Steps, step)
	}
}

func (d *Decision) setLevel(level Level, step Step) {
	step.Outcome = Agreed
	if level != d.Level {
		d.Level, d.LevelFrom = level, step.Source
		step.Outcome = Applied
	}
	d.Steps = append(d.Steps, step)
}

func (d *Decision) namespaceForwarding(key string, annotations map[string]string) {
	t, value, said := d.wish(FromNamespace, key, annotations)
	if !said {
		return
	}
	forwarding := Forbid
	if t == kubeovn.On {
		forwarding = Allow
	}
	d.setForwarding(forwarding, Step{Source: FromNamespace, Key: key, Value: value})
	d.ForwardingFrom = FromNamespace
}

func (d *Decision) podForwarding(key string, annotations map[string]string) {
	t, value, said := d.wish(FromPod, key, annotations)
	if !said {
		return
	}
	step := Step{Source: FromPod, Key: key, Value: value}
	switch {
	case t == kubeovn.Off:
		d.setForwarding(Forbid, step)
	case d.Forwarding == Allow:
		step.Outcome = Agreed
		d.Steps = append(d.Steps, step)
	default:
		step.Outcome = Refused
		step.Detail = fmt.Sprintf("the %s forbids layer-2 forwarding and a pod may only tighten", d.ForwardingFrom.Phrase())
		d.Steps = append(d.Steps, step)
	}
}

func (d *Decision) setForwarding(f Forwarding, step Step) {
	step.Outcome = Agreed
	if f != d.Forwarding {
		d.Forwarding, d.ForwardingFrom = f, step.Source
		step.Outcome = Applied
	}
	d.Steps = append(d.Steps, step)
}

// Phrase names the source in a sentence, after "the".
func (s Source) Phrase() string {
	if s == FromDefault {
		return "built-in default"
	}
	return string(s)
}
