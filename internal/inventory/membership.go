package inventory

import (
	"slices"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// Membership is the difference between the security groups that a pod names for a NIC and those that OVN has the port
// in.
type Membership struct {
	// Missing are the groups that the pod names, that OVN has, and that the port is not in.
	Missing []Group
	// Left are the groups that the port is in and the pod does not name.
	Left []Group
	// DenyAll is the group that drops what no rule lets pass. Unfiltered means that the port is not in it although the
	// pod names a group that OVN has, and Denied that it is in it although the pod names none.
	DenyAll            Group
	Unfiltered, Denied bool
	// Named are the groups that the pod names, in its order.
	Named []string
}

// membership returns the difference for the port of a pod; nil where there is none, or the groups are not known.
func (inv *State) membership(p *Port) *Membership {
	if !inv.known || p.Pod == nil || p.Pod.ended() {
		return nil
	}
	text := p.Pod.Annotations[p.Provider.Key(kubeovn.SecurityGroups)]
	is := inv.members.Get(p.Row.UUID)
	if text == "" && len(is) == 0 {
		return nil
	}
	m := Membership{Named: kubeovn.GroupNames(text), DenyAll: inv.group(kubeovn.DenyAllGroup)}
	exists := false
	for _, name := range m.Named {
		g := inv.group(name)
		if g.PortGroup == nil {
			continue // Kube-OVN makes it with the SecurityGroup
		}
		exists = true
		if !slices.Contains(is, name) {
			m.Missing = append(m.Missing, g)
		}
	}
	for _, name := range is {
		if name != kubeovn.DenyAllGroup && !slices.Contains(m.Named, name) {
			m.Left = append(m.Left, inv.group(name))
		}
	}
	denied := slices.Contains(is, kubeovn.DenyAllGroup)
	m.Unfiltered = exists && !denied && m.DenyAll.PortGroup != nil
	m.Denied = denied && len(m.Named) == 0
	if len(m.Missing)+len(m.Left) == 0 && !m.Unfiltered && !m.Denied {
		return nil
	}
	return &m
}
