package admission

import (
	"cmp"
	"slices"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// Brought is a key of Kube-OVN that a new pod carried when it reached the webhook: its author wrote it, or another
// webhook or admission policy did.
type Brought struct {
	Key string
	// Same means that ovnguard writes the same value where the pod does not carry the key.
	Same bool
}

// brought returns the keys that a new pod carries for its NICs on OVN, of those that ovnguard writes itself or that a
// namespace may hand down. The values that ovnguard wrote into the pod when it was asked before are left out.
func (v *View) brought(p *ParsedPod) []Brought {
	var out []Brought
	add := func(nic kubeovn.Provider, key string, same bool) {
		if _, asked := p.Record[nic]; !asked || !same {
			out = append(out, Brought{key, same})
		}
	}
	has := make(map[kubeovn.Provider]bool, len(p.NICs))
	for _, nic := range p.NICs {
		has[nic.Provider] = true
	}
	g := v.grounds(p, false)
	for key, value := range p.Metadata.Annotations {
		nic, suffix, ok := kubeovn.SplitKey(key)
		if !ok || !has[nic] {
			continue
		}
		if v.late() {
			break
		}
		switch on := value == kubeovn.True; {
		case suffix == kubeovn.PortSecurity && value != "":
			add(nic, key, on == (v.withoutWish(g, nic).Value() == kubeovn.True))
		case suffix == kubeovn.Layer2Forward && value != "":
			add(nic, key, on == (v.decide(g, nic).Forwarding == policy.Require))
		case kubeovn.Inheritable(key):
			handedDown := g.handedDown(nic)[key]
			if value != "" || handedDown != "" {
				add(nic, key, value == handedDown)
			}
		}
	}
	slices.SortFunc(out, func(a, b Brought) int { return cmp.Compare(a.Key, b.Key) })
	return out
}

// withoutWish returns the decision for a NIC of the pod as if the pod said nothing about its level. It is another
// decision only where the pod made itself tighter.
func (v *View) withoutWish(g *grounds, nic kubeovn.Provider) policy.Decision {
	d := v.decide(g, nic)
	if !slices.ContainsFunc(d.Steps, func(s policy.Step) bool {
		return s.Source == policy.FromPod && s.Key == nic.Key(kubeovn.PortSecurity) && s.Outcome == policy.Applied
	}) {
		return d
	}
	q := v.Inventory.On(g.query, g.facts, nic)
	q.Pod.Inherited = append(slices.Clip(q.Pod.Inherited), nic)
	return policy.Decide(q)
}

// differing returns the keys for which ovnguard would write another value, or none.
func differing(brought []Brought) (keys []string) {
	for _, b := range brought {
		if !b.Same {
			keys = append(keys, b.Key)
		}
	}
	return keys
}
