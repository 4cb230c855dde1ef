package portsec

import (
	"net/netip"
)

// Outcome says what became of an element.
type Outcome uint8

// Outcomes of an element.
const (
	// Accepted means that OVN uses the whole element.
	Accepted Outcome = iota
	// Truncated means that OVN uses what stands before the first text that it cannot read.
	Truncated
	// Rejected means that OVN uses nothing of it.
	Rejected
)

// String returns "accepted", "truncated" or "rejected".
func (o Outcome) String() string {
	switch o {
	case Accepted:
		return "accepted"
	case Truncated:
		return "truncated"
	case Rejected:
		return "rejected"
	}
	return "unknown"
}

// Element is one element of a port_security column as one era reads it.
type Element struct {
	// Text is the element as it is written.
	Text    string
	Outcome Outcome
	// Reason says in words why the element is not accepted; it is empty otherwise.
	Reason string
	// Offset is the byte of Text where the trouble begins; it means nothing for an accepted element.
	Offset int

	// VRRP means that it is a VRRPv3 element, which eras with WholeElements know.
	VRRP bool
	// MAC is the address that was read; for a VRRP element that of the physical interface.
	MAC MAC
	// Addresses are the addresses as they were read, with their lengths. With a host bit set, one means just that
	// address; without, it means the whole range. None means any address.
	Addresses []netip.Prefix

	// virtual4 and virtual6 are the virtual MACs of a VRRP element.
	virtual4, virtual6 []span
}

// Usable reports whether OVN makes something of the element.
func (e Element) Usable() bool { return e.Outcome != Rejected }

func rejected(text string, offset int, reason string) Element {
	return Element{Text: text, Outcome: Rejected, Offset: offset, Reason: reason}
}

// Column is a port_security column as one era reads it.
type Column struct {
	Era      Era
	Elements []Element
}

// Parse reads a column as OVN of the era does. Nothing is an error: OVN takes any text, and what it cannot use shows in
// the elements.
func Parse(era Era, column []string) Column {
	c := Column{Era: era, Elements: make([]Element, len(column))}
	for i, text := range column {
		c.Elements[i] = ParseElement(era, text)
	}
	return c
}

// ParseElement reads one element as OVN of the era does.
func ParseElement(era Era, text string) Element {
	if era.Has(WholeElements) {
		return parseTokens(text)
	}
	return parsePrefix(text)
}
