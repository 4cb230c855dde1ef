package audit

import (
	"slices"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// PermittedLevel says how much a port is permitted beyond its own identity.
type PermittedLevel string

// Levels that a port may be permitted: those of policy that are looser than strict, and frames for unknown MACs
// ("unknown" in addresses).
const (
	PermittedOpen       PermittedLevel = "open"
	PermittedMAC        PermittedLevel = "mac"
	PermittedExtended   PermittedLevel = "extended"
	PermittedForwarding PermittedLevel = "forwarding"
)

// PermittedLevels returns all levels, the loosest first.
func PermittedLevels() []PermittedLevel {
	return []PermittedLevel{PermittedOpen, PermittedMAC, PermittedExtended, PermittedForwarding}
}

// Rank orders levels: 0 is the loosest.
func (l PermittedLevel) Rank() int { return slices.Index(PermittedLevels(), l) }

// Permission is one way in which a pod's port may do more than its own identity allows. It is no finding.
type Permission struct {
	Level PermittedLevel
	// By says who permits it; several where each of them permits a part.
	By []Permitter
	// Port, Namespace, Pod and Provider say which NIC it is.
	Port, Namespace, Pod string
	Provider             kubeovn.Provider
}

// Permitter is a policy, an exception, a Vip or a gateway that permits something, or a namespace. The Name of a
// namespace is that of its annotation or label.
type Permitter struct {
	Source policy.Source
	Name   string
}

// String returns it as people call it.
func (p Permitter) String() string {
	switch p.Source {
	case policy.FromPolicy:
		return "PortSecurityPolicy " + p.Name
	case policy.FromException:
		return "PortSecurityException " + p.Name
	case policy.FromNamespace:
		return "namespace's " + p.Name
	case policy.FromVIP:
		return "Vip " + p.Name
	case policy.FromGateway:
		return p.Name
	case policy.FromDefault, policy.FromPod:
	}
	return string(p.Source)
}

// permitted returns the permissions of a pod's port, by the decision about it.
func permitted(p *inventory.Port) (out []Permission) {
	if p.Pod == nil {
		return nil
	}
	d := &p.Decision
	add := func(level PermittedLevel, by []Permitter) {
		out = append(out, Permission{
			Level: level, By: by, Port: p.Name, Namespace: p.Pod.Namespace, Pod: p.Pod.Name, Provider: p.Provider,
		})
	}
	switch d.Level {
	case policy.Strict:
	case policy.Extended:
		add(PermittedExtended, ofPairs(d))
	case policy.MAC:
		by := ofLevel(d)
		for _, also := range ofPairs(d) {
			if !slices.Contains(by, also) {
				by = append(by, also)
			}
		}
		add(PermittedMAC, by)
	case policy.Open:
		add(PermittedOpen, ofLevel(d))
	}
	asked := p.Row != nil && slices.Contains(p.Row.Addresses, kubeovn.AddressUnknown)
	if d.Forwarding == policy.Require || d.Forwarding == policy.Allow && asked {
		add(PermittedForwarding, ofForwarding(d))
	}
	return out
}

// ofLevel returns who permits the level of a decision.
func ofLevel(d *policy.Decision) []Permitter {
	return permitters(d, d.LevelFrom, func(s *policy.Step) bool {
		switch s.Source {
		case policy.FromPolicy:
			return s.Value == d.Level.String()
		case policy.FromNamespace:
			return kubeovn.BaseSuffix(s.Key) == kubeovn.PortSecurity || s.Key == policy.LevelLabel
		case policy.FromDefault, policy.FromGateway, policy.FromPod, policy.FromVIP, policy.FromException:
		}
		return true
	})
}

// ofForwarding returns who permits layer-2 forwarding.
func ofForwarding(d *policy.Decision) []Permitter {
	return permitters(d, d.ForwardingFrom, func(s *policy.Step) bool {
		return s.Source != policy.FromNamespace || kubeovn.BaseSuffix(s.Key) == kubeovn.Layer2Forward
	})
}

// ofPairs returns who permits the pairs of a decision.
func ofPairs(d *policy.Decision) (by []Permitter) {
	if len(d.Pairs) == 0 {
		return nil
	}
	counts := func(*policy.Step) bool { return true }
	return append(permitters(d, policy.FromException, counts), permitters(d, policy.FromVIP, counts)...)
}

// permitters returns the permitters of one kind in a decision, each once. counts reports whether a step matters.
func permitters(d *policy.Decision, from policy.Source, counts func(*policy.Step) bool) (by []Permitter) {
	add := func(name string) {
		if p := (Permitter{from, name}); name != "" && !slices.Contains(by, p) {
			by = append(by, p)
		}
	}
	if from == policy.FromException {
		for _, name := range d.Exceptions { // the steps may leave them out
			add(name)
		}
		return by
	}
	for i := range d.Steps {
		s := &d.Steps[i]
		if s.Source != from || s.Outcome != policy.Applied && s.Outcome != policy.Agreed || !counts(s) {
			continue
		}
		if from == policy.FromNamespace {
			add(s.Key)
		} else {
			add(s.Name)
		}
	}
	if len(by) == 0 && from == policy.FromPolicy {
		add(d.Policy)
	}
	return by
}
