// Package upgrade says what becomes of ports when another release of OVN or of Kube-OVN takes over: which columns mean
// something else, which keys are read differently, and when nothing is checked meanwhile. It is pure.
package upgrade

import (
	"cmp"
	"slices"

	"github.com/ovnguard/ovnguard/portsec"
)

// Effect says what an upgrade does to what a port may send.
type Effect string

// Effects, the worst first.
const (
	// Opens means that the port may send from any MAC and address after the upgrade, and may not before.
	Opens Effect = "opens"
	// Widens means that the port may send from addresses from which it may not before.
	Widens Effect = "widens"
	// Narrows means that what the port may send now is dropped after the upgrade.
	Narrows Effect = "narrows"
	// Shifts means both: the port may send something new, and something that it may send now is dropped.
	Shifts Effect = "shifts"
	// Key means that Kube-OVN reads an annotation or a name differently.
	Key Effect = "key"
	// Discovery means that only neighbour discovery, or protocols other than IP and ARP, are checked differently: the
	// column means the same.
	Discovery Effect = "discovery"
)

// Effects returns all effects, the worst first.
func Effects() []Effect { return []Effect{Opens, Widens, Shifts, Narrows, Key, Discovery} }

// Rank orders effects: 0 is the worst.
func (e Effect) Rank() int { return slices.Index(Effects(), e) }

// ColumnChange is what becomes of a column when one era takes the place of another.
type ColumnChange struct {
	From, To portsec.Era
	Effect   Effect
	// Gains is what the port may send afterwards and not before, Losses what it may send before and not afterwards.
	Gains, Losses []portsec.Pair
	// Elements are those that the two eras read differently.
	Elements []ElementChange
}

// ElementChange is an element that two eras read differently.
type ElementChange struct {
	Text        string
	Before, Now portsec.Outcome
	// Reason says why the later era does not use the whole element; empty where it does.
	Reason string
}

// OfColumn compares what a column of a port of the type ("" for that of a pod) lets the port send under two eras. ok is
// false where both let it send the same.
func OfColumn(portType string, column []string, from, to portsec.Era) (c ColumnChange, ok bool) {
	before, now := enforced(portType, column, from), enforced(portType, column, to)
	c = ColumnChange{From: from, To: to, Gains: portsec.Excess(now, before), Losses: portsec.Excess(before, now)}
	if len(c.Gains)+len(c.Losses) == 0 {
		return ColumnChange{}, false
	}
	c.Elements = elements(column, from, to)
	gains, losses := slices.ContainsFunc(c.Gains, sources), slices.ContainsFunc(c.Losses, sources)
	switch {
	case now.Open() && !before.Open():
		c.Effect = Opens
	case gains && losses:
		c.Effect = Shifts
	case gains:
		c.Effect = Widens
	case losses:
		c.Effect = Narrows
	default:
		c.Effect = Discovery
	}
	return c, true
}

// enforced returns what the era lets the port send.
func enforced(portType string, column []string, era portsec.Era) portsec.Set {
	if !era.Checks(portType) {
		column = nil
	}
	return portsec.Parse(era, column).Set()
}

// sources reports whether a pair is about addresses to send from, and not about how an era checks neighbour discovery
// or other protocols.
func sources(p portsec.Pair) bool {
	return p.Traffic == portsec.AllTraffic || p.Traffic == portsec.IPTraffic || p.Traffic == portsec.ARPTraffic
}

// elements returns the elements that two eras read differently.
func elements(column []string, from, to portsec.Era) (out []ElementChange) {
	for _, text := range column {
		before, now := portsec.ParseElement(from, text), portsec.ParseElement(to, text)
		if before.Outcome == now.Outcome && before.VRRP == now.VRRP && before.MAC == now.MAC &&
			slices.Equal(before.Addresses, now.Addresses) {
			continue
		}
		out = append(out, ElementChange{Text: text, Before: before.Outcome, Now: now.Outcome, Reason: now.Reason})
	}
	return out
}

// Column is what becomes of a column where it is not sure which era is before and which comes after.
type Column struct {
	// Worst is the change with the worst effect.
	Worst ColumnChange
	// Sure means that every pair of eras that may come about has this effect.
	Sure bool
}

// Between returns what becomes of a column where one of some eras takes the place of one of others. ok is false where
// nothing can change.
func Between(portType string, column []string, before, after []portsec.Era) (c Column, ok bool) {
	var effects []Effect
	same := false
	for _, from := range before {
		for _, to := range after {
			change, changes := OfColumn(portType, column, from, to)
			if !changes {
				same = true
				continue
			}
			effects = append(effects, change.Effect)
			if !ok || change.Effect.Rank() < c.Worst.Effect.Rank() {
				c.Worst, ok = change, true
			}
		}
	}
	slices.SortFunc(effects, func(a, b Effect) int { return cmp.Compare(a.Rank(), b.Rank()) })
	c.Sure = !same && len(slices.Compact(effects)) == 1
	return c, ok
}
