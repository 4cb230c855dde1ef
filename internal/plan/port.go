package plan

import (
	"slices"

	"github.com/ovnguard/ovnguard/internal/audit"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/portsec"
)

// When says when a port changes.
type When string

// Values of When.
const (
	// Now means that repair writes the port while its pod runs.
	Now When = "now"
	// Later means that the port stays as it is until its pod is made again.
	Later When = "when made again"
)

// Port is a port that would change.
type Port struct {
	Name     string           `json:"port"`
	Pod      string           `json:"pod"`
	Provider kubeovn.Provider `json:"provider"`
	Class    audit.Class      `json:"class"`
	When     When             `json:"when"`
	// Stays says why the port stays as it is while its pod runs; empty where repair writes it.
	Stays string `json:"stays,omitempty"`
	// Before is the port as it is without the change, also where repair is still to write it, and After as it would be.
	Before State `json:"before"`
	After  State `json:"after"`
	// Lost is what the port could no longer send, as a MAC and addresses, and Gained what it could send besides.
	Lost   []string `json:"lost,omitempty"`
	Gained []string `json:"gained,omitempty"`
	// Forwards are the signs that a port that loses something forwards for others, and Exception is the command that
	// leads to an exception for it.
	Forwards  []string `json:"forwards,omitempty"`
	Exception string   `json:"exception,omitempty"`
	// Unknown says why it cannot be told what the port would be.
	Unknown string `json:"unknown,omitempty"`
}

// State is what was decided for a port, and its columns.
type State struct {
	Level string `json:"level"`
	// From is the source of the level.
	From         string   `json:"from"`
	Policy       string   `json:"policy,omitempty"`
	Mode         string   `json:"mode"`
	Repair       string   `json:"repair"`
	PortSecurity []string `json:"portSecurity"`
	Addresses    []string `json:"addresses"`
}

func stateOf(p *inventory.Port) State {
	d := &p.Decision
	return State{
		Level: d.Level.String(), From: string(d.LevelFrom), Policy: d.Policy, Mode: d.Mode.String(),
		Repair:       d.Repair.String(),
		PortSecurity: append([]string{}, p.Row.PortSecurity...),
		Addresses:    append([]string{}, p.Row.Addresses...),
	}
}

// TakesUnknown reports whether the port takes in frames for MACs that nobody has.
func (s *State) TakesUnknown() bool { return slices.Contains(s.Addresses, kubeovn.AddressUnknown) }

// Loses reports whether the port could send, or take in, less than today.
func (p *Port) Loses() bool {
	return len(p.Lost) > 0 || p.Unknown == "" && p.Before.TakesUnknown() && !p.After.TakesUnknown()
}

// Gains reports whether the port could send, or take in, more than today.
func (p *Port) Gains() bool {
	return len(p.Gained) > 0 || p.Unknown == "" && !p.Before.TakesUnknown() && p.After.TakesUnknown()
}

// compare returns how a port changes; changes is false where it does not.
func (c *comparison) compare(before, after inventory.Port) (out Port, changes bool) {
	now := c.After.Cluster.Now
	b, _ := c.settled(c.before, before, now)
	a, stays := c.settled(c.after, after, now)
	out = Port{Name: after.Name, Pod: after.Pod.Name, Provider: after.Provider, Class: audit.ClassOf(&after), When: Now}
	if !c.put(&out, &b, &a) {
		if after.Pod.Terminating {
			return Port{}, false
		}
		out.When, out.Stays = Later, stays
		if why := undetermined(&after); why != "" {
			out.Before, out.After, out.Unknown = stateOf(&b), stateOf(&a), why
			return out, true
		}
		b, _ = c.madeAgain(c.before, before, now)
		a, _ = c.madeAgain(c.after, after, now)
		if !c.put(&out, &b, &a) {
			return Port{}, false
		}
	}
	if out.Loses() {
		out.Forwards, out.Exception = c.forwards(&b, &a)
	}
	return out, true
}

// put enters what differs between two pictures of the port; it reports whether something does.
func (c *comparison) put(to *Port, before, after *inventory.Port) bool {
	to.Before, to.After = stateOf(before), stateOf(after)
	lost, gained := c.differences(after, before.Row, after.Row)
	to.Lost, to.Gained = texts(lost), texts(gained)
	return to.Loses() || to.Gains()
}

func texts(pairs []portsec.Pair) (out []string) {
	for _, p := range pairs {
		out = append(out, p.String())
	}
	return out
}
